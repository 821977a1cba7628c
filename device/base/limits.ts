// How much a key (a token, an address) may ask for, and how often it may be wrong. Knows keys and monotonic milliseconds only; both
// tables are bounded, and at the bound who was heard of longest ago is forgotten.
import { formatAddress, parseAddress } from "./address.js";

const MINUTE_MS = 60_000;
const MAX_KEYS = 4096;

/** An IPv6 host chooses among 2^64 addresses: its network counts. */
export function networkOf(address: string): string {
  const words = parseAddress(address.replace(/%.*$/, ""));
  if (words === undefined) return address;
  const isV4 = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  return isV4 ? formatAddress(words) : formatAddress([words[0], words[1], 0, 0]);
}

/** A bucket of a minute's requests per key, refilled steadily. */
export class RequestRate {
  readonly #perMinute: number;
  readonly #buckets = new RecentKeys<{ left: number; atMs: number }>();

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  get forgotten(): number {
    return this.#buckets.forgotten;
  }

  /** 0 when the request may pass, else the ms until the next one may. */
  take(key: string, nowMs: number): number {
    const bucket = this.#buckets.get(key) ?? { left: this.#perMinute, atMs: nowMs };
    const perMs = this.#perMinute / MINUTE_MS;
    bucket.left = Math.min(this.#perMinute, bucket.left + Math.max(0, nowMs - bucket.atMs) * perMs);
    bucket.atMs = nowMs;
    this.#buckets.set(key, bucket);
    if (bucket.left < 1) return (1 - bucket.left) / perMs;
    bucket.left--;
    return 0;
  }
}

/** Locks a key out that was wrong so many times within a minute. */
export class LockOut {
  readonly #perMinute: number;
  readonly #forMs: number;
  readonly #keys = new RecentKeys<{ wrongAtMs: number[]; untilMs: number }>();

  constructor(perMinute: number, forMs: number) {
    this.#perMinute = perMinute;
    this.#forMs = forMs;
  }

  get forgotten(): number {
    return this.#keys.forgotten;
  }

  /** 0 when it is not locked out, else for how many ms it still is. */
  remainingMs(key: string, nowMs: number): number {
    return Math.max(0, (this.#keys.get(key)?.untilMs ?? 0) - nowMs);
  }

  /** True when this one locks the key out. */
  wrong(key: string, nowMs: number): boolean {
    const entry = this.#keys.get(key) ?? { wrongAtMs: [], untilMs: 0 };
    this.#keys.set(key, entry);
    entry.wrongAtMs = entry.wrongAtMs.filter((atMs) => nowMs - atMs < MINUTE_MS);
    entry.wrongAtMs.push(nowMs);
    if (entry.wrongAtMs.length < this.#perMinute) return false;
    entry.wrongAtMs = [];
    entry.untilMs = nowMs + this.#forMs;
    return true;
  }
}

class RecentKeys<Value> {
  forgotten = 0;
  readonly #values = new Map<string, Value>();

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= MAX_KEYS) return;
    this.#values.delete(this.#values.keys().next().value!);
    this.forgotten++;
  }
}
