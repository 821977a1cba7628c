// The engine's side of the self-test: puts the made call's frames in where captured frames come in, at the pace of a real call, and
// says what became of it. Started and ended by the service.
//
// The frames go through `Recorder.handleFrame`, as the live source's do, of a recorder of the test's own. That is why they cannot meet
// anything real, and why nothing real can join them, break them or pass for them: a frame from the wire with the same addresses, SSRC and
// Call-ID goes to the other recorder. No packet says that it is the test's; which recorder it was handed to does. What the two share is
// what a running engine can fail at beside its code: the process and its thread, the journal with its files, key and syncs, and the
// channel to the service. What comes before (card, kernel, libpcap) is the mirror port's doctor to watch.
import type { Clock } from "./base/clock.js";
import type { TimeUs } from "./base/ids.js";
import type { Frame } from "./capture/frame.js";
import { LINK_TYPE_ETHERNET } from "./capture/link-type.js";
import type { SelfTestOutcome, ServiceToEngine } from "./contract/engine-messages.js";
import type { Recorder } from "./recorder.js";
import { SelfTestCall, type TestFrame } from "./self-test-call.js";

/** A phone's packets come every 20 ms. */
const PACE_MS = 20;
/** A call that has not ended so long after its last frame is closed with what it has. */
const PATIENCE_US = 10_000_000;

export interface LaneOptions {
  /** That of the real calls. */
  recorder: Recorder;
  clock: Clock;
  ended(id: number, outcome: SelfTestOutcome): void;
}

export class SelfTestLane {
  readonly id: number;
  private readonly options: LaneOptions;
  private readonly own: Recorder;
  private readonly call: SelfTestCall;
  private readonly waiting: TestFrame[];
  private readonly startedMs: number;
  private readonly startUs: TimeUs;
  private readonly calls: SelfTestOutcome["calls"] = [];
  private readonly frame: Frame;
  private timer: NodeJS.Timeout | undefined;
  private frames = 0;

  /** `atUs`: the engine's time. */
  constructor(
    { id, seed, config }: Extract<ServiceToEngine, { type: "self-test" }>,
    atUs: TimeUs,
    options: LaneOptions,
  ) {
    this.id = id;
    this.options = options;
    this.startUs = Math.floor(atUs / 1000) * 1000;
    // The engine's time may be set while no real call is in progress: the test's runs on from where it began.
    this.startedMs = options.clock.monotonicMs();
    this.call = new SelfTestCall(seed, this.startUs);
    this.waiting = this.call.frames();
    this.own = options.recorder.forSelfTest(config, (record, journal) =>
      this.calls.push({ record, ...(journal && { journal }) }),
    );
    this.frame = {
      data: Buffer.alloc(0),
      start: 0,
      capturedLength: 0,
      originalLength: 0,
      capturedAtUs: 0,
      linkType: LINK_TYPE_ETHERNET,
      interfaceIndex: 0,
    };
  }

  start(): void {
    this.timer = setInterval(() => this.pass(), PACE_MS);
  }

  /** Puts in what is due by now. */
  pass(): void {
    const nowUs = this.startUs + (this.options.clock.monotonicMs() - this.startedMs) * 1000;
    while (this.waiting.length > 0 && this.waiting[0]!.atUs <= nowUs) this.put(this.waiting.shift()!);
    if (this.waiting.length > 0) return;
    this.own.idle(nowUs);
    if (this.own.table.size > 0 && nowUs - this.call.endUs > PATIENCE_US) this.own.closeAll();
    // An ended call is told once its last block is in a file, or the disk has refused it for long enough.
    if (this.own.table.size > 0 || (this.calls.length === 0 && nowUs - this.call.endUs <= PATIENCE_US)) return;
    this.stop();
    this.options.ended(this.id, {
      startUs: this.startUs,
      frames: this.frames,
      calls: this.calls,
      counts: Object.fromEntries(Object.entries(this.own.exportCounters()).filter(([, count]) => count !== 0)),
    });
  }

  /** Nothing of it stays: neither in memory nor, once the journal is tidied up, in it. */
  over(): void {
    this.stop();
    this.own.closeAll();
    for (const { record } of this.calls) this.options.recorder.journal.release(record.id);
  }

  /** The engine leaves: what the journal has of it is known for what it is by whoever recovers it. */
  stop(): void {
    clearInterval(this.timer);
  }

  private put({ atUs, bytes }: TestFrame): void {
    const { frame } = this;
    frame.data = bytes;
    frame.capturedLength = bytes.length;
    frame.originalLength = bytes.length;
    frame.capturedAtUs = atUs;
    this.frames++;
    this.own.handleFrame(frame);
  }
}
