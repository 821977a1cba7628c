// TCP as frames (RFC 9293): single segments, and whole conversations of two ends that keep their sequence numbers. What
// is sent is cut, copied and put out of order by whoever asks; nothing here looks into the bytes.
import { endpoints, type IpOptions, internetChecksum, ipPacket, type LinkOptions, linkFrame, sumOf } from "./frames.js";

export const TCP_FLAG = { fin: 0x01, syn: 0x02, rst: 0x04, push: 0x08, ack: 0x10 } as const;
const PROTOCOL_TCP = 6;
const HEADER_BYTES = 20;
const WINDOW = 0xffff;

export interface TcpFrameOptions extends IpOptions, LinkOptions {
  /** Modulo 2^32. */
  sequence: number;
  acknowledgment?: number;
  /** Default ACK. */
  flags?: number;
  payload?: Uint8Array;
}

/** One frame that holds one segment, with correct lengths and checksums. */
export function tcpFrame(options: TcpFrameOptions): Buffer {
  const ends = endpoints(options);
  const payload = options.payload ?? Buffer.alloc(0);
  const segment = Buffer.alloc(HEADER_BYTES + payload.length);
  segment.writeUInt16BE(ends.source.port, 0);
  segment.writeUInt16BE(ends.destination.port, 2);
  segment.writeUInt32BE(options.sequence >>> 0, 4);
  segment.writeUInt32BE((options.acknowledgment ?? 0) >>> 0, 8);
  segment[12] = (HEADER_BYTES / 4) << 4;
  segment[13] = options.flags ?? TCP_FLAG.ack;
  segment.writeUInt16BE(WINDOW, 14);
  segment.set(payload, HEADER_BYTES);
  const pseudo = sumOf(ends.source.address) + sumOf(ends.destination.address) + PROTOCOL_TCP + segment.length;
  segment.writeUInt16BE(internetChecksum(pseudo + sumOf(segment)), 16);
  return linkFrame(ipPacket(options, ends, segment, PROTOCOL_TCP), ends, options);
}

/** Which end sends: the one that opened the connection, or the other. */
export type TcpEnd = "client" | "server";

export interface TcpConversationOptions extends LinkOptions {
  /** "192.0.2.1:40000" */
  client: string;
  server: string;
  /** First sequence numbers; the defaults wrap soon. */
  clientSequence?: number;
  serverSequence?: number;
}

/** Both ends of one connection; every method returns frames in the order of sending. */
export class TcpConversation {
  readonly #options: TcpConversationOptions;
  readonly #next: Record<TcpEnd, number>;

  constructor(options: TcpConversationOptions) {
    this.#options = options;
    this.#next = {
      client: options.clientSequence ?? 0xfffffe00,
      server: options.serverSequence ?? 0x7fffff00,
    };
  }

  /** The three-way handshake. */
  open(): Buffer[] {
    const { syn, ack } = TCP_FLAG;
    return [this.#segment("client", syn), this.#segment("server", syn | ack), this.#segment("client", ack)];
  }

  /** The bytes as segments of the sizes given, the last of them repeated. */
  send(from: TcpEnd, bytes: Uint8Array, sizes: readonly number[] = [1460]): Buffer[] {
    const frames: Buffer[] = [];
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = Math.max(1, sizes[Math.min(i, sizes.length - 1)]!);
      frames.push(this.#segment(from, TCP_FLAG.ack | TCP_FLAG.push, bytes.subarray(at, at + size)));
      at += size;
    }
    return frames;
  }

  /** Bytes that are sent and not seen. */
  lose(from: TcpEnd, bytes: number): void {
    this.#next[from] += bytes;
  }

  close(): Buffer[] {
    const { fin, ack } = TCP_FLAG;
    return [this.#segment("client", fin | ack), this.#segment("server", fin | ack), this.#segment("client", ack)];
  }

  #segment(from: TcpEnd, flags: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
    const to = from === "client" ? "server" : "client";
    const { client: _client, server: _server, ...link } = this.#options;
    const frame = tcpFrame({
      ...link,
      source: this.#options[from],
      destination: this.#options[to],
      sequence: this.#next[from],
      acknowledgment: (flags & TCP_FLAG.ack) === 0 ? 0 : this.#next[to],
      flags,
      payload,
    });
    const isCounted = (flags & (TCP_FLAG.syn | TCP_FLAG.fin)) !== 0;
    this.#next[from] = (this.#next[from] + payload.length + (isCounted ? 1 : 0)) % 2 ** 32;
    return frame;
  }
}
