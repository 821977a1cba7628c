// The journal's writing side for one run of the engine: the calls that are open, when their blocks are written and
// synced, and when their segments may go. Never decides what is admitted (the gate sits before it), and never throws
// for a disk that fails.
import type { CallId, TimeUs } from "../base/ids.js";
import { BlockSealer } from "./block-cipher.js";
import { BlockQueue } from "./block-queue.js";
import { type CallJournal, OpenCallJournal } from "./call-journal.js";
import { type FileOperations, nodeFileOperations } from "./file-operations.js";
import { MAX_AUDIO_BLOCK_BYTES } from "./format.js";
import { type JournalCounters, makeJournalCounters } from "./journal-counters.js";
import { SegmentStore } from "./segment-store.js";

export type { CallJournal } from "./call-journal.js";
export type { JournalCounters } from "./journal-counters.js";

export interface JournalOptions {
  /** The run's folder; made when missing, its parents are not. Files that lie in it are never written over. */
  folder: string;
  segmentBytes: number;
  /** Longest packet time that admitted audio stays in memory only, given a tick every 100 ms. */
  flushMs: number;
  /** Longest wall-clock time that admitted audio may be lost to a power cut. */
  syncMs: number;
  /** Size of an audio block's buffer, header included; at most 64 KiB, default 16 KiB. */
  maxBlockBytes?: number;
  /** Block buffers in all (default 4096): beyond it the oldest open blocks are written before their time. */
  maxBlocks?: number;
  /** Calls begun and not ended (default 1,000,000): beyond it further calls are refused. */
  maxOpenCalls?: number;
  /** Calls ended and not released (default 65,536): beyond it the oldest is forgotten and its segments stay. */
  maxEndedCalls?: number;
  /** Seals every audio block before it is written; of this run only. Absent = the journal is in clear. */
  key?: Uint8Array | undefined;
}

/** Told once when the disk begins to fail; again only after a write has succeeded in between. */
export interface JournalFaults {
  onFault(error: Error): void;
}

/** The writer's edges, replaced in tests. */
export interface JournalEdges {
  files?: FileOperations;
  monotonicMs?: () => number;
}

/** Of an audio block's buffer, unless it is told another. */
export const JOURNAL_BLOCK_BYTES = 16 * 1024;
const MIN_BLOCK_BYTES = 256;
const DEFAULT_MAX_BLOCKS = 4096;
const DEFAULT_MAX_OPEN_CALLS = 1_000_000;
const DEFAULT_MAX_ENDED_CALLS = 65_536;
const MAX_MS = 2 ** 31;
/** Offsets in a segment are 32 bits; the last block may go beyond the limit. */
const MAX_SEGMENT_BYTES = 2 ** 31;
/** Ticks come up to 100 ms apart and two interfaces' clocks differ by a little: blocks are due this much earlier. */
const TICK_SLACK_US = 150_000;
/** A step back in packet time that is mere disorder between interfaces; a longer one flushes everything. */
const DISORDER_US = 50_000;
/** The sync starts after this part of syncMs, which leaves the rest to ticks and to a slow disk. */
const SYNC_PART = 0.8;

export class JournalWriter {
  readonly counters: JournalCounters = makeJournalCounters();
  readonly #maxOpenCalls: number;
  readonly #maxEndedCalls: number;
  readonly #dueUs: number;
  readonly #syncEveryMs: number;
  readonly #monotonicMs: () => number;
  readonly #store: SegmentStore;
  readonly #queue: BlockQueue;
  readonly #openCalls = new Map<CallId, OpenCallJournal>();
  /** Ended and not yet released, oldest first. */
  readonly #endedCalls = new Map<CallId, OpenCallJournal>();
  readonly #onEnded = (journal: OpenCallJournal): void => this.#keepEnded(journal);
  /** When a tick first saw something that is not on the disk; undefined = nothing is, or a sync has begun since. */
  #unsyncedSinceMs: number | undefined;
  #syncRound: Promise<void> | undefined;
  #isClosed = false;

  /** Throws RangeError for sizes that cannot work. Touches no file before something is appended. */
  constructor(options: JournalOptions, faults?: JournalFaults, edges: JournalEdges = {}) {
    const blockBytes = options.maxBlockBytes ?? JOURNAL_BLOCK_BYTES;
    requireWithin("maxBlockBytes", blockBytes, MIN_BLOCK_BYTES, MAX_AUDIO_BLOCK_BYTES);
    requireWithin("segmentBytes", options.segmentBytes, MIN_BLOCK_BYTES, MAX_SEGMENT_BYTES);
    requireWithin("flushMs", options.flushMs, 0, MAX_MS);
    requireWithin("syncMs", options.syncMs, 0, MAX_MS);
    this.#maxOpenCalls = options.maxOpenCalls ?? DEFAULT_MAX_OPEN_CALLS;
    this.#maxEndedCalls = options.maxEndedCalls ?? DEFAULT_MAX_ENDED_CALLS;
    this.#dueUs = Math.max(0, options.flushMs * 1000 - TICK_SLACK_US);
    this.#syncEveryMs = options.syncMs * SYNC_PART;
    this.#monotonicMs = edges.monotonicMs ?? (() => performance.now());
    const files = edges.files ?? nodeFileOperations;
    const { folder, segmentBytes, key } = options;
    const sealer = key && new BlockSealer(key);
    const segments = { folder, segmentBytes, isSealed: sealer !== undefined };
    this.#store = new SegmentStore(segments, files, this.counters, (error) => this.#queue.reportFault(error));
    const maxBlocks = options.maxBlocks ?? DEFAULT_MAX_BLOCKS;
    const onFault = (error: Error): void => faults?.onFault(error);
    this.#queue = new BlockQueue(
      { blockBytes, maxBlocks, sealer, monotonicMs: this.#monotonicMs, onFault },
      this.counters,
      this.#store,
    );
  }

