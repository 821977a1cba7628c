// A box as far as it has to do with the disk: it journals calls, keeps those that end, and recovers at its start what the
// one before it left. Runs through simulated seconds in as little time as the machine needs; dies where its disk says so.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CallId } from "../../device/base/ids.js";
import { makeCallId } from "../../device/base/ids.js";
import type { Logger } from "../../device/base/logger.js";
import type { AlarmCode, AlarmDesk } from "../../device/contract/alarms.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import type { JournalPosition } from "../../device/contract/engine-messages.js";
import type { CallLogLine } from "../../device/contract/manifest.js";
import type { JournalCounters } from "../../device/journal/journal-counters.js";
import { listRuns, makeRun, recoverRun } from "../../device/journal/recovery.js";
import type { CallJournal } from "../../device/journal/writer.js";
import { JournalWriter } from "../../device/journal/writer.js";
import { CallKeeper } from "../../device/keeper.js";
import { recoverOldRun } from "../../device/recovery.js";
import type { SealPool } from "../../device/seal/pool.js";
import type { AdmittedPacket } from "../../device/seal/record-source.js";
import { CallSealer } from "../../device/seal/seal-call.js";
import { proveRecording } from "../../device/store/prove.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { readRecordings } from "../fakes/program.js";
import { readStamps, stampedPayload } from "../fakes/stamped-audio.js";
import { callRecord, packet } from "./seal/sealing.js";
import { problemsOf } from "./store/audit-kit.js";
import { filesBelow, publicKeyOf, readChain } from "./store/store-kit.js";

export const START_US = Date.UTC(2026, 10, 21, 9) * 1000;
const PTIME_MS = 40;
const TICK_MS = 80;
const RETRY_MS = 240;
const PACKET_SAMPLES = 320;
/** Room for two packets of both sides: several segments. */
const SEGMENT_BYTES = 32 * 1024;

/** What a box goes through. Calls by when they begin and end, ms; the last is still in progress when the box stops. */
export interface Scenario {
  calls: readonly { fromMs: number; toMs: number }[];
  endMs: number;
  flushMs: number;
  syncMs: number;
}

/** With the times that are promised. */
const PROMISED: Scenario = {
  calls: [
    { fromMs: 0, toMs: 2600 },
    { fromMs: 400, toMs: 2600 },
    { fromMs: 1000, toMs: 5200 },
    { fromMs: 4400, toMs: Number.POSITIVE_INFINITY },
  ],
  endMs: 9400,
  flushMs: 1000,
  syncMs: 5000,
};

/** The same in less time, for what does not depend on it. */
export const SHORT: Scenario = {
  calls: [
    { fromMs: 0, toMs: 400 },
    { fromMs: 80, toMs: 400 },
    { fromMs: 160, toMs: 960 },
    { fromMs: 800, toMs: Number.POSITIVE_INFINITY },
  ],
  endMs: 2000,
  flushMs: 160,
  syncMs: 500,
};

const sealer = new CallSealer(1 << 20);
/** The pool's interface, in this thread: a job is sealed when its turn of the event loop comes. */
const pool = {
  async seal(job: Parameters<SealPool["seal"]>[0]) {
    return { sealed: sealer.seal(job), cpuUs: 0 };
  },
} as unknown as SealPool;

/** When each packet was admitted, ms of the box's time, by `stream number`. */
export type Admitted = Map<string, number>;

export interface BoxRun {
  admitted: Admitted;
  /** How far it came. */
  ranMs: number;
  /** What it reported of the disk. */
  faults: string[];
  /** Of the journal's writer. */
  counters: Partial<JournalCounters>;
  /** Alarms that stand. */
  alarms: Set<AlarmCode>;
}

export function newRun(): BoxRun {
  return { admitted: new Map(), ranMs: 0, faults: [], counters: {}, alarms: new Set() };
}

