// One report of a telephone event read in place, and the keys among the events. RFC 4733 §2.3, §3.2; RFC 2833 §3.5 has
// the same form. Owns no state; which reports belong to one press is key-events.ts's to say.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |     event     |E|R| volume    |          duration             |

const REPORT_BYTES = 4;
const END_BIT = 0x80;
const VOLUME_MASK = 0x3f;
/** By event code (RFC 4733 §3.2, table 3). */
const KEYS = "0123456789*#ABCD";

/** A report's fields. Reused. */
export interface TelephoneEvent {
  /** 0–255 */
  event: number;
  /** The event is over. */
  isEnd: boolean;
  /** 0–63: the tone's level in −dBm0. */
  volume: number;
  /** 0–65535 RTP ticks since the event, or its present segment, began. */
  durationTicks: number;
}

export function makeTelephoneEvent(): TelephoneEvent {
  return { event: 0, isEnd: false, volume: 0, durationTicks: 0 };
}

/**
 * Fills `into` from the RTP payload in [start, end) of `data`; false when it is shorter than a report. The R bit is
 * ignored (§2.3.3). What follows the first report is: senders repeat it there, or add other events (§2.5.1.5).
 */
export function readTelephoneEvent(data: Buffer, start: number, end: number, into: TelephoneEvent): boolean {
  if (end - start < REPORT_BYTES) return false;
  const flags = data[start + 1]!;
  into.event = data[start]!;
  into.isEnd = (flags & END_BIT) !== 0;
  into.volume = flags & VOLUME_MASK;
  into.durationTicks = (data[start + 2]! << 8) | data[start + 3]!;
  return true;
}

/** "0"–"9", "*", "#" or "A"–"D"; undefined for every other event. */
export function keyOf(event: number): string | undefined {
  return KEYS[event];
}
