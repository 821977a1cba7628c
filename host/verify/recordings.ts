// Every manifest, tombstone and audio file of a copied folder: signed, in its place, hashed as its manifest says; and the chain
// that the manifests form.
import type { KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256Of } from "../../device/base/sha256.js";
import { hashFile, readLines } from "./files.js";
import type { Report } from "./report.js";
import { type JsonObject, readSigned, readSignedFile, text } from "./signed-json.js";
import { SilenceCheck } from "./silence.js";

const NAME = /^(?:.*\/)?([0-7][0-9A-HJKMNP-TV-Z]{25})\.(json|deleted|wav|wav\.age|notes)$/;
/** Outside a data folder the id may stand among other things: `sidetone pull --name`. */
const NAME_WITH_ID =
  /^(?:.*\/)?[^/]*?(?<![0-9A-Za-z])([0-7][0-9A-HJKMNP-TV-Z]{25})(?![0-9A-Za-z])[^/]*?\.(json|deleted|wav|wav\.age|notes)$/;

export interface Link {
  file: string;
  id: string;
  previous: string;
  isTombstone: boolean;
}

export class Recordings {
  /** By SHA-256 of the manifest. */
  readonly links = new Map<string, Link>();
  /** Tombstones by SHA-256 of their line. */
  readonly tombstones = new Map<string, string>();
  /** Notes by SHA-256 of their line: their file. */
  readonly notes = new Map<string, string>();
  /** Ids of which a file is not what was signed. */
  readonly spoiled = new Set<string>();
  audioBytes = 0;
  recordings = 0;
  /** Of which only the file as it is stored could be looked at. */
  encrypted = 0;
  /** No WAV of 16-bit PCM. */
  unread = 0;
  readonly #root: string;
  readonly #key: KeyObject;
  readonly #report: Report;
  /** Folder of a day as its manifests have it must be the end of the path, as far as the copy has it. */
  readonly #isWhole: boolean;

  constructor(root: string, key: KeyObject, report: Report, isWhole: boolean) {
    this.#root = root;
    this.#key = key;
    this.#report = report;
    this.#isWhole = isWhole;
  }

  /** `files`: all that lie where recordings do. */
  read(files: readonly string[], isOpen: boolean): void {
    const groups = new Map<string, { id: string; files: Map<string, string> }>();
    for (const file of files) {
      const [, id, kind] = (this.#isWhole ? NAME : NAME_WITH_ID).exec(file) ?? [];
      if (id === undefined || kind === undefined) {
        this.#report.find("added", file, "it is none of the box's files");
        continue;
      }
      const place = file.slice(0, -kind.length - 1);
      const group = groups.get(place) ?? { id, files: new Map<string, string>() };
      groups.set(place, group);
      group.files.set(kind, file);
    }
    for (const [place, { id, files: group }] of groups) this.#readGroup(place, id, group, isOpen);
  }

  #readGroup(place: string, id: string, group: ReadonlyMap<string, string>, isOpen: boolean): void {
    const tombstone = this.#readTombstone(id, group.get("deleted"));
    const manifest = this.#readManifest(id, group.get("json"), tombstone);
    this.#readNotes(id, group.get("notes"), manifest !== undefined && tombstone === undefined, isOpen);
    const audio = ["wav", "wav.age"].flatMap((kind) => group.get(kind) ?? []);
    const expected = manifest && !tombstone ? text(manifest["audio"] as JsonObject, "file") : "";
    for (const file of audio) {
      if (expected !== "" && file === `${place}${expected.slice(id.length)}`) continue;
      if (group.has("json") && manifest === undefined) continue;
      if (isOpen) this.#report.leaveOut(`${file}: no manifest is of it yet`);
      else this.#report.find("added", file, "no manifest is of this file");
    }
    if (manifest !== undefined && tombstone === undefined) this.#readAudio(place, id, manifest);
  }

