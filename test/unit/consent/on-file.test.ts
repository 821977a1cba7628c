// What is on file during a call: a register that changes under it, as the engine's pipeline takes it.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../../device/contract/call-record.js";
import { DEFAULT_START_US } from "../../fakes/call-options.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { officeConfig, RecorderRun } from "../../fakes/recorder-run.js";
import { grant, refusal, writeConsent } from "./register-kit.js";

const ANSWER_US = DEFAULT_START_US + 1_000_000;
const CALLER = 0;
/** As in the calls that are made here; in force whenever they are. */
const ENTRY = { number: "0301234567", validFrom: "1970-01-01" };

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

/** `during`: what the register is from so many ms after the answer on. */
async function play(
  consent: Record<string, unknown>,
  during: Record<number, Parameters<typeof writeConsent>[1][]>,
): Promise<{ record: CallRecord; changes: string[]; run: RecorderRun }> {
  writeConsent(folder, grant(ENTRY));
  const run = new RecorderRun(folder, officeConfig({ consent }), folder);
  const due = Object.entries(during);
  for (const frame of makeCall()) {
    while (due[0] && frame.atUs >= ANSWER_US + Number(due[0][0]) * 1000) {
      writeConsent(folder, ...due.shift()![1]);
      run.recorder.reloadRegisters();
    }
    run.feed([frame]);
  }
  await run.end();
  const [record] = run.records;
  expect(run.records).toHaveLength(1);
  const changes = record!.ledger.map(({ from, to, by }) => `${from}>${to} ${by.replace(/entry .*/, "entry")}`);
  return { record: record!, changes, run };
}

describe("a register that changes during a call", () => {
  it("is a withdrawal when it refuses what it granted, and one that erases where configured", async () => {
    const refused = { 2000: [grant(ENTRY), refusal(ENTRY)] };
    const kept = await play({}, refused);
    expect(kept.changes).toEqual(["unknown>granted register entry", "granted>withdrawn register entry"]);
    expect(kept.record.parties[CALLER]!.consent).toBe("withdrawn");
    expect(kept.record.parties[CALLER]!.spans).toHaveLength(1);

    const erased = await play({ onWithdrawal: "erase" }, refused);
    expect(erased.record.parties[CALLER]!.spans).toEqual([]);
    expect(erased.record.parties[CALLER]!.erased![0]!.packets).toBeGreaterThan(80);
    expect(erased.run.audited).toContainEqual(expect.objectContaining({ kind: "erased", source: "register" }));
  });

  it("is none when an entry is merely gone", async () => {
    const { changes, record } = await play({ onWithdrawal: "erase" }, { 2000: [] });
    expect(changes).toEqual(["unknown>granted register entry", "granted>unknown no longer on file"]);
    expect(record.parties[CALLER]!.spans).toHaveLength(1);
    expect(record.parties[CALLER]!.erased).toBeUndefined();
  });

  it("names the entry that counts when another takes the place of one", async () => {
    const { record } = await play({}, { 2000: [grant({ ...ENTRY, source: "form" })] });
    const [first, second] = record.parties[CALLER]!.spans;
    expect(record.parties[CALLER]!.consent).toBe("granted");
    expect(second!.evidence).not.toBe(first!.evidence);
    expect(record.evidence.find(({ id }) => id === second!.evidence)!.detail).toMatchObject({ source: "form" });
  });
});
