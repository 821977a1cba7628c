// Suggestions for mistyped names: near ones are found, far ones are not invented.
import { describe, expect, it } from "vitest";
import { editDistance, nearest, suggestion } from "../../../device/base/nearest.js";

describe("editDistance", () => {
  it.each([
    ["", "", 0],
    ["", "abc", 3],
    ["abc", "", 3],
    ["policy", "policy", 0],
    ["polcy", "policy", 1],
    ["ploicy", "policy", 1],
    ["kitten", "sitting", 3],
    ["ca", "abc", 3],
  ])("%j to %j takes %i", (a, b, edits) => {
    expect(editDistance(a, b)).toBe(edits);
    expect(editDistance(b, a)).toBe(edits);
  });
});

describe("nearest", () => {
  const names = ["policy", "rules", "header", "idleTimeoutMs"];

  it.each([
    ["polcy", "policy"],
    ["Policy", "policy"],
    ["rule", "rules"],
    ["idle_timeout_ms", "idleTimeoutMs"],
    ["IDLE-TIMEOUT-MS", "idleTimeoutMs"],
    ["idle", "idleTimeoutMs"],
  ])("finds for %j %j", (text, name) => expect(nearest(text, names)).toBe(name));

  it.each(["", "x", "po", "interface", "p".repeat(100_000)])("finds nothing for %.20j", (text) => {
    expect(nearest(text, names)).toBeUndefined();
  });

  it("prefers the nearer, then the earlier", () => {
    expect(nearest("abcd", ["abce", "abcd"])).toBe("abcd");
    expect(nearest("abcd", ["abce", "abcf"])).toBe("abce");
  });
});

it("writes a suggestion as the end of a line, or nothing", () => {
  expect(suggestion("policy")).toBe("; did you mean policy?");
  expect(suggestion(undefined)).toBe("");
});
