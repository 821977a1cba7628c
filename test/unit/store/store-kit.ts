// What the store's tests share: a data folder, calls that were just sealed, and a disk that stops at a chosen step.
import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { makeCallId } from "../../../device/base/ids.js";
import type { CallRecord } from "../../../device/contract/call-record.js";
import type { Manifest } from "../../../device/contract/manifest.js";
import type { SealedAudio } from "../../../device/seal/seal.js";
import { diskFiles, type FileLayer } from "../../../device/store/file-layer.js";
import type { RecordingStore } from "../../../device/store/recordings.js";
import { parseManifest, verifyManifest } from "../../../device/store/signature.js";
import { callRecord } from "../seal/sealing.js";

export const START_US = Date.UTC(2026, 10, 21, 23, 59, 59) * 1000;

export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), "sidetone-store-"));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** The `number`th call; each starts an hour after the one before. */
export function callOf(number: number): CallRecord {
  const startedAtUs = START_US + number * 3600e6;
  const id = makeCallId(startedAtUs, Buffer.alloc(10, number));
  return callRecord([], { id, startedAtUs, answeredAtUs: startedAtUs + 1e6, endedAtUs: startedAtUs + 60e6 });
}

/** What a sealing thread leaves: a file at the store's temporary path. */
export function sealedAt(temporaryPath: string, content: string): SealedAudio {
  mkdirSync(dirname(temporaryPath), { recursive: true });
  writeFileSync(temporaryPath, content, { mode: 0o600 });
  return {
    kind: "audio",
    temporaryPath,
    bytes: content.length,
    sha256: createHash("sha256").update(content).digest("hex"),
    sha512: createHash("sha512").update(content).digest("hex"),
    sampleRateHz: 8000,
    channels: 2,
    durationMs: 1000,
    startsAtUs: START_US,
    streams: [],
    extents: [],
    recordedMs: [0, 0],
    warnings: [],
  };
}

export async function publish(store: RecordingStore, record: CallRecord, content = `audio of ${record.id}`) {
  return store.publish(record, sealedAt(store.temporaryPathFor(record), content));
}

/** A disk that dies at its `step`th operation (from 0): that one and all after it fail, a write leaves half. */
export function dyingFiles(step: number): FileLayer & { steps: string[] } {
  const steps: string[] = [];
  const run = async <Result>(name: string, act: () => Promise<Result>, half?: () => Promise<void>): Promise<Result> => {
    if (steps.length >= step) {
      if (steps.length === step) await half?.();
      steps.push(name);
      throw Object.assign(new Error("the disk died"), { code: "EIO" });
    }
    steps.push(name);
    return act();
  };
  return {
    steps,
    write: (path, bytes) =>
      run(
        `write ${nameOf(path)}`,
        () => diskFiles.write(path, bytes),
        () => diskFiles.write(path, bytes.subarray(0, bytes.length / 2)),
      ),
    sync: (path) => run(`sync ${nameOf(path)}`, () => diskFiles.sync(path)),
    rename: (from, to) => run(`rename to ${nameOf(to)}`, () => diskFiles.rename(from, to)),
    makeFolder: (path) => run(`make ${nameOf(path)}`, () => diskFiles.makeFolder(path)),
    remove: (path) => run(`remove ${nameOf(path)}`, () => diskFiles.remove(path)),
  };
}

/** The last part of a path, a ULID in it as `<id>`. */
function nameOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/[0-9A-HJKMNP-TV-Z]{26}/, "<id>");
  return name.startsWith("sidetone-store-") ? "data" : name;
}

export function publicKeyOf(folder: string): KeyObject {
  return createPublicKey(readFileSync(join(folder, "keys", "device.pub")));
}

/** Paths of all files below a folder, relative to it, sorted. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Every manifest of a data folder in chain order; throws when one is not signed, forks the chain or breaks it. */
export function readChain(folder: string): Manifest[] {
  const key = publicKeyOf(folder);
  const byPrevious = new Map<string, { manifest: Manifest; sha256: string }>();
  for (const path of filesBelow(join(folder, "recordings")).filter((name) => name.endsWith(".json"))) {
    const bytes = readFileSync(join(folder, "recordings", path));
    const manifest = verifyManifest(bytes, key);
    if (!manifest) throw new Error(`${path} is not signed: ${JSON.stringify(parseManifest(bytes))}`);
    if (byPrevious.has(manifest.previous)) throw new Error(`${path} forks the chain`);
    byPrevious.set(manifest.previous, { manifest, sha256: createHash("sha256").update(bytes).digest("hex") });
  }
  const chain: Manifest[] = [];
  for (let link = byPrevious.get(""); link; link = byPrevious.get(link.sha256)) chain.push(link.manifest);
  if (chain.length !== byPrevious.size)
    throw new Error(`${byPrevious.size - chain.length} manifests are off the chain`);
  return chain;
}
