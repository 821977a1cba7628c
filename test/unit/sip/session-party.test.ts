// Who is asserted to be on each side and where each side is reached: what counts as known from the set-up, what as a
// change, and what as the same in another hop's words. RFC 3325, RFC 5876, RFC 4916, Remote-Party-ID, RFC 3261 §12.2.
import { describe, expect, test } from "vitest";
import { type Draft, play, request, response } from "./session-script.js";

const IN = { tags: ["a", "b"] as const };
const rpid = (user: string, party?: string): Draft => ({
  headers: [["Remote-Party-ID", `"N" <sip:${user}@pbx>${party === undefined ? "" : `;party=${party}`};privacy=off`]],
});
/** What the messages told of parties. */
function told(...messages: Parameters<typeof play>[0]): string[] {
  return play(messages)
    .events.flatMap((text) => text.split(", "))
    .filter((word) => /^(identity|target)/.test(word));
}
const call = (caller: Draft = {}, answerer: Draft = {}) => [
  request("INVITE", { sdp: "A", ...caller }),
  response(200, "INVITE", { sdp: "B", ...answerer }),
  request("ACK"),
];

describe("known from the set-up", () => {
  test("the originator's first, and the answerer's who answered", () => {
    const { state } = play([
      request("INVITE", { identity: "4711" }),
      response(180, "INVITE", { tags: ["a", "f1"], identity: "21" }),
      response(180, "INVITE", { tags: ["a", "f2"], identity: "22" }),
      response(200, "INVITE", { tags: ["a", "f2"], sdp: "B" }),
    ]);
    expect([state.assertedIdentity?.user, state.connectedIdentity?.user]).toEqual(["4711", "22"]);
  });

  test("while it rings, the first who rings", () => {
    const { state } = play([
      request("INVITE"),
      response(180, "INVITE", { tags: ["a", "f1"], identity: "21" }),
      response(180, "INVITE", { tags: ["a", "f2"], identity: "22" }),
    ]);
    expect(state.connectedIdentity?.user).toBe("21");
  });

  test("the answer's own word goes before the ringing's, and a fork's is nobody else's", () => {
    const rings = response(180, "INVITE", { identity: "600" });
    expect(
      play([request("INVITE"), rings, response(200, "INVITE", { identity: "21" })]).state.connectedIdentity?.user,
    ).toBe("21");
    const other = response(200, "INVITE", { tags: ["a", "f2"], sdp: "B" });
    expect(play([request("INVITE"), rings, other]).state.connectedIdentity).toBeUndefined();
  });

  test("answered unseen: by its ACK, or a re-INVITE", () => {
    const rings = [
      request("INVITE"),
      response(180, "INVITE", { tags: ["a", "f1"], identity: "21" }),
      response(180, "INVITE", { identity: "22" }),
    ];
    expect(play([...rings, request("ACK", { sdp: "A" })]).state.connectedIdentity?.user).toBe("22");
    const within = request("INVITE", { ...IN, by: 1, cseq: 1, sdp: "B", identity: "23" });
    expect(play([...rings, within]).state.connectedIdentity?.user).toBe("23");
    expect(told(...rings, within)).toEqual([]);
  });

  test("another attempt rings somebody else", () => {
    const { state } = play([
      request("INVITE"),
      response(180, "INVITE", { identity: "21" }),
      response(302, "INVITE"),
      request("INVITE", { cseq: 2 }),
      response(180, "INVITE", { cseq: 2 }),
    ]);
    expect(state.connectedIdentity).toBeUndefined();
  });

  test("Remote-Party-ID where there is nothing better, of the right party", () => {
    const { state } = play(call(rpid("4711", "calling"), rpid("21", "called")));
    expect([state.assertedIdentity?.user, state.connectedIdentity?.user]).toEqual(["4711", "21"]);
    expect(play(call(rpid("300", "called"), rpid("300", "calling"))).state.assertedIdentity).toBeUndefined();
    const both: Draft = {
      headers: [
        ["Remote-Party-ID", "<sip:1@x>"],
        ["P-Asserted-Identity", "<sip:2@x>"],
      ],
    };
    expect(play(call(both)).state.assertedIdentity?.user).toBe("2");
  });

  test("the fork that answered ended and another goes on: nobody is asserted to be there", () => {
    const { state } = play([
      request("INVITE", { sdp: "A" }),
      response(200, "INVITE", { tags: ["a", "f1"], sdp: "F1", identity: "21" }),
      response(200, "INVITE", { tags: ["a", "f2"], sdp: "F2" }),
      request("BYE", { tags: ["a", "f1"], cseq: 2 }),
    ]);
    expect(state.connectedIdentity).toBeUndefined();
  });
});

