// What sweeps and requests have in common: opens the book on what is stored, deletes what was judged, carries erasures on.
// It decides nothing (decision.ts does), and nothing begins here.
import type { Clock } from "../../base/clock.js";
import type { CallId, TimeUs } from "../../base/ids.js";
import type { Logger } from "../../base/logger.js";
import type { NumberRules } from "../../call/numbers.js";
import type { DeletionReason } from "../../contract/tombstone.js";
import { CallLogRedaction } from "../call-log-redaction.js";
import type { RecordingStore } from "../recordings.js";
import { AgeTeller } from "./age-teller.js";
import { type Judged, OpenBook } from "./book.js";
import { CallWatch, withoutOldWatch } from "./call-watch.js";
import { deletionFiles } from "./deletion.js";
import { type EraserParts, type Settled, settleErasure } from "./eraser.js";
import { type Erasure, ErasureBook } from "./erasure.js";
import { HoldBook } from "./holds.js";
import { type RetentionConfig, TermsTable } from "./terms.js";
import { commandTable, noteTerms } from "./terms-trail.js";

export interface DisposalOptions {
  store: RecordingStore;
  config: { retention: RetentionConfig; numbers: NumberRules };
  /** The box's name. */
  device: string;
  logger: Logger;
  clock: Clock;
  /** A command works by the configuration that it was given, which may be another: the service's binds as well then. */
  isCommand?: boolean;
  /** What the box knows of its clock: "" = no fault. */
  clockFault?: () => string;
}

/** On whose word something goes. */
export interface Order {
  by: string;
  text: string;
  overridesMinimum: boolean;
}

export class Disposal {
  readonly counters = { erased: 0 };
  readonly ages: AgeTeller;
  readonly holds: HoldBook;
  readonly erasures: ErasureBook;
  /** For calls in progress of numbers that are being erased. */
  readonly watch: CallWatch;
  private readonly options: DisposalOptions;
  private readonly table: TermsTable;
  private readonly log: CallLogRedaction;
  /** "" = what was promised is known. */
  private readonly trailFault: string;

  /** Enters the classes in force. Never throws for what is damaged: then nothing is deleted, and that is said. */
  constructor(options: DisposalOptions) {
    const { store, config, clock, clockFault = () => "" } = options;
    this.options = options;
    this.holds = new HoldBook(store.paths, config.numbers);
    this.erasures = new ErasureBook(store.paths);
    this.watch = new CallWatch({ paths: store.paths, numbers: config.numbers, privateKey: store.key.privateKey });
    this.ages = new AgeTeller({ paths: store.paths, numbers: config.numbers, clock, clockFault });
    this.log = new CallLogRedaction(store.paths.callsFolder, deletionFiles);
    const { table, fault } = this.openTerms();
    this.table = table;
    this.trailFault = fault;
  }

  /** Why nothing goes by age right now: "" = it does. Looks at the clock. */
  lookForFault(): string {
    return this.trailFault || this.ages.look();
  }

  /** What is stored, and what holds for it now. */
  openBook(): OpenBook {
    const { store, config, clock } = this.options;
    const nowUs = clock.nowUs();
    const clockFault = this.lookForFault();
    const parts = { paths: store.paths, numbers: config.numbers, table: this.table, holds: this.holds };
    const dateOf = (id: CallId): TimeUs | undefined => this.ages.dateOf(id, nowUs, clockFault === "");
    return new OpenBook(parts, { nowUs, clockFault, dateOf });
  }

  /** Resolves with the number that went. Rejects as the deletion does. */
  async remove(judged: readonly Judged[], why: DeletionReason, order: Order): Promise<number> {
    if (judged.length === 0) return 0;
    const { store, device, clock } = this.options;
    const { by, text, overridesMinimum } = order;
    const atUs = clock.nowUs();
    const orders = judged.map(({ recording, terms }) => ({
      id: recording.id,
      day: recording.day,
      grounds: {
        reason: why,
        by,
        text,
        terms,
        overridesMinimum,
        keepsManifest: why === "retention" && this.table.keepsManifest(terms.class),
        device,
        atUs,
      },
    }));
    const gone = await store.deletion.delete(orders);
    for (const { id } of gone) this.ages.forget(id);
    return gone.length;
  }

  /** What had to wait, and need not any more, is erased; so are calls that have ended since. */
  async settleErasures(book: OpenBook, signal?: AbortSignal): Promise<void> {
    for (const erasure of this.erasures.read()) {
      if (signal?.aborted) return;
      await this.settle(book, erasure);
    }
    this.watch.watch(this.erasures.read());
  }

  async settle(book: OpenBook, asked: Erasure): Promise<Settled> {
    const { store, clock } = this.options;
    const ended = await this.watch.find(asked, book);
    const erasure = withoutOldWatch({ ...asked, waiting: [...asked.waiting, ...ended] }, clock.nowUs());
    if (ended.length > 0 || erasure.watch !== asked.watch) this.erasures.put(erasure);
    const settled = await settleErasure(erasure, this.eraserParts(book));
    this.counters.erased += settled.recordings;
    if (settled.waiting.length === erasure.waiting.length) return settled;
    const { waiting } = settled;
    await store.audit.flush();
    // What was overwritten in the index's file still stands in its log.
    store.index?.purge();
    this.erasures.put({ ...erasure, waiting });
    const detail = {
      request: erasure.id,
      recordings: settled.recordings,
      lines: settled.lines,
      ...(settled.locked > 0 && { lockedCalls: settled.locked }),
      waiting: waiting.length,
    };
    store.audit.append({ kind: "erasure", actor: "service", detail });
    return settled;
  }

  private eraserParts(book: OpenBook): EraserParts {
    const { store, config } = this.options;
    return {
      book,
      numbers: config.numbers,
      log: this.log,
      remove: (judged, { by, text, overridesMinimum }) =>
        this.remove(judged, "erasure", { by, text, overridesMinimum }),
      entered: (entry) => store.audit.append(entry),
      logged: (day, { bytes, sha256, lines }) =>
        store.audit.append({
          kind: "call-log",
          actor: "service",
          detail: { file: `calls/${day}.jsonl`, bytes, sha256, lines },
        }),
      forget: (call) => store.index?.markDeleted(call, "erasure"),
    };
  }

  private openTerms(): { table: TermsTable; fault: string } {
    const { store, config, logger, clock, isCommand } = this.options;
    try {
      if (isCommand) return { table: commandTable(store.paths, store.key, config.retention), fault: "" };
      const { past, entry } = noteTerms(store.paths, store.key, config.retention, clock.nowUs());
      if (entry) store.audit.append(entry);
      return { table: new TermsTable(config.retention, past), fault: "" };
    } catch (error) {
      const fault = `what recordings were promised is not known: ${error instanceof Error ? error.message : String(error)}`;
      logger.error("nothing is deleted by age", { reason: fault });
      return { table: new TermsTable(config.retention), fault };
    }
  }
}