  /** The disk refused what was written last. */
  get isFailing(): boolean {
    return this.#queue.isFailing;
  }

  /** A call's journal; nothing is written until something is appended. Throws when the id is in use. */
  begin(id: CallId): CallJournal {
    if (this.#openCalls.has(id) || this.#endedCalls.has(id)) throw new Error(`the journal has a call ${id} already`);
    const isRefused = this.#isClosed || this.#openCalls.size >= this.#maxOpenCalls;
    const journal = new OpenCallJournal(id, this.#queue, this.#onEnded, isRefused);
    if (isRefused) this.counters["journal.refused-calls"]++;
    else this.#openCalls.set(id, journal);
    return journal;
  }

  /**
   * Time passes, on whatever clock the caller counts flushMs: writes the blocks that are due and starts a sync in the
   * background. To be called at least every 100 ms. The clock may jump either way.
   */
  tick(nowUs: TimeUs): void {
    const queue = this.#queue;
    if (nowUs >= queue.nowUs) {
      queue.nowUs = nowUs;
      queue.writeOlder(nowUs - this.#dueUs);
    } else if (!(nowUs >= queue.nowUs - DISORDER_US)) {
      queue.closeAll();
      queue.writeUnlessFailing();
      queue.nowUs = nowUs;
    }
    this.#syncDue();
    this.#store.compact(this.#monotonicMs());
  }

  /** The call's recording is stored, or it left none: its blocks are dead. Unknown ids are ignored. */
  release(id: CallId): void {
    const journal = this.#openCalls.get(id) ?? this.#endedCalls.get(id);
    if (!journal) return;
    this.#openCalls.delete(id);
    this.#endedCalls.delete(id);
    journal.closeBlocks();
    journal.refuse();
    if (journal.place.waitingBlocks > 0) this.#queue.drop(journal);
    this.#store.release(journal.place);
  }

  /** Everything in memory goes to the file. */
  flush(): void {
    this.#queue.closeAll();
    this.#queue.write();
  }

  /** Everything admitted so far goes to the file and the file to the disk. Never rejects: faults are reported. */
  async sync(): Promise<void> {
    this.flush();
    while (this.#syncRound) await this.#syncRound;
    await this.#startSyncRound();
  }

  /** Syncs and closes the files; what the disk does not take now, asked twice, is given up and counted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.flush();
    this.flush();
    this.counters["journal.lost-records"] += this.#queue.drop();
    for (const journal of this.#openCalls.values()) journal.refuse();
    await this.sync();
    if (this.#store.isUnsynced) await this.#startSyncRound();
    this.#store.close();
  }

  /** By the wall clock only: a replay runs through hours of packet time, yet a power cut takes wall-clock seconds. */
  #syncDue(): void {
    if (!this.#store.isUnsynced && this.#queue.isEmpty) {
      this.#unsyncedSinceMs = undefined;
      return;
    }
    const nowMs = this.#monotonicMs();
    this.#unsyncedSinceMs ??= nowMs;
    if (this.#syncRound || nowMs - this.#unsyncedSinceMs < this.#syncEveryMs) return;
    this.#unsyncedSinceMs = undefined;
    this.#queue.closeAll();
    this.#queue.writeUnlessFailing();
    void this.#startSyncRound();
  }

  #startSyncRound(): Promise<void> {
    const round = this.#store.sync().finally(() => {
      if (this.#syncRound === round) this.#syncRound = undefined;
    });
    this.#syncRound = round;
    return round;
  }

  #keepEnded(journal: OpenCallJournal): void {
    this.#openCalls.delete(journal.id);
    if (journal.place.nextSequence === 0) return;
    this.#endedCalls.set(journal.id, journal);
    if (this.#endedCalls.size <= this.#maxEndedCalls) return;
    const oldest = this.#endedCalls.keys().next().value!;
    this.#endedCalls.delete(oldest);
    this.counters["journal.forgotten-calls"]++;
  }
}

function requireWithin(name: string, value: number, minimum: number, maximum: number): void {
  if (value >= minimum && value <= maximum) return;
  throw new RangeError(`${name} is ${value}, not within ${minimum}..${maximum}`);
}
