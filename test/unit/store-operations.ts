// What is done to a data folder beside recording, each as one process does it, and how one tells what came of it: a deletion, an
// erasure, a hold and its end, a change of a register, what calls in progress carry, a run that is locked.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { generateIdentity } from "../../device/age/keys.js";
import { isoUs, systemClock } from "../../device/base/clock.js";
import type { CallId } from "../../device/base/ids.js";
import { makeCallId } from "../../device/base/ids.js";
import type { Logger } from "../../device/base/logger.js";
import { CONSENT_REGISTER } from "../../device/consent/register-line.js";
import { type Config, configSchema } from "../../device/contract/config.js";
import type { CarriedState } from "../../device/contract/engine-messages.js";
import { listRuns, makeRun } from "../../device/journal/recovery.js";
import { JournalWriter } from "../../device/journal/writer.js";
import { JournalKeys, unwrapJournalKey } from "../../device/journal-keys.js";
import { CallKeeper } from "../../device/keeper.js";
import { lockRun } from "../../device/locked-runs.js";
import { recoverOldRun } from "../../device/recovery.js";
import { RetentionRequests } from "../../device/retention-requests.js";
import type { SealPool } from "../../device/seal/pool.js";
import { spoolKinds } from "../../device/spool.js";
import { CarriedFile } from "../../device/store/carried-file.js";
import { openDeviceKey } from "../../device/store/device-key.js";
import { SpoolTrail } from "../../device/store/file-change.js";
import { listLockedRuns } from "../../device/store/locked-runs.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { ConsentRegisterFile } from "../../device/store/register-file.js";
import { Disposal } from "../../device/store/retention/disposal.js";
import { HoldBook } from "../../device/store/retention/holds.js";
import { DELETE, ERASE, HOLD_ADD, HOLD_REMOVE } from "../../device/store/retention/requests.js";
import { SpoolDesk } from "../../device/store/spool-desk.js";
import { SpoolKeeper } from "../../device/store/spool-keeper.js";
import { verifyDataFolder } from "../../device/store/verify/verify.js";
import { WatchedFiles } from "../../device/store/watched-files.js";
import { grant } from "./consent/register-kit.js";
import { makeKept, options, put } from "./journal/journal-kit.js";
import { problemsOf, readAudit } from "./store/audit-kit.js";
import { CALLER, CONTENT, callFrom, entriesOf, filesOf, filesWith, keep } from "./store/retention/deletion-kit.js";
import { filesBelow, publicKeyOf } from "./store/store-kit.js";

/** What a data folder shows of an operation once the next process has been at it: all of it was done, or nothing. */
export type Outcome = "nothing" | "all" | { wrong: string };

export interface Operation {
  /** What is there before; a process of its own. */
  prepare(data: string): Promise<void>;
  /** Fulfils when it is done, durably; rejects when the disk refuses it. */
  act(data: string, report: (fault: string) => void): Promise<void>;
  /** The next process: what was begun is carried on. */
  resume(data: string, report: (fault: string) => void): Promise<void>;
  outcome(data: string): Outcome;
}

export const OTHER = "+4940888888";
const config: Config = configSchema.parse({ numbers: { countryCode: "49" } });
const [FIRST, SECOND, THIRD] = [callFrom(0), callFrom(1), callFrom(2, OTHER)];

function open(data: string, report: (fault: string) => void): RecordingStore {
  return RecordingStore.open(data, { gatherMs: 0, audit: { gatherMs: 0, onFault: report }, onRefused: report });
}

/** Two recordings with the caller, one with somebody else, and a grant of the caller. */
async function prepareStore(data: string): Promise<void> {
  const store = open(data, () => {});
  for (const call of [FIRST, SECOND, THIRD]) await keep(store, call);
  store.close();
  await enterGrant(data, CALLER);
  await serve(data, () => {});
}