describe("another identity", () => {
  const asserted = call({ identity: "4711" }, { identity: "21" });

  test.each(["INVITE", "UPDATE", "INFO"])("in a %s of either side, and in its response", (method) => {
    expect(told(...asserted, request(method, { ...IN, cseq: 2, identity: "4712" }))).toEqual(["identity0 4712"]);
    expect(told(...asserted, request(method, { ...IN, by: 1, cseq: 2, identity: "22" }))).toEqual(["identity1 22"]);
    const changed = [request(method, { ...IN, cseq: 2 }), response(200, method, { ...IN, cseq: 2, identity: "22" })];
    expect(told(...asserted, ...changed)).toEqual(["identity1 22"]);
  });

  test("the same again is none, nor are the copies of a change", () => {
    const same = request("UPDATE", { ...IN, by: 1, cseq: 2, identity: "21" });
    const other = request("UPDATE", { ...IN, by: 1, cseq: 3, identity: "22" });
    expect(
      told(...asserted, same, other, other, same, request("UPDATE", { ...IN, by: 1, cseq: 3, hop: 2, identity: "22" })),
    ).toEqual(["identity1 22"]);
    expect(told(...asserted, same, other, request("UPDATE", { ...IN, by: 1, cseq: 4, identity: "21" }))).toEqual([
      "identity1 22",
      "identity1 21",
    ]);
  });

  test("messages that say nothing of it, refusals, other methods and older messages tell nothing", () => {
    expect(
      told(
        ...asserted,
        request("UPDATE", { ...IN, cseq: 5 }),
        response(100, "UPDATE", { ...IN, cseq: 5, identity: "30" }),
        response(491, "UPDATE", { ...IN, cseq: 5, identity: "31" }),
        request("NOTIFY", { ...IN, cseq: 6, identity: "32" }),
        request("BYE", { tags: ["a", "x"], cseq: 7, identity: "33" }),
      ),
    ).toEqual([]);
    expect(
      told(
        ...asserted,
        request("UPDATE", { ...IN, cseq: 5, identity: "4712" }),
        request("UPDATE", { ...IN, cseq: 4, identity: "4713" }),
      ),
    ).toEqual(["identity0 4712"]);
  });

  test("a copy of an older change that comes behind a newer one is none, and hides none", () => {
    const older = request("UPDATE", { ...IN, cseq: 5, identity: "4712" });
    const newer = response(200, "UPDATE", { ...IN, by: 1, cseq: 3, identity: "4713" });
    const script = [...asserted, older, request("UPDATE", { ...IN, by: 1, cseq: 3 }), newer, older];
    expect(told(...script)).toEqual(["identity0 4712", "identity0 4713"]);
    expect(told(...script, request("UPDATE", { ...IN, cseq: 6, identity: "4712" })).slice(2)).toEqual([
      "identity0 4712",
    ]);
  });

  test("a hop's own words for the same person are none", () => {
    const twoHops = [
      request("INVITE", { sdp: "A", identity: "11" }),
      request("INVITE", { sdp: "A", hop: 2, identity: "+493011" }),
      response(200, "INVITE", { sdp: "B", hop: 2, identity: "+493021" }),
      response(200, "INVITE", { sdp: "B", identity: "21" }),
    ];
    const update = (hop: number, identity: string) => request("UPDATE", { ...IN, by: 1, cseq: 2, hop, identity });
    expect(told(...twoHops, update(2, "+493021"), update(1, "21"))).toEqual([]);
    expect(told(...twoHops, update(2, "+493022"), update(1, "22"), update(2, "+493022"))).toEqual([
      "identity1 +493022",
    ]);
    const next = request("INFO", { ...IN, by: 1, cseq: 3, identity: "22" });
    expect(told(...twoHops, update(2, "+493022"), update(1, "22"), next)).toEqual(["identity1 +493022"]);
  });

  test("of several values one that is known is enough", () => {
    const two = (first: string, second: string): Draft => ({
      headers: [["P-Asserted-Identity", `<sip:${first}@x>, <tel:${second}>`]],
    });
    const script = call({}, two("alice", "+4930-21"));
    expect(told(...script, request("INFO", { ...IN, by: 1, cseq: 2, ...two("+493021", "+493099") }))).toEqual([]);
    expect(told(...script, request("INFO", { ...IN, by: 1, cseq: 2, ...two("bob", "+493022") }))).toEqual([
      "identity1 bob",
    ]);
  });

  test("never asserted before: compared with From and To", () => {
    const plain = call();
    expect(told(...plain, request("UPDATE", { ...IN, by: 1, cseq: 2, identity: "200" }))).toEqual([]);
    expect(told(...plain, request("UPDATE", { ...IN, by: 1, cseq: 2, identity: "21" }))).toEqual(["identity1 21"]);
    expect(told(...plain, request("INVITE", { ...IN, cseq: 2, identity: "100" }))).toEqual([]);
  });

  test.each(["calling", "called", undefined])("Remote-Party-ID means the sender whatever party=%s says", (party) => {
    const script = call({}, rpid("21", "called"));
    expect(told(...script, request("UPDATE", { ...IN, by: 1, cseq: 2, ...rpid("22", party) }))).toEqual([
      "identity1 22",
    ]);
    expect(told(...script, request("UPDATE", { ...IN, cseq: 2, ...rpid("4712", party) }))).toEqual(["identity0 4712"]);
  });

  test("Remote-Party-ID of somebody else means nobody here", () => {
    expect(told(...call(), request("UPDATE", { ...IN, by: 1, cseq: 2, ...rpid("22", "third") }))).toEqual([]);
  });

  test("RFC 4916: another From, of a user agent that announces it", () => {
    const update = (headers: Draft["headers"], user: string) =>
      request("UPDATE", { ...IN, by: 1, cseq: 2, users: ["100", user], ...(headers ? { headers } : {}) });
    const announced = [["Supported", "timer, From-Change"]] as const;
    expect(told(...call(), update(announced, "21"))).toEqual(["identity1 21"]);
    expect(told(...call(), update(announced, "200"))).toEqual([]);
    expect(told(...call(), update(undefined, "21"))).toEqual([]);
    expect(told(...call(), update([["Supported", "from-changes"]], "21"))).toEqual([]);
  });

  test("of a fork that lost: nobody's", () => {
    const other = request("UPDATE", { tags: ["a", "f2"], by: 1, cseq: 2, identity: "23" });
    expect(told(...asserted, response(200, "INVITE", { tags: ["a", "f2"], identity: "23" }), other)).toEqual([]);
  });

  test("the ringing seen after the answer is no change, and hides none", () => {
    const late = response(180, "INVITE", { identity: "600" });
    const back = request("INVITE", { ...IN, by: 1, cseq: 2, identity: "600" });
    expect(told(...asserted, late)).toEqual([]);
    expect(told(...asserted, late, back)).toEqual(["identity1 600"]);
  });

  test("joined late: the first knowledge of a side is no change", () => {
    const { state, events } = play([
      request("UPDATE", { ...IN, cseq: 5, identity: "4711" }),
      response(200, "UPDATE", { ...IN, cseq: 5, identity: "21" }),
      request("UPDATE", { ...IN, cseq: 6, identity: "4712" }),
    ]);
    expect(events).toEqual(["answered", "", "identity0 4712"]);
    expect(state.startSeen).toBe(false);
  });
});