const stampOf = (stream: number, number: number): string => `${stream} ${number}`;
const idOf = (call: number, fromMs: number): CallId => makeCallId(START_US + fromMs * 1000, Buffer.alloc(10, call + 1));

export interface BoxOptions {
  /** Goes through the calls; else it only recovers. */
  records?: boolean;
  /** The process is no more. */
  isDead(): boolean;
  /** How long it records. */
  forMs?: number;
  scenario?: Scenario;
  /** Goes on after a fault of its disk as the service does, and stops in order. */
  goesOn?: boolean;
  /** Told how far it is, for who looks on. */
  run?: BoxRun;
}

/** Opens the data folder, recovers what is there, and records. */
export async function runBox(
  dataFolder: string,
  { records = true, isDead, scenario = PROMISED, forMs = scenario.endMs, goesOn = false, run = newRun() }: BoxOptions,
): Promise<BoxRun> {
  const report = (message: string): void => void run.faults.push(message);
  let store: RecordingStore | undefined;
  let keeper: CallKeeper | undefined;
  let nudging: NodeJS.Timeout | undefined;
  try {
    store = RecordingStore.open(dataFolder, {
      device: "box",
      gatherMs: 0,
      audit: { onFault: report },
      onRefused: report,
    });
    store.audit.append({ kind: "started", actor: "service" });
    await store.audit.flush().catch(() => {});
    keeper = new CallKeeper(store, pool, loggerTo(report), 0, [], goesOn ? { alarms: deskOf(run) } : {});
    const journalRoot = join(dataFolder, "journal");
    // What waits to be tried again need not wait as long as on a real disk.
    if (goesOn) nudging = setInterval(() => keeper?.tryAgain(), 2);
    for (const folder of listRuns(journalRoot))
      await recoverOldRun(folder, { keeper, logger: loggerTo(report), lock: () => {} });
    clearInterval(nudging);
    if (records) {
      const folder = join(journalRoot, makeCallId(START_US));
      makeRun(folder);
      const edges = { folder, keeper, run, scenario, goesOn };
      await record(edges, () => isDead() || run.ranMs >= forMs);
    }
  } catch (error) {
    report(error instanceof Error ? error.message : String(error));
  } finally {
    // What was under way comes to its end, or finds its disk dead, before another process begins.
    clearInterval(nudging);
    await keeper?.idle();
    await settle();
    if (goesOn) await store?.audit.flush().catch(() => {});
    keeper?.giveUp();
    await settle();
    try {
      store?.close();
    } catch (error) {
      report(String(error));
    }
  }
  return run;
}

interface Recording {
  folder: string;
  keeper: CallKeeper;
  run: BoxRun;
  scenario: Scenario;
  goesOn: boolean;
}

