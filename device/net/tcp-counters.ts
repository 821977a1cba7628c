// What TCP reassembly counts, exported as "net.tcp-*".
import { flattenCounters } from "./counters.js";

export class TcpCounters {
  segments = 0;
  /** Connections entered into the table. */
  connections = 0;
  /** Directions whose beginning was not seen. */
  midstream = 0;
  /** Connections replaced by a new one with the same addresses and ports. */
  restarted = 0;
  /** Payload bytes handed on. */
  bytes = 0;
  /** Segments that brought nothing new. */
  retransmitted = 0;
  /** Segments of which only a later part was new. */
  overlapping = 0;
  /** Segments that came before their turn and were held. */
  outOfOrder = 0;
  /** Holes given up: data was handed on with `gap`. */
  gaps = 0;
  /** Segments that the capture cut short. */
  truncated = 0;
  /** Segments further from the expected sequence number than any window reaches, dropped. */
  outOfWindow = 0;
  /** Segments of directions that the consumer ignores. */
  ignored = 0;
  /** Segments after the end of their direction or connection, dropped. */
  afterEnd = 0;
  /** Connections that both sides finished. */
  finished = 0;
  /** Connections ended by RST. */
  reset = 0;
  /** RSTs that do not stand at the expected sequence number, not believed. */
  resetIgnored = 0;
  /** Connections given up after the idle timeout. */
  idle = 0;
  /** Connections given up for want of room. */
  evicted = 0;

  toRecord(): Record<string, number> {
    return flattenCounters(this, "net.tcp-");
  }
}
