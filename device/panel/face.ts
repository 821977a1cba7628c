// The front panel as one of the box's faces: what it is told of the box becomes what the panel shows, and keys become commands.
// Whatever is on its port, or is not, nobody else notices but the health topic and an alarm.
import { networkInterfaces } from "node:os";
import { type Clock, systemClock } from "../base/clock.js";
import { SidetoneError } from "../base/errors.js";
import type { Logger } from "../base/logger.js";
import type { AlarmDesk, StandingAlarm } from "../contract/alarms.js";
import type { BoxCommandDesk } from "../contract/box-commands.js";
import type { CommandDesk } from "../contract/commands.js";
import type { Config } from "../contract/config.js";
import type { DiskStatus, SpanStatus } from "../contract/mqtt.js";
import type { PanelState } from "../contract/panel.js";
import { encodeText } from "./characters.js";
import { Chord } from "./chord.js";
import { PanelConnection } from "./connection.js";
import type { PanelFrame } from "./frame.js";
import { ledsOf } from "./leds.js";
import { HOME, pressKey, withDialog } from "./menu.js";
import { type KeyEvent, PANEL_MODELS, type PanelModel } from "./models.js";
import { type OpenPort, openSerialPort } from "./port.js";
import { type PanelSize, type Place, rowsOf } from "./screens.js";
import { type PanelCall, type PanelSnapshot, panelCall } from "./snapshot.js";

/** What changes by itself (the clock, addresses) is looked at so often. */
const LOOK_MS = 1000;
/** Calls in progress are asked for so often, while they are on the panel. */
const CALLS_MS = 2000;
/** Calls that are listed; all are counted. */
const MAX_CALLS = 50;
/** Nobody at the keys for so long: back to the first screen. */
const IDLE_MS = 60_000;
/** A panel that is away for longer than this is an alarm. */
const LOST_AFTER_MS = 5000;
/** Who gave a command, in evidence and audit chain: whoever stands before the box. */
const ACTOR = "front panel";

export interface PanelFaceOptions {
  config: Config["panel"];
  /** IANA; "" = the box's own. */
  timeZone: string;
  device: string;
  version: string;
  /** As the addresses' screen shows it. */
  api: string;
  desk: CommandDesk;
  /** Every token of the API is revoked; the secret of a new one. Throws SidetoneError. */
  resetTokens(): string;
  /** Settings and tokens go, and the box starts anew; why not, "" when it does. Never rejects. */
  resetAll(by: string): Promise<string>;
  /** Alarms are acknowledged there. */
  box: BoxCommandDesk;
  alarms: AlarmDesk & { readonly standing: readonly StandingAlarm[] };
  logger: Logger;
  engine(): Exclude<PanelSnapshot["engine"], "stopping">;
  /** Every call is paused, those to come too. */
  isAllPaused(): boolean;
  clock?: Clock;
  openPort?: OpenPort;
  /** Of the first attempt to open the port again. */
  retryMs?: number;
}

export class PanelFace {
  private readonly options: PanelFaceOptions;
  private readonly clock: Clock;
  private readonly model: PanelModel;
  private readonly size: PanelSize;
  private readonly chord: Chord;
  private connection: PanelConnection | undefined;
  private panelState: PanelState = "off";
  private isStopping = false;
  private place: Place = HOME;
  private usedAtMs = 0;
  private readonly facts: Partial<Pick<PanelSnapshot, "disk" | "span">> = {};
  private activeCalls = 0;
  private fingerprint = "";
  private calls: PanelCall[] | undefined;
  private callsAskedAtMs = Number.NEGATIVE_INFINITY;
  private secret: string | undefined;
  private lookTimer: NodeJS.Timeout | undefined;
  private chordTimer: NodeJS.Timeout | undefined;
  private lostTimer: NodeJS.Timeout | undefined;
  private lossReason = "";

  constructor(options: PanelFaceOptions) {
    this.options = options;
    this.clock = options.clock ?? systemClock;
    this.model = PANEL_MODELS[options.config.model];
    const { columns, rows, keys } = this.model;
    this.size = { columns, rows, hasFourKeys: Object.keys(keys).length === 4 };
    this.chord = new Chord(options.config.pauseKeys);
  }

  get state(): PanelState {
    return this.panelState;
  }

