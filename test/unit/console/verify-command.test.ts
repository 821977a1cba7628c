// `sidetoned verify` on the command line, and in words what was found.
import { expect, test } from "vitest";
import { formatVerification, parseVerifyCommand, VERIFY_USAGE } from "../../../device/console/verify-command.js";
import type { Verification } from "../../../device/store/verify/verify.js";

test("the command line", () => {
  expect(parseVerifyCommand([])).toEqual({ anchorFiles: [], json: false });
  const words = ["--anchor", "a", "--tsa-ca=c", "--anchor", "b", "--public-key", "k", "--json", "--data", "d"];
  expect(parseVerifyCommand(words)).toEqual({
    anchorFiles: ["a", "b"],
    authorityFile: "c",
    keyFile: "k",
    dataFolder: "d",
    json: true,
  });
  for (const [argv, message] of [
    [["--tsa-ca", "a", "--tsa-ca", "b"], "--tsa-ca is given twice"],
    [["--anchor", "--json"], "--anchor needs a value: --anchor FILE"],
    [["--anchors", "a"], "--anchors: unknown flag of verify; did you mean --anchor?"],
    [["all"], "all: unexpected argument after verify"],
  ] as const)
    expect(() => parseVerifyCommand(argv)).toThrow(message);
  for (const flag of ["--public-key", "--anchor", "--tsa-ca", "--json", "--data", "--config"])
    expect(VERIFY_USAGE).toContain(flag);
});

test("one line a finding, whatever a file is called, and how many more there are", () => {
  const whole: Verification = {
    schema: "sidetone.verification/1",
    isWhole: true,
    isOpen: false,
    figures: { recordings: 2, audioBytes: 30, tombstones: 1, auditEntries: 9, stamps: 0, anchors: 0 },
    findings: [],
    findingCount: 0,
    notes: [],
    noteCount: 0,
  };
  expect(formatVerification(whole)).toBe(
    "2 recordings with 30 bytes of audio, 1 tombstones, 9 audit entries\nEverything is as it was signed.\n",
  );
  const finding = { kind: "added", file: "a\n\u001b[2Jb", what: "it is none", since: "after entry 3" } as const;
  const found: Verification = {
    ...whole,
    isWhole: false,
    figures: { ...whole.figures, stamps: 3, anchors: 1 },
    findings: [finding, { ...finding, kind: "missing", file: "c", since: "" }],
    findingCount: 7,
    notes: ["not checked"],
    noteCount: 2,
  };
  expect(formatVerification(found).split("\n")).toEqual([
    "2 recordings with 30 bytes of audio, 1 tombstones, 9 audit entries, 3 time stamps, 1 statements",
    "  ADDED  a??[2Jb: it is none; after entry 3",
    "  MISSING  c: it is none",
    "  and 5 more findings",
    "  note: not checked",
    "  and 1 more notes",
    "NOT as it was signed: 7 findings.",
    "",
  ]);
});
