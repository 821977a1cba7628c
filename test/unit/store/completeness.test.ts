// Calls seen against recordings made: every call of the log is counted once, in its period, with what became of it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCallId } from "../../../device/base/ids.js";
import {
  type CompletenessCommand,
  formatCompleteness,
  parseCompletenessCommand,
  runCompletenessCommand,
} from "../../../device/console/completeness-command.js";
import { NO_AUDIO_REASONS } from "../../../device/contract/call-record.js";
import { MISSING_KINDS } from "../../../device/contract/completeness.js";
import type { CallLogLine } from "../../../device/contract/manifest.js";
import { countCompleteness } from "../../../device/store/completeness.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
  mkdirSync(join(folder, "calls"));
});
afterEach(() => removeFolder(folder));

let calls = 0;
function line(startedAt: string, rest: Partial<CallLogLine> = {}): Partial<CallLogLine> {
  const id = makeCallId(Date.parse(startedAt) * 1000 + ++calls);
  return { schema: "sidetone.call-log/1", id, startedAt, noAudio: "", file: `${id}.wav`, parties: [], ...rest };
}
function log(day: string, lines: readonly (Partial<CallLogLine> | string)[]): void {
  const text = lines.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n");
  writeFileSync(join(folder, "calls", `${day}.jsonl`), `${text}\n`);
}
const stored = (one: Partial<CallLogLine>): Partial<CallLogLine> => {
  writeFileSync(join(folder, one.file!), "");
  return one;
};
const WEEK = { from: "2026-11-20T00:00:00.000Z", to: "2026-11-22T23:59:59.999Z", by: "day" } as const;
const command = (rest: Partial<CompletenessCommand> = {}): CompletenessCommand => ({ json: false, ...WEEK, ...rest });

describe("the count", () => {
  it("is of every call once, by day, whatever became of it", async () => {
    const twice = stored(line("2026-11-21T09:00:00Z"));
    log("2026-11-20", [line("2026-11-20T23:59:59Z", { noAudio: "not-answered", file: "" })]);
    log("2026-11-21", [
      twice,
      line("2026-11-21T09:30:00Z", { noAudio: "no-media", file: "" }),
      "torn",
      line("2026-11-21T10:00:00Z", { file: "", deleted: "age" as never }),
      line("2026-11-21T11:00:00Z"),
      twice,
    ]);
    log("2026-11-23", [line("2026-11-23T00:00:00Z")]);
    expect(await countCompleteness(folder, WEEK)).toEqual({
      periods: [
        { period: "2026-11-20", seen: 1, recorded: 0, missing: { "not-answered": 1 } },
        { period: "2026-11-21", seen: 4, recorded: 1, missing: { "no-media": 1, deleted: 1, "file-missing": 1 } },
      ],
      total: {
        seen: 5,
        recorded: 1,
        missing: { "not-answered": 1, "no-media": 1, deleted: 1, "file-missing": 1 },
      },
      faults: 2,
      badLines: 1,
    });
  });

  it("is by hour, of the calls between two times", async () => {
    const at = (time: string) => stored(line(`2026-11-21T${time}Z`));
    log("2026-11-21", [at("09:59:59.999999"), at("10:00:00.000000"), at("10:30:00.5"), at("11:00:01.000000")]);
    const question = { from: "2026-11-21T10:00:00.000Z", to: "2026-11-21T11:00:00.999Z", by: "hour" } as const;
    const { periods } = await countCompleteness(folder, question);
    expect(periods.map(({ period, seen }) => [period, seen])).toEqual([["2026-11-21T10", 2]]);
  });

  it("of a folder without calls is nothing", async () => {
    const { total, periods } = await countCompleteness(join(folder, "calls"), WEEK);
    expect([total, periods]).toEqual([{ seen: 0, recorded: 0, missing: {} }, []]);
  });
});

describe("the command", () => {
  it("says by day what is there and why the rest is not, and ends with 5 while something is to be mended", async () => {
    log("2026-11-21", [
      stored(line("2026-11-21T09:00:00Z")),
      line("2026-11-21T09:10:00Z", { noAudio: "encrypted", file: "" }),
      line("2026-11-21T09:20:00Z", { noAudio: "sampled-out", file: "" }),
    ]);
    let text = "";
    const write = (more: string): void => {
      text += more;
    };
    expect(await runCompletenessCommand(command(), folder, write)).toBe(5);
    expect(text.split("\n").slice(0, 3)).toEqual([
      "day         seen  recorded  nothing to record  not wanted  missing",
      "2026-11-21     3         1                  0           1        1",
      "all            3         1                  0           1        1",
    ]);
    expect(text).toContain("     1  encrypted: the media is encrypted");
  });

  it("ends with 0 when nothing is missing, and says when there was no call", async () => {
    const written: string[] = [];
    expect(await runCompletenessCommand(command(), folder, (text) => written.push(text))).toBe(0);
    expect(written).toEqual(["No call began from 2026-11-20T00:00 to 2026-11-22T23:59 UTC.\n"]);
  });

  it("is JSON when asked", async () => {
    log("2026-11-21", [stored(line("2026-11-21T09:00:00Z"))]);
    const report = await countCompleteness(folder, WEEK);
    const text = formatCompleteness(report, command({ json: true }));
    expect(JSON.parse(text)).toEqual({ schema: "sidetone.completeness/1", ...WEEK, ...report });
  });

  it("takes the last week by day, unless told otherwise", () => {
    const nowMs = Date.parse("2026-11-28T12:00:00Z");
    expect(parseCompletenessCommand([], nowMs)).toMatchObject({ from: "2026-11-22T00:00:00.000Z", by: "day" });
    expect(
      parseCompletenessCommand(["--from", "2026-11-01", "--to", "2026-11-02", "--by", "hour"], nowMs),
    ).toMatchObject({
      from: "2026-11-01T00:00:00.000Z",
      to: "2026-11-02T23:59:59.999Z",
      by: "hour",
    });
    expect(() => parseCompletenessCommand(["--by", "week"], nowMs)).toThrow("not one of day, hour");
    expect(() => parseCompletenessCommand(["--from", "2026-11-02", "--to", "2026-11-01"], nowMs)).toThrow("later");
    expect(() => parseCompletenessCommand(["today"], nowMs)).toThrow("unexpected argument");
  });
});

it("every reason has a kind", () => {
  expect(Object.keys(MISSING_KINDS).toSorted()).toEqual([...NO_AUDIO_REASONS, "deleted", "file-missing"].toSorted());
});