  #readManifest(id: string, file: string | undefined, tombstone: JsonObject | undefined): JsonObject | undefined {
    if (file === undefined) return undefined;
    const bytes = readFileSync(join(this.#root, file));
    const manifest = readSignedFile(bytes, this.#key);
    if (manifest === undefined || text(manifest, "schema") !== "sidetone.recording/1") {
      this.spoiled.add(id);
      this.#report.find("changed", file, "it is not what the box has signed");
      return undefined;
    }
    const sha256 = sha256Of(bytes);
    const day = text(manifest, "startedAt").slice(0, 10).replaceAll("-", "/");
    const isAtDay = !this.#isWhole || file === `recordings/${day}/${id}.json`;
    if (text(manifest, "id") !== id || !isAtDay) {
      this.spoiled.add(id);
      this.#report.find("misplaced", file, `it is the manifest of ${text(manifest, "id")}, of ${day}`);
    }
    this.recordings++;
    if (tombstone !== undefined) {
      if (text(tombstone, "manifest") !== sha256)
        this.#report.find("changed", file, "its tombstone knows another manifest");
    } else if (!this.links.has(sha256)) {
      this.links.set(sha256, {
        file,
        id: text(manifest, "id"),
        previous: text(manifest, "previous"),
        isTombstone: false,
      });
    }
    return text(manifest, "id") === id ? manifest : undefined;
  }

  #readTombstone(id: string, file: string | undefined): JsonObject | undefined {
    if (file === undefined) return undefined;
    const bytes = readFileSync(join(this.#root, file));
    const tombstone = readSignedFile(bytes, this.#key);
    if (
      tombstone === undefined ||
      text(tombstone, "schema") !== "sidetone.tombstone/1" ||
      text(tombstone, "id") !== id
    ) {
      this.spoiled.add(id);
      this.#report.find(
        tombstone ? "misplaced" : "changed",
        file,
        "it is not what the box has signed for this recording",
      );
      return undefined;
    }
    this.tombstones.set(sha256Of(bytes.subarray(0, -1)), file);
    const link = { file, id, previous: text(tombstone, "previous"), isTombstone: true };
    this.links.set(text(tombstone, "manifest"), link);
    return tombstone;
  }

  /** One signed line each. */
  #readNotes(id: string, file: string | undefined, isKept: boolean, isOpen: boolean): void {
    if (file === undefined) return;
    if (!isKept && isOpen) this.#report.leaveOut(`${file}: notes without a recording`);
    else if (!isKept) this.#report.find("added", file, "notes without a recording");
    for (const { line, isWhole } of readLines(join(this.#root, file))) {
      const note = isWhole ? readSigned(line, this.#key) : undefined;
      if (text(note, "schema") === "sidetone.note/1" && text(note, "call") === id) this.notes.set(sha256Of(line), file);
      else {
        this.spoiled.add(id);
        this.#report.find("changed", file, "a line of it is not what the box has signed for this recording");
      }
    }
  }

  #noteSilence(file: string, silence: SilenceCheck | undefined): void {
    if (silence === undefined) {
      this.encrypted++;
      return;
    }
    const { findings } = silence;
    if (findings === undefined) this.unread++;
    for (const what of findings ?? []) this.#report.find("audible", file, what);
  }

  #readAudio(place: string, id: string, manifest: JsonObject): void {
    const audio = manifest["audio"] as JsonObject;
    const name = text(audio, "file");
    const file = `${place}${name.slice(id.length)}`;
    const since = `since the call ended (${text(manifest, "endedAt")})`;
    if (name !== `${id}.wav` && name !== `${id}.wav.age`) {
      this.#report.find("misplaced", file, "no recording has audio of this name");
      return;
    }
    const silence = name.endsWith(".age") ? undefined : new SilenceCheck(manifest);
    try {
      const { bytes, sha256, sha512 } = hashFile(join(this.#root, file), (piece) => silence?.take(piece));
      this.audioBytes += bytes;
      const expected = Number(audio["bytes"]);
      if (bytes < expected) this.#report.find("truncated", file, `it has ${bytes} bytes of ${expected}`, since);
      else if (bytes !== expected || sha256 !== text(audio, "sha256") || sha512 !== text(audio, "sha512"))
        this.#report.find("changed", file, "length, SHA-256 and SHA-512 are not all those of its manifest", since);
      else this.#noteSilence(file, silence);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") this.#report.find("missing", file, "its manifest is there, the audio is not", since);
      else this.#report.find("unreadable", file, `it cannot be read (${code})`);
    }
  }
}
