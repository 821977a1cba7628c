// One direction of an RTP conversation (RFC 3550 §5.1) as timed frames, with the faults that networks and phones add:
// loss, copies, delay, silence suppression. Deterministic.
import { type Endpoint, type LinkOptions, udpFrame } from "./frames.js";
import type { TimedFrame } from "./timed-frames.js";
import { G711_PAYLOAD_TYPE, type G711Codec, type PayloadSource } from "./tone.js";

const SAMPLES_PER_MS = 8;
const RTP_HEADER_BYTES = 12;
const RTP_VERSION_BITS = 0x80;
const RTP_MARKER_BIT = 0x80;
const COPY_DELAY_US = 50;
const SECOND_IDENTIFICATION = 0x8000;

export interface RtpFaults {
  /** The packet is not captured; its sequence number is spent. `index` counts packet times from 0. */
  isLost?: (index: number) => boolean;
  /** The sender sends it again 50 µs later: the same RTP packet in another IP packet. */
  isDuplicated?: (index: number) => boolean;
  /** Nothing is sent: timestamps go on, sequence numbers do not; a marker bit opens the next talk spurt. */
  isSuppressed?: (index: number) => boolean;
  /** Delay of one packet in µs. */
  delayUs?: (index: number) => number;
}

export interface RtpStreamOptions extends RtpFaults {
  source: string | Endpoint;
  destination: string | Endpoint;
  from: TimedFrame["from"];
  /** When the first packet is sent. */
  startUs: number;
  packets: number;
  ssrc: number;
  payload: PayloadSource;
  /** Default PCMA. */
  codec?: G711Codec;
  /** Default 20. */
  ptimeMs?: number;
  /** 0…65535 and 0…2^32-1 of the first packet; both wrap. */
  firstSequence?: number;
  firstTimestamp?: number;
  link?: LinkOptions;
}

/** The stream's packets in the order of their arrival times. */
export function rtpStream(options: RtpStreamOptions): TimedFrame[] {
  const codec = options.codec ?? "PCMA";
  const ptimeMs = options.ptimeMs ?? 20;
  const samples = ptimeMs * SAMPLES_PER_MS;
  const frames: TimedFrame[] = [];
  let sequence = options.firstSequence ?? 0;
  let isTalkSpurtStart = true;
  for (let index = 0; index < options.packets; index++) {
    if (options.isSuppressed?.(index)) {
      isTalkSpurtStart = true;
      continue;
    }
    const timestamp = (options.firstTimestamp ?? 0) + index * samples;
    const packet = rtpPacket({
      payloadType: G711_PAYLOAD_TYPE[codec],
      isMarked: isTalkSpurtStart,
      sequence: sequence++,
      timestamp,
      ssrc: options.ssrc,
      payload: options.payload(index * samples, samples, codec),
    });
    isTalkSpurtStart = false;
    if (options.isLost?.(index)) continue;
    const atUs = options.startUs + index * ptimeMs * 1000 + (options.delayUs?.(index) ?? 0);
    const { source, destination } = options;
    const datagram = { source, destination, payload: packet, ...options.link };
    const frame = udpFrame({ ...datagram, identification: sequence });
    frames.push({ atUs, frame, kind: "rtp", from: options.from, label: "" });
    if (options.isDuplicated?.(index)) {
      const again = udpFrame({ ...datagram, identification: sequence + SECOND_IDENTIFICATION });
      frames.push({ atUs: atUs + COPY_DELAY_US, frame: again, kind: "rtp", from: options.from, label: "" });
    }
  }
  return frames.sort((a, b) => a.atUs - b.atUs);
}

export interface RtpPacketFields {
  payloadType: number;
  isMarked?: boolean;
  /** Taken modulo 2^16. */
  sequence: number;
  /** Taken modulo 2^32. */
  timestamp: number;
  ssrc: number;
  payload: Uint8Array;
}

/** Header without CSRC list, extension and padding, then the payload. */
export function rtpPacket(fields: RtpPacketFields): Buffer {
  const packet = Buffer.alloc(RTP_HEADER_BYTES + fields.payload.length);
  packet[0] = RTP_VERSION_BITS;
  packet[1] = (fields.isMarked ? RTP_MARKER_BIT : 0) | fields.payloadType;
  packet.writeUInt16BE(fields.sequence & 0xffff, 2);
  packet.writeUInt32BE(fields.timestamp >>> 0, 4);
  packet.writeUInt32BE(fields.ssrc >>> 0, 8);
  packet.set(fields.payload, RTP_HEADER_BYTES);
  return packet;
}
