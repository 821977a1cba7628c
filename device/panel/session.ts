// A panel's time on the port, from the question who it is to its end: sets it up, brings it to what is to be shown with as
// few packets as that takes, feeds its watchdog, notices that it is gone. A pure state machine, as link.ts is.
import { type PanelFrame, ShownFrame } from "./frame.js";
import { type LinkOutput, PanelLink } from "./link.js";
import { type KeyEvent, keyEventOf, type PanelModel } from "./models.js";
import { COMMAND, type CommandPacket, command, KEY_REPORT, type Packet } from "./packet.js";

/** A module that is sent nothing else is asked so often whether it is still there. */
const PING_MS = 5000;
/** Bytes that were no packet's since the last answer, beyond which something else is on the port. */
const MAX_JUNK_BYTES = 4096;
/** The fastest of these modules' ports delivers 11,520 bytes a second. */
const MAX_BYTES_PER_SECOND = 20_000;
/** The watchdog is fed so often within its time. */
const FEEDS_PER_TIMEOUT = 4;
/** An engine that is not healthy is looked at again. */
const HEALTH_MS = 1000;

export interface SessionOptions {
  model: PanelModel;
  /** Backlight, percent. */
  brightness: number;
  /** As the module takes it; 0 = as it is stored there. */
  contrast: number;
  /** 0 = off. */
  watchdogS: number;
  isHealthy(): boolean;
}

export type SessionOutput =
  | { kind: "write"; bytes: Uint8Array }
  | { kind: "key"; event: KeyEvent }
  /** It is the configured model; `version` as it says. */
  | { kind: "ready"; version: string }
  /** The port is to be closed. One line that says why. */
  | { kind: "failed"; reason: string };

export class PanelSession {
  readonly link = new PanelLink();
  private readonly options: SessionOptions;
  private readonly waiting: CommandPacket[];
  private readonly shown: ShownFrame;
  private frame: PanelFrame | undefined;
  private isReady = false;
  private hasFailed = false;
  private isArmed = false;
  private isLeaving = false;
  private feedAtMs = Number.NEGATIVE_INFINITY;
  private sentAtMs = Number.NEGATIVE_INFINITY;
  private junkAtAnswer = 0;
  private second = { startedMs: Number.NEGATIVE_INFINITY, bytes: 0 };

  constructor(options: SessionOptions) {
    this.options = options;
    this.shown = new ShownFrame(options.model);
    this.waiting = [command(COMMAND.version)];
  }

  /** When `wake` is to be called, monotonic ms. */
  get wakeAtMs(): number {
    const { wakeAtMs } = this.link;
    if (wakeAtMs !== undefined) return wakeAtMs;
    const pingAtMs = this.sentAtMs + PING_MS;
    return this.options.watchdogS === 0 || this.isLeaving ? pingAtMs : Math.min(pingAtMs, this.feedAtMs);
  }

  /** Everything that is to be shown is, and the watchdog is off once `leave` was called. */
  get isSettled(): boolean {
    return this.hasFailed || (this.isReady && this.link.isIdle);
  }

  start(nowMs: number): SessionOutput[] {
    return this.sendNext(nowMs);
  }

  show(frame: PanelFrame, nowMs: number): SessionOutput[] {
    this.frame = frame;
    return this.sendNext(nowMs);
  }

  /** The service goes, on purpose: the watchdog must not reset the box for it. */
  disarm(nowMs: number): SessionOutput[] {
    this.isLeaving = true;
    if (this.isArmed) this.waiting.unshift(command(COMMAND.watchdog, 0));
    return this.sendNext(nowMs);
  }

  /** The last that is shown. */
  leave(frame: PanelFrame, nowMs: number): SessionOutput[] {
    return [...this.disarm(nowMs), ...this.show(frame, nowMs)];
  }

  receive(bytes: Uint8Array, nowMs: number): SessionOutput[] {
    if (this.hasFailed) return [];
    if (nowMs - this.second.startedMs >= 1000) this.second = { startedMs: nowMs, bytes: 0 };
    this.second.bytes += bytes.length;
    const outputs = this.handle(this.link.receive(bytes), nowMs);
    const isNoise =
      this.second.bytes > MAX_BYTES_PER_SECOND || this.link.discardedBytes - this.junkAtAnswer > MAX_JUNK_BYTES;
    return isNoise ? [...outputs, ...this.fail("what comes from the port is no panel's")] : outputs;
  }

