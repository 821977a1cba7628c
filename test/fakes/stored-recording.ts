// A recording as it lies in the data folder, of given audio: file and manifest, without a call having been. Nothing is signed.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import wavefile from "wavefile";
import type { CallId } from "../../device/base/ids.js";
import { sha256Of } from "../../device/base/sha256.js";
import type { PartyRole } from "../../device/contract/call-record.js";
import type { Manifest } from "../../device/contract/manifest.js";
import { RecordingPaths, timeOfCallId } from "../../device/store/recording-paths.js";
import { makeRandom } from "./random.js";

export interface StoredRecording {
  /** The audio file's. */
  bytes: Buffer;
  sha256: string;
  path: string;
  manifest: Buffer;
  manifestPath: string;
}

export interface RecordingLook {
  /** Of the first parties of both channels. */
  roles?: readonly [PartyRole, PartyRole];
  isEncrypted?: boolean;
  /** What the manifest says of the file's length, when it is not true. */
  bytes?: number;
}

export function putRecording(dataFolder: string, id: CallId, bytes: Buffer, look: RecordingLook = {}): StoredRecording {
  const { roles = ["agent", "caller"], isEncrypted = false } = look;
  const paths = new RecordingPaths(dataFolder);
  const path = join(dataFolder, paths.relativeAudio(id, timeOfCallId(id), isEncrypted));
  const manifestPath = paths.manifest(id, timeOfCallId(id));
  const sha256 = sha256Of(bytes);
  const manifest = {
    schema: "sidetone.recording/1",
    id,
    audio: {
      bytes: look.bytes ?? bytes.length,
      sha256,
      ...(isEncrypted && { encryption: { format: "age", recipients: [], plainBytes: 1, plainSha256: "" } }),
    },
    parties: roles.map((role, channel) => ({ role, channel })),
  } as unknown as Manifest;
  mkdirSync(paths.dayFolder(timeOfCallId(id)), { recursive: true });
  writeFileSync(path, bytes);
  writeFileSync(manifestPath, `${JSON.stringify(manifest)}\n`);
  return { bytes, sha256, path, manifest: Buffer.from(`${JSON.stringify(manifest)}\n`), manifestPath };
}

/** Noise by seed, each channel its own; loud enough that a mix is held at its ends here and there. */
export function noise(frames: number, channels: number, seed = 1): Int16Array[] {
  const random = makeRandom(seed);
  return Array.from({ length: channels }, () =>
    Int16Array.from({ length: frames }, () => Math.floor(random() * 40_000) - 20_000),
  );
}

/** Made by npm wavefile, with a chunk before the samples that no reader knows. */
export function wavOf(channels: readonly Int16Array[], encoding: "16" | "8a" | "8m" = "16", rateHz = 8000): Buffer {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(channels.length, rateHz, "16", channels.length === 1 ? channels[0]! : [...channels]);
  if (encoding === "8a") wav.toALaw();
  if (encoding === "8m") wav.toMuLaw();
  return Buffer.from(wav.toBuffer());
}