  /** Does not wait for a panel; does nothing when none is configured, or a second time. */
  start(): void {
    const { config, engine, logger } = this.options;
    if (config.port === "" || this.connection !== undefined) return;
    const { brightness, contrast, watchdogS, baudRate } = config;
    this.setState("absent", "");
    this.connection = new PanelConnection({
      path: config.port,
      baudRate: baudRate === 0 ? this.model.baudRate : baudRate,
      session: {
        model: this.model,
        brightness,
        contrast,
        watchdogS,
        isHealthy: () => !this.isStopping && engine() === "reporting",
      },
      openPort: this.options.openPort ?? openSerialPort,
      clock: this.clock,
      logger,
      ...(this.options.retryMs !== undefined && { retryMs: this.options.retryMs }),
      key: (event) => this.take(event),
      ready: () => this.chord.clear(),
      state: (state, reason) => this.setState(state, reason),
    });
    this.connection.start();
    this.lookTimer = setInterval(() => this.look(), LOOK_MS);
    this.lookTimer.unref();
    this.draw();
  }

  /** The service ends, and may take a while to store what is left: the box is not to be reset for it. */
  stopping(): void {
    this.isStopping = true;
    this.connection?.disarm();
    this.draw();
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    for (const timer of [this.lookTimer, this.chordTimer, this.lostTimer]) clearTimeout(timer);
    this.secret = undefined;
    await this.connection?.stop(this.frameOf(["Sidetone is stopped", "Nothing is recorded"], []));
    this.connection = undefined;
  }

  showCalls(active: number): void {
    if (active === this.activeCalls) return;
    this.activeCalls = active;
    this.draw();
  }

  /** Of the API's certificate, "AB:CD:…". */
  showFingerprint(fingerprint: string): void {
    this.fingerprint = fingerprint;
    this.draw();
  }

  showDisk(disk: DiskStatus): void {
    this.facts.disk = disk;
    this.draw();
  }

  showSpan(span: SpanStatus): void {
    this.facts.span = span;
    this.draw();
  }

  /** Shown once, after a key was pressed; in memory until then, and nowhere else here. */
  offerSecret(secret: string): void {
    if (this.options.config.port !== "") this.secret = secret;
    this.draw();
  }

  counters(): Record<string, number> {
    return this.connection?.counters() ?? {};
  }

