// Retention at work, for the running service and for a command in its place: sweeps, carries out what is asked for (a deletion,
// an erasure, a hold), and gives the disk guard the oldest that may go. What may go is store/retention/'s to decide.

import { join } from "node:path";
import type { z } from "zod";
import { type Clock, isoUs, systemClock } from "./base/clock.js";
import { SidetoneError } from "./base/errors.js";
import type { CallId } from "./base/ids.js";
import type { Logger } from "./base/logger.js";
import { REGISTERS_FOLDER, registerKey } from "./consent/register-line.js";
import type { AlarmDesk } from "./contract/alarms.js";
import type { AuditDetail, AuditKind } from "./contract/audit.js";
import type { Config } from "./contract/config.js";
import type { DeletionReason } from "./contract/tombstone.js";
import { auditFolder, listAuditFiles, readLines } from "./store/audit-files.js";
import { CallLogRedaction } from "./store/call-log-redaction.js";
import { SpoolTrail } from "./store/file-change.js";
import type { RecordingStore } from "./store/recordings.js";
import { ConsentRegisterFile } from "./store/register-file.js";
import { AgeClockFile, type AgeClockState, judgeClock } from "./store/retention/age-clock.js";
import { explain, type Judged, newestEndUs, OpenBook } from "./store/retention/book.js";
import { deletionFiles } from "./store/retention/deletion.js";
import { type EraserParts, type Settled, searchNumber, settleErasure } from "./store/retention/eraser.js";
import { type Erasure, ErasureBook } from "./store/retention/erasure.js";
import { HoldBook, MAX_HOLDS, markOfNumber } from "./store/retention/holds.js";
import {
  DELETE,
  deleteSchema,
  ERASE,
  eraseSchema,
  HOLD_ADD,
  HOLD_REMOVE,
  holdAddSchema,
  holdRemoveSchema,
} from "./store/retention/requests.js";
import { OldestFinder, Sweep } from "./store/retention/sweep.js";
import { TermsTable } from "./store/retention/terms.js";
import { commandTable, noteTerms } from "./store/retention/terms-trail.js";
import { SpoolDesk } from "./store/spool-desk.js";
import { type SpoolContext, type SpoolKinds, type SpoolResult, spoolKind } from "./store/spool-kinds.js";

export interface RetentionOptions {
  store: RecordingStore;
  config: Config;
  /** The box's name. */
  device: string;
  logger: Logger;
  alarms?: AlarmDesk | undefined;
  clock?: Clock;
  /** A command works by the configuration that it was given, which may be another: the service's binds as well then. */
  isCommand?: boolean;
  /** What the box knows of its clock: "" = no fault. */
  clockFault?: () => string;
}

/** What the start of the service needs the disk for comes first. */
const FIRST_SWEEP_MS = 2000;
/** After a sweep that failed. */
const RETRY_MS = 300_000;

export class RetentionKeeper {
  readonly counters = { sweeps: 0, failed: 0, deleted: 0, blocked: 0, erased: 0 };
  private readonly options: RetentionOptions;
  private readonly clock: Clock;
  private readonly table: TermsTable;
  private readonly holds: HoldBook;
  private readonly erasures: ErasureBook;
  private readonly ages: AgeClockFile;
  private readonly log: CallLogRedaction;
  private readonly sweeper = new Sweep();
  private readonly oldest = new OldestFinder();
  private readonly newestUs: number | undefined;
  private readonly stopping = new AbortController();
  /** "" = what was promised is known. */
  private readonly trailFault: string;
  private clockState: AgeClockState;
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> | undefined;
  private said = "";

  /** Enters the classes in force. Never throws for what is damaged: then nothing is deleted, and that is said. */
  constructor(options: RetentionOptions) {
    const { store, config } = options;
    this.options = options;
    this.clock = options.clock ?? systemClock;
    this.holds = new HoldBook(store.paths, config.numbers);
    this.erasures = new ErasureBook(store.paths);
    this.ages = new AgeClockFile(store.paths);
    this.log = new CallLogRedaction(store.paths.callsFolder, deletionFiles);
    this.clockState = { acceptedUs: this.ages.acceptedUs, acceptedAtMs: undefined, probation: undefined };
    this.newestUs = newestEndUs(store.paths, config.numbers);
    const { table, fault } = this.openTerms();
    this.table = table;
    this.trailFault = fault;
  }

