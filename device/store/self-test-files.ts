// `self-test/` in the data folder: where the self-test's recording is for the moment in which it is looked at. Written as recordings are
// (publisher.ts): temporary names, synced, renamed, folder synced. No recording is ever here and nothing of this is ever among recordings:
// it has no place in their chain, no entry of the audit chain, no line in the call log, and no reader of recordings comes here.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { CallId } from "../base/ids.js";
import { audioFileName } from "../contract/manifest.js";
import type { UnsignedManifest } from "../seal/manifest.js";
import type { DeviceKey } from "./device-key.js";
import { makeFolders } from "./durable-file.js";
import { diskFiles, type FileLayer } from "./file-layer.js";
import { signManifest } from "./signature.js";

export const SELF_TEST_FOLDER = "self-test";

/** What was read back. */
export interface SelfTestFile {
  audio: Buffer;
  manifest: Buffer;
}

export class SelfTestFiles {
  private readonly folder: string;
  private readonly files: FileLayer;

  constructor(dataFolder: string, files: FileLayer = diskFiles) {
    this.folder = join(dataFolder, SELF_TEST_FOLDER);
    this.files = files;
  }

  /** Where sealing is to write it; makes the folder. Throws file system errors. */
  temporaryPath(id: CallId): string {
    makeFolders(this.folder);
    return join(this.folder, `.${id}.wav.partial`);
  }

  /** Signs it, gives both files their names and reads them back. Rejects with file system errors. */
  async publish(unsigned: UnsignedManifest, key: DeviceKey): Promise<SelfTestFile> {
    const { id } = unsigned;
    const { bytes } = signManifest(unsigned, "", key.privateKey);
    const temporary = join(this.folder, `.${id}.json.partial`);
    await this.files.write(temporary, bytes);
    await this.files.sync(temporary);
    const audioPath = join(this.folder, audioFileName(id, unsigned.audio.encryption !== undefined));
    const manifestPath = join(this.folder, `${id}.json`);
    await this.files.rename(this.temporaryPath(id), audioPath);
    await this.files.rename(temporary, manifestPath);
    await this.files.sync(this.folder);
    return { audio: readFileSync(audioPath), manifest: readFileSync(manifestPath) };
  }

  /** Removes all that is here, of a killed test too. Throws file system errors. */
  clear(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Names that are still here. Throws file system errors. */
  left(): string[] {
    try {
      return readdirSync(this.folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }
}
