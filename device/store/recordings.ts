// Owns what is on disk: recordings with their manifests, the chain through them, the audit chain and the call log. Takes
// what sealing left at a temporary path and publishes it; never looks into audio, never decides what is kept.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { isoUs } from "../base/clock.js";
import type { CallId, TimeUs } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import type { AuditEntryInput } from "../contract/audit.js";
import type { CallRecord } from "../contract/call-record.js";
import type { CallLogLine, ClockState, ManifestRetention } from "../contract/manifest.js";
import type { Tombstone } from "../contract/tombstone.js";
import { logLineOf } from "../seal/manifest.js";
import type { SealedAudio } from "../seal/seal.js";
import { storageFault } from "../seal/storage-fault.js";
import { AuditChain, type AuditOptions } from "./audit-chain.js";
import { CallLog } from "./call-log.js";
import { redactLine } from "./call-log-redaction.js";
import { type DeviceKey, openDeviceKey } from "./device-key.js";
import { makeFolders } from "./durable-file.js";
import { diskFiles, type FileLayer } from "./file-layer.js";
import { FileWitness } from "./file-witness.js";
import { FolderLock, type LockRole } from "./folder-lock.js";
import { AcknowledgementDesk } from "./index/acknowledgement-desk.js";
import { CallIndex, type CallIndexOptions } from "./index/call-index.js";
import { TagDesk } from "./index/tag-request.js";
import { NoteBook, type NotesOptions } from "./notes.js";
import { type Published, Publisher } from "./publisher.js";
import { RecordingPaths, timeOfCallId } from "./recording-paths.js";
import { type DeletionOptions, RecordingDeletion } from "./retention/deletion.js";
import { parseManifest } from "./signature.js";

export interface StoreOptions {
  /** Name of this box in manifests. */
  device?: string;
  /** What opens it; a service that starts waits for a command. */
  role?: LockRole;
  /** Steps of publishing; only tests give others than the disk's. */
  files?: FileLayer;
  /** How long a recording waits for others to be published with; only tests give another time. */
  gatherMs?: number;
  audit?: AuditOptions;
  /** What a recording of a class is promised, for its manifest; by default nothing. */
  promiseFor?: (retention: string) => ManifestRetention | undefined;
  /** Whether the clock is synchronised, for manifests; absent in a replay. */
  clockState?: (() => ClockState) | undefined;
  /** Of deleting; only tests give others than the disk's. */
  deletionFiles?: FileLayer;
  /** Told of every recording that is deleted, as `DeletionOptions.forget`. */
  forget?: NonNullable<DeletionOptions["forget"]>;
  /** Told, in one line, what the disk refused and is tried again without any caller being told. */
  onRefused?: (message: string) => void;
  /** By default there is none, and none is made. */
  index?: CallIndexOptions;
}

/** How long a recording waits for others to be published with: sealing takes some milliseconds for each. */
const GATHER_MS = 100;

export class RecordingStore {
  /** What happens on this box is entered here. */
  readonly audit: AuditChain;
  /** Deletes what may be deleted; who may is not decided here. */
  readonly deletion: RecordingDeletion;
  /** Where everything lies, for what works on the store beside it. */
  readonly paths: RecordingPaths;
  /** The box's, for what else it writes and signs. */
  readonly key: DeviceKey;
  /** For listings; what it lacks is in the files. */
  readonly index: CallIndex | undefined;
  /** Changes tags; whoever asks says who wants it. */
  readonly tags: TagDesk | undefined;
  /** Notes on recordings; as `tags`. */
  readonly notes: NoteBook;
  /** Takes who has which recording; as `tags`. */
  readonly acknowledgements: AcknowledgementDesk | undefined;
  readonly #files: FileLayer;
  readonly #lock: FolderLock;
  readonly #publisher: Publisher;
  readonly #log: CallLog;
  readonly #witness: FileWitness;

