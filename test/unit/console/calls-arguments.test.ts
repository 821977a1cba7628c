// `sidetoned calls | tag | reindex` on the command line: every filter, and one line for what is not understood.
import { expect, it } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { parseCallsCommand, parseTagCommand } from "../../../device/console/calls-arguments.js";

const DAY_US = Date.UTC(2026, 10, 21) * 1000;

it.each<[string, object]>([
  ["", {}],
  ["--from 2026-11-21 --to 2026-11-21", { fromUs: DAY_US, toUs: DAY_US + 86_400e6 }],
  [
    "--from 2026-11-21T09:00 --to 2026-11-21T09:00:30",
    { fromUs: DAY_US + 9 * 3600e6, toUs: DAY_US + 9 * 3600e6 + 30e6 },
  ],
  ["--agent 21 --number 030/123", { agent: "21", number: "030/123" }],
  [
    "--consent refused --policy none --outcome no-consent",
    { consent: "refused", policy: "none", outcome: "no-consent" },
  ],
  ["--min-duration 90 --max-duration 1.5h", { minDurationMs: 90_000, maxDurationMs: 5_400_000 }],
  ["--min-duration 250ms --max-duration 5m --tag a.b-c", { minDurationMs: 250, maxDurationMs: 300_000, tag: "a.b-c" }],
])("calls %s", (text, filter) => {
  const argv = text.split(" ").filter((word) => word !== "");
  expect(parseCallsCommand(argv)).toEqual({ json: false, filter, limit: 100, cursor: "" });
});

it("takes a page's size and cursor, and what every command takes", () => {
  expect(parseCallsCommand(["--limit", "5", "--cursor", "MS4y", "--json", "--data", "d"])).toEqual({
    ...{ json: true, dataFolder: "d", filter: {}, limit: 5, cursor: "MS4y" },
  });
});

it.each([
  ["--from", "yesterday"],
  ["--from", "2026-11-22", "--to", "2026-11-21"],
  ["--consent", "grantd"],
  ["--outcome", "lost"],
  ["--min-duration", "5d"],
  ["--min-duration", "5m", "--max-duration", "4m"],
  ["--limit", "0"],
  ["--limit", "501"],
  ["--tag", "Mr Smith"],
  ["--tag", "call-0301234567"],
  ["--agents", "21"],
  ["extra"],
])("calls %s %s is refused in one line", (...argv) => {
  expect(() => parseCallsCommand(argv.filter((word) => word !== undefined))).toThrow(SidetoneError);
});

it("tags are put on and taken off, several at once", () => {
  const call = "01KAJ5QX00ABCDEFGHJKMNPQRS";
  expect(parseTagCommand([call.toLowerCase(), "add", "vip", "q.3"])).toEqual({
    ...{ json: false, call, add: ["vip", "q.3"], remove: [] },
  });
  expect(parseTagCommand([call, "remove", "vip"])).toMatchObject({ add: [], remove: ["vip"] });
  for (const argv of [[], [call], [call, "add"], ["x", "add", "vip"], [call, "put", "vip"], [call, "add", "VIP"]])
    expect(() => parseTagCommand(argv)).toThrow(SidetoneError);
});
