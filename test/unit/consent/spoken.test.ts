// What messages say of consent: two things at once, and by whom.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { officeConfig, RecorderRun } from "../../fakes/recorder-run.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

it("a=recordpref:off refuses beside a header that grants, which does not count for a moment", async () => {
  const run = new RecorderRun(folder, officeConfig({ consent: { onWithdrawal: "erase" } }));
  const headers = { invite: [["X-Recording-Consent", "granted"]] as const };
  run.feed(makeCall({ headers, sdpLines: { caller: ["a=recordpref:off"] } }));
  await run.end();
  const [record] = run.records;
  expect(record!.ledger).toMatchObject([{ party: 0, from: "unknown", to: "refused", source: "recordpref" }]);
  expect(record!.parties[0]).toMatchObject({ consent: "refused", spans: [] });
  expect(run.audited.map(({ kind }) => kind)).not.toContain("erased");
});

describe("with consent.header.from: not-agent", () => {
  const saidBy = async (from: "caller" | "callee", effect: string) => {
    const run = new RecorderRun(folder, officeConfig({ consent: { header: { from: "not-agent" } } }));
    const headers = [["X-Recording-Consent", effect]] as const;
    run.feed(makeCall({ midCall: [{ atMs: 500, from, method: "INFO", headers }] }));
    await run.end();
    return run.records[0]!;
  };

  it("the agent's phone grants nothing, anybody else does", async () => {
    const byAgent = await saidBy("callee", "granted");
    expect(byAgent.ledger).toEqual([]);
    expect(byAgent.parties[0]).toMatchObject({ consent: "unknown", spans: [] });
    const byCaller = await saidBy("caller", "granted");
    expect(byCaller.ledger).toMatchObject([{ party: 0, to: "granted", source: "sip-header" }]);
    expect(byCaller.parties[0]!.spans).toHaveLength(1);
  });

  it.each(["caller", "callee"] as const)("a refusal of the %s's phone counts", async (from) => {
    const record = await saidBy(from, "refused");
    expect(record.ledger).toMatchObject([{ party: 0, to: "refused", source: "sip-header" }]);
  });
});
