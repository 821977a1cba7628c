// A run of `sidetone pull`: reads the box's listing in the order in which recordings came to it, notes each page in the journal
// before it goes on, and lets a few workers bring in what is noted. Ends when all is here, or goes on as more come.
import { createHash, type KeyObject } from "node:crypto";
import { keyFingerprint } from "../box-info.js";
import { HostError } from "../errors.js";
import { AudioDownload } from "./audio-download.js";
import { Box, type Link, type ListedPage, type ListedRecording, type ListingFilter } from "./box.js";
import type { NameTemplate } from "./name-template.js";
import { Patience } from "./patience.js";
import type { PullEvent, PullListener, PullTotals } from "./pull-events.js";
import { asFolderFault, RecordingPull } from "./recording-pull.js";
import { type Debt, isFinished, type PulledRecording, StateJournal } from "./state-journal.js";
import type { TargetFolder } from "./target-folder.js";
import { waitFor } from "./wait.js";
import { WorkQueue } from "./work-queue.js";

/** Listed ahead of what is fetched. */
const MAX_AHEAD = 1000;
/** Recordings that could not be stored, or deleted on the box, are known to the journal; with more than this something else is wrong. */
const MAX_UNFINISHED = 50_000;
/** With --follow, what could not be stored is tried again so often. */
const FAULTS_AGAIN_MS = 600_000;

export interface PullerOptions {
  link: Link;
  folder: TargetFolder;
  /** The box's, pinned. */
  key: KeyObject;
  template: NameTemplate;
  filter: ListingFilter;
  debts: readonly Debt[];
  /** Reads the whole listing again, and looks whether what it has is in the folder as it should be. */
  recheck: boolean;
  parallel: number;
  /** Resolves when there may be more; absent: the run ends when all is here. */
  arrivals?: { next(signal: AbortSignal): Promise<void> };
  patienceMs: number;
  reason: string;
  tell: PullListener;
  /** Told how many bytes of a recording's audio are there. */
  onProgress?(id: string, bytes: number): void;
  now?(): number;
  random?(): number;
  wait?(ms: number, signal: AbortSignal): Promise<void>;
}

export class Puller {
  readonly #options: PullerOptions;
  readonly #totals: PullTotals;
  readonly #patience: Patience;
  readonly #box: Box;
  readonly #now: () => number;
  /** Of the key, SHA-256 of its DER, hex. */
  readonly #pinned: string;
  /** Could not be stored, and are neither waiting nor worked on. */
  readonly #faulty = new Set<string>();
  /** Names, by id, of what lies in the folder; undefined until it was looked. */
  #lying: Map<string, string> | undefined;
  /** There is nothing waiting or worked on, and that was told. */
  #isCaughtUp = false;

