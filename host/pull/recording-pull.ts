// The way of one recording from the box into the folder, in steps each of which can be the last one before a power cut: manifest
// checked, name fixed (journal), audio whole in the partial file, audio in its place, manifest in its place, stored (journal),
// acknowledged (journal), deleted on the box (journal). What was done is found done, and nothing is done on a guess.
import type { KeyObject } from "node:crypto";
import { causeOf, HostError } from "../errors.js";
import type { AudioDownload } from "./audio-download.js";
import type { Box, Refusal } from "./box.js";
import { type CheckedManifest, checkManifest } from "./manifest-check.js";
import type { NameTemplate } from "./name-template.js";
import type { PullListener } from "./pull-events.js";
import type { Debt, PulledRecording, StateJournal } from "./state-journal.js";
import { type AudioEnding, PlaceTaken, type TargetFolder } from "./target-folder.js";

/**
 * `manifest`: it is not signed by the box's key, or is another recording's. `audio`: it is not what the manifest says. `place`: its
 * name is taken by what is no recording. `refused`: the box does not give it.
 */
export type Fault = "manifest" | "audio" | "place" | "refused";

/** What the folder's file system says of one name only. */
const OF_ONE_NAME = new Set(["ENAMETOOLONG", "ENOTDIR", "EISDIR", "EINVAL", "EILSEQ"]);
const MANIFEST_TRIES = 3;

export interface RecordingPullOptions {
  box: Box;
  folder: TargetFolder;
  journal: StateJournal;
  download: AudioDownload;
  key: KeyObject;
  template: NameTemplate;
  /** What this run does once a recording is stored; `delete` comes with `acknowledge`. */
  debts: readonly Debt[];
  tell: PullListener;
  /** A manifest was not signed by the key: throws when the box has another one now. */
  checkBox(signal: AbortSignal): Promise<void>;
}

export class RecordingPull {
  readonly #options: RecordingPullOptions;
  /** Stored by this run, which has seen every byte. */
  readonly #seen = new Set<string>();

  constructor(options: RecordingPullOptions) {
    this.#options = options;
  }

  /** Throws what ends the run; what is wrong with this one is told and noted. */
  async advance(id: string, signal: AbortSignal): Promise<void> {
    const { journal } = this.#options;
    try {
      let recording = journal.find(id)!;
      if (recording.state === "listed" || recording.state === "named") recording = await this.#store(recording, signal);
      if (recording.state === "stored") await this.#payDebts(recording, signal);
      this.#seen.delete(id);
    } catch (error) {
      signal.throwIfAborted();
      const fault = faultOf(error);
      if (fault === undefined) throw asFolderFault(error);
      await this.#fail(id, fault);
    }
  }

  async #store(listed: PulledRecording, signal: AbortSignal): Promise<PulledRecording> {
    const { folder, journal, template, tell, download } = this.#options;
    const found = await this.#manifest(listed.id, signal);
    if ("refusal" in found) return this.#isGone(listed, found.refusal);
    const { bytes: manifestBytes, checked } = found;
    const name = listed.name || template.nameOf({ ...checked.described, tags: listed.tags });
    let recording: PulledRecording = { ...listed, state: "named", name };
    // Whatever the template will be by then: this is where it is looked for.
    if (listed.state !== "named") await journal.note(recording);

    const isThere = await this.#isInPlace(recording, checked);
    if (!isThere) {
      const downloaded = await download.fetch({ id: recording.id, ...checked }, signal);
      if (downloaded === "wrong")
        throw new RecordingFault("audio", "the audio is not what the box has signed, as often as it is fetched");
      if (downloaded !== "whole") return this.#isGone(recording, downloaded.refusal);
      await folder.placeAudio(recording.id, name, checked.ending);
    }
    await this.#placeManifest(recording, manifestBytes);
    await folder.removePartial(recording.id);
    recording = { ...recording, state: "stored", sha256: checked.sha256, owes: this.#options.debts, fault: "" };
    this.#seen.add(recording.id);
    await journal.note(recording);
    const { bytes, sha256, durationMs, ending } = checked;
    const files = { file: `${name}${ending}`, manifest: `${name}.json` };
    tell({ event: isThere ? "found" : "stored", id: recording.id, ...files, bytes, sha256, durationMs });
    return recording;
  }

