// What a folder knows of its pulling: `.sidetone-pull/state.jsonl`, append-only, one checksummed line for each change, synced
// before anything rests on it, written anew when it has grown. Holds which box the folder is of, how far its listing was read,
// and of every recording where it lies and what is still to be done. The recordings' files are the truth; without this file
// a pull begins at the beginning and takes over what it finds whole.
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isCallId } from "../../device/base/ids.js";
import { sha256Of } from "../../device/base/sha256.js";
import { readLines } from "../verify/files.js";
import { type JsonObject, parseObject, text } from "../verify/signed-json.js";
import { syncFolder } from "./folder-sync.js";

export const STATE_SCHEMA = "sidetone.pull-state/1";

/**
 * `listed`: known of, nothing is in its place. `named`: it has its name for ever. `stored`: audio and manifest are in their
 * places, whole. `gone`: the box no longer had it.
 */
export type RecordingState = "listed" | "named" | "stored" | "gone";
const STATES: readonly string[] = ["listed", "named", "stored", "gone"] satisfies RecordingState[];
/** What is still to be said to the box of a stored recording. */
export type Debt = "acknowledge" | "delete";

export interface PulledRecording {
  readonly id: string;
  readonly state: RecordingState;
  /** Relative, "/" between folders, without the ending; "" while it is `listed`. */
  readonly name: string;
  readonly tags: readonly string[];
  /** Of the audio as stored, lower-case hex; "" until it is `stored`. */
  readonly sha256: string;
  readonly owes: readonly Debt[];
  /** Code of what kept it from being stored last time; "" = nothing did. */
  readonly fault: string;
}

export interface StateBox {
  readonly device: string;
  /** SHA-256 of the public key (DER), hex. */
  readonly key: string;
}

/** Finished recordings beyond this number are forgotten, the oldest first: their files still tell of them. */
export const MAX_FINISHED = 200_000;
/** Listings with other filters have their own place in the box's recordings. */
const MAX_CURSORS = 16;
const LEAST_LINES_TO_COMPACT = 2000;
const MAX_LINE_BYTES = 16 * 1024;
const SUM = /,"sum":"([0-9a-f]{16})"\}$/;

export function isFinished({ state, owes }: PulledRecording): boolean {
  return state === "gone" || (state === "stored" && owes.length === 0);
}

export class StateJournal {
  readonly #path: string;
  readonly #recordings = new Map<string, PulledRecording>();
  readonly #cursors = new Map<string, string>();
  readonly #maxFinished: number;
  #box: StateBox | undefined;
  #finished = 0;
  #hasForgotten = false;
  /** Lines that were damaged when it was opened, and were left out. */
  damagedLines = 0;
  #lines = 0;
  #file: FileHandle | undefined;
  #waiting: { text: string; lines: number; resolve(): void; reject(error: unknown): void }[] = [];
  #writing: Promise<void> | undefined;
  #broken: unknown;

  private constructor(path: string, maxFinished: number) {
    this.#path = path;
    this.#maxFinished = maxFinished;
  }

  /** Reads what is there, in `folder`; throws file system errors. */
  static async open(folder: string, maxFinished: number = MAX_FINISHED): Promise<StateJournal> {
    const journal = new StateJournal(join(folder, "state.jsonl"), maxFinished);
    await journal.#open();
    return journal;
  }

  /** Undefined in a folder that is new, or whose journal was lost. */
  get box(): StateBox | undefined {
    return this.#box;
  }

  /** Finished recordings were left out of it for want of room. */
  get hasForgotten(): boolean {
    return this.#hasForgotten;
  }

  /** Behind what has been listed with these filters; "" = nothing was. */
  cursor(filter: string): string {
    return this.#cursors.get(filter) ?? "";
  }

  find(id: string): PulledRecording | undefined {
    return this.#recordings.get(id);
  }

  /** In the order in which they were first listed. */
  unfinished(): PulledRecording[] {
    return [...this.#recordings.values()].filter((recording) => !isFinished(recording));
  }

  get unfinishedCount(): number {
    return this.#recordings.size - this.#finished;
  }

  /** Durable when it returns. Throws file system errors, and then no more is taken. */
  async setBox(box: StateBox): Promise<void> {
    this.#box = box;
    await this.#append([boxLine(box)]);
  }

  /** All of a listing's page with the cursor behind it, the cursor last. */
  async noteListed(recordings: readonly PulledRecording[], filter: string, cursor: string): Promise<void> {
    for (const recording of recordings) this.#set(recording);
    this.#setCursor(filter, cursor);
    await this.#append([...recordings.map(recordingLine), cursorLine(filter, cursor)]);
  }

  async note(recording: PulledRecording): Promise<void> {
    this.#set(recording);
    await this.#append([recordingLine(recording)]);
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file?.close();
    this.#file = undefined;
  }

  #set(recording: PulledRecording): void {
    const before = this.#recordings.get(recording.id);
    this.#recordings.set(recording.id, recording);
    this.#finished += Number(isFinished(recording)) - Number(before !== undefined && isFinished(before));
  }

  #setCursor(filter: string, cursor: string): void {
    this.#cursors.delete(filter);
    this.#cursors.set(filter, cursor);
    if (this.#cursors.size > MAX_CURSORS) this.#cursors.delete(this.#cursors.keys().next().value!);
  }

