// Tells packets that a mirror port lost from packets that the network lost: what the mirror drops is missing in most streams
// within the same seconds, what a link drops is missing in the streams that go over it. Looks at streams only after one
// of them had a gap. Decides nothing about recording.
import type { TimeUs } from "../base/ids.js";
import type { GapFigures } from "../contract/span.js";
import type { CallStream } from "./stream.js";

/** Gaps within one moment are compared with each other. */
const MOMENT_US = 5_000_000;
/** Fewer streams prove nothing: both legs of one call share its links. */
const LEAST_STREAMS = 4;
/** A trunk that loses packets spoils half of all streams, those towards the office. */
const MOST = 0.6;
/** Streams with gaps remembered in a moment; those of further ones are not counted. */
const MAX_STREAMS = 8192;

export class GapWatch {
  /** Packets never seen, by how many streams missed some in the same moment. */
  readonly figures: GapFigures = { everywhere: 0, somewhere: 0, undecided: 0 };
  /** Streams with gaps that were one too many. */
  overlooked = 0;
  private readonly activeSince: (sinceUs: TimeUs) => number;
  /** What each stream had lost before the moment. */
  private readonly before = new Map<CallStream, number>();
  private beganUs: TimeUs = 0;

  /** `activeSince` counts the streams with a packet at that time or later. */
  constructor(activeSince: (sinceUs: TimeUs) => number) {
    this.activeSince = activeSince;
  }

  /** The stream's newest packet is not the next one: `missing` before it have not come (yet). */
  note(stream: CallStream, missing: number, atUs: TimeUs): void {
    if (this.before.size === 0) this.beganUs = atUs;
    else if (Math.abs(atUs - this.beganUs) >= MOMENT_US) {
      // The stream's count has this gap already, which is the next moment's.
      const before = this.before.get(stream);
      if (before !== undefined) this.before.set(stream, before + missing);
      this.judge();
      this.beganUs = atUs;
    }
    if (this.before.has(stream)) return;
    if (this.before.size >= MAX_STREAMS) this.overlooked++;
    else this.before.set(stream, stream.statistics.lost - missing);
  }

  /** Time passes. */
  sweep(nowUs: TimeUs): void {
    if (this.before.size > 0 && Math.abs(nowUs - this.beganUs) >= MOMENT_US) this.judge();
  }

  private judge(): void {
    let packets = 0;
    let streams = 0;
    for (const [{ statistics }, before] of this.before) {
      // What came late after all was not lost.
      const lost = statistics.lost - Math.max(0, before);
      if (lost <= 0) continue;
      packets += lost;
      streams++;
    }
    this.before.clear();
    if (streams === 0) return;
    const active = Math.max(streams, this.activeSince(this.beganUs));
    this.figures[active < LEAST_STREAMS ? "undecided" : streams / active >= MOST ? "everywhere" : "somewhere"] +=
      packets;
  }
}
