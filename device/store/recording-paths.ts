// Where everything in the data folder lies. Paths are made of the call's ULID and its start alone; nothing from the
// network ever becomes part of one.
import { join, resolve } from "node:path";
import { type CallId, callIdToBytes, isCallId, type TimeUs } from "../base/ids.js";
import { audioFileName } from "../contract/manifest.js";

/** No reader of manifests takes a tombstone for one. */
export const TOMBSTONE_SUFFIX = ".deleted";
const TIME_BYTES = 6;
/** Last moment that has a four-digit year. */
const LAST_US = Date.UTC(9999, 11, 31) * 1000;

export class RecordingPaths {
  readonly dataFolder: string;
  readonly recordingsFolder: string;
  /** Files on their way into a day's folder; on the same file system as all of these. */
  readonly partialFolder: string;
  readonly callsFolder: string;
  readonly chainFile: string;
  /** What retention has to remember. */
  readonly retentionFolder: string;
  /** Deletions that are being carried out. */
  readonly deletingFile: string;

  constructor(dataFolder: string) {
    this.dataFolder = resolve(dataFolder);
    this.recordingsFolder = join(this.dataFolder, "recordings");
    this.partialFolder = join(this.recordingsFolder, ".partial");
    this.callsFolder = join(this.dataFolder, "calls");
    this.chainFile = join(this.dataFolder, "chain.json");
    this.retentionFolder = join(this.dataFolder, "retention");
    this.deletingFile = join(this.retentionFolder, "deleting.json");
  }

  temporaryWav(id: CallId): string {
    return join(this.partialFolder, `.${checked(id)}.wav.partial`);
  }

  temporaryManifest(id: CallId): string {
    return join(this.partialFolder, `.${checked(id)}.json.partial`);
  }

  dayFolder(startedAtUs: TimeUs): string {
    return join(this.dataFolder, dayBelowData(startedAtUs));
  }

  manifest(id: CallId, startedAtUs: TimeUs): string {
    return join(this.dayFolder(startedAtUs), `${checked(id)}.json`);
  }

  /** What stands in a deleted recording's place. */
  tombstone(id: CallId, startedAtUs: TimeUs): string {
    return join(this.dayFolder(startedAtUs), `${checked(id)}${TOMBSTONE_SUFFIX}`);
  }

  /** Of a recording's audio, below the data folder. */
  relativeAudio(id: CallId, startedAtUs: TimeUs, isEncrypted: boolean): string {
    return join(dayBelowData(startedAtUs), audioFileName(checked(id), isEncrypted));
  }
}

/** The time part of a ULID, to the millisecond. */
export function timeOfCallId(id: CallId): TimeUs {
  return callIdToBytes(id).readUIntBE(0, TIME_BYTES) * 1000;
}

function dayBelowData(startedAtUs: TimeUs): string {
  return join("recordings", ...isoDay(startedAtUs).split("-"));
}

/** `2026-11-21`, in UTC. */
export function isoDay(atUs: TimeUs): string {
  return new Date(Math.floor(Math.min(LAST_US, Math.max(0, atUs)) / 1000)).toISOString().slice(0, 10);
}

function checked(id: CallId): CallId {
  if (!isCallId(id)) throw new RangeError("a recording's name is made of a ULID only");
  return id;
}