async function record({ folder, keeper, run, scenario, goesOn }: Recording, isOver: () => boolean): Promise<void> {
  const { flushMs, syncMs } = scenario;
  const writer = new JournalWriter(
    { folder, segmentBytes: SEGMENT_BYTES, flushMs, syncMs, maxBlockBytes: 4096 },
    { onFault: (error) => run.faults.push(error.message) },
    { monotonicMs: () => run.ranMs },
  );
  run.counters = writer.counters;
  const calls = scenario.calls.map(({ fromMs, toMs }, call) => ({
    call,
    fromMs,
    toMs,
    times: timesOf(idOf(call, fromMs), fromMs),
    journal: undefined as CallJournal | undefined,
    packets: [] as AdmittedPacket[],
  }));
  type Call = (typeof calls)[number];
  const unwritten: { record: CallRecord; journal: CallJournal }[] = [];
  for (; !isOver(); run.ranMs += PTIME_MS) {
    for (const one of calls) {
      if (run.ranMs === one.fromMs) {
        one.journal = writer.begin(one.times.id);
        one.journal.snapshot(snapshotOf(one.times));
      }
      if (run.ranMs === one.toMs) finish(one);
      else if (run.ranMs >= one.fromMs && run.ranMs < one.toMs) admit(one);
    }
    if (run.ranMs % TICK_MS !== 0) continue;
    writer.tick(run.ranMs * 1000);
    endWritten();
    if (goesOn && run.ranMs % RETRY_MS === 0) keeper.tryAgain();
    await settle();
    await keeper.idle();
    await settle();
  }
  if (!goesOn) return;
  keeper.tryAgain();
  await settle();
  await keeper.idle();
  await writer.close();

  function admit({ call, fromMs, packets, journal }: Call): void {
    const number = (run.ranMs - fromMs) / PTIME_MS;
    for (const side of [0, 1] as const) {
      const stream = call * 2 + side;
      const one = packet({
        side,
        stream: side,
        capturedAtUs: START_US + run.ranMs * 1000,
        sequence: number,
        timestamp: number * PACKET_SAMPLES,
        payloadType: 8,
        payload: stampedPayload(stream, number, PACKET_SAMPLES),
      });
      if (!journal!.append(side, side, one.capturedAtUs, one.data, one.start, one.end)) continue;
      packets.push(one);
      run.admitted.set(stampOf(stream, number), run.ranMs);
    }
  }

  function finish({ times, packets, journal }: Call): void {
    const record = callRecord(packets, { ...times, endedAtUs: START_US + run.ranMs * 1000 });
    const position = journal!.end(record);
    if (position === undefined && journal!.isWaiting) unwritten.push({ record, journal: journal! });
    else keep(record, position ?? journal!.lastPosition);
  }

  /** As the recorder does: what the disk has refused may come into the file yet. */
  function endWritten(): void {
    for (const { record, journal } of unwritten.splice(0)) {
      if (journal.isWaiting) unwritten.push({ record, journal });
      else keep(record, journal.lastPosition);
    }
  }

  function keep(record: CallRecord, position: JournalPosition | undefined): void {
    void keeper.keep(record, position && { folder, position }).then((kept) => {
      if (kept) writer.release(record.id);
    });
  }
}

type Times = Pick<CallRecord, "id" | "startedAtUs" | "answeredAtUs">;

function timesOf(id: CallId, fromMs: number): Times {
  const startedAtUs = START_US + fromMs * 1000;
  return { id, startedAtUs, answeredAtUs: startedAtUs };
}

/** What is written of a call at its answer: nothing was admitted yet, and both may be. */
function snapshotOf({ startedAtUs, ...times }: Times): CallRecord {
  const record = callRecord([], { ...times, startedAtUs, endedAtUs: startedAtUs });
  for (const party of record.parties) {
    party.fromUs = party.toUs = startedAtUs;
    party.spans = [{ fromUs: startedAtUs, toUs: startedAtUs, evidence: "e1", packets: 0 }];
  }
  return record;
}

/** The promise: audio admitted so long before the end is there, whole, once; whatever else is there is whole as well. */
export function expectPromise(dataFolder: string, before: BoxRun, lossMs: number): string[] {
  const wrong: string[] = [];
  const recordings = readRecordings(dataFolder);
  const heard = new Map<string, number>();
  for (const { manifest, wavPath } of recordings) {
    if (!existsSync(wavPath)) {
      wrong.push(`${manifest.id} has no WAV`);
      continue;
    }
    const bytes = readFileSync(wavPath);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (bytes.length !== manifest.audio.bytes || sha256 !== manifest.audio.sha256)
      wrong.push(`${manifest.id}: WAV differs`);
    for (const channel of [0, 1]) {
      for (const { stream, number } of readStamps(channelOf(bytes, channel))) {
        heard.set(stampOf(stream, number), (heard.get(stampOf(stream, number)) ?? 0) + 1);
      }
    }
  }
  const missing = [...before.admitted].filter(([stamp, atMs]) => atMs <= before.ranMs - lossMs && !heard.has(stamp));
  if (missing.length > 0) wrong.push(`${missing.length} packets missing, the first ${missing[0]!.join(" at ")}`);
  const doubled = [...heard].filter(([, times]) => times > 1);
  if (doubled.length > 0) wrong.push(`${doubled.length} packets doubled`);
  return [...wrong, ...filesWrong(dataFolder, recordings.length), ...chainsWrong(dataFolder)];
}