  private constructor(paths: RecordingPaths, lock: FolderLock, options: StoreOptions) {
    this.#lock = lock;
    this.paths = paths;
    this.key = openDeviceKey(paths.dataFolder);
    const { key } = this;
    const files = options.files ?? diskFiles;
    const refused = (action: string, error: unknown): void => {
      const fault = storageFault("data-unwritable", action, error);
      options.onRefused?.(fault instanceof Error ? fault.message : String(fault));
    };
    this.#files = files;
    this.#log = new CallLog(paths.callsFolder, files);
    const onEntry = (entry: AuditEntryInput): void => this.#witness?.heard(entry);
    this.audit = AuditChain.open(paths.dataFolder, key, { ...options.audit, onEntry });
    try {
      this.#publisher = new Publisher(paths, key, {
        device: options.device ?? "",
        files,
        log: this.#log,
        gatherMs: options.gatherMs ?? GATHER_MS,
        audit: this.audit,
        promiseFor: options.promiseFor,
        clockState: options.clockState,
        onRefused: (error) => refused("cannot store recordings together: each is tried on its own", error),
      });
      this.#witness = new FileWitness(paths.dataFolder, this.audit, this.#log, refused);
      this.#witness.open();
      const { deletionFiles } = options;
      const forget = (tombstone: Tombstone): void | Promise<void> => {
        this.index?.markDeleted(tombstone.id, tombstone.reason);
        return options.forget?.(tombstone);
      };
      this.deletion = new RecordingDeletion({ paths, key, audit: this.audit, files: deletionFiles, forget });
      const alone: NotesOptions["alone"] = (work) => this.deletion.alone(work);
      this.notes = new NoteBook({ paths, key, files, alone });
      this.#enterAnnounced();
      removeLeftovers(paths.partialFolder);
      this.index = options.index && CallIndex.open(paths, options.index);
      this.tags = this.index && new TagDesk(this.index);
      this.acknowledgements = this.index && new AcknowledgementDesk(this.index);
    } catch (error) {
      this.audit.close();
      throw error;
    }
  }

  /** Makes or opens the data folder. Throws SidetoneError `data-in-use` or `data-unwritable`. */
  static open(dataFolder: string, options: StoreOptions = {}): RecordingStore {
    const paths = new RecordingPaths(dataFolder);
    let lock: FolderLock | undefined;
    try {
      for (const folder of [paths.partialFolder, paths.callsFolder]) makeFolders(folder);
      lock = FolderLock.take(dataFolder, options.role);
      return new RecordingStore(paths, lock, options);
    } catch (error) {
      lock?.release();
      throw storageFault("data-unwritable", `cannot use the data folder ${dataFolder}`, error);
    }
  }

  /** SHA-256 of the manifest published last; "" before the first. */
  get manifestHead(): string {
    return this.#publisher.head;
  }

  /** Where the call's WAV is to be written. */
  temporaryPathFor(record: CallRecord): string {
    return this.paths.temporaryWav(record.id);
  }

  /** Whether the call's recording is published. `startedAtUs` is that of its record; by default the ULID's own time. */
  has(id: CallId, startedAtUs: TimeUs = timeOfCallId(id)): boolean {
    return existsSync(this.paths.manifest(id, startedAtUs));
  }

  /** The call's recording, if it is published. */
  find(record: CallRecord): Published | undefined {
    return this.#publisher.find(record);
  }

  /**
   * Publishes what sealing left at the record's temporary path; a recording that is published stays as it is. Rejects
   * with SidetoneError `seal-failed`; the temporary WAV is left then, and publishing may be tried again.
   */
  publish(record: CallRecord, sealed: SealedAudio): Promise<Published> {
    return this.#publisher.publish(record, sealed);
  }

  /**
   * Removes the audio that an attempt that failed has left at its temporary path; what the disk does not let go stays for the
   * next start. A manifest that was announced and waits says that it was not published: it stays.
   */
  async discard(record: CallRecord): Promise<void> {
    await this.#files.remove(this.paths.temporaryWav(record.id)).catch(() => {});
  }

  /** Whether the call's recording was deleted. */
  isDeleted({ id, startedAtUs }: CallRecord): boolean {
    return existsSync(this.paths.tombstone(id, startedAtUs));
  }

  /** Appends to the call log, unless an earlier run did. Throws SidetoneError `seal-failed`. */
  recordCall(line: CallLogLine): void {
    try {
      // It may have been deleted between its publication and this.
      const isDeleted = existsSync(this.paths.tombstone(line.id, Date.parse(line.startedAt) * 1000));
      const logged = isDeleted ? redactLine(line, "request") : line;
      if (this.#log.append(logged)) this.#witness.logGrew();
      this.index?.write(logged);
    } catch (error) {
      throw storageFault("seal-failed", `cannot log call ${line.id}`, error);
    }
  }

  /** Resolves when all that was logged is durable: only then may a journal go. Rejects with SidetoneError `seal-failed`. */
  async syncLog(): Promise<void> {
    try {
      await this.#log.sync();
    } catch (error) {
      throw storageFault("seal-failed", "cannot make the call log durable", error);
    }
  }

  /** Whether the call is in the log already: then it was stored, and what became of its recording since is no accident. */
  isLogged(record: Pick<CallRecord, "id" | "startedAtUs">): boolean {
    try {
      return this.#log.has(record.id, isoUs(record.startedAtUs));
    } catch (error) {
      throw storageFault("seal-failed", `cannot read the call log for call ${record.id}`, error);
    }
  }

  /**
   * What was being published when the run before ended may have been published, or is now, without an entry in the audit
   * chain and without a line in the call log; after a power cut its journal need not be there to tell.
   */
  #enterAnnounced(): void {
    let isNews = false;
    for (const { id, sha256 } of this.#publisher.announced) {
      const path = this.paths.manifest(id, timeOfCallId(id));
      const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
      const manifest = sha256Of(bytes) === sha256 ? parseManifest(bytes) : undefined;
      if (manifest === undefined) continue;
      isNews = this.audit.recorded(id, sha256) || isNews;
      const file = join(relative(this.paths.dataFolder, dirname(path)), basename(manifest.audio.file));
      this.recordCall(logLineOf(manifest, file));
    }
    if (isNews) this.audit.flushNow();
  }

  /** Writes what the audit chain has still to write, and gives the data folder back. Nothing may be being published. */
  close(): void {
    this.index?.close();
    this.#witness.close();
    this.audit.close();
    this.#lock.release();
  }
}

/** What dead runs were writing; their journals are still there. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (name.endsWith(".partial")) rmSync(join(folder, name), { force: true });
  }
}
