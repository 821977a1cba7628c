import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AUDIT_USAGE, parseAuditCommand, runAuditCommand } from "../../../device/console/audit-command.js";
import { openDeviceKey } from "../../../device/store/device-key.js";
import { auditFile, CALL, editLines, makeChain, NOVEMBER_US, openChain, standingClock } from "../store/audit-kit.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-audit-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(...argv: string[]): { code: number; text: string } {
  let text = "";
  const code = runAuditCommand(parseAuditCommand(argv), folder, (piece) => {
    text += piece;
  });
  return { code, text };
}

test("the command line", () => {
  expect(parseAuditCommand(["verify", "--json", "--key", "k", "--data", "d"])).toEqual({
    verb: "verify",
    json: true,
    keyFile: "k",
    dataFolder: "d",
  });
  expect(
    parseAuditCommand(["list", "--since", "2026-11-21T09:00Z", "--kind", "listen", "--call", CALL.toLowerCase()]),
  ).toEqual({ verb: "list", json: false, since: "2026-11-21T09:00", kind: "listen", call: CALL });
  for (const [argv, message] of [
    [[], "the commands are audit verify, audit list"],
    [["verfy"], "the commands are audit verify, audit list"],
    [["list", "x"], "x: unexpected argument after audit list"],
    [["list", "--key", "k"], "--key: unknown flag"],
    [["verify", "--since", "2026-11"], "--since: unknown flag"],
    [["list", "--since", "yesterday"], "--since yesterday: a time is 2026-11-21 or"],
    [["list", "--kind", "listn"], "--kind listn: not one of started, stopped,"],
    [["list", "--call", "x"], "--call x: not the id of a call (26 characters)"],
  ] as const) {
    expect(() => parseAuditCommand(argv)).toThrow(expect.objectContaining({ code: "usage" }));
    expect(() => parseAuditCommand(argv)).toThrow(message);
  }
  expect(AUDIT_USAGE.endsWith("\n")).toBe(true);
});

test("a whole chain, one that was changed, and none: exit code 0 or 5", () => {
  openDeviceKey(folder);
  expect(run("verify")).toEqual({ code: 5, text: "There is no audit chain.\n" });
  makeChain(folder, 12);
  expect(run("verify").code).toBe(0);
  expect(run("verify").text).toMatch(
    /^12 entries in 2 files, the last is 12 \([0-9a-f]{64}\)\nThe audit chain is whole\.\n$/,
  );
  editLines(folder, "2026-11.jsonl", (lines) =>
    lines.with(3, lines[3]!.replace("token", "t\u001bken")).toSpliced(6, 2),
  );
  writeFileSync(auditFile(folder, "2026-12.jsonl"), `${readFileSync(auditFile(folder, "2026-12.jsonl"), "utf8")}{`);
  const { code, text } = run("verify");
  expect(code).toBe(5);
  expect(text).toContain("1 bytes behind it are no whole entry");
  expect(text).toContain("  entry 4: was changed after it was written (2026-11.jsonl:4)\n");
  expect(text).toContain("  entries 7 to 8: missing (2026-11.jsonl:7)\n");
  expect(text).toContain("The audit chain is NOT whole: 2 problems.\n");
  const json = run("verify", "--json");
  expect([json.code, JSON.parse(json.text)]).toMatchObject([
    5,
    {
      schema: "sidetone.audit-verdict/1",
      isWhole: false,
      entries: 10,
      problemCount: 2,
      problems: [
        { kind: "edited", seq: 4, toSeq: 4 },
        { kind: "removed", seq: 7, toSeq: 8 },
      ],
    },
  ]);
  rmSync(auditFile(folder, "head.json"));
  expect(run("verify").text).toContain(
    "the head of the chain is missing, was changed, or is that of another chain (head.json)",
  );
});

test("entries are listed by time, kind and call, as they stand or in words", () => {
  const clock = standingClock();
  const chain = openChain(folder, { clock });
  chain.append({ kind: "started", actor: "service" });
  clock.us += 3600e6;
  chain.append({
    kind: "listen",
    actor: "token a",
    call: CALL,
    detail: { reason: "a \u001b[31m complaint", empty: "" },
  });
  clock.us += 20 * 86_400e6;
  chain.append({
    kind: "consent",
    actor: "engine",
    call: CALL,
    packetAtUs: NOVEMBER_US,
    detail: { to: "granted", n: 3 },
  });
  chain.close();
  expect(run("list").text).toBe(
    [
      "1  2026-11-21T09:00:00.000000Z  started  service",
      `2  2026-11-21T10:00:00.000000Z  listen  token a  ${CALL}  reason="a \\u001b[31m complaint"`,
      `3  2026-12-11T10:00:00.000000Z  consent  engine  ${CALL}  packetAt=2026-11-21T09:00:00.000000Z to=granted n=3`,
      "",
    ].join("\n"),
  );
  const seqs = (...argv: string[]) =>
    [...run("list", ...argv).text.matchAll(/^(\d+) /gm)].map(([, seq]) => Number(seq));
  expect(seqs("--since", "2026-11-21T09:30")).toEqual([2, 3]);
  expect(seqs("--since", "2026-12")).toEqual([3]);
  expect(seqs("--kind", "listen")).toEqual([2]);
  expect(seqs("--call", CALL)).toEqual([2, 3]);
  expect(seqs("--call", CALL, "--kind", "started")).toEqual([]);
  const { text } = run("list", "--json");
  expect(text).toBe(["2026-11.jsonl", "2026-12.jsonl"].map((name) => readFileSync(auditFile(folder, name))).join(""));
});
