// Publishes recordings: gives what sealing left at temporary paths, and its manifests, their names.
//
// The order in which a recording comes to be. Killed after any step, the next start finds no half of one:
//
//   1  the WAV is written and made durable under its temporary name (by the sealing thread)
//   2  its manifest is written, made durable, under its temporary name, and that folder too
//   3  the chain's file says, durably, that this manifest comes next
//   4  the day's folder is there, durably, and the WAV gets its name in it
//   5  the manifest gets its name: the recording exists  publishing it again changes nothing
//   6  the day's folder is made durable, and then the audit chain's entry of the recording
//   7  the call's line goes into the log (`recordCall`), durably (`syncLog`); only then may the journal go
//
// Killed behind step 3, the next start goes on with the announced ones by itself, up to their entries and lines, whether their
// journals have outlived a power cut or not (announced.ts). So the lines of a group are durable before the next is announced.
//
// Each manifest names the one before. Recordings that come together are published together, each step for all of them before
// the next one: step 3, step 6 and the folder of step 2 are then made durable once for all. When many calls end at once that
// saves most of what publishing costs.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { CallId } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import type { CallRecord } from "../contract/call-record.js";
import type { ClockState, Manifest, ManifestRetention } from "../contract/manifest.js";
import { buildManifest } from "../seal/manifest.js";
import type { SealedAudio } from "../seal/seal.js";
import { storageFault } from "../seal/storage-fault.js";
import type { WaitingManifest } from "./announced.js";
import type { AuditChain } from "./audit-chain.js";
import type { CallLog } from "./call-log.js";
import { ManifestChain } from "./chain.js";
import type { DeviceKey } from "./device-key.js";
import type { FileLayer } from "./file-layer.js";
import type { RecordingPaths } from "./recording-paths.js";
import { parseManifest, type SignedManifest, signManifest } from "./signature.js";

export interface PublisherOptions {
  /** Name of this box in manifests. */
  device: string;
  files: FileLayer;
  /** Has the lines of what was published. */
  log: CallLog;
  /** How long a recording waits for others to be published with. */
  gatherMs: number;
  /** Is told of every recording, and named by every manifest. */
  audit: AuditChain;
  /** What a recording of a class is promised, for its manifest. */
  promiseFor?: ((retention: string) => ManifestRetention | undefined) | undefined;
  /** Whether the clock is synchronised, for manifests; absent in a replay. */
  clockState?: (() => ClockState) | undefined;
  /** Told what the disk refused and is tried again here, without anybody waiting for it being told. */
  onRefused?: ((error: unknown) => void) | undefined;
}

export interface Published {
  manifest: Manifest;
  /** The audio file's path below the data folder, as the call log has it. */
  file: string;
  wavPath: string;
}

/** Recordings published together. */
const MAX_GROUP = 64;
const MAX_DURABLE_DAYS = 16;

interface Ticket {
  record: CallRecord;
  sealed: SealedAudio;
  resolve(published: Published): void;
  reject(error: unknown): void;
}

export class Publisher {
  readonly #paths: RecordingPaths;
  readonly #options: PublisherOptions;
  readonly #files: FileLayer;
  readonly #key: DeviceKey;
  readonly #chain: ManifestChain;
  readonly #audit: AuditChain;
  /** Folders that are known to outlive a power cut. */
  readonly #durableDays = new Set<string>();
  /** Not begun, in order. */
  readonly #waiting: Ticket[] = [];
  #isPublishing = false;

  /** Throws file system errors. */
  constructor(paths: RecordingPaths, key: DeviceKey, options: PublisherOptions) {
    this.#paths = paths;
    this.#options = options;
    this.#files = options.files;
    this.#key = key;
    this.#audit = options.audit;
    this.#chain = ManifestChain.open(paths, options.files);
  }

  /** SHA-256 of the manifest published last; "" before the first. */
  get head(): string {
    return this.#chain.head;
  }

  /** What the run before was publishing last. */
  get announced(): readonly WaitingManifest[] {
    return this.#chain.announced;
  }

