// MAC addresses and prefixes in the ways people write them.
import { describe, expect, test } from "vitest";
import { macHasPrefix, parseMacPrefix } from "../../../device/base/mac.js";

describe("parseMacPrefix", () => {
  test.each([
    ["00:11:22:AA:bb:cc", "001122aabbcc"],
    ["00-11-22-aa-bb-cc", "001122aabbcc"],
    ["0011.22aa.bbcc", "001122aabbcc"],
    ["001122aabbcc", "001122aabbcc"],
    [" 00:04:13 ", "000413"],
    ["00:04:13:a", undefined],
    ["00:04", undefined],
    ["0004", undefined],
    ["00:04:13:aa:bb:cc:dd", undefined],
    ["00:04-13", undefined],
    ["00:04:13:", undefined],
    ["zz:04:13", undefined],
    ["01:00:5e:00:00:01", undefined],
    ["ff:ff:ff:ff:ff:ff", undefined],
    ["00:00:00:00:00:00", undefined],
    ["", undefined],
    ["00:04:13:*", undefined],
  ])("%j", (text, digits) => expect(parseMacPrefix(text)).toBe(digits));
});

test("macHasPrefix", () => {
  expect(macHasPrefix("00:04:13:AA:bb:cc", "000413")).toBe(true);
  expect(macHasPrefix("00:04:13:aa:bb:cc", "000413aabbcc")).toBe(true);
  expect(macHasPrefix("00:04:14:aa:bb:cc", "000413")).toBe(false);
  expect(macHasPrefix("", "000413")).toBe(false);
});
