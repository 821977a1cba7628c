// What follows from the disk's free space: how serious it is, whether new recordings may begin, whether the reserve is to be made or
// given up, whether the oldest recordings have to go. A pure state machine: readings in, state out; touches no file.
import { DAY_MS, DiskForecast, type DiskSeries } from "./disk-forecast.js";

export interface DiskLimits {
  /** Days left at which to say so; 0 = never. */
  earlyDays: number;
  lateDays: number;
  /** Free bytes at which it is late whatever the forecast says. */
  lateBytes: number;
  /** Free bytes, the reserve not counted, at which no new recordings begin. */
  stopBytes: number;
  /** Size of the reserve; 0 = none. */
  reserveBytes: number;
  atLimit: "stop" | "delete-oldest";
}

export interface DiskReading {
  /** Monotonic. */
  atMs: number;
  freeBytes: number;
  totalBytes: number;
  /** undefined where the file system has no fixed number. */
  freeInodes: number | undefined;
  /** What the reserve holds now. */
  heldBytes: number;
  /** Somebody was refused for want of space since the last reading. */
  wasRefused: boolean;
}

export const DISK_LEVELS = ["ok", "early", "late", "full"] as const;
export type DiskLevel = (typeof DISK_LEVELS)[number];

export interface DiskState {
  level: DiskLevel;
  /** Recordings that have not begun may begin. */
  takesNewCalls: boolean;
  reserve: "make" | "give-up" | "leave";
  /** The oldest recordings are to be deleted until so many bytes more are free; 0 = none. */
  deleteBytes: number;
  /** Besides the reserve. */
  freeBytes: number;
  totalBytes: number;
  /** undefined: not known, or never. */
  daysLeft: number | undefined;
  bytesPerDay: number | undefined;
}

/** A file system with fewer free inodes than this is as good as full: a recording takes two, and folders. */
const LEAST_INODES = 1024;
const LATE_INODES = 8192;
/** A level is left when its limit is exceeded by this part: free space goes up and down with every call. */
const STOP_MARGIN = 1.25;
const LEVEL_MARGIN = 1.1;
/** Deletion begins before recording has to stop, and makes some room at a time. */
const DELETE_BELOW = 1.5;
const DELETE_UP_TO = 2;
/** With less than this free beside it the reserve is given up. */
const GIVE_UP_PART = 1 / 8;
const GIVE_UP_BYTES = 4 * 1024 * 1024;
/** A forecast of less than a day's measurement is a busy hour's: it can say late, not early. */
const EARLY_AFTER_MS = DAY_MS;

export class DiskGuard {
  readonly #limits: DiskLimits;
  readonly #forecast: DiskForecast;
  #level: DiskLevel = "ok";
  #isDeleting = false;

  /** `earlier`: what an earlier run has measured. */
  constructor(limits: DiskLimits, earlier?: DiskSeries) {
    this.#limits = limits;
    this.#forecast = new DiskForecast(earlier);
  }

  /** What is measured; to be kept for the next run whenever `pointsTaken` is another. */
  get forecast(): Pick<DiskForecast, "pointsTaken" | "series"> {
    return this.#forecast;
  }

  note(reading: DiskReading): DiskState {
    const { reserveBytes, stopBytes } = this.#limits;
    const { atMs, freeBytes, totalBytes, heldBytes, freeInodes, wasRefused } = reading;
    // As if the reserve were whole: what it lacks is to be put back.
    const ownFree = freeBytes + heldBytes - reserveBytes;
    this.#forecast.note(atMs, freeBytes + heldBytes, totalBytes);
    const daysLeft = this.#forecast.daysFor(ownFree - stopBytes);
    this.#level = this.#levelFor(ownFree, freeInodes ?? Number.POSITIVE_INFINITY, daysLeft);
    return {
      level: this.#level,
      takesNewCalls: this.#level !== "full",
      reserve: this.#reserveFor(ownFree, freeBytes, heldBytes, wasRefused),
      deleteBytes: this.#deletionFor(ownFree),
      freeBytes: Math.max(0, ownFree),
      totalBytes,
      daysLeft,
      bytesPerDay: this.#forecast.bytesPerDay,
    };
  }

  #levelFor(ownFree: number, inodes: number, daysLeft = Number.POSITIVE_INFINITY): DiskLevel {
    const { stopBytes, lateBytes, lateDays, earlyDays } = this.#limits;
    const wasFull = this.#level === "full";
    if (ownFree < stopBytes * (wasFull ? STOP_MARGIN : 1) || inodes < LEAST_INODES * (wasFull ? STOP_MARGIN : 1))
      return "full";
    const lateMargin = wasFull || this.#level === "late" ? LEVEL_MARGIN : 1;
    if (
      ownFree < lateBytes * lateMargin ||
      inodes < LATE_INODES * lateMargin ||
      (lateDays > 0 && daysLeft < lateDays * lateMargin)
    )
      return "late";
    const earlyMargin = this.#level === "ok" ? 1 : LEVEL_MARGIN;
    const isKnown = this.#forecast.measuredMs >= EARLY_AFTER_MS;
    return earlyDays > 0 && isKnown && daysLeft < earlyDays * earlyMargin ? "early" : "ok";
  }

  /** On a disk with plenty of room nothing is set aside. */
  #reserveFor(ownFree: number, freeBytes: number, heldBytes: number, wasRefused: boolean): DiskState["reserve"] {
    const { stopBytes, lateBytes, reserveBytes } = this.#limits;
    const isShort = freeBytes < Math.max(GIVE_UP_BYTES, stopBytes * GIVE_UP_PART);
    if (heldBytes > 0 && (isShort || wasRefused)) return "give-up";
    if (heldBytes >= reserveBytes || wasRefused) return "leave";
    const isNear = ownFree < Math.max(lateBytes, DELETE_UP_TO * stopBytes);
    return isNear && ownFree >= stopBytes * STOP_MARGIN ? "make" : "leave";
  }

  #deletionFor(ownFree: number): number {
    const { stopBytes, atLimit } = this.#limits;
    if (atLimit !== "delete-oldest") return 0;
    this.#isDeleting = ownFree < stopBytes * (this.#isDeleting ? DELETE_UP_TO : DELETE_BELOW);
    return this.#isDeleting ? stopBytes * DELETE_UP_TO - ownFree : 0;
  }
}
