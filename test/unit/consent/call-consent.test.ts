// What is said of a caller's consent while nobody can tell which side the caller is: it takes effect when that is known,
// in the order in which it was said.
import { afterEach, beforeEach, expect, it } from "vitest";
import type { MidCallRequest } from "../../fakes/call-options.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { heard, officeConfig, recordFrames } from "../../fakes/recorded-frames.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

/** The agent, known by its address, has none for 500 ms (c=0.0.0.0), in which the caller says something. */
function saidOnHold(atMs: number, word: string): MidCallRequest[] {
  return [
    { atMs, from: "callee", method: "INVITE", sdp: { address: "0.0.0.0" } },
    { atMs: atMs + 200, from: "caller", method: "INFO", headers: [["X-Recording-Consent", word]] },
    { atMs: atMs + 500, from: "callee", method: "INVITE", sdp: {} },
  ];
}

it.each([
  [["withdrawn", "granted"], "granted", true],
  [["granted", "withdrawn"], "withdrawn", false],
] as const)("%j, said one after the other, each on hold: %s", async (words, consent, isRecordedInTheEnd) => {
  const midCall = words.flatMap((word, i) => saidOnHold(500 + 1000 * i, word));
  const { records } = await recordFrames(makeCall({ midCall }), officeConfig(), folder);
  expect(records[0]!.parties[0]).toMatchObject({ role: "caller", consent });
  const { recorded } = heard(records[0]!, 0);
  if (isRecordedInTheEnd) expect(recorded).toBe(100);
  else expect(recorded).toBe(25);
});
