// The payloads of the last moments by fingerprint: on which streams each was seen, and who had it first. A ring of
// fixed size in the order of arrival with a hash index; entries leave it when their window is over and only then are
// judged, so that a third stream is noticed before anybody draws a conclusion. No allocation after construction.
import type { TimeUs } from "../base/ids.js";
import type { StreamToken } from "./payload-stream.js";

const NONE = -1;
/** Entries that may share one place of the index: chosen content cannot make a look-up long. */
const MAX_CHAIN = 16;
/** Streams that had an entry's payload; three stands for more. */
const PAIR = 2;
const CROWD = 3;

export interface SightingListener<Owner> {
  /** The window is over and `first` and `second` were the only streams. `delayUs` is negative when time went back. */
  onExclusive(first: StreamToken<Owner>, second: StreamToken<Owner>, delayUs: number, fingerprint: number): void;
  /** `stream` had a payload that at least two other streams had. Once for every such stream. */
  onShared(stream: StreamToken<Owner>, fingerprint: number): void;
}

export class PayloadSightings<Owner> {
  /** Entries given up before their window was over, for want of room. */
  evicted = 0;
  /** Payloads not entered because their place in the index was crowded. */
  crowded = 0;
  private readonly windowUs: number;
  private readonly listener: SightingListener<Owner>;
  private readonly capacity: number;
  private readonly heads: Int32Array;
  private readonly links: Int32Array;
  private readonly fingerprints: Int32Array;
  private readonly timesUs: Float64Array;
  private readonly delaysUs: Float64Array;
  private readonly streams: Uint8Array;
  /** 1 = the entry is no evidence. A third stream is noticed all the same. */
  private readonly spent: Uint8Array;
  private readonly firsts: (StreamToken<Owner> | undefined)[];
  private readonly seconds: (StreamToken<Owner> | undefined)[];
  private oldest = 0;
  private count = 0;
  /** So many entries to come are no evidence: they may be about payloads whose entries were given up. */
  private distrusted = 0;

  constructor(maxEntries: number, windowUs: number, listener: SightingListener<Owner>) {
    this.capacity = maxEntries;
    this.windowUs = windowUs;
    this.listener = listener;
    let places = 16;
    while (places < 2 * maxEntries) places *= 2;
    this.heads = new Int32Array(places).fill(NONE);
    this.links = new Int32Array(maxEntries);
    this.fingerprints = new Int32Array(maxEntries);
    this.timesUs = new Float64Array(maxEntries);
    this.delaysUs = new Float64Array(maxEntries);
    this.streams = new Uint8Array(maxEntries);
    this.spent = new Uint8Array(maxEntries);
    this.firsts = new Array<StreamToken<Owner> | undefined>(maxEntries).fill(undefined);
    this.seconds = new Array<StreamToken<Owner> | undefined>(maxEntries).fill(undefined);
  }

  get size(): number {
    return this.count;
  }

  /** `stream` had the payload. `isRecurring`: it is evidence for nobody, whoever has it. */
  sight(stream: StreamToken<Owner>, fingerprint: number, atUs: TimeUs, isRecurring: boolean): void {
    const slot = this.find(fingerprint);
    if (slot === NONE) this.enter(stream, fingerprint, atUs, isRecurring);
    else if (isRecurring) this.spent[slot] = 1;
    else this.join(slot, stream, atUs);
  }

  /** Judges the entries whose window is over at `nowUs`. Entries of a time far ahead are void: the clock was set back. */
  settle(nowUs: TimeUs): void {
    while (this.count > 0) {
      const slot = this.oldest;
      const ageUs = nowUs - this.timesUs[slot]!;
      if (ageUs <= this.windowUs && ageUs >= -this.windowUs) return;
      const first = this.firsts[slot];
      const second = this.seconds[slot];
      const isEvidence = ageUs > 0 && this.streams[slot] === PAIR && this.spent[slot] === 0;
      this.drop();
      if (isEvidence) this.listener.onExclusive(first!, second!, this.delaysUs[slot]!, this.fingerprints[slot]!);
    }
  }

  private join(slot: number, stream: StreamToken<Owner>, atUs: TimeUs): void {
    const first = this.firsts[slot]!;
    const second = this.seconds[slot];
    const delayUs = atUs - this.timesUs[slot]!;
    if (stream === first || stream === second || Math.abs(delayUs) > this.windowUs) {
      this.spent[slot] = 1;
    } else if (second === undefined) {
      this.seconds[slot] = stream;
      this.delaysUs[slot] = delayUs;
      this.streams[slot] = PAIR;
    } else {
      if (this.streams[slot] === PAIR) {
        this.streams[slot] = CROWD;
        this.listener.onShared(first, this.fingerprints[slot]!);
        this.listener.onShared(second, this.fingerprints[slot]!);
      }
      this.listener.onShared(stream, this.fingerprints[slot]!);
    }
  }

  private enter(stream: StreamToken<Owner>, fingerprint: number, atUs: TimeUs, isRecurring: boolean): void {
    const place = this.placeOf(fingerprint);
    let chain = 0;
    for (let at = this.heads[place]!; at !== NONE; at = this.links[at]!) chain++;
    if (chain >= MAX_CHAIN) {
      this.crowded++;
      return;
    }
    if (this.count === this.capacity) {
      this.drop();
      this.evicted++;
      this.distrusted = this.capacity;
    }
    const slot = (this.oldest + this.count) % this.capacity;
    this.fingerprints[slot] = fingerprint;
    this.timesUs[slot] = atUs;
    this.streams[slot] = 1;
    this.spent[slot] = isRecurring || this.distrusted > 0 ? 1 : 0;
    this.firsts[slot] = stream;
    this.links[slot] = this.heads[place]!;
    this.heads[place] = slot;
    this.count++;
    if (this.distrusted > 0) this.distrusted--;
  }

  private find(fingerprint: number): number {
    let at = this.heads[this.placeOf(fingerprint)]!;
    while (at !== NONE && this.fingerprints[at] !== fingerprint) at = this.links[at]!;
    return at;
  }

  /** Takes the oldest entry out. */
  private drop(): void {
    const slot = this.oldest;
    const place = this.placeOf(this.fingerprints[slot]!);
    if (this.heads[place] === slot) {
      this.heads[place] = this.links[slot]!;
    } else {
      let before = this.heads[place]!;
      while (this.links[before] !== slot) before = this.links[before]!;
      this.links[before] = this.links[slot]!;
    }
    this.firsts[slot] = undefined;
    this.seconds[slot] = undefined;
    this.oldest = slot + 1 === this.capacity ? 0 : slot + 1;
    this.count--;
  }

  private placeOf(fingerprint: number): number {
    return fingerprint & (this.heads.length - 1);
  }
}
