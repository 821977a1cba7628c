// A data folder with everything in it that a verifier looks at, made by the store as the service makes it; and every way of
// tampering with its files that the tests of verifiers try.
import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "../../device/contract/config.js";
import { isTimeStamp, readTimeStamp, timeStampRequest } from "../../device/contract/time-stamp.js";
import { buildCallLogLine } from "../../device/seal/manifest.js";
import { type Anchor, StampFolder, signAnchor } from "../../device/store/anchor.js";
import { CarriedFile } from "../../device/store/carried-file.js";
import { noteConfiguration } from "../../device/store/configuration-trail.js";
import { makeFolders } from "../../device/store/durable-file.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { callOf, publish } from "../unit/store/store-kit.js";
import type { TimeStampAuthority } from "./time-stamp-authority.js";

/**
 * Two runs of a service: five recordings over three days, calls without audio, registers, tokens, a changed configuration; with an
 * authority, a time stamp in each run.
 */
export async function makeSignedFolder(folder: string, authority?: TimeStampAuthority): Promise<void> {
  const store = RecordingStore.open(folder, { device: "box", gatherMs: 0 });
  store.audit.append({ kind: "started", actor: "service" });
  noteConfiguration(folder, configSchema.parse({}), (entry) => store.audit.append(entry));
  for (const number of [1, 2, 3]) await keep(store, number);
  if (authority !== undefined) await stampHeads(store, folder, authority);
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
  if (authority !== undefined) await stampHeads(again, folder, authority);
  new CarriedFile(folder, again.key).write({ calls: [{ sipCallIds: ["a@b"], refusals: ["dtmf"], isStopped: false }] });
  again.audit.append({ kind: "stopped", actor: "service" });
  again.close();
}

async function keep(store: RecordingStore, number: number): Promise<void> {
  const record = callOf(number);
  const published = await publish(store, record, `RIFF audio of the call ${number} `.repeat(20));
  store.recordCall(buildCallLogLine(record, published));
}

/** What the box states of both chains' heads now. */
export async function stateHeads(store: RecordingStore): Promise<Anchor> {
  await store.audit.flush();
  const heads = { device: "box", atUs: Date.now() * 1000, manifests: store.manifestHead, audit: store.audit.head };
  return signAnchor(heads, store.key);
}

/** As the service does it, without the network. */
export async function stampHeads(
  store: RecordingStore,
  folder: string,
  authority: TimeStampAuthority,
): Promise<Anchor> {
  const anchor = await stateHeads(store);
  const response = await authority.reply(timeStampRequest(anchor.bytes, "sha256", Buffer.from("1234")));
  const stamp = readTimeStamp(response);
  if (!isTimeStamp(stamp)) throw new Error(stamp.fault);
  await new StampFolder(folder, store.audit).keep(anchor, response, stamp);
  return anchor;
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
