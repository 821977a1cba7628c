// RTP payloads on their way past the mirror, for the payload matcher's tests: streams, relays of them, and what a
// matcher finds in them. Every packet lies at another place of the capture's one buffer, as in reality.
import { PayloadMatcher, type PayloadMatcherOptions } from "../../../device/call/payload-matcher.js";
import type { StreamToken } from "../../../device/call/payload-stream.js";

export const START_US = 1_800_000_000_000_000;
export const PTIME_US = 20_000;

export interface Passing {
  stream: string;
  payload: Uint8Array;
  atUs: number;
}

export interface PassingOptions {
  /** Time of the first packet after START_US. Default 0. */
  startUs?: number;
  ptimeUs?: number;
  /** Delay of packet `index`, added to its time. */
  delayUs?: (index: number) => number;
  isLost?: (index: number) => boolean;
  /** A copy of packet `index` follows after so many µs; 0 = none. */
  copyAfterUs?: (index: number) => number;
}

/** The packets of one stream. */
export function passing(stream: string, payloads: readonly Uint8Array[], options: PassingOptions = {}): Passing[] {
  const { startUs = 0, ptimeUs = PTIME_US, delayUs, isLost, copyAfterUs } = options;
  const packets: Passing[] = [];
  for (const [index, payload] of payloads.entries()) {
    if (isLost?.(index)) continue;
    const atUs = START_US + startUs + index * ptimeUs + (delayUs?.(index) ?? 0);
    packets.push({ stream, payload, atUs });
    const copyUs = copyAfterUs?.(index) ?? 0;
    if (copyUs > 0) packets.push({ stream, payload, atUs: atUs + copyUs });
  }
  return packets;
}

export function inOrder(...streams: Passing[][]): Passing[] {
  return streams.flat().sort((a, b) => a.atUs - b.atUs);
}

export interface Found {
  /** `original>relayed` */
  pair: string;
  matches: number;
  delayUs: number;
  /** Time of the packet with which it was found, after START_US. */
  atUs: number;
}

const BUFFER_BYTES = 8192;
const HEADER_BYTES = 54;

/** A matcher with streams by name. */
export class Mirror {
  readonly found: Found[] = [];
  readonly contested: string[] = [];
  readonly tokens = new Map<string, StreamToken<string>>();
  readonly matcher: PayloadMatcher<string>;
  readonly senders: Record<string, number>;
  private readonly buffer = Buffer.alloc(BUFFER_BYTES);
  private place = 0;
  private nowUs = 0;

  constructor(options: Partial<PayloadMatcherOptions> = {}, senders: Record<string, number> = {}) {
    this.senders = senders;
    this.matcher = new PayloadMatcher<string>(
      { maxStreams: 4096, maxEntries: 16_384, ...options },
      ({ original, relayed, matches, delayUs }) =>
        this.found.push({ pair: `${original.owner}>${relayed.owner}`, matches, delayUs, atUs: this.nowUs - START_US }),
      (original, relayed) => this.contested.push(`${original.owner}>${relayed.owner}`),
    );
  }

  token(stream: string): StreamToken<string> {
    let token = this.tokens.get(stream);
    if (!token) {
      token = this.matcher.open(stream, this.senders[stream]);
      this.tokens.set(stream, token);
    }
    return token;
  }

  pass(packets: readonly Passing[]): this {
    const { buffer } = this;
    for (const { stream, payload, atUs } of packets) {
      this.nowUs = atUs;
      const start = HEADER_BYTES + this.place;
      this.place = (this.place + 61) % (BUFFER_BYTES - HEADER_BYTES - payload.length);
      buffer.set(payload, start);
      this.matcher.offer(this.token(stream), buffer, start, start + payload.length, atUs);
      // What is found later must not come from here.
      buffer.fill(0xaa, start, start + payload.length);
    }
    return this;
  }

  /** All windows are over. */
  finish(): this {
    this.matcher.settle(this.nowUs + 1_000_000_000);
    return this;
  }

  get pairs(): string[] {
    return this.found.map(({ pair }) => pair).sort();
  }
}
