// Random days of an office, recorded, sealed, published and entered in the audit chain: every recording that comes of them can
// be proved, whatever the calls, the mirror port and the policy were. SIDETONE_PROVE_RUNS sets how many days (default 40).
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { formatProof } from "../../device/console/prove-report.js";
import { auditEntryOf } from "../../device/contract/audit.js";
import type { CallRecord } from "../../device/contract/call-record.js";
import type { Config } from "../../device/contract/config.js";
import type { AuditedEvent, JournalPosition } from "../../device/contract/engine-messages.js";
import { CallReader } from "../../device/journal/reader.js";
import { Recorder } from "../../device/recorder.js";
import { sealAudio } from "../../device/seal/seal.js";
import { proveRecording } from "../../device/store/prove.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { day } from "../fakes/office-model-days.js";
import type { Reach } from "../fakes/office-model-effects.js";
import { playOperations } from "../fakes/office-model-operations.js";
import { onTheWire } from "../fakes/office-model-wire.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { officeConfig } from "../fakes/recorded-frames.js";
import type { TimedFrame } from "../fakes/timed-frames.js";
import { problemsOf } from "../unit/store/audit-kit.js";
import { publicKeyOf } from "../unit/store/store-kit.js";

const RUNS = Number(process.env["SIDETONE_PROVE_RUNS"] ?? 40);
const SEED = Number(process.env["SIDETONE_PROVE_SEED"] ?? 17);
const REACH: Reach = {
  resentSayings: false,
  outsideForks: false,
  sayingsAmongAgents: false,
  namelessCallers: false,
  transfersBehindPbx: false,
};

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

interface Ended {
  record: CallRecord;
  position: JournalPosition | undefined;
}

async function record(frames: readonly TimedFrame[], config: Config, journal: string) {
  const ended: Ended[] = [];
  const audited: AuditedEvent[] = [];
  const recorder = new Recorder(
    config,
    { journal, registers: "" },
    {
      audited: (event) => audited.push(event),
      notice: () => {},
      ended: (record, position) => ended.push({ record, position }),
      journalFault: (error) => {
        throw error;
      },
    },
  );
  for (const { frame, atUs } of frames) {
    const capturedLength = frame.length;
    const common = { linkType: 1, interfaceIndex: 0, start: 0, capturedLength, originalLength: capturedLength };
    recorder.handleFrame({ ...common, data: frame, capturedAtUs: atUs });
  }
  recorder.closeAll();
  await recorder.journal.close();
  return { ended, audited };
}

/** Returns the ids of what was published. */
async function publishAll(data: string, journal: string, ended: readonly Ended[], audited: readonly AuditedEvent[]) {
  const store = RecordingStore.open(data, { gatherMs: 0 });
  for (const event of audited) store.audit.append(auditEntryOf(event));
  const published: CallRecord["id"][] = [];
  for (const { record, position } of ended) {
    if (record.noAudio !== undefined || record.absorbedBy !== undefined || position === undefined) continue;
    const reader = CallReader.open(journal, position, record.id);
    const sealed = sealAudio(reader, record, { temporaryPath: store.temporaryPathFor(record) });
    reader.close();
    if (sealed.kind !== "audio") continue;
    await store.publish(record, sealed);
    published.push(record.id);
  }
  store.close();
  return published;
}

test(
  "every recording of an office's day can be proved",
  async () => {
    const totals = { recordings: 0, parties: 0, changes: 0, erased: 0, closed: 0 };
    await fc.assert(
      fc.asyncProperty(day, fc.constantFrom("keep", "erase"), async ({ policy, operations, faults }, onWithdrawal) => {
        const { steps } = playOperations(operations, REACH);
        const frames = onTheWire(steps, faults, REACH);
        const config = officeConfig({ consent: { policy, onWithdrawal } });
        const [data, journal] = [mkdtempSync(join(folder, "data-")), mkdtempSync(join(folder, "journal-"))];
        const { ended, audited } = await record(frames, config, journal);
        const ids = await publishAll(data, journal, ended, audited);
        for (const id of ids) {
          const proof = proveRecording(data, id, publicKeyOf(data))!;
          const record = ended.find((one) => one.record.id === id)!.record;
          if (!proof.proved) throw new Error(`${policy}\n${formatProof(proof)}\n${JSON.stringify(record)}`);
          totals.recordings++;
          totals.parties += record.parties.length - 2;
          totals.changes += record.ledger.length;
          totals.erased += record.parties.filter(({ erased }) => erased).length;
          totals.closed += record.parties.flatMap(({ closedSpans }) => closedSpans).length;
        }
        if (ids.length > 0) expect(problemsOf(data)).toEqual([]);
        for (const made of [data, journal]) removeFolder(made);
      }),
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    );
    console.log(totals);
    for (const [what, count] of Object.entries(totals)) expect(count, what).toBeGreaterThan(RUNS / 20);
  },
  RUNS * 5000 + 30_000,
);
