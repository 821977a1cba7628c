// Watches the disk while the service runs: samples it, has store/disk-guard.ts judge it, and does what follows: alarms, the reserve,
// deletion of the oldest, word to the engine, a nudge to what waits once the disk takes writes again. Never throws for the disk's sake.
import { statfsSync } from "node:fs";
import type { Clock } from "./base/clock.js";
import type { Logger } from "./base/logger.js";
import type { AlarmCode, AlarmDesk, AlarmDetail } from "./contract/alarms.js";
import type { Config } from "./contract/config.js";
import type { DiskStatus } from "./contract/mqtt.js";
import { DiskGuard, type DiskLevel, type DiskState } from "./store/disk-guard.js";
import { type DiskHealth, healthOf, isReadOnly, probeByWriting, readFreeSpace } from "./store/disk-probe.js";
import { DiskReserve } from "./store/disk-reserve.js";
import { readDiskSeries, writeDiskSeries } from "./store/disk-series.js";

const TICK_MS = 1000;
/**
 * A disk that nobody complains about is tried this often, one that is suspected this often. Looking is not enough: an ext4 that went
 * read-only by itself says of its folders that they may be written (Linux 6.18, `emergency_ro`).
 */
const PROBE_EVERY_MS = 60_000;
const SUSPECT_EVERY_MS = 2000;
/** The reserve could not be made: not again for so long. */
const RESERVE_AGAIN_MS = 60_000;
/** Recordings deleted in one tick. */
const MAX_DELETIONS = 100;
/** Nothing could be deleted: not asked again for so long. */
const DELETE_AGAIN_MS = 10_000;
/** The status is shown again this often while the level stays. */
const SHOW_EVERY_MS = 60_000;
/** What starting takes: a lock, a key, the index. */
const LEAST_AT_START_BYTES = 4 * 1024 * 1024;
const MEGABYTE = 1024 * 1024;

export interface DiskEdges {
  /** Whether recordings that have not begun may begin; told when it changes. */
  setRoom(takesNewCalls: boolean): void;
  /** The disk takes writes, or has room, again. */
  recovered(): void;
  show(status: DiskStatus): void;
  /** Deletes the oldest recording that may be deleted; the bytes that it took, 0 when there is none. Absent: none may. */
  deleteOldest?(): Promise<number>;
}

export interface DiskKeeperOptions {
  config: Config["disk"];
  dataFolder: string;
  alarms: AlarmDesk;
  logger: Logger;
  clock: Clock;
}

export class DiskKeeper {
  private readonly options: DiskKeeperOptions;
  private readonly edges: DiskEdges;
  private readonly guard: DiskGuard;
  private readonly reserve: DiskReserve;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private health: DiskHealth = "ok";
  private level: DiskLevel = "ok";
  private hasRoom = true;
  private isSuspected = true;
  private probedAtMs = Number.NEGATIVE_INFINITY;
  private reserveFailedAtMs = Number.NEGATIVE_INFINITY;
  private nothingToDeleteAtMs = Number.NEGATIVE_INFINITY;
  private isNothingToDelete = false;
  private pointsKept = 0;
  private shownAtMs = Number.NEGATIVE_INFINITY;
  private shownLevel: DiskLevel | undefined;

  constructor(options: DiskKeeperOptions, edges: DiskEdges) {
    this.options = options;
    this.edges = edges;
    const { earlyDays, lateDays, lateMegabytes, stopMegabytes, reserveMegabytes, atLimit } = options.config;
    const limits = {
      earlyDays,
      lateDays,
      atLimit,
      lateBytes: lateMegabytes * MEGABYTE,
      stopBytes: stopMegabytes * MEGABYTE,
      reserveBytes: reserveMegabytes * MEGABYTE,
    };
    this.guard = new DiskGuard(limits, readDiskSeries(options.dataFolder));
    this.reserve = new DiskReserve(options.dataFolder);
  }

  get takesNewCalls(): boolean {
    return this.hasRoom;
  }

  /**
   * Before anything is opened: a disk that is full to the last byte would not even take a lock. Gives the reserve up then. Never throws.
   */
  prepare(): void {
    try {
      const { bavail, bsize } = statfsSync(this.options.dataFolder);
      if (bavail * bsize < LEAST_AT_START_BYTES && this.reserve.heldBytes > 0) this.giveUpReserve();
    } catch {
      // There is no data folder yet.
    }
  }

