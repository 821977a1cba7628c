// Takes proof of the chains' heads out of the box while the service runs: at an interval and at an orderly stop, if they have moved,
// has the signed statement of them stamped and published, as configured. One request at a time and nothing queued: what fails is tried again
// with the heads of then, more slowly each time. Never disturbs recording, whatever the network does.

import type { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Clock } from "./base/clock.js";
import type { Logger } from "./base/logger.js";
import type { AlarmDesk } from "./contract/alarms.js";
import type { AnchorStatement } from "./contract/anchor.js";
import type { Config } from "./contract/config.js";
import { certificatesOf } from "./contract/time-stamp-signature.js";
import { type Anchor, StampFolder, signAnchor } from "./store/anchor.js";
import type { RecordingStore } from "./store/recordings.js";
import { requestTimeStamp } from "./time-stamp-client.js";

/** A box that has just started may have no network yet. */
const FIRST_AFTER_MS = 30_000;
const RETRY_FIRST_MS = 30_000;
const RETRY_MAX_MS = 3_600_000;
/** Failed attempts in a row that are an alarm. */
const ALARM_AFTER = 3;
/** A statement that the broker has not taken for so long is an alarm. */
const BROKER_PATIENCE_MS = 300_000;
/** Longest time that an orderly stop waits for its last stamp. */
const STOP_MS = 4000;

export interface AnchorTimes {
  firstAfterMs: number;
  retryFirstMs: number;
  brokerPatienceMs: number;
  stopMs: number;
}

export interface AnchorKeeperOptions {
  config: Config["integrity"];
  store: Pick<RecordingStore, "audit" | "key" | "manifestHead" | "paths">;
  /** The box's name. */
  device: string;
  logger: Logger;
  clock: Clock;
  /** Of a running box; a replay has none. */
  alarms?: AlarmDesk;
  /** Publishes, retained; `taken` once the broker has it. False when there is no face to publish at yet. */
  publish?(statement: AnchorStatement, taken: () => void): boolean;
  /** Only tests give others. */
  times?: Partial<AnchorTimes>;
}

/** What an outlet had last: the audit chain's number, and how many entries of our own there were then. */
interface Mark {
  seq: number;
  own: number;
}

type Outlet = "time stamp" | "MQTT";

export class AnchorKeeper {
  readonly counters = { stamps: 0, failures: 0, published: 0 };
  readonly #options: AnchorKeeperOptions;
  readonly #times: AnchorTimes;
  readonly #stamps: StampFolder;
  readonly #ending = new AbortController();
  readonly #faults = new Map<Outlet, string>();
  #timer: NodeJS.Timeout | undefined;
  #brokerTimer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stamped: Mark | undefined;
  #published: Mark | undefined;
  /** Entries `stamped` since the start: they move the head and are no news. */
  #own = 0;
  #failuresInARow = 0;
  #isStopping = false;

