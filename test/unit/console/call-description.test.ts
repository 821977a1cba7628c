// --call and the command around it: every word of it, and one helpful line for everything that is not understood.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { type CallDescription, parseCall, parsePolicyCommand } from "../../../device/console/call-description.js";

const NOW_US = 1_795_770_000_000_000;
const nothing: CallDescription = {
  from: undefined,
  to: undefined,
  agent: undefined,
  direction: undefined,
  trunks: [],
  atUs: NOW_US,
  headers: new Map(),
};

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(SidetoneError);
    expect((error as SidetoneError).code).toBe("usage");
    expect((error as SidetoneError).message).not.toMatch(/[\n\r\x1b]/);
    expect((error as SidetoneError).message.length).toBeLessThan(500);
    return (error as SidetoneError).message;
  }
  throw new Error("was accepted");
}

describe("parseCall", () => {
  it("takes all there is, in one piece or in several", () => {
    const pieces = [
      "from=0301234567",
      "to=21",
      "agent=21",
      "direction=inbound",
      "at=2026-11-27T10:00:00+01:00",
      "trunk=203.0.113.7",
      "header=X-Queue: sales",
    ];
    const call: CallDescription = {
      from: "0301234567",
      to: "21",
      agent: "21",
      direction: "inbound",
      trunks: ["203.0.113.7"],
      atUs: Date.UTC(2026, 10, 27, 9) * 1000,
      headers: new Map([["x-queue", ["sales"]]]),
    };
    expect(parseCall([pieces.join(",")], NOW_US)).toEqual(call);
    expect(parseCall(pieces, NOW_US)).toEqual(call);
    expect(parseCall([` ${pieces.map((piece) => piece.replace("=", " = ")).join(" , ")}`], NOW_US)).toEqual(call);
  });

  it.each<[string[], Partial<CallDescription>]>([
    [["to=21"], { to: "21" }],
    [["FROM=21,Direction=Internal"], { from: "21", direction: "internal" }],
    [["from=0170 123 45 67"], { from: "0170 123 45 67" }],
    [["trunk=2001:db8::1,trunk=+4930999"], { trunks: ["2001:db8::1", "+4930999"] }],
    [["header=X-Queue: sales, support,to=21"], { to: "21", headers: new Map([["x-queue", ["sales, support"]]]) }],
    [["header=X-A: b=c"], { headers: new Map([["x-a", ["b=c"]]]) }],
    [["header=X-A:", "header=x-a: 2"], { headers: new Map([["x-a", ["", "2"]]]) }],
    [["header=Subject: re: 1"], { headers: new Map([["subject", ["re: 1"]]]) }],
    [["at=2024-02-29T23:59Z"], { atUs: Date.UTC(2024, 1, 29, 23, 59) * 1000 }],
    [["at=2026-11-27t10:00:00.250-05:00"], { atUs: (Date.UTC(2026, 10, 27, 15) + 250) * 1000 }],
    [["from=21,agent=21,direction=outbound"], { from: "21", agent: "21", direction: "outbound" }],
    [["from=21,to=21,agent=21,direction=inbound"], { from: "21", to: "21", agent: "21", direction: "inbound" }],
  ])("%j", (texts, call) => expect(parseCall(texts, NOW_US)).toEqual({ ...nothing, ...call }));

  const KEYS = "--call takes from=, to=, agent=, direction=, trunk=, at=, header=";
  it.each([
    [["frm=1"], `--call frm=1: ${KEYS}; did you mean from=?`],
    [["0301234567"], `--call 0301234567: ${KEYS}`],
    [["from"], `--call from: ${KEYS}; did you mean from=?`],
    [["from=1,dirction=inbound"], `--call dirction=inbound: ${KEYS}; did you mean direction=?`],
    [["header=X-A: b,c=d"], `--call c=d: ${KEYS}`],
    [["__proto__=1"], `--call __proto__=1: ${KEYS}`],
    [["from=1,from=2"], "--call: from= is given twice"],
    [["at=2026-11-27T10:00Z", "at=2026-11-27T10:00Z"], "--call: at= is given twice"],
    [["from="], "--call from=: needs a value; leave out what is not known"],
    [["from=1,2"], "--call from=1,2: one value only, and a name= behind each comma"],
    [["from=sip:21@pbx"], "--call from=sip:21@pbx: write it without scheme and host: 21"],
    [["agent=@pbx"], "--call agent=@pbx: write it without scheme and host"],
    [["direction=in"], "--call direction=in: not one of inbound, outbound, internal"],
    [["direction=inbund"], "--call direction=inbund: not one of inbound, outbound, internal; did you mean inbound?"],
    [["at=tomorrow"], "--call at=tomorrow: write it with the offset from UTC, as in at=2026-11-27T10:00:00+01:00"],
    [
      ["at=2026-11-27T10:00:00"],
      "--call at=2026-11-27T10:00:00: write it with the offset from UTC, as in at=2026-11-27T10:00:00+01:00",
    ],
    [
      ["at=2026-02-30T10:00:00Z"],
      "--call at=2026-02-30T10:00:00Z: write it with the offset from UTC, as in at=2026-11-27T10:00:00+01:00",
    ],
    [["header=sales"], "--call header=sales: write name and value, as in header=X-Queue: sales"],
    [
      ["from=21,to=1,agent=21,direction=inbound"],
      "--call: the agent is from, so the call is not inbound: say direction=outbound, or agent= as to is",
    ],
    [
      ["from=1,to=21,agent=21,direction=outbound"],
      "--call: the agent is to, so the call is not outbound: say direction=inbound, or agent= as from is",
    ],
    [[`to=${"1".repeat(257)}`], "--call to=: found 257 characters, at most 256 are compared"],
    [Array(65).fill("trunk=10.0.0.1"), "--call: too many trunk="],
  ])("%j is refused", (texts, line) => expect(refusal(() => parseCall(texts, NOW_US))).toBe(line));

  it("makes of any text a call or one line", () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom("from=", "at=2026", ",,", "header=X:", "\u001b[2J", "to=\n", "=", "direction=internal"),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        try {
          const call = parseCall([pieces.join("")], NOW_US);
          expect(Number.isSafeInteger(call.atUs)).toBe(true);
        } catch (error) {
          refusal(() => {
            throw error;
          });
        }
      }),
      { numRuns: 1000, seed: 1 },
    );
  });
});