/** A service's start and end, as far as the spool and retention go. */
async function serve(data: string, report: (fault: string) => void): Promise<void> {
  const store = open(data, report);
  try {
    const logger = loggerTo(report);
    const disposal = new Disposal({ store, config, device: "box", logger, clock: systemClock });
    await store.deletion.finish();
    const retention = new RetentionRequests({ store, disposal, config, clock: systemClock });
    const kinds = spoolKinds({ dataFolder: data, store, retention, watched: new WatchedFiles(data) });
    // Tried again at once, not after seconds.
    for (let isIdle = false, tries = 0; !isIdle && tries < 3; tries++) {
      const keeper = new SpoolKeeper({ dataFolder: data, kinds, onFault: report });
      await keeper.drain();
      await keeper.drain();
      await keeper.stop();
      isIdle = keeper.isIdle;
    }
    await disposal.settleErasures(disposal.openBook());
    await store.audit.flush();
  } finally {
    store.close();
  }
}

function loggerTo(report: (fault: string) => void): Logger {
  const say = (text: string, fields: object = {}): void => report(`${text} ${JSON.stringify(fields)}`);
  return { debug: () => {}, info: () => {}, warn: say, error: say };
}

/** A command that leaves a request, and does the work itself where no service runs. */
function asks(kind: string, bodyFor: (data: string) => object): Operation["act"] {
  return async (data, report) => {
    const desk = new SpoolDesk(data);
    const wish = { kind, actor: "cli root", body: bodyFor(data) };
    const asked = await desk.ask(wish, { carryOutHere: () => serve(data, report), waitMs: 0 });
    if (asked.state !== "done") throw new Error("it was not carried out yet");
  };
}

const deletion: Operation = {
  prepare: prepareStore,
  act: asks(DELETE, () => ({ call: FIRST.id, reason: "asked for", overridesMinimum: true })),
  resume: serve,
  outcome(data) {
    const state = [...filesOf(data, FIRST.id), ...entriesOf(data, FIRST.id)].join(" ");
    const traces = filesWith(data, `${CONTENT} ${FIRST.id}`, FIRST.sipCallIds[0]!);
    if (state === ".deleted recorded deleting deleted" && traces.length === 0) return "all";
    if (state === ".json .wav recorded" && traces.length === 3) return "nothing";
    return { wrong: `${state}; still named in ${traces.join(" ")}` };
  },
};

const erasure: Operation = {
  prepare: prepareStore,
  act: asks(ERASE, () => ({
    number: CALLER,
    reason: "asked for",
    overridesMinimum: true,
    forgetsRefusals: false,
  })),
  resume: serve,
  outcome(data) {
    const files = [FIRST, SECOND].flatMap(({ id }) => filesOf(data, id)).join(" ");
    // What its writer has left in the spool goes when the writer is gone.
    const traces = filesWith(data, CALLER, `${CONTENT} ${FIRST.id}`, `${CONTENT} ${SECOND.id}`).filter(
      (name) => !/^spool\/.*\.partial$/.test(name),
    );
    if (files === ".deleted .deleted" && traces.length === 0) return "all";
    const isUntouched = files === ".json .wav .json .wav" && traces.includes("registers/consent.jsonl");
    return isUntouched ? "nothing" : { wrong: `${files}; still named in ${traces.join(" ")}` };
  },
};

const HELD = { covers: { call: THIRD.id }, reason: "a lawsuit" };

const hold: Operation = {
  prepare: prepareStore,
  act: asks(HOLD_ADD, () => HELD),
  resume: serve,
  outcome: (data) => heldAs(data, { asked: 0, done: 1 }),
};

const lifting: Operation = {
  async prepare(data) {
    await prepareStore(data);
    await hold.act(data, () => {});
  },
  act: asks(HOLD_REMOVE, (data) => ({ id: holdsOf(data)[0] ?? makeCallId(0), reason: "it is over" })),
  resume: serve,
  outcome: (data) => heldAs(data, { asked: 1, done: 0 }),
};

const holdsOf = (data: string): string[] =>
  new HoldBook({ retentionFolder: join(data, "retention") } as RecordingStore["paths"], config.numbers)
    .read()
    .map(({ id }) => id);