  constructor(options: PullerOptions) {
    this.#options = options;
    this.#pinned = keyFingerprint(options.key.export({ type: "spki", format: "pem" }).toString());
    this.#now = options.now ?? (() => performance.now());
    this.#totals = { stored: 0, found: 0, bytes: 0, acknowledged: 0, deleted: 0, kept: 0, gone: 0, faults: 0 };
    this.#patience = new Patience({
      limitMs: options.patienceMs,
      now: this.#now,
      random: options.random ?? Math.random,
      wait: options.wait ?? waitFor,
      onOutage: (detail) => this.#tell({ event: "outage", detail }),
      onBack: (outageMs) => this.#tell({ event: "back", outageMs: Math.round(outageMs) }),
    });
    this.#box = new Box(options.link, this.#patience, options.reason);
  }

  /**
   * Throws HostError: `untrusted`, `unauthorised`, `network` after the patience, `file-unwritable`, and the signal's reason. Whatever
   * it throws, the next run goes on from there.
   */
  async run(signal: AbortSignal): Promise<PullTotals> {
    const { folder } = this.#options;
    const stop = new AbortController();
    const onAbort = (): void => stop.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    let journal: StateJournal | undefined;
    try {
      const { device } = await this.#checkBox(stop.signal);
      journal = await StateJournal.open(folder.ownFolder);
      await this.#claim(journal, device);
      await this.#pull(journal, device, stop);
    } catch (error) {
      throw asFolderFault(error);
    } finally {
      signal.removeEventListener("abort", onAbort);
      await journal?.close();
      this.#tell({ event: "end", ...this.#totals });
    }
    return this.#totals;
  }

  async #pull(journal: StateJournal, device: string, stop: AbortController): Promise<void> {
    const { folder, key, template, debts, parallel, onProgress } = this.#options;
    const download = new AudioDownload({
      ...{ box: this.#box, folder, patience: this.#patience },
      onProgress: (id, bytes) => onProgress?.(id, bytes),
    });
    const pull = new RecordingPull({
      ...{ box: this.#box, folder, journal, download, key, template, debts },
      tell: (event) => this.#tell(event),
      checkBox: async (signal) => void (await this.#checkBox(signal)),
    });
    const advance = async (id: string): Promise<void> => {
      try {
        await pull.advance(id, stop.signal);
      } catch (error) {
        // Ends the listing too, whatever it waits for.
        stop.abort(error);
        throw error;
      }
    };
    const queue = new WorkQueue(advance, parallel, MAX_AHEAD);
    const unfinished = journal.unfinished();
    await folder.sweep(new Set(unfinished.map(({ id }) => id)));
    this.#tell({ event: "begin", folder: folder.path, device, unfinished: unfinished.length });
    queue.add(unfinished.filter((each) => this.#hasWork(each)).map(({ id }) => id));
    try {
      await this.#list(journal, queue, stop.signal);
      await queue.isDone();
    } catch (error) {
      // What is being worked on ends first, so that nothing writes any more when this returns.
      queue.stop();
      stop.abort(error);
      await queue.isDone().catch(() => {});
      throw error;
    }
  }

  /** Until there is no more; with arrivals until the signal, whose reason it throws. */
  async #list(journal: StateJournal, queue: WorkQueue, signal: AbortSignal): Promise<void> {
    const { filter, arrivals, recheck } = this.#options;
    const filterName = nameOf(filter);
    let isChecking = recheck;
    let cursor = isChecking ? "" : journal.cursor(filterName);
    // Only what is listed from the beginning on can lie here without the journal knowing.
    let isFromStart = cursor === "";
    let faultsTriedAt = this.#now();
    for (;;) {
      await orStopped(queue.hasRoom(), signal);
      const page = await this.#box.page(filter, cursor, signal);
      if (page === undefined) {
        if (cursor === "") throw new HostError("bad-answer", "the box's listing has no beginning");
        this.#tell({ event: "stale" });
        cursor = "";
        isFromStart = true;
        continue;
      }
      if (page.hasMore && page.resume === cursor)
        throw new HostError("bad-answer", "the box gives the same page of its listing again and again");
      if (isFromStart) this.#lying ??= this.#options.folder.scan();
      const fresh = await this.#note(journal, page, filterName, cursor, isChecking);
      if (fresh.length > 0) this.#isCaughtUp = false;
      queue.add(fresh);
      cursor = page.resume;
      if (page.hasMore) continue;
      isChecking = false;
      isFromStart = false;
      this.#lying = undefined;
      if (arrivals === undefined) return;
      void this.#tellWhenDone(queue);
      await orStopped(arrivals.next(signal), signal);
      if (this.#now() - faultsTriedAt < FAULTS_AGAIN_MS) continue;
      faultsTriedAt = this.#now();
      const again = [...this.#faulty];
      this.#faulty.clear();
      queue.add(again);
    }
  }

  async #tellWhenDone(queue: WorkQueue): Promise<void> {
    if (this.#isCaughtUp) return;
    this.#isCaughtUp = true;
    try {
      await queue.isDone();
    } catch {
      return;
    }
    if (this.#isCaughtUp) this.#tell({ event: "caught-up" });
  }

  /** What of a page is to be done, noted durably with the cursor behind it. */
  async #note(
    journal: StateJournal,
    page: ListedPage,
    filterName: string,
    cursor: string,
    isChecking: boolean,
  ): Promise<string[]> {
    const fresh: PulledRecording[] = [];
    const bytes: number[] = [];
    for (const listed of page.recordings) {
      const recording = this.#wanted(journal, listed, isChecking);
      if (recording === undefined || fresh.some(({ id }) => id === recording.id)) continue;
      fresh.push(recording);
      bytes.push(listed.bytes);
    }
    if (fresh.length > 0 || (page.resume !== cursor && page.resume !== ""))
      await journal.noteListed(fresh, filterName, page.resume);
    if (fresh.length > 0) {
      const sum = bytes.reduce((total, each) => total + each, 0);
      this.#tell({ event: "listed", recordings: fresh.length, bytes: sum });
    }
    if (journal.unfinishedCount > MAX_UNFINISHED)
      throw new HostError("unproved", `${MAX_UNFINISHED} recordings could not be brought to an end: see what was said`);
    return fresh.map(({ id }) => id);
  }

  #wanted(journal: StateJournal, { id, tags }: ListedRecording, isChecking: boolean): PulledRecording | undefined {
    const known = journal.find(id);
    if (known !== undefined) {
      // Gone, and it came again: its audio was recovered.
      if (known.state === "gone") return { ...known, state: known.name === "" ? "listed" : "named", tags };
      return isChecking && isFinished(known) ? { ...known, state: "named", tags } : undefined;
    }
    const name = this.#lying?.get(id) ?? "";
    return { id, state: name === "" ? "listed" : "named", name, tags, sha256: "", owes: [], fault: "" };
  }

  #hasWork({ state, owes }: PulledRecording): boolean {
    return state !== "stored" || owes.some((debt) => this.#options.debts.includes(debt));
  }

  /** One folder is one box's. */
  async #claim(journal: StateJournal, device: string): Promise<void> {
    const key = this.#pinned;
    if (journal.damagedLines > 0)
      this.#tell({ event: "notice", detail: `${journal.damagedLines} lines of the folder's journal were damaged` });
    const before = journal.box;
    if (before !== undefined && before.key !== key)
      throw new HostError("untrusted", `${this.#options.folder.path} has recordings of another box (${before.device})`);
    if (before?.device !== device) await journal.setBox({ device, key });
  }

  /** Throws HostError `untrusted` when the box's key is not the pinned one. */
  async #checkBox(signal: AbortSignal): Promise<{ device: string }> {
    const { device, publicKey } = await this.#box.info(signal);
    const found = keyFingerprint(publicKey);
    const pinned = this.#pinned;
    if (found === pinned) return { device };
    throw new HostError(
      "untrusted",
      `the box signs with another key (${found}) than the one that is trusted (${pinned})`,
    );
  }

  #tell(event: PullEvent): void {
    const totals = this.#totals;
    if (event.event === "stored" || event.event === "found") totals[event.event]++;
    if (event.event === "stored") totals.bytes += event.bytes;
    if (event.event === "acknowledged" || event.event === "deleted") totals[event.event]++;
    if (event.event === "kept" || event.event === "gone") totals[event.event]++;
    // One that is tried again and stored is no fault any more.
    if (event.event === "fault") this.#faulty.add(event.id);
    else if ("id" in event) this.#faulty.delete(event.id);
    totals.faults = this.#faulty.size;
    this.#options.tell(event);
  }
}

/** Waits no longer than until the signal, whose reason it throws. */
async function orStopped(done: Promise<void>, signal: AbortSignal): Promise<void> {
  let onAbort = (): void => {};
  const stopped = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    await Promise.race([done, stopped]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    done.catch(() => {});
    stopped.catch(() => {});
  }
}

/** Listings with the same filters have the same. */
function nameOf(filter: ListingFilter): string {
  const sorted = Object.entries(filter).sort(([one], [other]) => (one < other ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(sorted)).digest("hex").slice(0, 16);
}
