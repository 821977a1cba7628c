// A data folder with everything in it that a verifier looks at, made by the store as the service makes it; and every way of
// tampering with its files that the tests of verifiers try.
import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "../../device/contract/config.js";
import { buildCallLogLine } from "../../device/seal/manifest.js";
import { CarriedFile } from "../../device/store/carried-file.js";
import { noteConfiguration } from "../../device/store/configuration-trail.js";
import { makeFolders } from "../../device/store/durable-file.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { callOf, publish } from "../unit/store/store-kit.js";

/** Two runs of a service: five recordings over three days, calls without audio, registers, tokens, a changed configuration. */
export async function makeSignedFolder(folder: string): Promise<void> {
  const store = RecordingStore.open(folder, { device: "box", gatherMs: 0 });
  store.audit.append({ kind: "started", actor: "service" });
  noteConfiguration(folder, configSchema.parse({}), (entry) => store.audit.append(entry));
  for (const number of [1, 2, 3]) await keep(store, number);
  store.recordCall(buildCallLogLine({ ...callOf(4), noAudio: "no-media" }, undefined));
  makeFolders(join(folder, "registers"));
  writeFileSync(join(folder, "registers/consent.jsonl"), '{"number":"+493012345","effect":"refused"}\n');
  writeFileSync(join(folder, "keys/tokens.json"), '{"schema":"sidetone.tokens/1","tokens":[]}\n');
  store.audit.append({ kind: "stopped", actor: "service" });
  store.close();
  const again = RecordingStore.open(folder, { device: "box", gatherMs: 0 });
  again.audit.append({ kind: "started", actor: "service" });
  noteConfiguration(folder, configSchema.parse({ consent: { policy: "none" } }), (entry) => again.audit.append(entry));
  for (const number of [5, 30]) await keep(again, number);
  new CarriedFile(folder, again.key).write({ calls: [{ sipCallIds: ["a@b"], refusals: ["dtmf"], isStopped: false }] });
  again.audit.append({ kind: "stopped", actor: "service" });
  again.close();
}

async function keep(store: RecordingStore, number: number): Promise<void> {
  const record = callOf(number);
  const published = await publish(store, record, `RIFF audio of the call ${number} `.repeat(20));
  store.recordCall(buildCallLogLine(record, published));
}

/** Every file below a folder, relative, sorted. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** What a verifier names. */
export type NamedFiles = (folder: string) => string[];

/** Runs `use` on the folder as `tamper` leaves it, and puts back the files that it touched. */
export function withTampered(folder: string, files: readonly string[], tamper: () => void, use: () => void): void {
  const before = new Map(files.map((file) => [file, readFileSync(join(folder, file))]));
  try {
    tamper();
    use();
  } finally {
    for (const [file, bytes] of before) writeFileSync(join(folder, file), bytes);
  }
}

export function flip(folder: string, file: string, at: number, mask: number): void {
  const path = join(folder, file);
  const bytes = readFileSync(path);
  bytes[at] = bytes[at]! ^ mask;
  writeFileSync(path, bytes);
}

export function cut(folder: string, file: string, length: number): void {
  truncateSync(join(folder, file), length);
}

export function remove(folder: string, file: string): void {
  rmSync(join(folder, file));
}

export function copyTo(folder: string, file: string, to: string): void {
  copyFileSync(join(folder, file), join(folder, to));
}

export function swap(folder: string, one: string, other: string): void {
  renameSync(join(folder, one), join(folder, `${one}.aside`));
  renameSync(join(folder, other), join(folder, one));
  renameSync(join(folder, `${one}.aside`), join(folder, other));
}
