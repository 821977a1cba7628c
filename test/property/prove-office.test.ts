// Random days of an office, recorded, sealed, published and entered in the audit chain: every recording that comes of them can
// be proved, whatever the calls, the mirror port and the policy were. SIDETONE_PROVE_RUNS sets how many days (default 40).
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { formatProof } from "../../device/console/prove-report.js";
import { proveRecording } from "../../device/store/prove.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { day, playDay } from "../fakes/office-model-days.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { publishRun } from "../fakes/published-run.js";
import { officeConfig, RecorderRun } from "../fakes/recorder-run.js";
import { problemsOf } from "../unit/store/audit-kit.js";
import { publicKeyOf } from "../unit/store/store-kit.js";

const RUNS = Number(process.env["SIDETONE_PROVE_RUNS"] ?? 40);
const SEED = Number(process.env["SIDETONE_PROVE_SEED"] ?? 17);

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

/** Returns the ids of what was published. */
async function publishAll(data: string, run: RecorderRun) {
  const store = RecordingStore.open(data, { gatherMs: 0 });
  const published = await publishRun(store, run);
  store.close();
  return published;
}

test(
  "every recording of an office's day can be proved",
  async () => {
    const totals = { recordings: 0, parties: 0, changes: 0, erased: 0, closed: 0 };
    await fc.assert(
      fc.asyncProperty(day, fc.constantFrom("keep", "erase"), async (planned, onWithdrawal) => {
        const { policy } = planned;
        const data = mkdtempSync(join(folder, "data-"));
        const run = new RecorderRun(folder, officeConfig({ consent: { policy, onWithdrawal } }));
        await run.feed(playDay(planned).sightings).end();
        const ids = await publishAll(data, run);
        for (const id of ids) {
          const proof = proveRecording(data, id, publicKeyOf(data))!;
          const record = run.records.find((one) => one.id === id)!;
          if (!proof.proved) throw new Error(`${policy}\n${formatProof(proof)}\n${JSON.stringify(record)}`);
          totals.recordings++;
          totals.parties += record.parties.length - 2;
          totals.changes += record.ledger.length;
          totals.erased += record.parties.filter(({ erased }) => erased).length;
          totals.closed += record.parties.flatMap(({ closedSpans }) => closedSpans).length;
        }
        if (ids.length > 0) expect(problemsOf(data)).toEqual([]);
        for (const made of [data, run.journalFolder]) removeFolder(made);
      }),
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    );
    console.log(totals);
    for (const [what, count] of Object.entries(totals)) expect(count, what).toBeGreaterThan(RUNS / 20);
  },
  RUNS * 5000 + 30_000,
);
