// Owns what is on disk: recordings with their manifests, the chain through them and the call log. Takes what sealing
// left at a temporary path and publishes it; never looks into audio, never decides what is kept.
//
// The order in which a recording comes to be. Killed after any step, the next start finds no half of one:
//
//   1  the WAV is written and made durable under its temporary name (by the sealing thread)
//   2  the manifest is written, made durable, under its temporary name, and that folder too
//   3  the chain's file says, durably, that this manifest comes next
//   4  the WAV gets its name in the day's folder        a WAV without manifest is replaced by the next attempt
//   5  the manifest gets its name: the recording exists  publishing it again changes nothing
//   6  the day's folder, with any that were made above it, is made durable
//   7  the call's line goes into the log (`recordCall`); only then may the journal go
//
// Recordings are published one at a time: each manifest names the one before.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { isoUs } from "../base/clock.js";
import type { CallId, TimeUs } from "../base/ids.js";
import type { CallRecord } from "../contract/call-record.js";
import type { CallLogLine, Manifest } from "../contract/manifest.js";
import { buildManifest } from "../seal/manifest.js";
import type { SealedAudio } from "../seal/seal.js";
import { storageFault } from "../seal/storage-fault.js";
import { CallLog } from "./call-log.js";
import { ManifestChain } from "./chain.js";
import { type DeviceKey, openDeviceKey } from "./device-key.js";
import { makeFolders } from "./durable-file.js";
import { diskFiles, type FileLayer } from "./file-layer.js";
import { FolderLock } from "./folder-lock.js";
import { RecordingPaths, timeOfCallId } from "./recording-paths.js";
import { parseManifest, type SignedManifest, signManifest } from "./signature.js";

export interface StoreOptions {
  /** Name of this box in manifests; "" = host name. */
  deviceId?: string;
  /** Steps of publishing; only tests give others than the disk's. */
  files?: FileLayer;
}

export interface Published {
  manifest: Manifest;
  /** The WAV's path below the data folder, as the call log has it. */
  file: string;
  wavPath: string;
}

export class RecordingStore {
  readonly #paths: RecordingPaths;
  readonly #files: FileLayer;
  readonly #lock: FolderLock;
  readonly #key: DeviceKey;
  readonly #chain: ManifestChain;
  readonly #log: CallLog;
  readonly #device: string;
  /** Settles when the recording before is published. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(paths: RecordingPaths, lock: FolderLock, options: StoreOptions) {
    this.#paths = paths;
    this.#lock = lock;
    this.#files = options.files ?? diskFiles;
    this.#device = options.deviceId || hostname();
    this.#key = openDeviceKey(paths.dataFolder);
    this.#chain = ManifestChain.open(paths, this.#files);
    this.#log = new CallLog(paths.callsFolder);
    removeLeftovers(paths.partialFolder);
  }

  /** Makes or opens the data folder. Throws SidetoneError `data-in-use` or `data-unwritable`. */
  static open(dataFolder: string, options: StoreOptions = {}): RecordingStore {
    const paths = new RecordingPaths(dataFolder);
    let lock: FolderLock | undefined;
    try {
      for (const folder of [paths.partialFolder, paths.callsFolder]) makeFolders(folder);
      lock = FolderLock.take(dataFolder);
      return new RecordingStore(paths, lock, options);
    } catch (error) {
      lock?.release();
      throw storageFault("data-unwritable", `cannot use the data folder ${dataFolder}`, error);
    }
  }

  /** Where the call's WAV is to be written. */
  temporaryPathFor(record: CallRecord): string {
    return this.#paths.temporaryWav(record.id);
  }

