// Conditions and ranges against a model that follows the RFC's words one by one, and the RFC's own examples.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { askedOf, rangeOf } from "../../../device/api/conditions.js";

const ETAG = '"abc"';
const asked = (headers: Record<string, string>, method = "GET", etag = ETAG, bytes: number | undefined = 10_000) =>
  askedOf(method, headers, { etag, bytes });

describe("a range", () => {
  // RFC 9110 §14.1.2, of a representation of 10000 bytes.
  it.each<[string, [number, number] | "whole" | "unsatisfiable"]>([
    ["bytes=0-499", [0, 500]],
    ["bytes=500-999", [500, 1000]],
    ["bytes=-500", [9500, 10_000]],
    ["bytes=9500-", [9500, 10_000]],
    ["bytes=0-0", [0, 1]],
    ["bytes=9999-20000", [9999, 10_000]],
    ["bytes=-20000", [0, 10_000]],
    ["BYTES = 0 - 1", [0, 2]],
    ["bytes=0-1,", [0, 2]],
    [`bytes=0-${"9".repeat(400)}`, [0, 10_000]],
    ["bytes=10000-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=0-0,-1", "whole"],
    ["bytes=500-600,601-999", "whole"],
    ["bytes=5-4", "whole"],
    ["bytes=", "whole"],
    ["bytes=-", "whole"],
    ["bytes=0x0-1", "whole"],
    ["bytes=+1-2", "whole"],
    ["bytes=1.5-2", "whole"],
    ["items=0-1", "whole"],
    ["", "whole"],
  ])("%s", (header, expected) => {
    const found = rangeOf(header, 10_000);
    if (typeof expected === "string") expect(found).toEqual({ kind: expected });
    else expect(found).toEqual({ kind: "part", range: { from: expected[0], to: expected[1] } });
  });

  it("of nothing cannot be", () => {
    expect(rangeOf("bytes=0-", 0)).toEqual({ kind: "unsatisfiable" });
    expect(rangeOf("bytes=-1", 0)).toEqual({ kind: "unsatisfiable" });
  });

  it("is what the model makes of it", () => {
    const place = fc.oneof(fc.constant(""), fc.nat(300).map(String), fc.bigInt(0n, 10n ** 20n).map(String));
    const spec = fc.tuple(place, place).map(([first, last]) => `${first}-${last}`);
    const header = fc.oneof(
      fc
        .tuple(fc.constantFrom("bytes=", "Bytes=", "bits=", "bytes:"), fc.array(spec, { maxLength: 3 }))
        .map(([unit, specs]) => unit + specs.join(",")),
      fc.string({ unit: fc.constantFrom(..."bytes=-,0123456789 ") }),
    );
    fc.assert(
      fc.property(header, fc.nat(200), (text, bytes) => {
        expect(rangeOf(text, bytes)).toEqual(model(text, BigInt(bytes)));
      }),
      { numRuns: 2000 },
    );
  });
});

/** RFC 9110 §14.1.2, read aloud. */
function model(header: string, length: bigint): ReturnType<typeof rangeOf> {
  const equals = header.indexOf("=");
  if (header.slice(0, equals).trim().toLowerCase() !== "bytes") return { kind: "whole" };
  const specs = header
    .slice(equals + 1)
    .split(",")
    .map((text) => text.trim());
  while (specs.length > 1 && specs.at(-1) === "") specs.pop();
  if (specs.length !== 1) return { kind: "whole" };
  const parts = specs[0]!.split("-").map((text) => text.trim());
  if (parts.length !== 2 || !parts.every((text) => [...text].every((c) => c >= "0" && c <= "9")))
    return { kind: "whole" };
  const [first, last] = parts as [string, string];
  if (first === "" && last === "") return { kind: "whole" };
  const part = (from: bigint, to: bigint) => ({ kind: "part" as const, range: { from: Number(from), to: Number(to) } });
  if (first === "") {
    if (BigInt(last) === 0n || length === 0n) return { kind: "unsatisfiable" };
    return part(BigInt(last) >= length ? 0n : length - BigInt(last), length);
  }
  if (last !== "" && BigInt(last) < BigInt(first)) return { kind: "whole" };
  if (BigInt(first) >= length) return { kind: "unsatisfiable" };
  return part(BigInt(first), last === "" || BigInt(last) >= length ? length : BigInt(last) + 1n);
}

describe("conditions", () => {
  const part = { kind: "part", range: { from: 0, to: 2 } };
  it.each<[string, Record<string, string>, string]>([
    ["the same tag", { "if-none-match": ETAG }, "not-modified"],
    ["the same tag, weak", { "if-none-match": `W/${ETAG}` }, "not-modified"],
    ["one of several", { "if-none-match": `"x", "y,z" , ${ETAG}` }, "not-modified"],
    ["any", { "if-none-match": "*" }, "not-modified"],
    ["another", { "if-none-match": '"xabc"' }, "whole"],
    ["no tag at all", { "if-none-match": "abc" }, "whole"],
    ["not modified goes before the range", { "if-none-match": ETAG, range: "bytes=0-1" }, "not-modified"],
    ["if-match of the same", { "if-match": ETAG }, "whole"],
    ["if-match of any", { "if-match": "*" }, "whole"],
    ["if-match of another", { "if-match": '"x"' }, "precondition-failed"],
    ["if-match goes first", { "if-match": '"x"', "if-none-match": ETAG }, "precondition-failed"],
    ["if-match compares strongly", { "if-match": `W/${ETAG}` }, "precondition-failed"],
    ["if-range of another", { "if-range": '"x"', range: "bytes=0-1" }, "whole"],
    ["if-range compares strongly", { "if-range": `W/${ETAG}`, range: "bytes=0-1" }, "whole"],
    ["if-range of a date", { "if-range": "Sat, 29 Oct 1994 19:43:31 GMT", range: "bytes=0-1" }, "whole"],
    ["if-range without a range", { "if-range": '"x"' }, "whole"],
    ["a range beyond all, of another", { "if-range": '"x"', range: "bytes=99999-" }, "whole"],
    ["a range beyond all", { range: "bytes=99999-" }, "unsatisfiable"],
  ])("%s", (_, headers, kind) => {
    expect(asked(headers).kind).toBe(kind);
  });

  it("a range with if-range of the same, and only for GET", () => {
    expect(asked({ "if-range": ETAG, range: "bytes=0-1" })).toEqual(part);
    expect(asked({ range: "bytes=0-1" }, "HEAD")).toEqual({ kind: "whole" });
    expect(asked({ "if-none-match": ETAG }, "HEAD")).toEqual({ kind: "not-modified" });
  });

  it("of what has no ranges and a weak tag", () => {
    const weak = (headers: Record<string, string>) =>
      askedOf("GET", headers, { etag: 'W/"abc"', bytes: undefined }).kind;
    expect(weak({ range: "bytes=0-1" })).toBe("whole");
    expect(weak({ range: "bytes=99999-" })).toBe("whole");
    expect(weak({ "if-none-match": 'W/"abc"' })).toBe("not-modified");
    expect(weak({ "if-match": 'W/"abc"' })).toBe("precondition-failed");
  });
});