/** Holds are in force as the chain has them. One that was refused and asked for again may be there twice. */
function heldAs(data: string, { asked, done }: { asked: number; done: number }): Outcome {
  const held = holdsOf(data);
  const entered = readAudit(data).flatMap(({ kind, detail }) => (kind === "hold" ? [String(detail["hold"])] : []));
  const lifted = readAudit(data).flatMap(({ kind, detail }) => (kind === "hold-lifted" ? [detail["hold"]] : []));
  const inForce = entered.filter((id) => !lifted.includes(id));
  if (new Set(entered).size !== entered.length || held.join() !== inForce.join())
    return { wrong: `held ${held.join()}, entered ${entered.join()}, lifted ${lifted.join()}` };
  return Math.min(held.length, 1) === done ? "all" : held.length === asked ? "nothing" : { wrong: held.join() };
}

async function enterGrant(data: string, number: string): Promise<void> {
  const checked = CONSENT_REGISTER.check(grant({ number }) as unknown as Record<string, string>);
  if (!checked.ok) throw new Error(checked.problem);
  await registerOf(data).enter([checked.statement]);
}

const registerOf = (data: string): ConsentRegisterFile =>
  new ConsentRegisterFile({
    folder: join(data, "registers"),
    numbers: config.numbers,
    maxEntries: 100,
    clock: systemClock,
    trail: new SpoolTrail(new SpoolDesk(data), "cli root"),
  });

const registering: Operation = {
  prepare: prepareStore,
  act: (data) => enterGrant(data, OTHER),
  async resume(data, report) {
    // The one that intended it is no more, which its number and the time of its start say.
    asOfTheDead(data);
    await serve(data, report);
  },
  outcome(data) {
    const filed = registerOf(data).entries(OTHER).length;
    const entered = readAudit(data).filter(({ kind }) => kind === "register").length - 1;
    const left = filesBelow(join(data, "registers")).filter((name) => name !== "consent.jsonl");
    // What a writer was writing when it was killed goes with the next change.
    if (filed !== entered || left.some((name) => !name.endsWith(".partial")))
      return { wrong: `${filed} filed, ${entered} entered, left over ${left.join(" ")}` };
    return filed === 1 ? "all" : "nothing";
  },
};

