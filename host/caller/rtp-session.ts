// One call's audio on a test phone: sends G.711 in real time, 20 ms a packet (RFC 3550 §5.1, RFC 3551), and keeps what
// it hears, up to a limit. Samples are kept in the order of arrival: this is an ear, not a jitter buffer.
import { randomBytes } from "node:crypto";
import { decodeG711, encodeG711, G711_PAYLOAD_TYPE, G711_SAMPLE_RATE_HZ, type G711Codec } from "./g711.js";
import type { AudioOffer } from "./sip-text.js";
import type { PcmSource } from "./tone.js";
import { UdpSocket } from "./udp-socket.js";

const PTIME_MS = 20;
const SAMPLES_PER_PACKET = (G711_SAMPLE_RATE_HZ * PTIME_MS) / 1000;
const RTP_HEADER_BYTES = 12;
const MAX_HEARD_SAMPLES = 60 * G711_SAMPLE_RATE_HZ;
/** A process that was held up longer than this leaves a gap instead of sending a burst. */
const MAX_BURST_PACKETS = 25;

export class RtpSession {
  readonly #says: PcmSource;
  readonly #header = randomBytes(RTP_HEADER_BYTES);
  readonly #heard: Int16Array[] = [];
  #heardSamples = 0;
  #socket: UdpSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #phase: "listening" | "talking" | "silent" | "closed" = "listening";
  #packetTime = 0;
  sentPackets = 0;
  receivedPackets = 0;

  constructor(says: PcmSource) {
    this.#says = says;
  }

  /** Takes a port and listens. Returns the port. */
  async open(address: string): Promise<number> {
    const socket = await UdpSocket.open(address, 0, (bytes) => this.#receive(bytes));
    // The call may have been ended while the port was being opened.
    if (this.#phase === "closed") await socket.close();
    else this.#socket = socket;
    return socket.port;
  }

  /** Speaks to the peer from now on, once. */
  talkTo(peer: AudioOffer): void {
    if (this.#phase !== "listening") return;
    this.#phase = "talking";
    const startedAtMs = performance.now();
    const tick = (): void => {
      const dueTime = Math.floor((performance.now() - startedAtMs) / PTIME_MS);
      this.#packetTime = Math.max(this.#packetTime, dueTime - MAX_BURST_PACKETS);
      while (this.#packetTime <= dueTime) this.#sendPacket(peer);
      this.#timer = setTimeout(tick, startedAtMs + this.#packetTime * PTIME_MS - performance.now());
    };
    tick();
  }

  /** Says no more, goes on listening. */
  fallSilent(): void {
    clearTimeout(this.#timer);
    if (this.#phase !== "closed") this.#phase = "silent";
  }

  async close(): Promise<void> {
    this.fallSilent();
    this.#phase = "closed";
    const socket = this.#socket;
    this.#socket = undefined;
    await socket?.close();
  }

  /** What was heard, at most a minute of it. */
  heard(): Int16Array {
    const samples = new Int16Array(this.#heardSamples);
    let at = 0;
    for (const part of this.#heard) {
      samples.set(part, at);
      at += part.length;
    }
    return samples;
  }

  #sendPacket(peer: AudioOffer): void {
    const first = this.#packetTime * SAMPLES_PER_PACKET;
    const payload = encodeG711(this.#says(first, SAMPLES_PER_PACKET), peer.codec);
    const packet = Buffer.concat([this.#header, payload]);
    // Sequence, timestamp and SSRC start at the random values that the header was made with.
    packet[0] = 0x80;
    packet[1] = G711_PAYLOAD_TYPE[peer.codec] | (this.sentPackets === 0 ? 0x80 : 0);
    packet.writeUInt16BE((this.#header.readUInt16BE(2) + this.sentPackets) & 0xffff, 2);
    packet.writeUInt32BE((this.#header.readUInt32BE(4) + first) >>> 0, 4);
    this.#socket?.send(packet, peer);
    this.#packetTime++;
    this.sentPackets++;
  }

  #receive(bytes: Buffer): void {
    const codec = codecOfPacket(bytes);
    if (codec === undefined) return;
    this.receivedPackets++;
    if (this.#heardSamples + bytes.length > MAX_HEARD_SAMPLES) return;
    const samples = decodeG711(bytes.subarray(RTP_HEADER_BYTES), codec);
    this.#heard.push(samples);
    this.#heardSamples += samples.length;
  }
}

/** Undefined unless it is RTP version 2 without padding, extension or contributing sources, in G.711. */
function codecOfPacket(bytes: Buffer): G711Codec | undefined {
  if (bytes.length <= RTP_HEADER_BYTES || bytes[0] !== 0x80) return undefined;
  const payloadType = bytes[1]! & 0x7f;
  if (payloadType === G711_PAYLOAD_TYPE.PCMA) return "PCMA";
  return payloadType === G711_PAYLOAD_TYPE.PCMU ? "PCMU" : undefined;
}
