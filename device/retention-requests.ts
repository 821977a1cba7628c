// What people ask of retention through the spool, for the running service and for a command in its place: a deletion, an erasure,
// a hold and its end; each is entered in the audit chain once. Sweeps are retention-keeper.ts's.
import { join } from "node:path";
import type { z } from "zod";
import { type Clock, isoUs } from "./base/clock.js";
import { SidetoneError } from "./base/errors.js";
import type { CallId } from "./base/ids.js";
import { REGISTERS_FOLDER, registerKey } from "./consent/register-line.js";
import type { AuditDetail, AuditKind } from "./contract/audit.js";
import type { Config } from "./contract/config.js";
import { auditFolder, listAuditFiles, readLines } from "./store/audit-files.js";
import { SpoolTrail } from "./store/file-change.js";
import type { RecordingStore } from "./store/recordings.js";
import { ConsentRegisterFile } from "./store/register-file.js";
import { explain } from "./store/retention/book.js";
import type { Disposal } from "./store/retention/disposal.js";
import type { Erasure } from "./store/retention/erasure.js";
import { MAX_HOLDS, markOfNumber } from "./store/retention/holds.js";
import { searchCalls, soughtNumber } from "./store/retention/number-search.js";
import {
  DELETE,
  deleteSchema,
  ERASE,
  eraseSchema,
  HOLD_ADD,
  HOLD_REMOVE,
  holdAddSchema,
  holdRemoveSchema,
  refuseNumberIn,
} from "./store/retention/requests.js";
import { SpoolDesk } from "./store/spool-desk.js";
import { type SpoolContext, type SpoolKinds, SpoolLater, type SpoolResult, spoolKind } from "./store/spool-kinds.js";

export interface RetentionRequestOptions {
  store: RecordingStore;
  disposal: Disposal;
  config: Pick<Config, "numbers" | "consent">;
  clock: Clock;
}

export class RetentionRequests {
  private readonly options: RetentionRequestOptions;

  constructor(options: RetentionRequestOptions) {
    this.options = options;
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

  private addHold({ covers, reason: why }: z.output<typeof holdAddSchema>, context: SpoolContext): SpoolResult {
    const { id, actor, atUs } = context;
    const { holds } = this.options.disposal;
    refuseNumberIn(why, "number" in covers ? covers.number : "");
    if ("from" in covers && Date.parse(covers.from) > Date.parse(covers.to))
      throw refusal("the time ends before it begins");
    if (holds.read().length >= MAX_HOLDS) throw refusal(`there are ${MAX_HOLDS} holds: lift one first`);
    orLater(() => holds.add({ id, at: isoUs(atUs), by: actor, reason: why, covers }));
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
    const { disposal } = this.options;
    const wasThere = orLater(() => disposal.holds.remove(id));
    if (!wasThere && !context.mayBeRepeat) throw refusal(`there is no hold ${id}: sidetoned hold list shows them`);
    this.enter("hold-lifted", context, { hold: id, reason: why });
    const book = disposal.openBook();
    // What was to be erased and had to wait for it is erased now.
    await disposal.settleErasures(book);
    return { hold: id };
  }

  private async deleteOne(
    body: z.output<typeof deleteSchema>,
    { actor, mayBeRepeat }: SpoolContext,
  ): Promise<SpoolResult> {
    const { call, reason: text, overridesMinimum } = body;
    const { disposal } = this.options;
    const book = disposal.openBook();
    const recording = book.find(call);
    if (recording === undefined) {
      if (mayBeRepeat) return { deleted: 1, call };
      throw refusal(`there is no recording ${call}`);
    }
    const judged = book.judge(recording, "request", overridesMinimum);
    if (judged.decision.kind !== "go") throw refusal(`${call} is not deleted: ${explain(judged)}`);
    await disposal.remove([judged], "request", { by: actor, text, overridesMinimum });
    return { deleted: 1, call };
  }

  private async erase(body: z.output<typeof eraseSchema>, context: SpoolContext): Promise<SpoolResult> {
    const { number, reason: text, overridesMinimum, forgetsRefusals } = body;
    const { id, actor, atUs } = context;
    const { config, store, disposal, clock } = this.options;
    if (registerKey(number, config.numbers) === "")
      throw refusal("this number names nobody: it stands for withheld ones");
    refuseNumberIn(text, number);
    const book = disposal.openBook();
    const sought = soughtNumber(number, config.numbers);
    const { found, judged, nameless } = await searchCalls(book, sought, config.numbers, overridesMinimum);
    const isWatched = disposal.watch.mayBeInProgress();
    const erasure: Erasure = {
      ...{ id, at: isoUs(atUs), by: actor, text, overridesMinimum, waiting: found },
      ...(isWatched && { watch: this.markOf(number) }),
    };
    // From here on it is carried out, whatever happens.
    disposal.erasures.put(erasure);
    const facts = { calls: found.length, recordings: judged.length, overridesMinimum, forgetsRefusals };
    this.enter("erasure", context, { number: this.markOf(number), reason: text, ...facts });
    const settled = await disposal.settle(book, erasure);
    disposal.watch.watch(disposal.erasures.read());
    const register = new ConsentRegisterFile({
      folder: join(store.paths.dataFolder, REGISTERS_FOLDER),
      numbers: config.numbers,
      maxEntries: config.consent.register.maxEntries,
      clock,
      trail: new SpoolTrail(new SpoolDesk(store.paths.dataFolder), actor),
    });
    const forgotten = await register.forget(number, { refusalsToo: forgetsRefusals });
    const refusals = register.entries(number).length;
    const { recordings, lines, locked, waiting, reasons } = settled;
    return {
      recordings,
      lines,
      locked,
      nameless,
      waiting: waiting.length,
      isWatched,
      reasons,
      registerEntries: forgotten.length,
      refusalsKept: refusals,
    };
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

function isEntered(dataFolder: string, kind: AuditKind, request: CallId): boolean {
  const members = [`"kind":"${kind}"`, `"request":"${request}"`].map((text) => Buffer.from(text));
  return listAuditFiles(dataFolder).some((name) => {
    for (const { bytes } of readLines(join(auditFolder(dataFolder), name)))
      if (members.every((member) => bytes.includes(member))) return true;
    return false;
  });
}

/** What the disk refuses may be in its place all the same, without its entry: the request stays, and is carried out again. */
function orLater<Result>(act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    if (error instanceof SidetoneError) throw error;
    throw new SpoolLater("the holds cannot be written", { cause: error });
  }
}

function refusal(message: string): SidetoneError {
  return new SidetoneError("usage", message);
}