  /** From now on; the first sweep comes soon. */
  start(): void {
    this.sweepAfter(FIRST_SWEEP_MS);
  }

  /** Resolves when nothing is being deleted any more. */
  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.stopping.abort();
    await this.round;
  }

  /** Never rejects: what could not be done is said, and tried again. */
  sweep(): Promise<void> {
    this.round ??= this.sweepNow().finally(() => {
      this.round = undefined;
    });
    return this.round;
  }

  /** Carries out what was begun when the box went down; for a run without sweeps, too. Rejects as the deletion does. */
  async finishBegun(): Promise<void> {
    await this.options.store.deletion.finish();
  }

  /** Deletes the oldest recording that may be deleted, for the disk's sake; the bytes that it took, 0 when there is none. */
  async deleteOldest(): Promise<number> {
    const book = this.openBook();
    const oldest = await this.oldest.find(book, { nowUs: this.clock.nowUs(), holdsVersion: this.holdsVersion() });
    if (oldest === undefined) return 0;
    await this.remove([oldest], "disk", { by: "service", text: "", overridesMinimum: false });
    return oldest.recording.bytes;
  }

  /** What commands ask for through the spool. */
  kinds(): SpoolKinds {
    return {
      [HOLD_ADD]: spoolKind({ body: holdAddSchema, carryOut: (body, context) => this.addHold(body, context) }),
      [HOLD_REMOVE]: spoolKind({ body: holdRemoveSchema, carryOut: (body, context) => this.removeHold(body, context) }),
      [DELETE]: spoolKind({ body: deleteSchema, carryOut: (body, context) => this.deleteOne(body, context) }),
      [ERASE]: spoolKind({ body: eraseSchema, carryOut: (body, context) => this.erase(body, context) }),
    };
  }

  private sweepAfter(ms: number): void {
    if (this.stopping.signal.aborted) return;
    this.timer = setTimeout(() => {
      const { failed } = this.counters;
      void this.sweep().then(() => {
        const isFailed = this.counters.failed > failed;
        this.sweepAfter(isFailed ? RETRY_MS : this.options.config.retention.sweepMinutes * 60_000);
      });
    }, ms).unref();
  }

  private async sweepNow(): Promise<void> {
    const { store, logger, alarms } = this.options;
    this.counters.sweeps++;
    try {
      await store.deletion.finish();
      const book = this.openBook();
      await this.settleErasures(book);
      const holdsVersion = this.holdsVersion();
      const { signal } = this.stopping;
      const remove = (due: readonly Judged[]): Promise<number> => this.remove(due, "retention", BY_AGE);
      const result = await this.sweeper.run(book, { nowUs: this.clock.nowUs(), holdsVersion, remove, signal });
      this.ages.write();
      this.counters.deleted += result.deleted;
      this.counters.blocked = result.blocked;
      if (result.deleted > 0) logger.info("recordings whose time is over were deleted", { ...result });
      alarms?.clear("retention-failed");
      if (this.fault === "" || result.blocked === 0) alarms?.clear("retention-waits");
      else this.sayWaits(result.blocked);
    } catch (error) {
      this.counters.failed++;
      const message = error instanceof Error ? error.message : String(error);
      logger.error("retention: what is due could not be deleted; it is tried again", { message });
      alarms?.raise("retention-failed", { reason: message });
    }
  }

  private sayWaits(recordings: number): void {
    const { logger, alarms } = this.options;
    alarms?.raise("retention-waits", { reason: this.fault, recordings });
    if (this.said === this.fault) return;
    this.said = this.fault;
    logger.warn("nothing is deleted by age", { reason: this.fault, recordings });
  }

  private get fault(): string {
    if (this.trailFault !== "") return this.trailFault;
    const sight = {
      nowUs: this.clock.nowUs(),
      monotonicMs: this.clock.monotonicMs(),
      fault: this.options.clockFault?.() ?? "",
    };
    const { state, fault } = judgeClock(this.clockState, sight, this.newestUs);
    this.clockState = state;
    if (fault === "") this.ages.acceptedUs = state.acceptedUs;
    return fault;
  }

  private holdsVersion(): string {
    return JSON.stringify(this.holds.read().map(({ id }) => id));
  }

  private openBook(): OpenBook {
    const { store, config } = this.options;
    const nowUs = this.clock.nowUs();
    const clockFault = this.fault;
    const parts = { paths: store.paths, numbers: config.numbers, table: this.table, holds: this.holds };
    const dateOf = (id: CallId): number | undefined =>
      clockFault === "" ? this.ages.dateOf(id, nowUs) : this.ages.undated.get(id);
    return new OpenBook(parts, { nowUs, clockFault, dateOf });
  }

  private openTerms(): { table: TermsTable; fault: string } {
    const { store, config, logger, isCommand } = this.options;
    try {
      if (isCommand) return { table: commandTable(store.paths, store.key, config.retention), fault: "" };
      const { past, entry } = noteTerms(store.paths, store.key, config.retention, this.clock.nowUs());
      if (entry) store.audit.append(entry);
      return { table: new TermsTable(config.retention, past), fault: "" };
    } catch (error) {
      const fault = `what recordings were promised is not known: ${error instanceof Error ? error.message : String(error)}`;
      logger.error("nothing is deleted by age", { reason: fault });
      return { table: new TermsTable(config.retention), fault };
    }
  }

  private async remove(
    judged: readonly Judged[],
    why: DeletionReason,
    { by, text, overridesMinimum }: { by: string; text: string; overridesMinimum: boolean },
  ): Promise<number> {
    if (judged.length === 0) return 0;
    const atUs = this.clock.nowUs();
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
        device: this.options.device,
        atUs,
      },
    }));
    const gone = await this.options.store.deletion.delete(orders);
    for (const { id } of gone) this.ages.undated.delete(id);
    return gone.length;
  }

  private addHold({ covers, reason: why }: z.output<typeof holdAddSchema>, context: SpoolContext): SpoolResult {
    const { id, actor, atUs } = context;
    refuseNumberIn(why, "number" in covers ? covers.number : "");
    if ("from" in covers && Date.parse(covers.from) > Date.parse(covers.to))
      throw refusal("the time ends before it begins");
    if (this.holds.read().length >= MAX_HOLDS) throw refusal(`there are ${MAX_HOLDS} holds: lift one first`);
    this.holds.add({ id, at: isoUs(atUs), by: actor, reason: why, covers });
    const what: AuditDetail =
      "number" in covers
        ? { number: this.markOf(covers.number) }
        : "from" in covers
          ? { from: covers.from, to: covers.to }
          : {};
    this.enter("hold", context, { hold: id, reason: why, ...what }, "call" in covers ? covers.call : undefined);
    return { hold: id };
  }

  private async removeHold(
    { id, reason: why }: z.output<typeof holdRemoveSchema>,
    context: SpoolContext,
  ): Promise<SpoolResult> {
    const wasThere = this.holds.remove(id);
    if (!wasThere && !context.mayBeRepeat) throw refusal(`there is no hold ${id}: sidetoned hold list shows them`);
    this.enter("hold-lifted", context, { hold: id, reason: why });
    const book = this.openBook();
    // What was to be erased and had to wait for it is erased now.
    await this.settleErasures(book);
    return { hold: id };
  }

  private async deleteOne(
    body: z.output<typeof deleteSchema>,
    { actor, mayBeRepeat }: SpoolContext,
  ): Promise<SpoolResult> {
    const { call, reason: text, overridesMinimum } = body;
    const book = this.openBook();
    const recording = book.find(call);
    if (recording === undefined) {
      if (mayBeRepeat) return { deleted: 1, call };
      throw refusal(`there is no recording ${call}`);
    }
    const judged = book.judge(recording, "request", overridesMinimum);
    if (judged.decision.kind !== "go") throw refusal(`${call} is not deleted: ${explain(judged)}`);
    await this.remove([judged], "request", { by: actor, text, overridesMinimum });
    return { deleted: 1, call };
  }

  private async erase(body: z.output<typeof eraseSchema>, context: SpoolContext): Promise<SpoolResult> {
    const { number, reason: text, overridesMinimum, forgetsRefusals } = body;
    const { id, actor, atUs } = context;
    const { config, store } = this.options;
    if (registerKey(number, config.numbers) === "")
      throw refusal("this number names nobody: it stands for withheld ones");
    refuseNumberIn(text, number);
    const book = this.openBook();
    const { calls, judged } = await searchNumber(book, number, config.numbers, overridesMinimum);
    const erasure: Erasure = { id, at: isoUs(atUs), by: actor, text, overridesMinimum, waiting: calls };
    // From here on it is carried out, whatever happens.
    this.erasures.put(erasure);
    const facts = { calls: calls.length, recordings: judged.length, overridesMinimum, forgetsRefusals };
    this.enter("erasure", context, { number: this.markOf(number), reason: text, ...facts });
    const settled = await this.settle(book, erasure);
    const register = new ConsentRegisterFile({
      folder: join(store.paths.dataFolder, REGISTERS_FOLDER),
      numbers: config.numbers,
      maxEntries: config.consent.register.maxEntries,
      clock: this.clock,
      trail: new SpoolTrail(new SpoolDesk(store.paths.dataFolder), actor),
    });
    const forgotten = await register.forget(number, { refusalsToo: forgetsRefusals });
    const refusals = register.entries(number).length;
    const { recordings, lines, waiting, reasons } = settled;
    return {
      recordings,
      lines,
      waiting: waiting.length,
      reasons,
      registerEntries: forgotten.length,
      refusalsKept: refusals,
    };
  }

  private async settleErasures(book: OpenBook): Promise<void> {
    for (const erasure of this.erasures.read()) {
      if (this.stopping.signal.aborted) return;
      await this.settle(book, erasure);
    }
  }

  private async settle(book: OpenBook, erasure: Erasure): Promise<Settled> {
    const { store, config } = this.options;
    const parts: EraserParts = {
      book,
      numbers: config.numbers,
      log: this.log,
      remove: (judged, { by, text, overridesMinimum }) =>
        this.remove(judged, "erasure", { by, text, overridesMinimum }),
      logged: (day, { bytes, sha256, lines }) =>
        store.audit.append({
          kind: "call-log",
          actor: "service",
          detail: { file: `calls/${day}.jsonl`, bytes, sha256, lines },
        }),
      forget: (call) => store.index?.markDeleted(call, "erasure"),
    };
    const settled = await settleErasure(erasure, parts);
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
      waiting: waiting.length,
    };
    store.audit.append({ kind: "erasure", actor: "service", detail });
    return settled;
  }

  private markOf(number: string): string {
    const { store, config } = this.options;
    return markOfNumber(registerKey(number, config.numbers), store.key.privateKey);
  }

  /** Once, however often the request is carried out. */
  private enter(kind: AuditKind, { id, actor, mayBeRepeat }: SpoolContext, detail: AuditDetail, call?: CallId): void {
    const { store } = this.options;
    if (mayBeRepeat && isEntered(store.paths.dataFolder, kind, id)) return;
    store.audit.append({ kind, actor, ...(call !== undefined && { call }), detail: { ...detail, request: id } });
    if (!store.audit.flushNow()) throw new SidetoneError("data-unwritable", "the audit chain cannot be written");
  }
}

const BY_AGE = { by: "service", text: "", overridesMinimum: false };

function isEntered(dataFolder: string, kind: AuditKind, request: CallId): boolean {
  const members = [`"kind":"${kind}"`, `"request":"${request}"`].map((text) => Buffer.from(text));
  return listAuditFiles(dataFolder).some((name) => {
    for (const { bytes } of readLines(join(auditFolder(dataFolder), name)))
      if (members.every((member) => bytes.includes(member))) return true;
    return false;
  });
}

/** What stands in the audit chain stands there for ever. */
function refuseNumberIn(text: string, number: string): void {
  const digits = (written: string): string => written.replaceAll(/\D/g, "");
  const tail = digits(number).slice(-6);
  if (tail.length >= 4 && digits(text).includes(tail))
    throw refusal("the reason names the number, and would stand in the audit chain for ever: write it without");
}

function refusal(message: string): SidetoneError {
  return new SidetoneError("usage", message);
}