  constructor(options: AnchorKeeperOptions) {
    this.#options = options;
    this.#times = {
      firstAfterMs: FIRST_AFTER_MS,
      retryFirstMs: RETRY_FIRST_MS,
      brokerPatienceMs: BROKER_PATIENCE_MS,
      stopMs: STOP_MS,
      ...options.times,
    };
    this.#stamps = new StampFolder(options.store.paths.dataFolder, options.store.audit);
  }

  /** Finishes what the run before had begun; `isLive`: and begins with the interval. */
  start(isLive: boolean): void {
    this.#running = this.#stamps.finish().catch((error: unknown) => {
      this.#options.logger.warn("a time stamp of the run before could not be entered", { message: String(error) });
    });
    if (isLive && this.#isOn) this.#wakeIn(this.#times.firstAfterMs);
  }

  /** One last statement if the heads have moved, within a few seconds. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    const end = setTimeout(() => this.#ending.abort(), this.#times.stopMs);
    await this.#running;
    if (this.#isOn && !this.#ending.signal.aborted) await this.#attempt();
    clearTimeout(end);
    clearTimeout(this.#brokerTimer);
  }

  get #isOn(): boolean {
    const { anchor, timestamp } = this.#options.config;
    return anchor !== "off" || timestamp.url !== "";
  }

  #wakeIn(delayMs: number): void {
    if (this.#isStopping) return;
    this.#timer = setTimeout(() => {
      const attempt = this.#running.then(() => this.#attempt());
      this.#running = attempt.then((isDone) => this.#wakeIn(isDone ? this.#intervalMs : this.#retryMs));
    }, delayMs);
    this.#timer.unref();
  }

  get #intervalMs(): number {
    return this.#options.config.intervalMinutes * 60_000;
  }

  get #retryMs(): number {
    const backOffMs = this.#times.retryFirstMs * 2 ** Math.min(16, this.#failuresInARow - 1);
    return Math.min(backOffMs, RETRY_MAX_MS, this.#intervalMs);
  }

  /** Whether everything that is configured has the heads of now. */
  async #attempt(): Promise<boolean> {
    const { store, config, logger } = this.#options;
    try {
      await store.audit.flush();
    } catch {
      // The disk refuses the chain, which has an alarm of its own.
      return true;
    }
    const wantsStamp = config.timestamp.url !== "" && this.#isMoved(this.#stamped);
    const wantsAnchor = config.anchor === "mqtt" && this.#isMoved(this.#published);
    if (!wantsStamp && !wantsAnchor) return true;
    const anchor = this.#makeAnchor();
    if (wantsAnchor) this.#publish(anchor.statement);
    if (!wantsStamp) return true;
    const fault = await this.#stamp(anchor).catch((error: unknown) => String(error));
    if (fault === undefined) {
      this.#failuresInARow = 0;
      this.#settle("time stamp", undefined);
      return true;
    }
    this.counters.failures++;
    this.#failuresInARow++;
    if (this.#isStopping) logger.warn("no time stamp at the stop; the next start asks for one", { reason: fault });
    else logger.debug("no time stamp", { reason: fault });
    if (this.#failuresInARow >= ALARM_AFTER) this.#settle("time stamp", fault);
    return false;
  }

  #makeAnchor(): Anchor {
    const { store, device, clock } = this.#options;
    const { manifestHead: manifests, audit, key } = store;
    return signAnchor({ device, atUs: clock.nowUs(), manifests, audit: audit.head }, key);
  }

  #isMoved(mark: Mark | undefined): boolean {
    const { seq } = this.#options.store.audit.head;
    return seq > 0 && (mark === undefined || seq - mark.seq > this.#own - mark.own);
  }

  #publish(statement: AnchorStatement): void {
    const { publish } = this.#options;
    const taken = (): void => {
      clearTimeout(this.#brokerTimer);
      this.counters.published++;
      this.#settle("MQTT", undefined);
    };
    if (publish?.(statement, taken) !== true) return;
    this.#published = { seq: statement.audit.seq, own: this.#own };
    clearTimeout(this.#brokerTimer);
    this.#brokerTimer = setTimeout(
      () => this.#settle("MQTT", "the broker has not taken the chains' heads"),
      this.#times.brokerPatienceMs,
    );
    this.#brokerTimer.unref();
  }

  /** What is wrong, or undefined. */
  async #stamp(anchor: Anchor): Promise<string | undefined> {
    const { url, hash, timeoutMs } = this.#options.config.timestamp;
    const trusted = this.#readAuthorities();
    const received = await requestTimeStamp({ url, hash, trusted, timeoutMs }, anchor.bytes, this.#ending.signal);
    if ("fault" in received) return received.fault;
    const mark = { seq: anchor.statement.audit.seq, own: this.#own };
    await this.#stamps.keep(anchor, received.response, received.stamp);
    this.#own++;
    this.#stamped = mark;
    this.counters.stamps++;
    return undefined;
  }

  /** Read each time: who corrects the file need not start the service again. Throws in words. */
  #readAuthorities(): X509Certificate[] {
    const { caFile } = this.#options.config.timestamp;
    if (caFile === "") return [];
    const trusted = certificatesOf(readFileSync(caFile, "utf8"));
    if (trusted.length === 0) throw new Error(`${caFile} holds no certificate`);
    return trusted;
  }

  #settle(outlet: Outlet, fault: string | undefined): void {
    const { alarms } = this.#options;
    if (fault === undefined) this.#faults.delete(outlet);
    else this.#faults.set(outlet, fault);
    const reasons = [...this.#faults].map(([name, reason]) => `${name}: ${reason}`);
    if (reasons.length > 0) alarms?.raise("anchor-failed", { reason: reasons.join("; ") });
    else alarms?.clear("anchor-failed");
  }
}