describe("parsePolicyCommand", () => {
  const parse = (values: Record<string, string[]>, ...positionals: string[]) =>
    parsePolicyCommand(new Map(Object.entries(values)), ["policy", ...positionals], NOW_US);

  it("takes --call, --config and --json", () => {
    expect(parse({ call: ["from=1", "to=2"] }, "test")).toEqual({
      kind: "test-policy",
      call: { ...nothing, from: "1", to: "2" },
      json: false,
    });
    expect(parse({ call: ["to=2"], json: [], config: ["c.yaml"], policy: ["none"], agents: ["21"] }, "test")).toEqual({
      kind: "test-policy",
      call: { ...nothing, to: "2" },
      configFile: "c.yaml",
      json: true,
    });
  });

  it.each([
    [{}, [], "policy : the command is policy test"],
    [{ call: ["to=1"] }, ["tset"], "policy tset: the command is policy test"],
    [{}, ["test"], 'policy test needs a call: --call "from=0301234567,to=21,agent=21"'],
    [
      { call: ["from=1"] },
      ["test", "to=2"],
      'to=2: unexpected argument after policy test; quote --call "from=0301234567,to=21,agent=21"',
    ],
    [{ call: ["to=1"], read: ["x"] }, ["test"], "--read does not go with policy test"],
  ] as [Record<string, string[]>, string[], string][])("%j %j is refused", (values, positionals, line) =>
    expect(refusal(() => parse(values, ...positionals))).toBe(line),
  );
});
