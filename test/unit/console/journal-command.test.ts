import { describe, expect, it } from "vitest";
import { formatJournals, formatOpened, parseJournalCommand } from "../../../device/console/journal-command.js";

const RUN = "01KAJ5QX00ABCDEFGHJKMNPQRS";

describe("sidetoned journal", () => {
  it("takes what it needs", () => {
    expect(parseJournalCommand(["list", "--json", "--data", "d"])).toEqual({
      verb: "list",
      json: true,
      dataFolder: "d",
    });
    expect(parseJournalCommand(["open", RUN, "--identity", "k.txt", "--out", "o"])).toEqual({
      verb: "open",
      run: RUN,
      identityFile: "k.txt",
      out: "o",
      json: false,
    });
  });

  it.each([
    [[], "the commands are journal list, journal open"],
    [["opn"], "did you mean open"],
    [["list", "x"], "unexpected argument after journal list"],
    [["list", "--identity", "k"], "--identity: unknown flag of journal list"],
    [["open", "--identity", "k", "--out", "o"], "needs a run"],
    [["open", RUN, "--out", "o"], "needs --identity FILE"],
    [["open", RUN, "--identity", "k"], "needs --out DIR"],
    [["open", RUN, "other", "--identity", "k", "--out", "o"], "unexpected argument after journal open RUN"],
  ])("refuses %j in one line", (argv, why) => {
    expect(() => parseJournalCommand(argv)).toThrow(why);
  });

  it("says what there is, one line a run", () => {
    expect(formatJournals([], false)).toBe("No journal is locked.\n");
    const journal = { run: RUN, folder: "f", lockedAt: "2026-11-28T03:00:00.000000Z", calls: ["a", "b"], bytes: 5 };
    expect(formatJournals([journal, { ...journal, lockedAt: "" }], false)).toBe(
      `${RUN}  2 calls  5 bytes  since 2026-11-28T03:00:00Z\n${RUN}  2 calls  5 bytes\n`,
    );
    expect(JSON.parse(formatJournals([journal], true))).toEqual({
      schema: "sidetone.locked-journals/1",
      journals: [journal],
    });
  });

  it("says what came out, and what could not be stored", () => {
    const opened = { run: RUN, out: "o", recordings: ["recordings/a.wav"], withoutAudio: 0, failed: 0 };
    expect(formatOpened(opened, false)).toBe(`Run ${RUN}: 1 recordings, in o\n  recordings/a.wav\n`);
    expect(formatOpened({ ...opened, recordings: [], withoutAudio: 2, failed: 1 }, false)).toBe(
      `Run ${RUN}: 0 recordings, 2 calls without audio, 1 calls that could not be stored, in o\n`,
    );
    expect(JSON.parse(formatOpened(opened, true))).toEqual({ schema: "sidetone.opened-journal/1", ...opened });
  });
});