  start(): void {
    this.timer = setInterval(() => void this.tick(), TICK_MS);
    this.timer.unref();
    void this.tick();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** Somebody's write was refused: the disk is tried with the next tick. */
  suspect(): void {
    this.isSuspected = true;
  }

  /** One look at the disk and what follows from it; a second one while it lasts is the same. */
  tick(): Promise<void> {
    this.running ??= this.look()
      .catch((error: unknown) => this.noteHealth(healthOf(error), String(error)))
      .finally(() => {
        this.running = undefined;
      });
    return this.running;
  }

  private async look(): Promise<void> {
    await this.tryWriting();
    let state = await this.judge();
    await this.tendReserve(state);
    if ((await this.makeRoom(state)) > 0) state = await this.judge();
    this.noteLevel(state);
    this.showState(state);
    this.keepMeasurement();
  }

  private async judge(): Promise<DiskState> {
    const { dataFolder, clock } = this.options;
    const space = await readFreeSpace(dataFolder);
    return this.guard.note({
      atMs: clock.monotonicMs(),
      ...space,
      heldBytes: this.reserve.heldBytes,
      wasRefused: this.health === "full",
    });
  }

  private async tryWriting(): Promise<void> {
    const { dataFolder, clock } = this.options;
    if (await isReadOnly(dataFolder)) {
      this.noteHealth("read-only", "");
      return;
    }
    const sinceMs = clock.monotonicMs() - this.probedAtMs;
    const isSuspected = this.isSuspected || this.health !== "ok";
    if (sinceMs < (isSuspected ? SUSPECT_EVERY_MS : PROBE_EVERY_MS)) return;
    this.isSuspected = false;
    this.probedAtMs = clock.monotonicMs();
    this.noteHealth(await probeByWriting(dataFolder), "");
  }

  private noteHealth(health: DiskHealth, reason: string): void {
    const { alarms } = this.options;
    const detail: AlarmDetail = reason === "" ? {} : { reason };
    if (health === "read-only") alarms.raise("disk-read-only", detail);
    else alarms.clear("disk-read-only");
    if (health === "failing") alarms.raise("disk-failing", detail);
    else alarms.clear("disk-failing");
    const isMended = health === "ok" && this.health !== "ok";
    this.health = health;
    if (isMended) this.edges.recovered();
  }

  /** Every ten minutes; what the disk refuses now is in the next one. */
  private keepMeasurement(): void {
    const { pointsTaken, series } = this.guard.forecast;
    if (pointsTaken === this.pointsKept || this.health !== "ok") return;
    this.pointsKept = pointsTaken;
    try {
      writeDiskSeries(this.options.dataFolder, series);
    } catch {
      this.isSuspected = true;
    }
  }

  private async tendReserve({ reserve }: DiskState): Promise<void> {
    const { config, logger, clock } = this.options;
    if (reserve === "give-up") {
      this.giveUpReserve();
      return;
    }
    if (reserve !== "make" || clock.monotonicMs() - this.reserveFailedAtMs < RESERVE_AGAIN_MS) return;
    try {
      await this.reserve.make(config.reserveMegabytes * MEGABYTE);
      logger.info("the disk's reserve is set aside", { megabytes: config.reserveMegabytes });
    } catch (error) {
      this.reserveFailedAtMs = clock.monotonicMs();
      logger.warn("the disk's reserve cannot be set aside", { message: String(error) });
    }
  }

  private giveUpReserve(): void {
    const { logger } = this.options;
    try {
      this.reserve.giveUp();
      logger.warn("the disk is full: its reserve is given up for calls in progress");
      this.edges.recovered();
    } catch (error) {
      logger.error("the disk's reserve cannot be given up", { message: String(error) });
    }
  }

  private noteLevel(state: DiskState): void {
    const { alarms } = this.options;
    const detail = { ...detailOf(state), ...(this.isNothingToDelete && { nothingToDelete: true }) };
    const levels: [DiskLevel, AlarmCode][] = [
      ["full", "disk-full"],
      ["late", "disk-late"],
      ["early", "disk-early"],
    ];
    for (const [level, code] of levels) {
      // Figures change with every packet: they are those of the beginning.
      if (level !== state.level) alarms.clear(code);
      else if (level !== this.level) alarms.raise(code, detail);
    }
    this.level = state.level;
    if (state.takesNewCalls === this.hasRoom) return;
    this.hasRoom = state.takesNewCalls;
    this.edges.setRoom(this.hasRoom);
    if (this.hasRoom) this.edges.recovered();
  }

  /** Bytes that were freed. */
  private async makeRoom({ deleteBytes }: DiskState): Promise<number> {
    const { deleteOldest } = this.edges;
    const { clock, logger } = this.options;
    if (deleteBytes <= 0) this.isNothingToDelete = false;
    if (deleteBytes <= 0 || deleteOldest === undefined || this.health === "read-only") return 0;
    if (clock.monotonicMs() - this.nothingToDeleteAtMs < DELETE_AGAIN_MS) return 0;
    let freed = 0;
    for (let i = 0; i < MAX_DELETIONS && freed < deleteBytes; i++) {
      const bytes = await deleteOldest().catch((error: unknown) => {
        logger.error("the oldest recording cannot be deleted", { message: String(error) });
        return 0;
      });
      if (bytes === 0) {
        this.noteNothingToDelete();
        break;
      }
      freed += bytes;
    }
    if (freed > 0) logger.warn("the disk is full: the oldest recordings were deleted", { megabytes: megabytes(freed) });
    return freed;
  }

  /** Each was kept by a hold, by its minimum age, or for ever; or could not be deleted, which was said. */
  private noteNothingToDelete(): void {
    const { clock, logger } = this.options;
    this.nothingToDeleteAtMs = clock.monotonicMs();
    if (!this.isNothingToDelete) logger.warn("the disk is full, and no recording may be deleted");
    this.isNothingToDelete = true;
  }

  private showState(state: DiskState): void {
    const nowMs = this.options.clock.monotonicMs();
    if (state.level === this.shownLevel && nowMs - this.shownAtMs < SHOW_EVERY_MS) return;
    this.shownAtMs = nowMs;
    this.shownLevel = state.level;
    this.edges.show(statusOf(state));
  }
}

export function statusOf({ level, freeBytes, totalBytes, daysLeft, bytesPerDay }: DiskState): DiskStatus {
  return {
    level,
    freeMegabytes: megabytes(freeBytes),
    totalMegabytes: megabytes(totalBytes),
    megabytesPerDay: bytesPerDay === undefined ? null : megabytes(bytesPerDay),
    daysLeft: daysLeft === undefined ? null : Math.floor(daysLeft * 10) / 10,
  };
}

function detailOf(state: DiskState): AlarmDetail {
  const { freeMegabytes, daysLeft } = statusOf(state);
  return { freeMegabytes, ...(daysLeft !== null && { daysLeft }) };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / MEGABYTE);
}