  private look(): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.usedAtMs >= IDLE_MS) this.place = HOME;
    const asksCalls = this.place.screen === "calls" && nowMs - this.callsAskedAtMs >= CALLS_MS;
    if (asksCalls && this.panelState === "ok") void this.askCalls(nowMs);
    this.draw();
  }

  private async askCalls(nowMs: number): Promise<void> {
    this.callsAskedAtMs = nowMs;
    const result = await this.options.desk.submit({ body: { verb: "calls" }, source: "panel", by: ACTOR });
    if (!result.ok) return;
    const nowUs = this.clock.nowUs();
    this.calls = result.calls.slice(-MAX_CALLS).map((call) => panelCall(call, nowUs));
    this.draw();
  }

  private take(event: KeyEvent): void {
    const nowMs = this.clock.monotonicMs();
    const isForMenu = this.chord.take(event, nowMs);
    this.waitForChord(nowMs);
    if (!isForMenu) return;
    this.usedAtMs = nowMs;
    const before = this.place;
    const { place, wish } = pressKey(this.place, event.key, this.snapshot(), this.size);
    this.place = place;
    if (place.screen === "calls" && before.screen !== "calls") void this.askCalls(nowMs);
    if (wish === "acknowledge") void this.acknowledge();
    if (wish === "show-secret") this.showSecret();
    if (wish === "reset-access") this.resetAccess();
    if (wish === "reset-all") void this.resetAll();
    if (wish === "resume-all") void this.command("resume");
    this.draw();
  }

  private waitForChord(nowMs: number): void {
    clearTimeout(this.chordTimer);
    const { wakeAtMs } = this.chord;
    if (wakeAtMs === undefined) return;
    this.chordTimer = setTimeout(() => this.chordHeld(), Math.max(1, wakeAtMs - nowMs));
    this.chordTimer.unref();
  }

  private chordHeld(): void {
    const nowMs = this.clock.monotonicMs();
    if (!this.chord.isDue(nowMs)) {
      this.waitForChord(nowMs);
      return;
    }
    this.usedAtMs = nowMs;
    if (this.options.isAllPaused()) this.place = withDialog(HOME, { kind: "resume" });
    else void this.command("pause");
    this.draw();
  }

  private async command(verb: "pause" | "resume"): Promise<void> {
    const { desk, logger } = this.options;
    const result = await desk.submit({
      body: { verb, call: "all", reason: "keys at the front panel" },
      source: "panel",
      by: ACTOR,
    });
    logger.info(`${verb} of all recording at the front panel`, { done: result.ok });
    const text = verb === "pause" ? "All recording is paused" : "Recording goes on";
    this.place = withDialog(HOME, { kind: "notice", text: result.ok ? text : `Not done: ${result.message}` });
    this.draw();
  }

  private async acknowledge(): Promise<void> {
    const alarm = this.alarms()[this.place.alarm];
    if (alarm === undefined || alarm.acknowledged) return;
    await this.options.box.submit({
      body: { verb: "alarms", action: "acknowledge", code: alarm.code },
      source: "panel",
      by: ACTOR,
      wholeNumbers: true,
    });
    this.draw();
  }

  /** From now on it is nowhere but on the glass. */
  private showSecret(): void {
    const { secret } = this;
    if (secret === undefined) return;
    this.secret = undefined;
    this.place = withDialog(HOME, { kind: "secret", secret });
    this.options.logger.info("the API's first token was shown at the front panel");
  }

  private resetAccess(): void {
    const { resetTokens, logger } = this.options;
    try {
      this.place = withDialog(HOME, { kind: "secret", secret: resetTokens() });
      // Whatever waited to be shown is not good any more.
      this.secret = undefined;
      logger.warn("every API token was revoked at the front panel, and a new one was shown there");
    } catch (error) {
      if (!(error instanceof SidetoneError)) throw error;
      logger.error(`the API's tokens could not be reset: ${error.message}`, { code: error.code });
      this.place = withDialog(HOME, { kind: "notice", text: "Not done: see the box's log" });
    }
  }

  private async resetAll(): Promise<void> {
    const { resetAll, logger } = this.options;
    logger.warn("all settings and tokens are reset at the front panel");
    const fault = await resetAll(ACTOR);
    const text = fault === "" ? "Starting anew" : `Not done: ${fault}`;
    this.place = withDialog(HOME, { kind: "notice", text });
    this.draw();
  }

  /** One that is about the panel itself is of no use on it. */
  private alarms(): StandingAlarm[] {
    return this.options.alarms.standing.filter(({ code }) => code !== "panel-lost");
  }

  private snapshot(): PanelSnapshot {
    const { device, version, api, engine, isAllPaused, timeZone } = this.options;
    const { activeCalls, calls } = this;
    return {
      device,
      version,
      ...localTime(this.clock.nowUs(), timeZone),
      engine: this.isStopping ? "stopping" : engine(),
      isPaused: isAllPaused(),
      activeCalls,
      disk: this.facts.disk,
      span: this.facts.span,
      alarms: this.alarms(),
      addresses: this.place.screen === "addresses" ? readAddresses() : [],
      api,
      fingerprint: this.fingerprint,
      calls,
      canReset: this.options.config.allowReset,
      hasSecret: this.secret !== undefined,
    };
  }

  private draw(): void {
    if (this.connection === undefined) return;
    const snapshot = this.snapshot();
    if (this.place.screen === "token" && !snapshot.hasSecret && this.place.dialog === undefined) this.place = HOME;
    this.connection.show(this.frameOf(rowsOf(snapshot, this.place, this.size), ledsOf(snapshot)));
  }

  private frameOf(rows: readonly string[], leds: PanelFrame["leds"]): PanelFrame {
    const { columns, rows: height } = this.size;
    const texts = Array.from({ length: height }, (_, row) => (rows[row] ?? "").slice(0, columns).padEnd(columns));
    return { rows: texts.map((text) => encodeText(this.model, text)), leds };
  }

  private setState(state: PanelState, reason: string): void {
    const { alarms } = this.options;
    this.panelState = state;
    this.lossReason = reason;
    if (state === "ok") {
      clearTimeout(this.lostTimer);
      this.lostTimer = undefined;
      alarms.clear("panel-lost");
      return;
    }
    this.lostTimer ??= setTimeout(() => {
      this.lostTimer = undefined;
      if (this.panelState !== "ok") alarms.raise("panel-lost", { state: this.panelState, reason: this.lossReason });
    }, LOST_AFTER_MS);
    this.lostTimer.unref();
  }
}

function localTime(nowUs: number, timeZone: string): { date: string; time: string } {
  // The Swedish way of writing a time is ISO's.
  const text = new Intl.DateTimeFormat("sv-SE", {
    dateStyle: "short",
    timeStyle: "short",
    ...(timeZone !== "" && { timeZone }),
  }).format(new Date(nowUs / 1000));
  return { date: text.slice(0, 10), time: text.slice(11, 16) };
}

function readAddresses(): PanelSnapshot["addresses"] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ internal, address }) => !internal && !/^fe80:/i.test(address))
      .map(({ address }) => ({ interface: name, address })),
  );
}
