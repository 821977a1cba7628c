// Notes on recordings: `<id>.notes` in the recording's folder, so that whatever takes the recording takes them too (deletion.ts), and
// whatever is asked about it has them (export/). Signed lines; the audit chain has the hash of each (kind `noted`).
//
// A note comes in this order, and none is lost half: the new file is written and made durable, gets its name, its folder is made
// durable, its entry is. One goes in the other: the entry first. Killed in between, a note is there that the chain does not know,
// or knows as gone: the verifiers say so and take it for no harm, for only the box can have signed it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, isoUs, systemClock } from "../base/clock.js";
import { SidetoneError } from "../base/errors.js";
import { type CallId, makeCallId } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import type { AuditEntryInput } from "../contract/audit.js";
import { MAX_NOTES, NOTE_SCHEMA, type Note } from "../contract/note.js";
import type { DeviceKey } from "./device-key.js";
import type { FileLayer } from "./file-layer.js";
import { type RecordingPaths, timeOfCallId } from "./recording-paths.js";
import { isSignedLine, parseLine, signLine } from "./signed-line.js";

export const NOTES_SUFFIX = ".notes";
const NEWLINE = 0x0a;
const LINE_END = Buffer.from("\n");

/** Why a recording takes no note, or has none of that id. */
export class NoteRefused extends SidetoneError {
  readonly reason: "recording-not-found" | "recording-deleted" | "too-many-notes" | "note-not-found";
  constructor(reason: NoteRefused["reason"], message: string) {
    super("usage", message);
    this.reason = reason;
  }
}

export interface NotesOptions {
  paths: RecordingPaths;
  key: DeviceKey;
  /** Only tests give others than the disk's. */
  files: FileLayer;
  /** While it works nothing is deleted, and nothing else of this kind is done. */
  alone<Result>(work: () => Promise<Result>): Promise<Result>;
  clock?: Clock;
}

/** Makes an entry durable in the audit chain. */
type Enter = (entry: Omit<AuditEntryInput, "actor">) => Promise<void>;

interface NoteLine {
  note: Note;
  /** Without its newline. */
  line: Buffer;
}

export class NoteBook {
  readonly #options: NotesOptions;

  constructor(options: NotesOptions) {
    this.#options = options;
  }

  /** The oldest first. Throws NoteRefused, and file system errors. */
  list(call: CallId): Note[] {
    this.#check(call);
    return this.#read(call).map(({ note }) => note);
  }

  /** Rejects with NoteRefused, with what `enter` rejects with, and with file system errors: then there is no such note. */
  add(call: CallId, { by, text }: Pick<Note, "by" | "text">, enter: Enter): Promise<Note> {
    return this.#options.alone(async () => {
      this.#check(call);
      const before = this.#read(call);
      if (before.length >= MAX_NOTES)
        throw new NoteRefused("too-many-notes", `a recording has at most ${MAX_NOTES} notes: remove one first`);
      const added = this.#sign(call, by, text);
      const lines = before.map(({ line }) => line);
      await this.#write(call, [...lines, added.line]);
      const detail = { note: added.note.id, characters: text.length, sha256: sha256Of(added.line) };
      try {
        await enter({ kind: "noted", call, detail });
      } catch (error) {
        await this.#write(call, lines).catch(() => {});
        throw error;
      }
      return added.note;
    });
  }

  /** The notes that are left. As `add`; what the disk refuses once it is entered may be asked again. */
  remove(call: CallId, id: string, enter: Enter): Promise<Note[]> {
    return this.#options.alone(async () => {
      this.#check(call);
      const notes = this.#read(call);
      const gone = notes.find(({ note }) => note.id === id);
      if (gone === undefined) throw new NoteRefused("note-not-found", `the recording ${call} has no note ${id}`);
      const { length: characters } = gone.note.text;
      await enter({
        kind: "noted",
        call,
        detail: { note: id, characters, sha256: sha256Of(gone.line), removed: true },
      });
      const left = notes.filter((one) => one !== gone);
      await this.#write(
        call,
        left.map(({ line }) => line),
      );
      return left.map(({ note }) => note);
    });
  }

  #check(call: CallId): void {
    const { paths } = this.#options;
    const at = timeOfCallId(call);
    if (existsSync(paths.tombstone(call, at))) throw new NoteRefused("recording-deleted", `${call} was deleted`);
    if (!existsSync(paths.manifest(call, at)))
      throw new NoteRefused("recording-not-found", `there is no recording ${call}`);
  }

  #sign(call: CallId, by: string, text: string): NoteLine {
    const atUs = (this.#options.clock ?? systemClock).nowUs();
    const body = { schema: NOTE_SCHEMA, id: makeCallId(atUs), call, at: isoUs(atUs), by, text };
    const line = signLine(body, this.#options.key.privateKey);
    return { line, note: parseLine(line) as unknown as Note };
  }

  #read(call: CallId): NoteLine[] {
    let bytes: Buffer;
    try {
      bytes = readFileSync(this.#path(call));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
    return linesOf(bytes).flatMap((line) => {
      const note = noteOf(line, call);
      // What the box has not signed is none of its notes; the verifiers say that it is there.
      return note && isSignedLine(line, this.#options.key.publicKey) ? [{ note, line }] : [];
    });
  }

  async #write(call: CallId, lines: readonly Buffer[]): Promise<void> {
    const { paths, files } = this.#options;
    const path = this.#path(call);
    if (lines.length === 0) await files.remove(path);
    else {
      const temporary = join(paths.partialFolder, `.${call}${NOTES_SUFFIX}.partial`);
      await files.write(temporary, Buffer.concat(lines.flatMap((line) => [line, LINE_END])));
      await files.sync(temporary);
      await files.rename(temporary, path);
    }
    await files.sync(paths.dayFolder(timeOfCallId(call)));
  }

  #path(call: CallId): string {
    return join(this.#options.paths.dayFolder(timeOfCallId(call)), `${call}${NOTES_SUFFIX}`);
  }
}

/** Lines of a file, the last one also where its newline is missing. */
export function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, start);
    lines.push(bytes.subarray(start, end < 0 ? bytes.length : end));
    start = end < 0 ? bytes.length : end + 1;
  }
  return lines;
}

/** Whatever its signature is worth; undefined for what is no note on this call. */
export function noteOf(line: Buffer, call: string): Note | undefined {
  const value = parseLine(line);
  const isNote =
    value?.["schema"] === NOTE_SCHEMA &&
    value["call"] === call &&
    ["id", "at", "by", "text"].every((name) => typeof value[name] === "string");
  return isNote ? (value as unknown as Note) : undefined;
}
