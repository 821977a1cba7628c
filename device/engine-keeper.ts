// Keeps an engine running: makes each its journal's folder and key, starts it, and starts another one when it was lost, more slowly
// each time that it does not live long. Knows nothing of what an engine says.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "./base/clock.js";
import { makeCallId } from "./base/ids.js";
import type { Logger } from "./base/logger.js";
import type { Config } from "./contract/config.js";
import type { CaptureSpec, CarriedState, EngineToService, ServiceToEngine } from "./contract/engine-messages.js";
import { type Engine, type EngineHandlers, EngineProcess, type EngineStart } from "./engine-process.js";
import { EngineUnit } from "./engine-unit.js";
import { makeRun } from "./journal/recovery.js";
import type { JournalKeys } from "./journal-keys.js";

/** First and longest pause before a lost engine is followed by another one. */
const RESTART_FIRST_MS = 500;
const RESTART_MAX_MS = 30_000;

/** One engine from its start to its end. */
export interface EngineRun {
  journalFolder: string;
  /** To this engine and no later one; false when it is gone. */
  send(message: ServiceToEngine): boolean;
}

export interface EngineKeeperOptions {
  config: Config;
  capture: CaptureSpec;
  /** Holds a folder for each engine's run. */
  journalRoot: string;
  registerFolder: string;
  keys: JournalKeys;
  logger: Logger;
  /** What the engine before this one left. */
  carried(): CarriedState;
  /** Whether the disk has room for recordings that have not begun. */
  takesNewCalls(): boolean;
  message(message: EngineToService, run: EngineRun): void;
  /** `clean`: it left because it was told to. */
  gone(clean: boolean, how: string, run: EngineRun): void;
  /** An engine could not be started; another one will be tried. */
  failed(error: unknown): void;
}

export class EngineKeeper {
  private readonly options: EngineKeeperOptions;
  private engine: Engine | undefined;
  private restartAfterMs = RESTART_FIRST_MS;
  private timer: NodeJS.Timeout | undefined;
  private isEnding = false;

  constructor(options: EngineKeeperOptions) {
    this.options = options;
  }

  get isRunning(): boolean {
    return this.engine !== undefined;
  }

  /** Throws what keeps the journal from being made: SidetoneError `encryption-failed` or `data-unwritable`, or the file system's. */
  start(): void {
    const { config, capture, journalRoot, registerFolder, keys, carried, takesNewCalls } = this.options;
    const journalFolder = join(journalRoot, makeCallId(systemClock.nowUs()));
    this.makeFolder(journalFolder);
    const journalKey = keys.make(journalFolder)?.toString("base64");
    const run: EngineRun = { journalFolder, send: (message) => engine.send(message) };
    const engine = this.makeEngine(
      {
        // The engine speaks to nobody.
        config: { ...config, mqtt: { ...config.mqtt, password: "" } },
        capture,
        journalFolder,
        ...(journalKey !== undefined && { journalKey }),
        registerFolder,
        carried: carried(),
      },
      {
        message: (message) => {
          if (message.type === "counters") this.restartAfterMs = RESTART_FIRST_MS;
          this.options.message(message, run);
        },
        gone: (clean, how) => {
          if (this.engine === engine) this.engine = undefined;
          this.options.gone(clean, how, run);
        },
      },
    );
    this.engine = engine;
    if (!takesNewCalls()) engine.send({ type: "room", takesNewCalls: false });
  }

  /** Tries until one is started, or there is to be none any more. */
  startLater(): void {
    this.timer = setTimeout(() => {
      if (this.isEnding) return;
      try {
        this.start();
      } catch (error) {
        this.options.logger.error("the engine cannot be started; it is tried again", { message: String(error) });
        this.options.failed(error);
        this.startLater();
      }
    }, this.restartAfterMs);
    this.restartAfterMs = Math.min(this.restartAfterMs * 2, RESTART_MAX_MS);
  }

  /** False while there is none. */
  send(message: ServiceToEngine): boolean {
    return this.engine?.send(message) ?? false;
  }

  /** Asks it to finish; asked again after it has it leaves. No other one follows. */
  stop(): void {
    this.end();
    this.engine?.stop();
  }

  kill(): void {
    this.end();
    this.engine?.kill();
  }

  /** No other one follows. */
  end(): void {
    this.isEnding = true;
    clearTimeout(this.timer);
  }

  /** A unit of its own captures only: files are read by whoever may read them. */
  private makeEngine(start: EngineStart, handlers: EngineHandlers): Engine {
    if (this.isOwnUnit) return new EngineUnit(this.options.config.engine.socket, start, handlers);
    return new EngineProcess(start, handlers);
  }

  private get isOwnUnit(): boolean {
    return this.options.config.engine.socket !== "" && this.options.capture.kind === "live";
  }

  private makeFolder(journalFolder: string): void {
    try {
      makeRun(journalFolder, { forGroup: this.isOwnUnit });
    } catch (error) {
      if (!existsSync(this.options.journalRoot)) throw error;
      // The journal makes its folder itself as soon as the disk lets it.
      this.options.logger.error("the journal's folder cannot be made yet", { message: String(error) });
      this.options.failed(error);
    }
  }
}
