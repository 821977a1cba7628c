// Random histories of calls against a model of consent that is written from the order in the README and knows nothing of
// the device. For each: which of the caller's packets may be on the disk, to the packet; all of the agent's; ledger, record
// and audit chain agree, and what was recorded can be proved.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CallId } from "../../device/base/ids.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import type { CallCommand } from "../../device/contract/commands.js";
import type { JournalPosition } from "../../device/contract/engine-messages.js";
import { CallReader } from "../../device/journal/reader.js";
import { recoverRun } from "../../device/journal/recovery.js";
import { proveRecording } from "../../device/store/prove.js";
import { RecordingStore } from "../../device/store/recordings.js";
import {
  AGENTS_SPEAKER,
  atUs,
  type History,
  history,
  KEY_OF,
  makeScene,
  nameOf,
  type Operation,
  type Scene,
} from "../fakes/consent-history.js";
import { expectationOf } from "../fakes/consent-model.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { publishRun } from "../fakes/published-run.js";
import { officeConfig, RecorderRun } from "../fakes/recorder-run.js";
import { problemsOf } from "../unit/store/audit-kit.js";
import { publicKeyOf } from "../unit/store/store-kit.js";

const HISTORIES = Number(process.env["SIDETONE_HISTORIES"] ?? 2000);
const PROVED_TOGETHER = 50;
const RTP_HEADER_BYTES = 12;

interface Outcome {
  records: CallRecord[];
  /** On the disk, whatever was taken back of it. */
  callers: Set<string>;
  agents: Set<string>;
  /** Would be in the recording: not taken back. */
  kept: Set<string>;
  run: RecorderRun;
  hasCrashed: boolean;
  refused: Set<Operation>;
}

function configFor({ list, erases }: History) {
  return officeConfig({
    consent: {
      dtmf: KEY_OF,
      recordpref: { grants: true },
      numbers: { [list === "never" ? "never" : "always"]: list === "none" ? [] : ["030*"] },
      onWithdrawal: erases ? "erase" : "keep",
      pause: { maxS: 3600 },
    },
    // A packet that shuffling moved past its successors is late, not gone.
    capture: { duplicates: "remove" },
  });
}

async function play(scene: Scene, history: History, folder: string): Promise<Outcome> {
  const config = configFor(history);
  const outcome: Omit<Outcome, "run"> = {
    records: [],
    callers: new Set(),
    agents: new Set(),
    kept: new Set(),
    hasCrashed: false,
    refused: new Set(),
  };
  let run = new RecorderRun(folder, config);
  const outside = history.operations.filter(({ kind }) => ["command", "pause", "resume", "crash"].includes(kind));
  for (const frame of scene.frames) {
    while (outside[0] && frame.atUs >= atUs(outside[0].slot)) {
      const one = outside.shift()!;
      if (one.kind === "crash") {
        // Killed: what was written is all that is left.
        run.recorder.journal.flush();
        readDisk(run.journalFolder, undefined, outcome);
        outcome.hasCrashed = true;
        await run.recorder.journal.close();
        const left = run.carried.state(frame.atUs);
        run = new RecorderRun(folder, config, "", left);
      } else if (!run.recorder.command(commandOf(one)).ok) outcome.refused.add(one);
    }
    run.feed([frame]);
  }
  run.recorder.closeAll();
  readDisk(run.journalFolder, run.records, outcome);
  await run.recorder.journal.close();
  outcome.records.push(...run.records);
  return { ...outcome, run };
}

function commandOf(one: Operation): CallCommand {
  const source = one.kind === "command" ? one.source : "api";
  const body = (
    one.kind === "command"
      ? { verb: "consent", call: { agent: "21" }, party: "caller", effect: one.effect, reason: "model" }
      : { verb: one.kind, call: "all", reason: "" }
  ) as CallCommand["body"];
  return { body, source, by: "model" };
}

/** Everything in the journal; `records`: of calls that ended, undefined after a crash. */
function readDisk(folder: string, records: readonly CallRecord[] | undefined, into: Omit<Outcome, "run">): void {
  for (const call of recoverRun(folder).calls) {
    const record = records?.find(({ id }) => id === call.id) ?? call.record;
    readCall(folder, call.position, call.id, record, into);
  }
}

function readCall(
  folder: string,
  position: JournalPosition,
  id: CallId,
  record: CallRecord | undefined,
  into: Omit<Outcome, "run">,
): void {
  const reader = CallReader.open(folder, position, id);
  reader.visit(({ stream, capturedAtUs, data, start }) => {
    const name = nameOf(data.subarray(start + RTP_HEADER_BYTES));
    if (name.startsWith(`${AGENTS_SPEAKER} `)) {
      into.agents.add(name);
      return;
    }
    into.callers.add(name);
    const party = record?.parties[record.streams.find(({ index }) => index === stream)?.party ?? -1];
    const lastErasedUs = Math.max(...(party?.erased ?? []).map(({ toUs }) => toUs), 0);
    if (capturedAtUs > lastErasedUs) into.kept.add(name);
  });
  reader.close();
}

