// The keys pressed in one RTP stream's telephone events, each told once at the first report that is seen of it. Lost,
// repeated and reordered reports change nothing. Pure state, no allocation. RFC 4733 §2.5.1, §2.5.2.
import { keyOf, type TelephoneEvent } from "./telephone-event.js";

/** Segments of presses that are remembered; the oldest is given up. More than anybody presses within a reordering. */
const REMEMBERED = 16;
/** A timestamp means the same press no longer than this after its last report: streams begin again. */
const FORGET_AFTER_US = 60_000_000;
/**
 * A segment is followed by the next at once (§2.5.1.3). Reports come every 20 to 50 ms (§2.5.1.2); some may be lost
 * and the first ones late.
 */
const SEGMENT_GAP_US = 1_000_000;
const LONGEST_SEGMENT_TICKS = 0xffff;
/** Senders may end a segment with the last report that fits: less than 50 ms before its time, at up to 48 kHz. */
const SHORTEST_FULL_SEGMENT_TICKS = LONGEST_SEGMENT_TICKS - 2400;
const NO_EVENT = -1;

export class KeyEvents {
  // The remembered segments, one per place.
  private readonly events = new Int16Array(REMEMBERED).fill(NO_EVENT);
  private readonly timestamps = new Uint32Array(REMEMBERED);
  private readonly durations = new Uint16Array(REMEMBERED);
  private readonly ended = new Uint8Array(REMEMBERED);
  private readonly lastAtUs = new Float64Array(REMEMBERED);
  /** Place of the next segment. */
  private next = 0;

  /**
   * The key that this report says was pressed, once per press; undefined for everything that is no key or was told
   * before. `timestamp` 0…2^32-1 and `marker` of the RTP packet, `atUs` its capture time.
   */
  hear(timestamp: number, marker: boolean, event: TelephoneEvent, atUs: number): string | undefined {
    const key = keyOf(event.event);
    if (key === undefined) return undefined;
    const known = this.find(timestamp, event.event, atUs);
    if (known >= 0) {
      this.update(known, event, atUs);
      return undefined;
    }
    const continues = !marker && this.continues(timestamp, event.event, atUs);
    this.remember(timestamp, event, atUs);
    return continues ? undefined : key;
  }

  private find(timestamp: number, event: number, atUs: number): number {
    for (let i = 0; i < REMEMBERED; i++) {
      if (this.timestamps[i] !== timestamp || this.events[i] !== event) continue;
      if (Math.abs(atUs - this.lastAtUs[i]!) <= FORGET_AFTER_US) return i;
    }
    return -1;
  }

  private update(place: number, event: TelephoneEvent, atUs: number): void {
    if (event.durationTicks > this.durations[place]!) this.durations[place] = event.durationTicks;
    if (event.isEnd) this.ended[place] = 1;
    if (atUs > this.lastAtUs[place]!) this.lastAtUs[place] = atUs;
  }

  /**
   * Is this the next segment of a press that outlasts the duration field? It begins where the one before ends, has no
   * marker, and only the last one of all ends (§2.5.1.3). Of the one before, the last reports may be missing.
   */
  private continues(timestamp: number, event: number, atUs: number): boolean {
    for (let i = 0; i < REMEMBERED; i++) {
      if (this.events[i] !== event || this.ended[i] === 1) continue;
      if (Math.abs(atUs - this.lastAtUs[i]!) > SEGMENT_GAP_US) continue;
      const ticks = (timestamp - this.timestamps[i]!) >>> 0;
      const isFull = ticks >= SHORTEST_FULL_SEGMENT_TICKS && ticks <= LONGEST_SEGMENT_TICKS;
      if (ticks >= this.durations[i]! && (isFull || (ticks > 0 && ticks === this.durations[i]))) return true;
    }
    return false;
  }

  private remember(timestamp: number, event: TelephoneEvent, atUs: number): void {
    const place = this.next;
    this.events[place] = event.event;
    this.timestamps[place] = timestamp;
    this.durations[place] = event.durationTicks;
    this.ended[place] = event.isEnd ? 1 : 0;
    this.lastAtUs[place] = atUs;
    this.next = (place + 1) % REMEMBERED;
  }
}
