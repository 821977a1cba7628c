// A box as far as it has to do with the disk: it journals calls, keeps those that end, and recovers at its start what the
// one before it left. Runs through simulated seconds in as little time as the machine needs; dies where its disk says so.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CallId } from "../../device/base/ids.js";
import { makeCallId } from "../../device/base/ids.js";
import type { Logger } from "../../device/base/logger.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import type { CallLogLine } from "../../device/contract/manifest.js";
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
const PACKET_SAMPLES = 320;
/** Room for two packets of both sides: several segments. */
const SEGMENT_BYTES = 32 * 1024;
const FLUSH_MS = 1000;
const SYNC_MS = 5000;

/** Calls by when they begin and end, ms; the last is still in progress when the box stops. */
const CALLS = [
  { fromMs: 0, toMs: 2600 },
  { fromMs: 400, toMs: 2600 },
  { fromMs: 1000, toMs: 5200 },
  { fromMs: 4400, toMs: Number.POSITIVE_INFINITY },
] as const;
const END_MS = 9400;

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
  syncs: number;
}

const stampOf = (stream: number, number: number): string => `${stream} ${number}`;
const idOf = (call: number): CallId => makeCallId(START_US + CALLS[call]!.fromMs * 1000, Buffer.alloc(10, call + 1));

export interface BoxOptions {
  /** Goes through the calls; else it only recovers. */
  records?: boolean;
  /** The process is no more. */
  isDead(): boolean;
  /** How long it records. */
  forMs?: number;
}

/** Opens the data folder, recovers what is there, and records. */
export async function runBox(
  dataFolder: string,
  { records = true, isDead, forMs = END_MS }: BoxOptions,
): Promise<BoxRun> {
  const run: BoxRun = { admitted: new Map(), ranMs: 0, faults: [], syncs: 0 };
  const report = (message: string): void => void run.faults.push(message);
  let store: RecordingStore | undefined;
  let keeper: CallKeeper | undefined;
  try {
    store = RecordingStore.open(dataFolder, { device: "box", gatherMs: 0, audit: { onFault: report } });
    store.audit.append({ kind: "started", actor: "service" });
    await store.audit.flush().catch(() => {});
    keeper = new CallKeeper(store, pool, loggerTo(report), 0);
    const journalRoot = join(dataFolder, "journal");
    for (const folder of listRuns(journalRoot))
      await recoverOldRun(folder, { keeper, logger: loggerTo(report), lock: () => {} });
    if (records) {
      const folder = join(journalRoot, makeCallId(START_US));
      makeRun(folder);
      await record(folder, keeper, run, () => isDead() || run.ranMs >= forMs);
    }
  } catch (error) {
    report(error instanceof Error ? error.message : String(error));
  } finally {
    // What was under way comes to its end, or finds its disk dead, before another process begins.
    await keeper?.idle();
    await settle();
    try {
      store?.close();
    } catch {
      // The dead do nothing more.
    }
  }
  return run;
}

async function record(folder: string, keeper: CallKeeper, run: BoxRun, isOver: () => boolean): Promise<void> {
  const writer = new JournalWriter(
    { folder, segmentBytes: SEGMENT_BYTES, flushMs: FLUSH_MS, syncMs: SYNC_MS, maxBlockBytes: 4096 },
    { onFault: (error) => run.faults.push(error.message) },
    { monotonicMs: () => run.ranMs },
  );
  const calls = CALLS.map((_, call) => ({
    call,
    journal: undefined as CallJournal | undefined,
    packets: [] as AdmittedPacket[],
  }));
  for (; !isOver(); run.ranMs += PTIME_MS) {
    for (const one of calls) {
      const { fromMs, toMs } = CALLS[one.call]!;
      if (run.ranMs === fromMs) {
        one.journal = writer.begin(idOf(one.call));
        one.journal.snapshot(snapshotOf(one.call));
      }
      if (run.ranMs === toMs) finish(one.call, one.packets, one.journal!);
      else if (run.ranMs >= fromMs && run.ranMs < toMs) admit(one.call, one.packets, one.journal!);
    }
    if (run.ranMs % TICK_MS !== 0) continue;
    writer.tick(run.ranMs * 1000);
    await settle();
    await keeper.idle();
    await settle();
  }
  run.syncs = writer.counters["journal.syncs"];

  function admit(call: number, packets: AdmittedPacket[], journal: CallJournal): void {
    const number = (run.ranMs - CALLS[call]!.fromMs) / PTIME_MS;
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
      if (!journal.append(side, side, one.capturedAtUs, one.data, one.start, one.end)) continue;
      packets.push(one);
      run.admitted.set(stampOf(stream, number), run.ranMs);
    }
  }

  function finish(call: number, packets: AdmittedPacket[], journal: CallJournal): void {
    const record = callRecord(packets, { ...timesOf(call), endedAtUs: START_US + run.ranMs * 1000 });
    const position = journal.end(record) ?? journal.lastPosition;
    void keeper.keep(record, position && { folder, position }).then((kept) => {
      if (kept) writer.release(record.id);
    });
  }
}

function timesOf(call: number): Pick<CallRecord, "id" | "startedAtUs" | "answeredAtUs"> {
  const startedAtUs = START_US + CALLS[call]!.fromMs * 1000;
  return { id: idOf(call), startedAtUs, answeredAtUs: startedAtUs };
}

/** What is written of a call at its answer: nothing was admitted yet, and both may be. */
function snapshotOf(call: number): CallRecord {
  const { startedAtUs, ...times } = timesOf(call);
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

/** The whole lines of the call log: what a power cut has torn stays between them. */
function readLog(dataFolder: string): CallLogLine[] {
  const files = filesBelow(join(dataFolder, "calls")).map((name) =>
    readFileSync(join(dataFolder, "calls", name), "utf8"),
  );
  const lines = files.flatMap((text) => text.split("\n")).filter((line) => line.startsWith("{") && line.endsWith("}"));
  return lines.map((line) => JSON.parse(line) as CallLogLine);
}

/** What does not depend on how the calls came to be. */
const PROVED = new Set(["signature", "audio", "previous", "next", "audit-recorded", "audit-head"]);

function loggerTo(report: (message: string) => void): Logger {
  const ignore = (): void => {};
  const say = (message: string, fields?: object): void => report(`${message} ${JSON.stringify(fields ?? {})}`);
  return { debug: ignore, info: ignore, warn: say, error: say };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}