  async #open(): Promise<void> {
    let isWhole = true;
    try {
      for (const { line, isWhole: hasEnd } of readLines(this.#path)) {
        this.#lines++;
        const content = hasEnd && line.length <= MAX_LINE_BYTES ? readLine(line) : undefined;
        if (content !== undefined && this.#take(content)) continue;
        isWhole = false;
        // The last line of a killed process is cut off, and is no damage.
        if (hasEnd) this.damagedLines++;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    // What is missing may have been listed before a cursor that is there: better to read everything again.
    if (this.damagedLines > 0) this.#cursors.clear();
    this.#forgetOldest();
    if (isWhole && !this.#isLong()) this.#file = await open(this.#path, "a", 0o600);
    else await this.#compact();
  }

  #take(line: JsonObject): boolean {
    switch (line["kind"]) {
      case "box":
        this.#box = { device: text(line, "device"), key: text(line, "key") };
        return line["schema"] === STATE_SCHEMA;
      case "cursor":
        this.#setCursor(text(line, "filter"), text(line, "cursor"));
        return true;
      case "forgotten":
        this.#hasForgotten = true;
        return true;
      case "recording": {
        const recording = recordingOf(line);
        if (recording !== undefined) this.#set(recording);
        return recording !== undefined;
      }
      default:
        return false;
    }
  }

  #append(lines: readonly string[]): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    const done = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ text: lines.join(""), lines: lines.length, resolve, reject });
    });
    this.#writing ??= this.#write();
    return done;
  }

  /** All that wait are one write and one sync. */
  async #write(): Promise<void> {
    // Whoever comes in the same turn of the event loop comes along.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        if (this.#broken !== undefined) throw this.#broken;
        if (this.#finished > this.#maxFinished * 1.1) this.#forgetOldest();
        if (this.#isLong()) await this.#compact();
        else {
          await this.#file!.appendFile(group.map((each) => each.text).join(""));
          await this.#file!.datasync();
          this.#lines += group.reduce((sum, { lines }) => sum + lines, 0);
        }
        for (const { resolve } of group) resolve();
      } catch (error) {
        // Half a line may stand at its end: nothing is written behind that.
        this.#broken ??= error;
        for (const { reject } of group) reject(error);
      }
    }
    // In the same turn as the look at what waits: whoever comes later begins anew.
    this.#writing = undefined;
  }

  #isLong(): boolean {
    return this.#lines > LEAST_LINES_TO_COMPACT && this.#lines > 3 * this.#recordings.size;
  }

  #forgetOldest(): void {
    if (this.#finished <= this.#maxFinished) return;
    for (const recording of this.#recordings.values()) {
      if (this.#finished <= this.#maxFinished) break;
      if (!isFinished(recording)) continue;
      this.#recordings.delete(recording.id);
      this.#finished--;
    }
    this.#hasForgotten = true;
    // What was left out is still in the file.
    this.#lines = Number.POSITIVE_INFINITY;
  }

  /** What is known, and with it what waits to be written, takes the file's place. */
  async #compact(): Promise<void> {
    const lines = [
      ...(this.#box ? [boxLine(this.#box)] : []),
      ...(this.#hasForgotten ? [lineOf({ kind: "forgotten" })] : []),
      ...[...this.#recordings.values()].map(recordingLine),
      ...[...this.#cursors].map(([filter, cursor]) => cursorLine(filter, cursor)),
    ];
    const temporary = `${this.#path}.partial`;
    await rm(temporary, { force: true });
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(lines.join(""));
      await file.datasync();
    } finally {
      await file.close();
    }
    await this.#file?.close();
    this.#file = undefined;
    await rename(temporary, this.#path);
    await syncFolder(dirname(this.#path));
    this.#file = await open(this.#path, "a", 0o600);
    this.#lines = lines.length;
  }
}

function boxLine({ device, key }: StateBox): string {
  return lineOf({ kind: "box", schema: STATE_SCHEMA, device, key });
}

function cursorLine(filter: string, cursor: string): string {
  return lineOf({ kind: "cursor", filter, cursor });
}

function recordingLine(recording: PulledRecording): string {
  return lineOf({ kind: "recording", ...recording });
}

function lineOf(content: object): string {
  const body = JSON.stringify(content);
  return `${body.slice(0, -1)},"sum":"${sumOf(body)}"}\n`;
}

function sumOf(body: string): string {
  return sha256Of(body).slice(0, 16);
}

function readLine(line: Buffer): JsonObject | undefined {
  const written = line.toString("utf8");
  const sum = SUM.exec(written);
  if (sum === null || sum[1] !== sumOf(`${written.slice(0, sum.index)}}`)) return undefined;
  return parseObject(line);
}

function recordingOf(line: JsonObject): PulledRecording | undefined {
  const [id, state] = [text(line, "id"), text(line, "state")];
  if (!isCallId(id) || !STATES.includes(state)) return undefined;
  const owes = listOf(line["owes"]).filter((debt): debt is Debt => debt === "acknowledge" || debt === "delete");
  return {
    ...{ id, state: state as RecordingState, name: text(line, "name"), tags: listOf(line["tags"]) },
    ...{ sha256: text(line, "sha256"), owes, fault: text(line, "fault") },
  };
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