  wake(nowMs: number): SessionOutput[] {
    if (this.hasFailed) return [];
    return [...this.handle(this.link.wake(nowMs), nowMs)];
  }

  private handle(outputs: LinkOutput[], nowMs: number): SessionOutput[] {
    const own = outputs.flatMap((output) => this.handleOne(output));
    return [...own, ...this.sendNext(nowMs)];
  }

  private handleOne(output: LinkOutput): SessionOutput[] {
    switch (output.kind) {
      case "write":
        return [output];
      case "report":
        return this.reported(output.packet);
      case "answered":
        this.junkAtAnswer = this.link.discardedBytes;
        return this.answered(output.sent, output.answer);
      case "lost":
        return this.fail(this.whyLost(output.echoes));
    }
  }

  private whyLost(echoes: number): string {
    if (echoes > 0) return "the port sends back what it is sent: something else than a panel is on it";
    if (this.isReady) return "the panel does not answer any more";
    const hasJunk = this.link.discardedBytes > 0 || this.link.counters.strays > 0;
    return hasJunk ? "what answers on the port is no panel" : "nothing answers on the port";
  }

  private reported({ code, data }: Packet): SessionOutput[] {
    if (!this.isReady || code !== KEY_REPORT || data.length !== 1) return [];
    const event = keyEventOf(this.options.model, data[0]!);
    return event === undefined ? [] : [{ kind: "key", event }];
  }

  private answered(sent: CommandPacket, answer: Packet): SessionOutput[] {
    if (sent.code === COMMAND.version) return this.identified(answer);
    if (sent.code === COMMAND.watchdog) this.isArmed = sent.data[0] !== 0 && answer.kind === "response";
    // What was refused once would be refused for ever.
    this.shown.note(sent);
    return [];
  }

  /** "CFA635:h1.4,k1.7" */
  private identified({ kind, data }: Packet): SessionOutput[] {
    const { model } = this.options;
    const version = Buffer.from(data)
      .toString("latin1")
      .replaceAll(/[^ -~]/g, "?")
      .trim();
    if (kind === "refusal" || !version.includes(model.number))
      return this.fail(`panel.model is ${model.name}, and the port has "${version}"`);
    this.isReady = true;
    this.waiting.push(...this.setUp());
    return [{ kind: "ready", version }];
  }

  private setUp(): CommandPacket[] {
    const { model, brightness, contrast } = this.options;
    return [
      // Whoever armed it before may have been killed since, and need not be healthy yet.
      command(COMMAND.watchdog, 0),
      command(COMMAND.clear),
      command(COMMAND.cursorStyle, 0),
      ...(contrast > 0 ? [command(COMMAND.contrast, contrast)] : []),
      command(COMMAND.backlight, brightness),
      command(COMMAND.keyMasks, model.keyMask, model.keyMask),
    ];
  }

  private fail(reason: string): SessionOutput[] {
    if (this.hasFailed) return [];
    this.hasFailed = true;
    return [{ kind: "failed", reason }];
  }

  private sendNext(nowMs: number): SessionOutput[] {
    if (this.hasFailed || !this.link.isIdle) return [];
    const packet = this.next(nowMs);
    if (packet === undefined) return [];
    this.sentAtMs = nowMs;
    return this.link.send(packet, nowMs).flatMap((output) => this.handleOne(output));
  }

  private next(nowMs: number): CommandPacket | undefined {
    const set = this.waiting.shift();
    if (set !== undefined || !this.isReady) return set;
    return this.nextFeed(nowMs) ?? (this.frame && this.shown.next(this.frame)) ?? this.nextPing(nowMs);
  }

  /** Once it is armed, an engine that is not healthy for its whole time has the box reset. */
  private nextFeed(nowMs: number): CommandPacket | undefined {
    const { watchdogS, isHealthy } = this.options;
    if (watchdogS === 0 || this.isLeaving || nowMs < this.feedAtMs) return undefined;
    if (!isHealthy()) {
      this.feedAtMs = nowMs + HEALTH_MS;
      return undefined;
    }
    this.feedAtMs = nowMs + (watchdogS * 1000) / FEEDS_PER_TIMEOUT;
    return command(COMMAND.watchdog, watchdogS);
  }

  private nextPing(nowMs: number): CommandPacket | undefined {
    return nowMs - this.sentAtMs >= PING_MS ? command(COMMAND.ping) : undefined;
  }
}
