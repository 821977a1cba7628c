// The windows that all calls share in turn, and the one correlator that judges them: what bounds memory and processor time
// of the look for echoes, however many calls there are. Never holds audio of a call that has given its window back.
import type { TimeUs } from "../base/ids.js";
import { EchoCorrelator, type Finding } from "./echo-correlator.js";
import { EchoWindow } from "./echo-window.js";

/** Each is in use for about two seconds: half as many are judged in a second, at about a millisecond each. */
const DEFAULT_WINDOWS = 20;
/** Calls that wait for their turn; one more has no place, and gets a window only when nobody else wants it. */
const MAX_WAITING = 4096;
/** Whoever has not asked again for so long (the caller is silent) loses its place. */
const PATIENCE_US = 250_000;
/** A window that has been open for longer belongs to a call whose packets have stopped. */
const ABANDONED_US = 5_000_000;

export interface EchoPoolCounters {
  /** Windows that were opened. */
  opened: number;
  /** Of them, compared: with an echo in it, or without. */
  withEcho: number;
  withoutEcho: number;
  /** Not to be told: too little of the caller's speech, the agent talking all the time. */
  unspoken: number;
  crossTalk: number;
  /** Given up: another stream or codec, a clock set anew, packets lost or no longer coming. */
  broken: number;
  /** Given up by the call itself: it ended, or was paused. */
  withdrawn: number;
  /** Times that a call found no window free, or others before it. */
  refused: number;
}

/** A call that takes its turn. */
export interface EchoTaker {
  /** The window it was given is taken back: wiped already, and somebody else's from now on. */
  dispossess(): void;
}

export class EchoPool {
  readonly counters: EchoPoolCounters = {
    opened: 0,
    withEcho: 0,
    withoutEcho: 0,
    unspoken: 0,
    crossTalk: 0,
    broken: 0,
    withdrawn: 0,
    refused: 0,
  };
  private readonly limit: number;
  private readonly free: EchoWindow[] = [];
  /** Windows in use, in the order in which they were opened. */
  private readonly taken = new Map<EchoWindow, EchoTaker>();
  /** Calls that found none, with the time at which they asked last; whoever has waited longest comes first. */
  private readonly waiting = new Map<EchoTaker, TimeUs>();
  private readonly correlator = new EchoCorrelator();

  /** At most `windows` (WINDOW_BYTES each) at once, made when they are first needed. */
  constructor(windows = DEFAULT_WINDOWS) {
    this.limit = windows;
  }

  /** A wiped window, when one is free and nobody else has been waiting for longer. */
  take(taker: EchoTaker, atUs: TimeUs): EchoWindow | undefined {
    this.expire(atUs);
    if (!this.isDue(taker, atUs)) {
      this.counters.refused++;
      if (this.waiting.size < MAX_WAITING || this.waiting.has(taker)) this.waiting.set(taker, atUs);
      return undefined;
    }
    this.waiting.delete(taker);
    const window = this.free.pop() ?? new EchoWindow();
    window.openedAtUs = atUs;
    this.taken.set(window, taker);
    this.counters.opened++;
    return window;
  }

  /** Compares what is in the window, wipes it and takes it back. undefined = there was not enough in it. */
  judge(window: EchoWindow): Finding | undefined {
    let finding: Finding | undefined;
    try {
      finding = window.isComparable() ? this.correlator.compare(window) : undefined;
    } finally {
      this.release(window);
    }
    this.counters[finding === undefined ? "broken" : COUNTER[finding.kind]]++;
    return finding;
  }

  /** Takes a window back, wiped, without looking at it. */
  giveBack(window: EchoWindow, why: "broken" | "withdrawn"): void {
    this.release(window);
    this.counters[why]++;
  }

  /** Takes back the windows of calls whose packets have stopped. To be called from time to time. */
  expire(nowUs: TimeUs): void {
    for (const [window, taker] of this.taken) {
      if (Math.abs(nowUs - window.openedAtUs) < ABANDONED_US) return;
      this.giveBack(window, "broken");
      taker.dispossess();
    }
  }

  /** The call is over. */
  forget(taker: EchoTaker): void {
    this.waiting.delete(taker);
  }

  /** Windows that were made so far, in use or not. */
  get windowCount(): number {
    return this.taken.size + this.free.length;
  }

  private release(window: EchoWindow): void {
    window.wipe();
    if (this.taken.delete(window)) this.free.push(window);
  }

  private isDue(taker: EchoTaker, atUs: TimeUs): boolean {
    let left = this.limit - this.taken.size;
    if (left <= 0) return false;
    for (const [other, askedAtUs] of this.waiting) {
      if (other === taker) return true;
      if (atUs - askedAtUs > PATIENCE_US) this.waiting.delete(other);
      else if (--left === 0) return false;
    }
    return true;
  }
}

const COUNTER = {
  echo: "withEcho",
  nothing: "withoutEcho",
  "too-little-speech": "unspoken",
  "cross-talk": "crossTalk",
} as const satisfies Record<Finding["kind"], keyof EchoPoolCounters>;
