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

/** A key that is pressed during the stream, as RTP events in the place of audio (RFC 4733 §2.5.1). */
export interface KeyPress {
  key: string;
  /** Packet time of its first report. */
  index: number;
  /** Packet times that it lasts. Default 5; the last report is sent three times. */
  packets?: number;
}

const EVENT_KEYS = "0123456789*#ABCD";
/** Payload type of the events: what the session descriptions of calls with keys say. */
export const EVENT_PAYLOAD_TYPE = 101;
const DEFAULT_PRESS_PACKETS = 5;
const END_REPORTS = 3;
const EVENT_VOLUME = 10;

export interface RtpStreamOptions extends RtpFaults {
  keys?: readonly KeyPress[];
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
    const reports = eventReports(options, index, samples);
    if (reports.length > 0) {
      for (const [copy, report] of reports.entries()) {
        const packet = rtpPacket({ ...report, sequence: sequence++, ssrc: options.ssrc });
        if (options.isLost?.(index)) continue;
        const { source, destination } = options;
        const frame = udpFrame({ source, destination, payload: packet, ...options.link, identification: sequence });
        const atUs = options.startUs + index * ptimeMs * 1000 + copy * COPY_DELAY_US + (options.delayUs?.(index) ?? 0);
        frames.push({ atUs, frame, kind: "rtp", from: options.from, label: "" });
      }
      continue;
    }
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

/** The reports of a key that is down at this packet time; empty when none is. */
function eventReports(
  { keys = [], firstTimestamp = 0 }: RtpStreamOptions,
  index: number,
  samples: number,
): Omit<RtpPacketFields, "sequence" | "ssrc">[] {
  const press = keys.find((one) => index >= one.index && index < one.index + (one.packets ?? DEFAULT_PRESS_PACKETS));
  if (!press) return [];
  const since = index - press.index;
  const isLast = since === (press.packets ?? DEFAULT_PRESS_PACKETS) - 1;
  const payload = Buffer.from([EVENT_KEYS.indexOf(press.key), (isLast ? 0x80 : 0) | EVENT_VOLUME, 0, 0]);
  payload.writeUInt16BE((since + 1) * samples, 2);
  const report = {
    payloadType: EVENT_PAYLOAD_TYPE,
    isMarked: since === 0,
    timestamp: firstTimestamp + press.index * samples,
    payload,
  };
  return new Array(isLast ? END_REPORTS : 1).fill(report);
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
