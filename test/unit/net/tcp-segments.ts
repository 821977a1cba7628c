// TCP segments for the tests of device/net/tcp.ts, and a consumer that keeps copies of what it gets.
import { formatEndpoint } from "../../../device/base/address.js";
import { LinkFacts } from "../../../device/net/link-facts.js";
import type { TcpOptions } from "../../../device/net/tcp.js";
import { TcpStreams } from "../../../device/net/tcp.js";
import type { TcpDirection } from "../../../device/net/tcp-connection.js";
import type { TcpSegment } from "../../../device/net/tcp-segment.js";
import { START_US } from "./packets.js";

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const ACK = 0x10;
export const TCP_LIMITS: TcpOptions = {
  maxConnections: 64,
  maxBufferedBytesPerConnection: 64 * 1024,
  maxBufferedBytesTotal: 256 * 1024,
  idleTimeoutMs: 60_000,
  holeTimeoutMs: 3000,
};
export const HOLE_US = 3_000_000;
export const IDLE_US = 60_000_000;

export interface SegmentOptions {
  flags?: number;
  /** From the second endpoint to the first. */
  reverse?: boolean;
  /** Distinguishes connections: the client's port, and beyond 16 bits its address. */
  client?: number;
  /** Ms after START_US. */
  atMs?: number;
  wireBytes?: number;
}

export function segment(sequence: number, payload: string | Uint8Array = "", options: SegmentOptions = {}): TcpSegment {
  const data = Buffer.concat([Buffer.from("<<<"), Buffer.from(payload), Buffer.from(">>>")]);
  const client = options.client ?? 5062;
  const ends = [
    [0, 0, 0xffff, 0x0a000001 + (client >>> 16), client & 0xffff],
    [0, 0, 0xffff, 0x0a0a0002, 5060],
  ] as const;
  const [source, destination] = options.reverse ? [ends[1], ends[0]] : ends;
  const ports = (source[4] << 16) | destination[4];
  return {
    key: Int32Array.from([...source.slice(0, 4), ...destination.slice(0, 4), ports]),
    data,
    start: 3,
    end: data.length - 3,
    wireBytes: options.wireBytes ?? data.length - 6,
    sequence: sequence | 0,
    flags: options.flags ?? ACK,
    capturedAtUs: START_US + (options.atMs ?? 0) * 1000,
    interfaceIndex: 2,
    link: new LinkFacts(),
  };
}

export interface SeenData {
  from: string;
  to: string;
  text: string;
  gap: boolean;
  atMs: number;
  id: number;
}

export class Consumer {
  readonly seen: SeenData[] = [];
  readonly ended: number[] = [];
  readonly streams: TcpStreams;
  /** Called for each delivery, before it is kept. */
  onData: (direction: TcpDirection) => void = () => {};

  constructor(options: Partial<TcpOptions> = {}) {
    this.streams = new TcpStreams(
      { ...TCP_LIMITS, ...options },
      (data) => {
        this.onData(data.direction);
        this.seen.push({
          from: formatEndpoint(data.key, 0, data.key[8]! >>> 16),
          to: formatEndpoint(data.key, 4, data.key[8]! & 0xffff),
          text: data.data.toString("latin1", data.start, data.end),
          gap: data.gap,
          atMs: (data.capturedAtUs - START_US) / 1000,
          id: data.direction.id,
        });
      },
      (direction) => this.ended.push(direction.id),
    );
  }

  push(...segments: TcpSegment[]): this {
    for (const one of segments) this.streams.push(one);
    return this;
  }

  /** What was delivered, a `|` where bytes are missing. */
  get text(): string {
    return this.seen.map(({ text, gap }) => (gap ? `|${text}` : text)).join("");
  }

  get counts(): Record<string, number> {
    const all = Object.entries(this.streams.counters.toRecord());
    const kept = all.filter(([name, count]) => count !== 0 && !/segments|bytes/.test(name));
    return Object.fromEntries(kept.map(([name, count]) => [name.slice("net.tcp-".length), count]));
  }
}