/** Locks and intents of this process are another's, which is gone. */
function asOfTheDead(data: string): void {
  for (const path of filesBelow(data).filter((name) => name.endsWith("lock") || name.endsWith(".intent.json"))) {
    const text = readFileSync(join(data, path), "utf8");
    DEAD.write(join(data, path), text.replaceAll(/"startedAt":"[^"]*"/g, '"startedAt":"long ago"'));
  }
}

/** Set by the test, whose disk it is: this is nobody's step. */
export const DEAD = { write: (_path: string, _text: string): void => {} };

const EARLIER: CarriedState = { calls: [{ sipCallIds: ["one"], refusals: ["dtmf"], isStopped: false }] };
const LATER: CarriedState = { calls: [{ sipCallIds: ["one", "two"], refusals: ["dtmf", "api"], isStopped: true }] };

const carrying: Operation = {
  async prepare(data) {
    await prepareStore(data);
    new CarriedFile(data, openDeviceKey(data)).write(EARLIER);
  },
  act: async (data) => new CarriedFile(data, openDeviceKey(data)).write(LATER),
  resume: serve,
  outcome(data) {
    const text = JSON.stringify(new CarriedFile(data, openDeviceKey(data)).read());
    return text === JSON.stringify(LATER) ? "all" : text === JSON.stringify(EARLIER) ? "nothing" : { wrong: text };
  },
};

const holder = generateIdentity();
const RUN = "01KAJ5QX00ABCDEFGHJKMNPQRS";
const PACKETS = 6;

/** An engine's run with a sealed journal: its key is on the disk before anything that needs it. */
async function journalSealed(data: string, report: (fault: string) => void = () => {}): Promise<void> {
  const name = existsSync(join(data, "journal", RUN)) ? RUN.replace("P", "T") : RUN;
  const folder = join(data, "journal", name);
  mkdirSync(join(data, "journal"), { recursive: true });
  makeRun(folder);
  const key = new JournalKeys([holder.recipient.text]).make(folder)!;
  const writer = new JournalWriter(options(folder, { key }), { onFault: (error) => report(error.message) });
  const journal = writer.begin(FIRST.id);
  journal.snapshot(FIRST);
  for (let n = 0; n < PACKETS; n++) put(journal, makeKept(0, n));
  await writer.sync();
  await writer.close();
}

const sealing: Operation = {
  prepare: async () => {},
  act: journalSealed,
  resume: async () => {},
  outcome(data) {
    const begun = listRuns(join(data, "journal")).filter((folder) =>
      readdirSync(folder).some((name) => name.endsWith(".seg")),
    );
    const isLost = begun.some((folder) => unwrapJournalKey(folder, [holder]) === undefined);
    return isLost ? { wrong: "nobody can open it" } : begun.length > 0 ? "all" : "nothing";
  },
};

/** The next service finds the run and cannot read it. */
async function lockRuns(data: string, report: (fault: string) => void): Promise<void> {
  const store = open(data, report);
  try {
    const keeper = new CallKeeper(store, {} as SealPool, loggerTo(report), 0);
    const locking = { dataFolder: data, device: "box", keeper, audit: store.audit, logger: loggerTo(report) };
    for (const folder of listRuns(join(data, "journal")))
      await recoverOldRun(folder, {
        keeper,
        logger: loggerTo(report),
        lock: (path, run) => lockRun(path, run, locking),
      });
    await store.syncLog();
    await store.audit.flush();
    if (listRuns(join(data, "journal")).length > 0) throw new Error("it stays where it is");
  } finally {
    store.close();
  }
}

const locking: Operation = {
  prepare: journalSealed,
  act: lockRuns,
  resume: (data, report) => lockRuns(data, report),
  outcome(data) {
    const runs = listLockedRuns(data);
    if (runs.length !== 1 || listRuns(join(data, "journal")).length > 0)
      return { wrong: `${runs.length} locked, ${listRuns(join(data, "journal")).length} not` };
    const [{ folder, locked }] = runs as [(typeof runs)[number]];
    const isOpen = unwrapJournalKey(folder, [holder]) !== undefined;
    const lines = readFileSync(join(data, "calls", `${isoUs(FIRST.startedAtUs).slice(0, 10)}.jsonl`), "utf8")
      .split("\n")
      .filter((line) => line.includes(`"id":"${FIRST.id}"`) && line.endsWith("}"));
    const left = readdirSync(folder).filter((name) => !/^(?:\d+\.seg|key\.age|locked\.json)$/.test(name));
    const isEntered = readAudit(data).some(({ kind, detail }) => kind === "locked" && detail["run"] === RUN);
    const isWhole = isOpen && locked?.calls.join() === FIRST.id && lines.length === 1 && isEntered;
    return isWhole && left.length === 0
      ? "all"
      : { wrong: JSON.stringify({ isOpen, locked, lines: lines.length, isEntered, left }) };
  },
};

export const OPERATIONS: Record<string, Operation> = {
  "a deletion": deletion,
  "an erasure": erasure,
  "a hold": hold,
  "the end of a hold": lifting,
  "a change of a register": registering,
  "what calls carry": carrying,
  "the key of a run": sealing,
  "the locking of a run": locking,
};

/** What is wrong with a data folder whatever was done to it. */
export function folderWrong(data: string): string[] {
  if (!existsSync(join(data, "audit"))) return [];
  const untouched = existsSync(join(data, "recordings", "2026")) ? filesOf(data, THIRD.id as CallId).join(" ") : "";
  const wrong = untouched === "" || untouched === ".json .wav" ? [] : [`another recording: ${untouched}`];
  const { findings } = verifyDataFolder({ dataFolder: data, publicKey: publicKeyOf(data) });
  return [...wrong, ...problemsOf(data), ...findings.map((finding) => JSON.stringify(finding))];
}
