// What one message says of consent when it says two things at once.
import { afterEach, beforeEach, expect, it } from "vitest";
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