describe("another contact", () => {
  const placed = call({ contact: "100@10.0.0.1:5070" }, { contact: "200@10.0.0.2" });

  test("in a re-INVITE or UPDATE and their answers, from either side", () => {
    for (const method of ["INVITE", "UPDATE"]) {
      expect(told(...placed, request(method, { ...IN, cseq: 2, contact: "100@10.0.0.9" }))).toEqual([
        "target0 sip:100@10.0.0.9",
      ]);
      const answer = [
        request(method, { ...IN, cseq: 2 }),
        response(200, method, { ...IN, cseq: 2, contact: "300@10.0.0.3" }),
      ];
      expect(told(...placed, ...answer)).toEqual(["target1 sip:300@10.0.0.3"]);
    }
    expect(told(...placed, request("INFO", { ...IN, cseq: 2, contact: "100@10.0.0.9" }))).toEqual([]);
  });

  test("parameters, case and the default port are no other place, another port is", () => {
    const at = (contact: string) => told(...placed, request("INVITE", { ...IN, by: 1, cseq: 2, contact }));
    expect(at("200@10.0.0.2:5060;ob;transport=udp?X=y")).toEqual([]);
    expect(at("200@10.0.0.2:5062")).toEqual(["target1 sip:200@10.0.0.2:5062"]);
  });

  test("hops that put themselves in are known from the set-up", () => {
    const script = [
      request("INVITE", { sdp: "A", contact: "100@10.0.0.1" }),
      request("INVITE", { sdp: "A", hop: 2, contact: "100@sbc" }),
      response(200, "INVITE", { sdp: "B", hop: 2, contact: "200@10.0.0.2" }),
      response(200, "INVITE", { sdp: "B", contact: "200@sbc" }),
    ];
    const update = (hop: number, contact: string) => request("UPDATE", { ...IN, cseq: 2, hop, contact });
    expect(told(...script, update(1, "100@10.0.0.1"), update(2, "100@sbc"))).toEqual([]);
    expect(told(...script, update(1, "100@10.0.0.7"), update(2, "100@sbc"))).toEqual(["target0 sip:100@10.0.0.7"]);
  });

  test("told once, by the newest message", () => {
    const moved = request("UPDATE", { ...IN, cseq: 3, contact: "100@10.0.0.9" });
    const old = request("UPDATE", { ...IN, cseq: 2, contact: "100@10.0.0.8" });
    expect(told(...placed, moved, moved, old, moved)).toEqual(["target0 sip:100@10.0.0.9"]);
  });

  test("before the answer nothing moves", () => {
    expect(
      told(
        request("INVITE", { sdp: "A", contact: "100@x" }),
        response(183, "INVITE", { sdp: "B", contact: "1@x" }),
        request("UPDATE", { ...IN, cseq: 2, contact: "100@y" }),
        response(200, "INVITE", { contact: "2@x" }),
      ),
    ).toEqual([]);
  });
});