  /** Whether the call's recording is published. `startedAtUs` is that of its record; by default the ULID's own time. */
  has(id: CallId, startedAtUs: TimeUs = timeOfCallId(id)): boolean {
    return existsSync(this.#paths.manifest(id, startedAtUs));
  }

  /** The call's recording, if it is published. */
  find(record: CallRecord): Published | undefined {
    const path = this.#paths.manifest(record.id, record.startedAtUs);
    if (!existsSync(path)) return undefined;
    const manifest = parseManifest(readFileSync(path));
    return manifest && this.#describe(record, manifest);
  }

  /**
   * Publishes what sealing left at the record's temporary path; a recording that is published stays as it is. Rejects
   * with SidetoneError `seal-failed`; the temporary WAV is left then, and publishing may be tried again.
   */
  publish(record: CallRecord, sealed: SealedAudio): Promise<Published> {
    const turn = this.#turn.then(() => this.#publishNow(record, sealed));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Appends to the call log, unless an earlier run did. Throws SidetoneError `seal-failed`. */
  recordCall(line: CallLogLine): void {
    try {
      this.#log.append(line);
    } catch (error) {
      throw storageFault("seal-failed", `cannot log call ${line.id}`, error);
    }
  }

  /** Whether the call is in the log already: then it was stored, and what became of its recording since is no accident. */
  isLogged(record: CallRecord): boolean {
    try {
      return this.#log.has(record.id, isoUs(record.startedAtUs));
    } catch (error) {
      throw storageFault("seal-failed", `cannot read the call log for call ${record.id}`, error);
    }
  }

  /** Gives the data folder back. Nothing may be being published. */
  close(): void {
    this.#lock.release();
  }

  async #publishNow(record: CallRecord, sealed: SealedAudio): Promise<Published> {
    try {
      const published = this.find(record);
      if (published !== undefined) {
        await this.#files.remove(sealed.temporaryPath);
        return published;
      }
      const unsigned = buildManifest(record, sealed, { device: this.#device });
      const signed = signManifest(unsigned, this.#chain.head, this.#key.privateKey);
      await this.#prepare(record.id, signed);
      await this.#putInPlace(record, sealed, signed);
      return this.#describe(record, signed.manifest);
    } catch (error) {
      throw storageFault("seal-failed", `cannot store the recording of call ${record.id}`, error);
    }
  }

  async #prepare(id: CallId, signed: SignedManifest): Promise<void> {
    const path = this.#paths.temporaryManifest(id);
    await this.#files.write(path, signed.bytes);
    await this.#files.sync(path);
    await this.#files.sync(this.#paths.partialFolder);
    await this.#chain.announce(id, signed.sha256);
  }

  async #putInPlace(record: CallRecord, sealed: SealedAudio, signed: SignedManifest): Promise<void> {
    const { id, startedAtUs } = record;
    const day = this.#paths.dayFolder(startedAtUs);
    const firstMade = await this.#files.makeFolder(day);
    await this.#files.rename(
      sealed.temporaryPath,
      join(this.#paths.dataFolder, this.#paths.relativeWav(id, startedAtUs)),
    );
    await this.#files.rename(this.#paths.temporaryManifest(id), this.#paths.manifest(id, startedAtUs));
    // From here on the manifest can be read: whatever fails now, the next one follows it.
    this.#chain.published(signed.sha256);
    await this.#files.sync(day);
    if (firstMade !== undefined) await this.#syncUpTo(dirname(firstMade), day);
  }

  /** Makes the folders above `day` durable, up to and with `top`, which lies within the data folder. */
  async #syncUpTo(top: string, day: string): Promise<void> {
    let folder = day;
    while (folder !== top && folder !== this.#paths.dataFolder) {
      folder = dirname(folder);
      await this.#files.sync(folder);
    }
  }

  #describe(record: CallRecord, manifest: Manifest): Published {
    const file = this.#paths.relativeWav(record.id, record.startedAtUs);
    return { manifest, file, wavPath: join(this.#paths.dataFolder, file) };
  }
}

/** What dead runs were writing; their journals are still there. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (name.endsWith(".partial")) rmSync(join(folder, name), { force: true });
  }
}
