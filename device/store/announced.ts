// Goes on where a run that died had got to with publishing: once the chain's file names manifests, durably, they and their
// audio lie, as durably, under their temporary names or under their own, and only names are missing. After a power cut any of
// the names may be: so all that were announced get theirs, or a manifest would be left whose predecessor, or whose audio, is
// not there.
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, readSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import type { CallId } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import type { Manifest } from "../contract/manifest.js";
import { makeFolders, syncFolder } from "./durable-file.js";
import { type RecordingPaths, timeOfCallId } from "./recording-paths.js";
import { parseManifest } from "./signature.js";

/** A manifest that waits under its temporary name. */
export interface WaitingManifest {
  id: CallId;
  sha256: string;
}

const CHUNK_BYTES = 1 << 20;

/**
 * Publishes what was announced, in its order, up to the first that is not what was announced: its call is sealed again from
 * its journal. Returns what is published, be it deleted since. Durable when it returns. Throws file system errors.
 */
export function publishAnnounced(paths: RecordingPaths, announced: readonly WaitingManifest[]): WaitingManifest[] {
  const days = new Set<string>();
  let published = 0;
  for (const waiting of announced) {
    const { id } = waiting;
    const from = [paths.temporaryManifest(id), paths.manifest(id, timeOfCallId(id))].find((path) => existsSync(path));
    // It was published, and deleted since.
    if (from === undefined) {
      published++;
      continue;
    }
    const manifest = readAnnounced(from, waiting);
    if (manifest === undefined) break;
    const day = paths.dayFolder(Date.parse(manifest.startedAt) * 1000);
    const audio = join(day, basename(manifest.audio.file));
    const to = join(day, `${id}.json`);
    const isAudioMissing = !existsSync(audio) || (from !== to && !isAudioOf(audio, manifest));
    const isAudioWaiting = isAudioMissing && existsSync(paths.temporaryWav(id));
    if (isAudioWaiting ? !isAudioOf(paths.temporaryWav(id), manifest) : isAudioMissing) break;
    makeFolders(day);
    if (isAudioWaiting) renameSync(paths.temporaryWav(id), audio);
    if (from !== to) renameSync(from, to);
    if (isAudioWaiting || from !== to) days.add(day);
    published++;
  }
  for (const day of days) syncFolder(day);
  return announced.slice(0, published);
}

function readAnnounced(path: string, { sha256 }: WaitingManifest): Manifest | undefined {
  const bytes = readFileSync(path);
  return sha256Of(bytes) === sha256 ? parseManifest(bytes) : undefined;
}

/** A call that could not be published in its run may have been sealed again since. */
function isAudioOf(path: string, { audio }: Manifest): boolean {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  const descriptor = openSync(path, "r");
  try {
    for (let at = 0; ; ) {
      const read = readSync(descriptor, chunk, 0, CHUNK_BYTES, at);
      if (read === 0) return at === audio.bytes && hash.digest("hex") === audio.sha256;
      hash.update(chunk.subarray(0, read));
      at += read;
    }
  } finally {
    closeSync(descriptor);
  }
}