  async #manifest(
    id: string,
    signal: AbortSignal,
  ): Promise<{ bytes: Buffer; checked: CheckedManifest } | { refusal: Refusal }> {
    const { box, key, checkBox } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const asked = await box.manifest(id, signal);
      if ("refusal" in asked) return asked;
      const checked = checkManifest(asked.value, id, key);
      if (checked !== undefined) return { bytes: asked.value, checked };
      await checkBox(signal);
      // It may have been altered on the way.
      if (attempt === MANIFEST_TRIES)
        throw new RecordingFault("manifest", "its manifest is not signed for it by the box's key");
    }
  }

  /** What is there and is not the recording is put aside. */
  async #isInPlace({ id, name }: PulledRecording, { ending, bytes, sha256 }: CheckedManifest): Promise<boolean> {
    const presence = await this.#options.folder.hasAudio(name, ending, bytes, sha256);
    if (presence === "other") await this.#putAside(id, name, ending);
    return presence === "same";
  }

  async #placeManifest({ id, name }: PulledRecording, bytes: Buffer): Promise<void> {
    const { folder } = this.#options;
    const presence = await folder.hasManifest(name, bytes);
    if (presence === "same") return;
    if (presence === "other") await this.#putAside(id, name, ".json");
    await folder.placeManifest(id, name, bytes);
  }

  async #putAside(id: string, name: string, ending: AudioEnding | ".json"): Promise<void> {
    const to = await this.#options.folder.putAside(id, name, ending);
    this.#options.tell({ event: "aside", id, file: `${name}${ending}`, to });
  }

  /** A recording that the box no longer has is not a fault of either. */
  async #isGone(recording: PulledRecording, refusal: Refusal): Promise<PulledRecording> {
    const { code, detail } = refusal;
    if (!saysGone(refusal)) throw new RecordingFault("refused", `the box does not give it: ${detail}`);
    const { folder, journal, tell } = this.#options;
    const gone: PulledRecording = { ...recording, state: "gone", owes: [], fault: "" };
    await journal.note(gone);
    await folder.removePartial(recording.id);
    tell({ event: "gone", id: recording.id, problem: code, detail });
    return gone;
  }

  /** Only what this run was told to do; what an earlier one was told stays owed. */
  async #payDebts(stored: PulledRecording, signal: AbortSignal): Promise<void> {
    const { box, journal, debts, tell } = this.#options;
    const isOwed = (debt: Debt): boolean => recording.owes.includes(debt) && debts.includes(debt);
    let recording = stored;
    const paid = async (...owed: Debt[]): Promise<void> => {
      recording = { ...recording, owes: recording.owes.filter((debt) => !owed.includes(debt)) };
      await journal.note(recording);
    };
    const { id, sha256 } = recording;
    if (isOwed("acknowledge")) {
      const asked = await box.acknowledge(id, sha256, signal);
      if ("value" in asked) {
        await paid("acknowledge");
        tell({ event: "acknowledged", id, sha256 });
      } else if (await this.#wasDeleted(id, asked.refusal, signal)) {
        // There is nothing more to say of it.
        await paid("acknowledge", "delete");
      } else throw new RecordingFault("refused", `the box does not take the acknowledgement: ${asked.refusal.detail}`);
    }
    if (!isOwed("delete")) return;
    if (!(await this.#isStillWhole(recording, signal))) {
      tell({ event: "kept", id, problem: "", detail: "its files here are no longer whole: it stays on the box" });
      return;
    }
    const asked = await box.delete(id, signal);
    if ("value" in asked || saysGone(asked.refusal)) {
      await paid("delete");
      tell({ event: "deleted", id });
    } else tell({ event: "kept", id, problem: asked.refusal.code, detail: asked.refusal.detail });
  }

  /** An index that is being made anew does not know yet what is there: the manifest does. */
  async #wasDeleted(id: string, refusal: Refusal, signal: AbortSignal): Promise<boolean> {
    if (!saysGone(refusal)) return false;
    if (refusal.status === 410) return true;
    const manifest = await this.#options.box.manifest(id, signal);
    return "refusal" in manifest && saysGone(manifest.refusal);
  }

  /** Of what an earlier run has stored, the person may have moved or altered the files since. */
  async #isStillWhole({ id, name }: PulledRecording, signal: AbortSignal): Promise<boolean> {
    if (this.#seen.has(id)) return true;
    const { folder } = this.#options;
    const found = await this.#manifest(id, signal);
    if ("refusal" in found) return false;
    const { ending, bytes, sha256 } = found.checked;
    const presences = [await folder.hasAudio(name, ending, bytes, sha256), await folder.hasManifest(name, found.bytes)];
    return presences.every((presence) => presence === "same");
  }

  async #fail(id: string, { fault, message }: RecordingFault): Promise<void> {
    const { journal, tell } = this.#options;
    await journal.note({ ...journal.find(id)!, fault });
    tell({ event: "fault", id, fault, detail: message });
  }
}

class RecordingFault extends Error {
  readonly fault: Fault;
  constructor(fault: Fault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** Of the recording; a path that there is not is something else. */
function saysGone({ status, code }: Refusal): boolean {
  return status === 410 || (status === 404 && code !== "not-found");
}

/** Undefined when it is not this recording's alone. */
function faultOf(error: unknown): RecordingFault | undefined {
  if (error instanceof RecordingFault) return error;
  if (error instanceof PlaceTaken) return new RecordingFault("place", error.message);
  if (error instanceof HostError && error.code === "bad-answer") return new RecordingFault("refused", error.message);
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "";
  return OF_ONE_NAME.has(code) ? new RecordingFault("place", `its name cannot be used here (${code})`) : undefined;
}

/** What the file system refuses ends the run: nothing that was there is touched. */
export function asFolderFault(error: unknown): unknown {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (error instanceof HostError || typeof code !== "string" || typeof syscall !== "string") return error;
  return new HostError("file-unwritable", `the folder cannot be written: ${causeOf(error)}`, { cause: error });
}
