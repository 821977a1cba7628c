// Keeps a panel connected: opens its port, runs a session on it, and comes back with growing patience after whatever went
// wrong. Owns the timers and the panel's state; knows nothing of what is shown.
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { PanelState } from "../contract/panel.js";
import type { PanelFrame } from "./frame.js";
import type { KeyEvent } from "./models.js";
import { type OpenPort, type PanelPort, PortFault } from "./port.js";
import { PanelSession, type SessionOptions, type SessionOutput } from "./session.js";

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;
/** A name that is not there costs nothing to look for: whoever plugs a panel in waits no longer than this. */
const ABSENT_RETRY_MS = 2000;
/** Longest time for the last words to a panel. */
const LEAVE_MS = 1000;

export interface ConnectionOptions {
  path: string;
  baudRate: number;
  session: SessionOptions;
  openPort: OpenPort;
  clock: Clock;
  logger: Logger;
  /** Of the first retry; tests are in a hurry. */
  retryMs?: number;
  key(event: KeyEvent): void;
  /** A panel is there and was identified. */
  ready(): void;
  /** `reason`: "" when it is `ok`. */
  state(state: PanelState, reason: string): void;
}

export class PanelConnection {
  private readonly options: ConnectionOptions;
  private port: PanelPort | undefined;
  private session: PanelSession | undefined;
  private frame: PanelFrame | undefined;
  private timer: NodeJS.Timeout | undefined;
  private retryMs: number;
  private opening: Promise<void> | undefined;
  private isStopping = false;
  private settled: (() => void) | undefined;
  private said = "";
  /** Totals since the start. */
  private readonly totals = { opened: 0, failed: 0, sent: 0, repeated: 0, refused: 0, strays: 0, discarded: 0 };

  constructor(options: ConnectionOptions) {
    this.options = options;
    this.retryMs = options.retryMs ?? FIRST_RETRY_MS;
  }

  start(): void {
    this.opening = this.open();
  }

  show(frame: PanelFrame): void {
    this.frame = frame;
    if (this.session !== undefined) this.carry(this.session.show(frame, this.nowMs));
  }

  /** No watchdog from now on. */
  disarm(): void {
    if (this.session !== undefined) this.carry(this.session.disarm(this.nowMs));
  }

  /** Leaves `frame` on the panel, if one is there that takes it. */
  async stop(frame: PanelFrame): Promise<void> {
    this.isStopping = true;
    await this.opening;
    const { session } = this;
    if (session !== undefined) {
      this.carry(session.leave(frame, this.nowMs));
      if (!session.isSettled) await this.leave();
    }
    this.end();
    await this.closePort();
  }

  counters(): Record<string, number> {
    const { totals, session } = this;
    const link = session?.link.counters;
    return {
      "panel.opened": totals.opened,
      "panel.failed": totals.failed,
      "panel.packets": totals.sent + (link?.sent ?? 0),
      "panel.packets-repeated": totals.repeated + (link?.repeated ?? 0),
      "panel.packets-refused": totals.refused + (link?.refused ?? 0),
      "panel.packets-stray": totals.strays + (link?.strays ?? 0),
      "panel.bytes-discarded": totals.discarded + (session?.link.discardedBytes ?? 0),
    };
  }

  private get nowMs(): number {
    return this.options.clock.monotonicMs();
  }

  private async open(): Promise<void> {
    const { path, baudRate, openPort } = this.options;
    try {
      const port = await openPort(path, baudRate, {
        bytes: (bytes) => this.session !== undefined && this.carry(this.session.receive(bytes, this.nowMs)),
        gone: (reason) => this.lost(reason, "absent"),
      });
      this.port = port;
      this.totals.opened++;
      if (this.isStopping) return;
      this.session = new PanelSession(this.options.session);
      this.carry(this.session.start(this.nowMs));
    } catch (error) {
      const isAbsent = error instanceof PortFault && error.isAbsent;
      this.lost(error instanceof Error ? error.message : String(error), isAbsent ? "absent" : "failing");
    }
  }

  private carry(outputs: readonly SessionOutput[]): void {
    const { session } = this;
    for (const output of outputs) {
      // What was to be done on a port that is gone.
      if (this.session !== session) return;
      this.carryOne(output);
    }
    if (this.session !== session || session === undefined) return;
    if (session.isSettled) this.settled?.();
    this.setTimer(Math.max(1, session.wakeAtMs - this.nowMs), () => this.carry(session.wake(this.nowMs)));
  }

  private carryOne(output: SessionOutput): void {
    switch (output.kind) {
      case "write":
        this.port?.write(output.bytes);
        break;
      case "key":
        this.options.key(output.event);
        break;
      case "ready":
        this.retryMs = this.options.retryMs ?? FIRST_RETRY_MS;
        this.options.logger.info("the front panel is there", { port: this.options.path, panel: output.version });
        this.say("ok", "");
        if (this.frame !== undefined) this.show(this.frame);
        this.options.ready();
        break;
      case "failed":
        this.lost(output.reason, "failing");
        break;
    }
  }

  private lost(reason: string, state: "absent" | "failing"): void {
    this.end();
    this.totals.failed++;
    if (this.isStopping) return;
    this.say(state, reason);
    const waitMs = state === "absent" ? Math.min(this.retryMs, ABSENT_RETRY_MS) : this.retryMs;
    if (state === "failing") this.retryMs = Math.min(this.retryMs * 2, LAST_RETRY_MS);
    const closed = this.closePort();
    this.setTimer(waitMs, () => {
      this.opening = closed.then(() => this.open());
    });
  }

  /** Said once for each reason, not for each attempt. */
  private say(state: PanelState, reason: string): void {
    const line = `${state} ${reason}`;
    if (line === this.said) return;
    this.said = line;
    if (reason !== "") this.options.logger.warn("no front panel", { reason });
    this.options.state(state, reason);
  }

  private end(): void {
    const { session, totals } = this;
    clearTimeout(this.timer);
    this.session = undefined;
    this.settled?.();
    if (session === undefined) return;
    const { sent, repeated, refused, strays } = session.link.counters;
    totals.sent += sent;
    totals.repeated += repeated;
    totals.refused += refused;
    totals.strays += strays;
    totals.discarded += session.link.discardedBytes;
  }

  private async closePort(): Promise<void> {
    const { port } = this;
    this.port = undefined;
    await port?.close();
  }

  private leave(): Promise<void> {
    return new Promise((resolve) => {
      const late = setTimeout(resolve, LEAVE_MS);
      this.settled = () => {
        clearTimeout(late);
        resolve();
      };
    });
  }

  private setTimer(ms: number, what: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(what, ms);
    this.timer.unref();
  }
}