/** Of a WAV with the plain header of 44 bytes, 16 bits, two channels: its hash says that it is what was sealed. */
function channelOf(wav: Buffer, channel: number): Int16Array {
  const samples = new Int16Array((wav.length - 44) / 4);
  for (let i = 0; i < samples.length; i++) samples[i] = wav.readInt16LE(44 + 4 * i + 2 * channel);
  return samples;
}

function filesWrong(dataFolder: string, recordings: number): string[] {
  const wrong: string[] = [];
  const files = filesBelow(join(dataFolder, "recordings"));
  const wavs = files.filter((name) => name.endsWith(".wav")).length;
  if (wavs !== recordings) wrong.push(`${wavs} WAVs for ${recordings} manifests`);
  if (files.length !== wavs + recordings)
    wrong.push(`left over: ${files.filter((name) => name.startsWith(".")).join(" ")}`);
  for (const folder of listRuns(join(dataFolder, "journal"))) {
    // Audio of which nobody can say whose it is stays where it is.
    if (recoverRun(folder).calls.every(({ record }) => record !== undefined)) wrong.push(`left over: ${folder}`);
  }
  return wrong;
}

function chainsWrong(dataFolder: string): string[] {
  const wrong: string[] = [];
  try {
    const ids = readChain(dataFolder).map(({ id }) => id);
    const log = readLog(dataFolder);
    const logged = log.map(({ id }) => id);
    for (const id of new Set([...ids, ...logged])) {
      const lines = logged.filter((one) => one === id).length;
      if (lines !== 1) wrong.push(`${id} has ${lines} lines in the call log`);
      const isRecorded = ids.includes(id as CallId);
      const isLogged = log.some((line) => line.id === id && line.file !== "");
      if (isRecorded !== isLogged) wrong.push(`${id} is recorded: ${isRecorded}, by the call log: ${isLogged}`);
      const proof = isRecorded ? proveRecording(dataFolder, id as CallId, publicKeyOf(dataFolder)) : undefined;
      const failed = proof?.checks.filter(({ name, passed }) => PROVED.has(name) && !passed) ?? [];
      for (const { name, faults } of failed) wrong.push(`${id}: ${name}: ${faults.join("; ")}`);
    }
  } catch (error) {
    wrong.push(error instanceof Error ? error.message : String(error));
  }
  return [...wrong, ...problemsOf(dataFolder).map((problem) => `audit: ${problem}`)];
}

/** The whole lines of the call log: what a power cut has torn, or of which it has left a page out, stays between them. */
function readLog(dataFolder: string): CallLogLine[] {
  const files = filesBelow(join(dataFolder, "calls")).map((name) =>
    readFileSync(join(dataFolder, "calls", name), "utf8"),
  );
  return files.flatMap((text) => text.split("\n").flatMap(wholeLine));
}

function wholeLine(text: string): CallLogLine[] {
  try {
    return [JSON.parse(text) as CallLogLine];
  } catch {
    return [];
  }
}

/** What does not depend on how the calls came to be. */
const PROVED = new Set(["signature", "audio", "previous", "next", "audit-recorded", "audit-head"]);

function deskOf({ alarms, faults }: BoxRun): AlarmDesk {
  return {
    raise(code) {
      alarms.add(code);
      faults.push(code);
    },
    clear: (code) => void alarms.delete(code),
  };
}

function loggerTo(report: (message: string) => void): Logger {
  const ignore = (): void => {};
  const say = (message: string, fields?: object): void => report(`${message} ${JSON.stringify(fields ?? {})}`);
  return { debug: ignore, info: ignore, warn: say, error: say };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}
