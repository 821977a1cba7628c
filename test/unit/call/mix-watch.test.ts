// Who counts as mixed among few and among very many conversations of one agent, told by the warnings of the calls.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { officeConfig, RecorderRun } from "../../fakes/recorder-run.js";
import { mergeCalls } from "../../fakes/timed-frames.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

/** Calls to one agent, one every 10 ms, all at once in the end; whether each counted as mixed. */
async function areMixed(callers: readonly string[]): Promise<boolean[]> {
  const calls = callers.map((user, i) =>
    makeCall({
      callId: `c${String(i).padStart(4, "0")}`,
      startUs: Date.UTC(2026, 10, 21, 9) * 1000 + i * 10_000,
      durationMs: 4000,
      caller: { user, rtpPort: 20_000 + 2 * i, isMute: true },
      callee: { rtpPort: 40_000 + 2 * i, isMute: true },
    }),
  );
  const run = new RecorderRun(folder, officeConfig()).feed(mergeCalls(...calls));
  await run.end();
  const byCall = run.records.map(({ sipCallIds, warnings }) => ({
    id: sipCallIds[0]!,
    isMixed: warnings.some(({ code }) => code === "agent-stream-mixed"),
  }));
  return byCall.sort((a, b) => a.id.localeCompare(b.id)).map(({ isMixed }) => isMixed);
}

const many = (user: string, count: number): string[] => Array<string>(count).fill(user);

describe("an agent in several conversations at once", () => {
  it.each([2, 4, 5, 100])("%i with one and the same number: nobody is mixed", async (count) => {
    expect(await areMixed(many("0301234567", count))).toEqual(Array(count).fill(false));
  });

  it.each([1, 2, 3])(
    "%i with one number and another caller, first, in between or last: all are mixed",
    async (count) => {
      const half = count >> 1;
      for (const callers of [
        ["0309", ...many("0301", count)],
        [...many("0301", half), "0309", ...many("0301", count - half)],
        [...many("0301", count), "0309"],
      ]) {
        expect(await areMixed(callers)).toEqual(Array(count + 1).fill(true));
      }
    },
  );

  it("with callers who name no number: they may be anybody, and all are mixed", async () => {
    expect(await areMixed(["anonymous", "anonymous"])).toEqual([true, true]);
  });

  it("more than a phone can join is a telephone system: who came after that is not mixed", async () => {
    const callers = Array.from({ length: 30 }, (_, i) => `030${1000 + i}`);
    // The first four were taken for a phone's, until the fifth.
    expect(await areMixed(callers)).toEqual(callers.map((_, i) => i < 4));
  });
});