  /**
   * The call's recording, if it is published. A run that died between publishing it and entering that in the audit chain
   * has left the entry to whoever finds it.
   */
  find(record: CallRecord): Published | undefined {
    const path = this.#paths.manifest(record.id, record.startedAtUs);
    if (!existsSync(path)) return undefined;
    const bytes = readFileSync(path);
    const manifest = parseManifest(bytes);
    if (manifest === undefined) return undefined;
    if (this.#audit.recorded(record.id, sha256Of(bytes))) this.#audit.flushNow();
    return this.#describe(record, manifest);
  }

  /** As `RecordingStore.publish`. */
  publish(record: CallRecord, sealed: SealedAudio): Promise<Published> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, sealed, resolve, reject });
      if (!this.#isPublishing) void this.#publishWaiting();
    });
  }

  async #publishWaiting(): Promise<void> {
    this.#isPublishing = true;
    try {
      while (this.#waiting.length > 0) {
        if (this.#waiting.length < MAX_GROUP) await delay(this.#options.gatherMs);
        await this.#publishGroup(this.#takeGroup());
      }
    } finally {
      this.#isPublishing = false;
    }
  }

  /** The first that wait; a call that is published twice is not in one group with itself. */
  #takeGroup(): Ticket[] {
    const ids = new Set<CallId>();
    let size = 0;
    for (const { record } of this.#waiting.slice(0, MAX_GROUP)) {
      if (ids.has(record.id)) break;
      ids.add(record.id);
      size++;
    }
    return this.#waiting.splice(0, size);
  }

  async #publishGroup(group: Ticket[]): Promise<void> {
    try {
      const fresh = await this.#answerKnown(group);
      if (fresh.length > 0) await this.#publishTogether(fresh);
    } catch (error) {
      // One that cannot be stored does not keep the others from it.
      if (group.length > 1) {
        this.#options.onRefused?.(error);
        for (const ticket of group) await this.#publishGroup([ticket]);
      } else for (const { record, reject } of group) reject(notStored(record, error));
    }
  }

  /** Answers for those that are published already; returns the others. */
  async #answerKnown(group: Ticket[]): Promise<Ticket[]> {
    const fresh: Ticket[] = [];
    for (const ticket of group) {
      const published = this.find(ticket.record);
      if (published === undefined) {
        fresh.push(ticket);
        continue;
      }
      await this.#files.remove(ticket.sealed.temporaryPath);
      // An attempt that failed behind step 5 may have left it to be lost with the power.
      const day = this.#paths.dayFolder(ticket.record.startedAtUs);
      for (const folder of this.#foldersUpTo(this.#paths.recordingsFolder, day)) await this.#files.sync(folder);
      ticket.resolve(published);
    }
    return fresh;
  }

  async #publishTogether(group: Ticket[]): Promise<void> {
    const signed = this.#sign(group);
    for (const [i, { record }] of group.entries()) {
      const path = this.#paths.temporaryManifest(record.id);
      await this.#files.write(path, signed[i]!.bytes);
      await this.#files.sync(path);
    }
    await this.#files.sync(this.#paths.partialFolder);
    await this.#options.log.sync();
    await this.#chain.announce(group.map(({ record }, i) => ({ id: record.id, sha256: signed[i]!.sha256 })));
    const folders = new Set<string>();
    for (const [i, ticket] of group.entries()) await this.#putInPlace(ticket, signed[i]!, folders);
    for (const folder of folders) await this.#files.sync(folder);
    // A disk that refuses the audit chain was reported, and is asked again: the recordings are there.
    await this.#audit.flush().catch(() => {});
    for (const [i, ticket] of group.entries()) ticket.resolve(this.#describe(ticket.record, signed[i]!.manifest));
  }

  #sign(group: Ticket[]): SignedManifest[] {
    let previous = this.#chain.head;
    const { device, promiseFor, clockState } = this.#options;
    const options = { device, audit: this.#audit.head, promiseFor, clockState };
    return group.map(({ record, sealed }) => {
      const unsigned = buildManifest(record, sealed, options);
      const signed = signManifest(unsigned, previous, this.#key.privateKey);
      previous = signed.sha256;
      return signed;
    });
  }

  /** Adds the folder to `changed` whose entries are not durable afterwards. */
  async #putInPlace({ record, sealed }: Ticket, signed: SignedManifest, changed: Set<string>): Promise<void> {
    const { id, startedAtUs } = record;
    const day = this.#paths.dayFolder(startedAtUs);
    await this.#openDay(day);
    changed.add(day);
    const isEncrypted = sealed.encryption !== undefined;
    const audioPath = join(this.#paths.dataFolder, this.#paths.relativeAudio(id, startedAtUs, isEncrypted));
    // An attempt that was cut off before its manifest had its name, under a configuration that did otherwise.
    const otherPath = join(this.#paths.dataFolder, this.#paths.relativeAudio(id, startedAtUs, !isEncrypted));
    if (existsSync(otherPath)) await this.#files.remove(otherPath);
    await this.#files.rename(sealed.temporaryPath, audioPath);
    await this.#files.rename(this.#paths.temporaryManifest(id), this.#paths.manifest(id, startedAtUs));
    // From here on the manifest can be read: whatever fails now, the next one follows it.
    this.#chain.published(signed.sha256);
    this.#audit.recorded(id, signed.sha256);
  }

  /** Before anything moves there: what is in a folder that a power cut takes away goes with it. */
  async #openDay(day: string): Promise<void> {
    const firstMade = await this.#files.makeFolder(day);
    if (firstMade === undefined && this.#durableDays.has(day)) return;
    for (const folder of this.#foldersUpTo(this.#paths.recordingsFolder, dirname(day))) await this.#files.sync(folder);
    if (this.#durableDays.size >= MAX_DURABLE_DAYS) this.#durableDays.clear();
    this.#durableDays.add(day);
  }

  /** `day` and the folders above it, up to and with `top`, which lies within the data folder. */
  #foldersUpTo(top: string, day: string): string[] {
    const folders = [day];
    for (let folder = day; folder !== top && folder !== this.#paths.dataFolder; ) {
      folder = dirname(folder);
      folders.push(folder);
    }
    return folders;
  }

  #describe(record: CallRecord, manifest: Manifest): Published {
    const isEncrypted = manifest.audio.encryption !== undefined;
    const file = this.#paths.relativeAudio(record.id, record.startedAtUs, isEncrypted);
    return { manifest, file, wavPath: join(this.#paths.dataFolder, file) };
  }
}

function notStored(record: CallRecord, error: unknown): unknown {
  return storageFault("seal-failed", `cannot store the recording of call ${record.id}`, error);
}
