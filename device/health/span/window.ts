// The last ten minutes of what the engine counts, so that a check speaks of now and not of last week: a fault that was mended
// passes again. The engine's totals begin anew with each engine, and the window with them.
import type { EngineCounters } from "../../contract/engine-messages.js";
import type { SpanFigures } from "../../contract/span.js";

const SAMPLE_EVERY_MS = 10_000;
const LONGEST_MS = 600_000;
const MINUTE_MS = 60_000;
const MAX_SAMPLES = LONGEST_MS / SAMPLE_EVERY_MS + 1;

interface Sample {
  atMs: number;
  counters: EngineCounters;
  figures: SpanFigures;
}

const NOTHING: SpanFigures = {
  atUs: 0,
  peers: [],
  sip: { udp: 0, tcp: 0, ws: 0 },
  vlans: [],
  gaps: { everywhere: 0, somewhere: 0, undecided: 0 },
};

/** What has come within a time. */
export interface SpanStretch {
  /** How long it is, at least 1 ms. */
  ms: number;
  before: { counters?: EngineCounters; figures: SpanFigures };
  now: { counters: EngineCounters; figures: SpanFigures };
}

export class SpanWindow {
  private samples: Sample[] = [];
  private newest: Sample | undefined;
  private figures: SpanFigures = NOTHING;
  private beganMs = 0;

  noteFigures(figures: SpanFigures): void {
    this.figures = figures;
  }

  /** Every second or so, `atMs` on a clock that is never set. */
  note(counters: EngineCounters, atMs: number): void {
    if (this.newest === undefined || isAnotherEngine(this.newest.counters, counters)) this.begin(atMs);
    const sample = { atMs, counters, figures: this.figures };
    this.newest = sample;
    const last = this.samples.at(-1);
    if (last === undefined || atMs - last.atMs >= SAMPLE_EVERY_MS)
      this.samples = [...this.samples, sample].slice(-MAX_SAMPLES);
  }

  /** The last ten minutes, or all since the engine began; undefined before the first counters. */
  get tenMinutes(): SpanStretch | undefined {
    return this.stretch(LONGEST_MS);
  }

  get minute(): SpanStretch | undefined {
    return this.stretch(MINUTE_MS);
  }

  private begin(atMs: number): void {
    this.samples = [];
    this.beganMs = atMs;
    if (this.newest !== undefined) this.figures = NOTHING;
  }

  private stretch(lengthMs: number): SpanStretch | undefined {
    const { newest } = this;
    if (newest === undefined) return undefined;
    const fromMs = newest.atMs - lengthMs;
    const now = { counters: newest.counters, figures: this.figures };
    if (this.beganMs >= fromMs)
      return { ms: Math.max(1, newest.atMs - this.beganMs), before: { figures: NOTHING }, now };
    const first = this.samples.findLast(({ atMs }) => atMs <= fromMs) ?? this.samples[0]!;
    return { ms: Math.max(1, newest.atMs - first.atMs), before: first, now };
  }
}

/** By how much a counter has grown in it. */
export function grown({ before, now }: SpanStretch, name: string): number {
  return Math.max(0, (now.counters.counts[name] ?? 0) - (before.counters?.counts[name] ?? 0));
}

function isAnotherEngine(before: EngineCounters, now: EngineCounters): boolean {
  return now.cpuUs < before.cpuUs;
}
