// What really passed the mirror port, as tcpdump kept it and tshark reads it: the truth that recordings are compared
// with, from programs that are not ours.
import { execFileSync } from "node:child_process";
import { decodeG711, G711_PAYLOAD_TYPE, type G711Codec } from "./tone.js";
import { hasTone, joinSpans, type ToneSpan } from "./tone-spans.js";

const SAMPLES_PER_MS = 8;
const SAMPLE_RATE_HZ = 8000;
/** A sender that is silent for so long pauses; for less, it was merely held up. */
const LEAST_PAUSE_MS = 400;
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

export interface WirePacket {
  /** Capture time, ms since 1970. */
  atMs: number;
  sequence: number;
  timestamp: number;
  /** Address without port. */
  destination: string;
  ssrc: number;
  payloadType: number;
  payload: Buffer;
}

export class Wire {
  private readonly file: string;
  private readonly byAddress: Map<string, WirePacket[]>;

  /** `file`: a finished capture. */
  constructor(file: string) {
    this.file = file;
    this.byAddress = readPackets(file);
  }

  /** RTP packets that an address (or address:port) sent, to anybody or to one address, in order of capture. */
  rtpFrom(source: string, destination?: string): readonly WirePacket[] {
    const packets = this.byAddress.get(source) ?? [];
    return destination === undefined ? packets : packets.filter((packet) => packet.destination === destination);
  }

  /** When the tone was spoken at the source, in ms since 1970. */
  toneFrom(source: string, frequencyHz: number, destination?: string): ToneSpan[] {
    const parts: ToneSpan[] = [];
    for (const spurt of spurtsOf(this.rtpFrom(source, destination))) {
      const startMs = startOf(spurt);
      for (const packet of spurt) {
        const codec = codecOf(packet.payloadType);
        if (!codec || !hasTone(decodeG711(packet.payload, codec), frequencyHz, SAMPLE_RATE_HZ)) continue;
        const fromMs = startMs + elapsedMs(spurt[0]!, packet);
        parts.push({ fromMs, toMs: fromMs + packet.payload.length / SAMPLES_PER_MS });
      }
    }
    return joinSpans(parts);
  }

  /** Frames that fit a display filter. */
  count(filter: string): number {
    return tshark(this.file, "-Y", filter, "-T", "fields", "-e", "frame.number").length;
  }
}

/** Packets that follow one another in number and time; a sender that pauses begins a new spurt. */
function spurtsOf(packets: readonly WirePacket[]): WirePacket[][] {
  const spurts: WirePacket[][] = [];
  for (const packet of packets) {
    const spurt = spurts.at(-1);
    const last = spurt?.at(-1);
    if (spurt && last && continues(last, packet)) spurt.push(packet);
    else spurts.push([packet]);
  }
  return spurts;
}

function continues(last: WirePacket, next: WirePacket): boolean {
  if (next.ssrc !== last.ssrc || next.sequence !== ((last.sequence + 1) & 0xffff)) return false;
  const behindMs = next.atMs - last.atMs - elapsedMs(last, next);
  return elapsedMs(last, next) < LEAST_PAUSE_MS && Math.abs(behindMs) < LEAST_PAUSE_MS;
}

/** When a spurt began: as its most punctual packet tells. A sender that was held up catches up later. */
function startOf(spurt: readonly WirePacket[]): number {
  return spurt.reduce((least, packet) => Math.min(least, packet.atMs - elapsedMs(spurt[0]!, packet)), Infinity);
}

function elapsedMs(from: WirePacket, to: WirePacket): number {
  return ((to.timestamp - from.timestamp) | 0) / SAMPLES_PER_MS;
}

function codecOf(payloadType: number): G711Codec | undefined {
  return (["PCMA", "PCMU"] as const).find((codec) => G711_PAYLOAD_TYPE[codec] === payloadType);
}

function readPackets(file: string): Map<string, WirePacket[]> {
  const fields = ["frame.time_epoch", "ip.src", "udp.srcport", "ip.dst"];
  fields.push("rtp.seq", "rtp.timestamp", "rtp.ssrc", "rtp.p_type", "rtp.payload");
  const wanted = fields.flatMap((field) => ["-e", field]);
  const packets = new Map<string, WirePacket[]>();
  for (const line of tshark(
    file,
    // Told what it is: heuristics of other protocols claim an RTP packet now and then.
    "-d",
    "udp.port==1024-65535,rtp",
    "-Y",
    "rtp.version == 2 && !(rtp.p_type >= 64 && rtp.p_type <= 95) && !icmp",
    "-T",
    "fields",
    ...wanted,
  )) {
    const values = line.split("\t") as [string, ...string[]];
    const [time, address, port, destination, sequence, timestamp, ssrc, payloadType, payload] = values;
    const packet: WirePacket = {
      atMs: Number(time) * 1000,
      destination: destination!,
      sequence: Number(sequence),
      timestamp: Number(timestamp),
      ssrc: Number(ssrc),
      payloadType: Number(payloadType),
      payload: Buffer.from((payload ?? "").replaceAll(":", ""), "hex"),
    };
    for (const source of [address!, `${address}:${port}`]) {
      const known = packets.get(source);
      if (known) known.push(packet);
      else packets.set(source, [packet]);
    }
  }
  return packets;
}

function tshark(file: string, ...options: string[]): string[] {
  const output = execFileSync("tshark", ["-n", "-r", file, ...options], {
    maxBuffer: MAX_OUTPUT_BYTES,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return output.toString().split("\n").filter(Boolean);
}