/** The record's ledger is a walk from unknown to what it says of the party, and its counts are those of its spans. */
function checkRecord(record: CallRecord, run: RecorderRun): void {
  const walked = new Map<number, string>();
  for (const { party, from, to } of record.ledger) {
    expect(walked.get(party) ?? "unknown").toBe(from);
    walked.set(party, to);
  }
  for (const [i, party] of record.parties.entries()) {
    if (party.role === "caller") expect(party.consent).toBe(walked.get(i) ?? "unknown");
    const streams = record.streams.filter((stream) => stream.party === i);
    const sum = (pick: (stream: CallRecord["streams"][0]) => number) => streams.reduce((n, one) => n + pick(one), 0);
    const count = (spans: readonly { packets: number }[]) => spans.reduce((n, span) => n + span.packets, 0);
    expect(count(party.spans)).toBe(sum(({ packets }) => packets.recorded));
    expect(count(party.closedSpans)).toBe(sum(({ packets }) => packets.discarded));
    for (const { packets } of streams)
      expect(packets.seen).toBe(packets.recorded + packets.discarded + packets.duplicate);
  }
  const audited = run.audited.flatMap((event) => (event.kind === "consent" && event.call === record.id ? [event] : []));
  expect(record.ledger.map(({ atUs: time, from, to, source }) => ({ atUs: time, from, to, source }))).toEqual(
    audited.map(({ atUs: time, from, to, source }) => ({ atUs: time, from, to, source })),
  );
}

/** Recordings of a handful of histories, published into one data folder and proved together. */
class Proofs {
  proved = 0;
  private readonly parent: string;
  private data = "";
  private store: RecordingStore | undefined;
  private readonly ids: CallId[] = [];

  constructor(parent: string) {
    this.parent = parent;
  }

  async take(run: RecorderRun): Promise<void> {
    if (!this.store) {
      this.data = mkdtempSync(join(this.parent, "data-"));
      this.store = RecordingStore.open(this.data, { gatherMs: 0 });
    }
    this.ids.push(...(await publishRun(this.store, run)));
    if (this.ids.length >= PROVED_TOGETHER) this.settle();
  }

  /** Chain and signatures, ledger and audit entries, counts, and silence outside the spans. */
  settle(): void {
    this.store?.close();
    this.store = undefined;
    if (this.ids.length === 0) return;
    expect(problemsOf(this.data)).toEqual([]);
    for (const id of this.ids.splice(0)) {
      const proof = proveRecording(this.data, id, publicKeyOf(this.data))!;
      expect(proof.checks.filter(({ passed }) => !passed)).toEqual([]);
      this.proved++;
    }
    removeFolder(this.data);
  }
}

describe("property: any history of consent", () => {
  let folder: string;
  beforeAll(() => {
    folder = makeFolder();
  });
  afterAll(() => removeFolder(folder));

  it(`${HISTORIES} histories: exactly what was allowed is on the disk, and it can be proved`, async () => {
    const totals = { admitted: 0, crashes: 0, transfers: 0 };
    const proofs = new Proofs(folder);
    await fc.assert(
      fc.asyncProperty(history, async (planned) => {
        const scene = makeScene(planned);
        const { records, callers, agents, kept, run, hasCrashed, refused } = await play(scene, planned, folder);
        expect(hasCrashed || refused.size === 0).toBe(true);
        const expected = expectationOf(scene, planned, refused);
        totals.admitted += callers.size;
        const forbidden = [...callers].filter((name) => !expected.allowed.has(name));
        expect(forbidden).toEqual([]);
        expect([...kept].filter((name) => expected.erased.has(name))).toEqual([]);
        expect([...agents].filter((name) => !expected.agent.has(name))).toEqual([]);
        if (hasCrashed) totals.crashes++;
        else {
          const missing = [...expected.allowed].filter((name) => !expected.erased.has(name) && !kept.has(name));
          expect(missing).toEqual([]);
          expect([...expected.agent].filter((name) => !agents.has(name))).toEqual([]);
          expect(records).toHaveLength(1);
        }
        if (records.some(({ parties }) => parties.some(({ joinedBy }) => joinedBy === "transfer"))) totals.transfers++;
        for (const record of records) checkRecord(record, run);
        await proofs.take(run);
        removeFolder(run.journalFolder);
      }),
      { seed: 20261127, numRuns: HISTORIES },
    );
    proofs.settle();
    expect(totals.admitted).toBeGreaterThan(HISTORIES * 10);
    expect(totals.crashes).toBeGreaterThan(HISTORIES / 20);
    expect(totals.transfers).toBeGreaterThan(HISTORIES / 20);
    expect(proofs.proved).toBeGreaterThan(HISTORIES / 2);
  }, 900_000);
});
