// Who passed a call on: Diversion after RFC 5806, History-Info after RFC 7044 and RFC 4244, both after RFC 7544.
import { describe, expect, test } from "vitest";
import { MAX_DIVERSIONS, readDiversions } from "../../../device/sip/diversions.js";
import { accept, invite } from "./sip-text.js";

function read(...fields: string[]): string[] {
  return readDiversions(accept(invite({}, fields))).map(({ user, reason }) => `${user} ${reason}`);
}

describe("Diversion", () => {
  test("the topmost is the latest, over lines and commas", () => {
    expect(
      read(
        'Diversion: "C" <sip:c@x>;reason=unconditional;counter=1;privacy=off, <sip:b@x>;reason="user-busy"',
        "Diversion: <tel:+49-30-123>;Reason=No-Answer",
      ),
    ).toEqual(["+4930123 no-answer", "b user-busy", "c unconditional"]);
  });

  test.each([
    ["<sip:a@x>", "a unknown"],
    ["sip:a@x;reason=time-of-day", "a time-of-day"],
    ["<sip:a@x>;reason=", "a unknown"],
    ['<sip:a@x>;reason="<script>"', "a unknown"],
    [`<sip:a@x>;reason=${"x".repeat(5000)}`, `a ${"x".repeat(64)}`],
  ])("%s", (value, expected) => expect(read(`Diversion: ${value}`)).toEqual([expected]));

  test("keeps the whole identity", () => {
    const [one] = readDiversions(accept(invite({}, ['Diversion: "Büro" <sip:21@pbx;user=phone>;reason=deflection'])));
    expect(one).toEqual({
      name: "Büro",
      uri: "sip:21@pbx;user=phone",
      user: "21",
      host: "pbx",
      reason: "deflection",
      source: "diversion",
    });
  });

  test(`at most ${MAX_DIVERSIONS}, the latest`, () => {
    const values = Array.from({ length: 100 }, (_, i) => `<sip:${i}@x>`).join(",");
    const found = read(`Diversion: ${values}`);
    expect(found).toHaveLength(MAX_DIVERSIONS);
    expect(found.at(-1)).toBe("0 unknown");
  });
});

describe("History-Info", () => {
  test("the cause in a target's URI says why the one before it was left (RFC 7544 §7.1)", () => {
    expect(
      read(
        "History-Info: <sip:one@x>;index=1, <sip:two@x;cause=408?Privacy=history>;index=1.1;mp=1",
        "History-Info: <sip:three@x;cause=486>;index=1.1.1;mp=1.1, <sip:last@x;cause=302>;index=1.1.1.1;mp=1.1.1",
      ),
    ).toEqual(["one no-answer", "two user-busy", "three unconditional"]);
  });

  test("entries are put in the order of their indexes, by number and not by text", () => {
    expect(
      read(
        "History-Info: <sip:last@x;cause=302>;index=1.10, <sip:mid@x;cause=486>;index=1.9;mp=1, <sip:first@x>;index=1",
      ),
    ).toEqual(["first unconditional"]);
    expect(
      read(
        "History-Info: <sip:c@x;cause=302>;index=1.10;mp=1.9, <sip:b@x;cause=486>;index=1.9;mp=1, <sip:a@x>;index=1",
      ),
    ).toEqual(["a user-busy", "b unconditional"]);
  });

  test("a mere forwarding to the registered contact is no diversion", () => {
    expect(read("History-Info: <sip:21@pbx>;index=1, <sip:x7d9@10.0.0.7>;index=1.1;rc=1")).toEqual([]);
  });

  test("an embedded Reason of a target that failed, if another user came after it (RFC 4244)", () => {
    const failed = "<sip:21@pbx?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%20Here%22>;index=1.1";
    expect(read(`History-Info: <sip:sales@pbx>;index=1, ${failed}, <sip:22@pbx>;index=1.2`)).toEqual(["21 user-busy"]);
    expect(read(`History-Info: <sip:sales@pbx>;index=1, ${failed}, <sip:21@other>;index=1.2`)).toEqual([]);
    expect(read(`History-Info: <sip:sales@pbx>;index=1, ${failed}`)).toEqual([]);
    expect(read("History-Info: <sip:21@x?Reason=Q.850%3Bcause%3D17>;index=1, <sip:22@x>;index=1.1")).toEqual([]);
  });

  test.each([
    ["302", "unconditional"],
    ["480", "deflection"],
    ["487", "deflection"],
    ["503", "unavailable"],
    ["600", "user-busy"],
    ["404", "unknown"],
    ["380", "unknown"],
  ])("cause %s is %s", (cause, reason) => {
    expect(read(`History-Info: <sip:a@x>;index=1, <sip:b@x;cause=${cause}>;index=1.1`)).toEqual([`a ${reason}`]);
  });

  test("without usable indexes the order of the field counts", () => {
    expect(read("History-Info: <sip:a@x>, <sip:b@x;cause=302>;index=x, <sip:c@x;cause=486>;index=1..2")).toEqual([
      "a unconditional",
      "b user-busy",
    ]);
    expect(read("History-Info: <sip:b@x;cause=302>")).toEqual([]);
    for (const cause of ["200", "302302", "-1", "abc", ""])
      expect(read(`History-Info: <sip:a@x>;index=1, <sip:b@x;cause=${cause}>;index=1.1`)).toEqual([]);
  });

  test("hostile indexes are bounded", () => {
    const deep = Array.from({ length: 2000 }, () => "1").join(".");
    expect(read(`History-Info: <sip:a@x>;index=${deep}, <sip:b@x;cause=302>;index=${"9".repeat(4000)}`)).toEqual([
      "a unconditional",
    ]);
  });
});

test("of both fields the one that names more counts", () => {
  const history = "History-Info: <sip:a@x>;index=1, <sip:b@x;cause=302>;index=1.1, <sip:c@x;cause=486>;index=1.1.1";
  expect(read("Diversion: <sip:d@x>;reason=no-answer", history)).toEqual(["a unconditional", "b user-busy"]);
  expect(read("Diversion: <sip:e@x>, <sip:d@x>", history)).toEqual(["d unknown", "e unknown"]);
  expect(read()).toEqual([]);
});
