// The bench's capture: many G.711 calls at once, streamed into a pcap file. Frames are templates patched in place, with
// correct checksums, so that a million packets take seconds to write.
import type { CallOptions } from "../fakes/call-options.js";
import { CaptureStream } from "../fakes/capture-file.js";
import { internetChecksum, sumOf, udpFrame } from "../fakes/frames.js";
import { makeCall } from "../fakes/office-call.js";
import { rtpPacket } from "../fakes/rtp-stream.js";
import type { TimedFrame } from "../fakes/timed-frames.js";
import { G711_PAYLOAD_TYPE, type G711Codec, toneSource } from "../fakes/tone.js";

export interface BenchTraffic {
  calls: number;
  /** Length of each call from answer to BYE. */
  seconds: number;
  rtpPackets: number;
  sipFrames: number;
  fileBytes: number;
}

const START_US = Date.UTC(2026, 10, 21, 9, 0, 0) * 1000;
const PTIME_US = 20_000;
const PACKETS_PER_SECOND = 50;
const SAMPLES_PER_PACKET = 160;
const RING_MS = 200;
/** All calls begin within this time. */
const SPREAD_US = 1_000_000;
const FIRST_PACKET_US = { caller: 10_000, callee: 13_000 };
const AGENT_TONE_HZ = 440;
const CALLER_TONE_HZ = 1000;
/** Both tones come back to their phase after as many packets. */
const TONE_PACKETS = 5;
const AGENT_PORT = 40_000;
const CALLER_PORT = 30_000;
/** Offsets into Ethernet, IPv4 without options, UDP, RTP. */
const UDP_CHECKSUM_AT = 40;
const RTP_SEQUENCE_AT = 44;
const RTP_TIMESTAMP_AT = 46;
export const PAYLOAD_AT = 54;

/** Writes the capture. Calls may be up to 65,536. */
export function writeTraffic(path: string, calls: number, seconds: number): BenchTraffic {
  const signalling: TimedFrame[] = [];
  const streams: PatchedStream[] = [];
  for (let i = 0; i < calls; i++) {
    const options = callOptions(i, calls, seconds);
    signalling.push(...makeCall(options));
    const answerUs = options.startUs + RING_MS * 1000;
    const { codec } = options;
    const [agent, caller] = [`${options.callee.address}:${AGENT_PORT}`, `${options.caller.address}:${CALLER_PORT}`];
    streams.push(new PatchedStream(agent, caller, 2 * i, codec, AGENT_TONE_HZ, answerUs + FIRST_PACKET_US.callee));
    streams.push(new PatchedStream(caller, agent, 2 * i + 1, codec, CALLER_TONE_HZ, answerUs + FIRST_PACKET_US.caller));
  }
  signalling.sort((a, b) => a.atUs - b.atUs);
  const file = new CaptureStream(path);
  const packetsPerStream = seconds * PACKETS_PER_SECOND;
  writeInOrder(file, signalling, streams, packetsPerStream);
  file.close();
  return {
    calls,
    seconds,
    rtpPackets: streams.length * packetsPerStream,
    sipFrames: signalling.length,
    fileBytes: file.writtenBytes,
  };
}

function callOptions(i: number, calls: number, seconds: number) {
  const host = `${(i >> 8) & 255}.${i & 255}`;
  return {
    callId: `bench-${i}@office.example`,
    startUs: START_US + Math.floor((i * SPREAD_US) / calls),
    ringMs: RING_MS,
    durationMs: seconds * 1000,
    codec: i % 2 === 0 ? "PCMA" : "PCMU",
    // The audio is written here, by templates.
    caller: { user: `030${i}`, address: `10.200.${host}`, rtpPort: CALLER_PORT, isMute: true },
    callee: { user: String(1000 + i), address: `10.100.${host}`, rtpPort: AGENT_PORT, isMute: true },
  } as const satisfies CallOptions;
}

/**
 * All frames in the order of their times: streams that send every 20 ms keep their order among each other, so that one
 * sort by phase is enough.
 */
function writeInOrder(
  file: CaptureStream,
  signalling: readonly TimedFrame[],
  streams: readonly PatchedStream[],
  packetsPerStream: number,
): void {
  const byPhase = [...streams].sort((a, b) => a.phaseUs - b.phaseUs);
  const lastSlot = Math.max(...streams.map((one) => one.firstSlot)) + packetsPerStream;
  let written = 0;
  const catchUp = (untilUs: number): void => {
    for (; written < signalling.length && signalling[written]!.atUs <= untilUs; written++) {
      file.add(signalling[written]!.frame, signalling[written]!.atUs);
    }
  };
  for (let slot = 0; slot < lastSlot; slot++) {
    for (const stream of byPhase) {
      const index = slot - stream.firstSlot;
      if (index < 0 || index >= packetsPerStream) continue;
      const atUs = START_US + slot * PTIME_US + stream.phaseUs;
      catchUp(atUs);
      file.add(stream.frameAt(index), atUs);
    }
  }
  catchUp(Number.POSITIVE_INFINITY);
}

/** One direction's frames out of one buffer. */
class PatchedStream {
  readonly phaseUs: number;
  /** In units of 20 ms from START_US. */
  readonly firstSlot: number;
  readonly #frame: Buffer;
  readonly #payloads: Buffer[];
  readonly #payloadSums: number[];
  /** Of everything under the UDP checksum but sequence, timestamp and payload. */
  readonly #constantSum: number;

  constructor(source: string, destination: string, ssrc: number, codec: G711Codec, toneHz: number, firstUs: number) {
    this.firstSlot = Math.floor((firstUs - START_US) / PTIME_US);
    this.phaseUs = firstUs - START_US - this.firstSlot * PTIME_US;
    const empty = rtpPacket({
      payloadType: G711_PAYLOAD_TYPE[codec],
      sequence: 0,
      timestamp: 0,
      ssrc: 0x5107_0000 + ssrc,
      payload: Buffer.alloc(SAMPLES_PER_PACKET),
    });
    this.#frame = udpFrame({ source, destination, payload: empty });
    this.#constantSum = ~this.#frame.readUInt16BE(UDP_CHECKSUM_AT) & 0xffff;
    const tone = toneSource(toneHz);
    this.#payloads = Array.from({ length: TONE_PACKETS }, (_, i) =>
      tone(i * SAMPLES_PER_PACKET, SAMPLES_PER_PACKET, codec),
    );
    this.#payloadSums = this.#payloads.map(sumOf);
  }

  frameAt(index: number): Buffer {
    const sequence = index & 0xffff;
    const timestamp = (index * SAMPLES_PER_PACKET) >>> 0;
    const tonePart = index % TONE_PACKETS;
    const changing = sequence + (timestamp >>> 16) + (timestamp & 0xffff) + this.#payloadSums[tonePart]!;
    this.#frame.writeUInt16BE(sequence, RTP_SEQUENCE_AT);
    this.#frame.writeUInt32BE(timestamp, RTP_TIMESTAMP_AT);
    this.#payloads[tonePart]!.copy(this.#frame, PAYLOAD_AT);
    this.#frame.writeUInt16BE(internetChecksum(this.#constantSum + changing) || 0xffff, UDP_CHECKSUM_AT);
    return this.#frame;
  }
}
