// The life of an answered dialog: session timers (RFC 4028), and requests that meet nobody (RFC 3261 §12.2.1.2).
import { describe, expect, test } from "vitest";
import { type Draft, play, request, response } from "./session-script.js";

const INVITE = request("INVITE", { sdp: "A" });
const expires = (value: string, name = "Session-Expires"): Draft => ({ headers: [[name, value]] });
const answered = (draft: Draft = {}) => [INVITE, response(200, "INVITE", { sdp: "B", ...draft }), request("ACK")];
const IN = { tags: ["a", "b"] as const };
const refresh = (method: "INVITE" | "UPDATE", cseq: number, draft: Draft = {}, request_: Draft = {}) => [
  request(method, { ...IN, cseq, ...request_ }),
  response(200, method, { ...IN, cseq, ...draft }),
];
const texts = (...messages: Parameters<typeof play>[0]) => play(messages).events;

describe("the session timer", () => {
  test("starts with the answer, as the 2xx says", () => {
    const { events, state } = play([
      request("INVITE", { sdp: "A", ...expires("3600;refresher=uac") }),
      response(180, "INVITE", expires("3600")),
      response(200, "INVITE", { sdp: "B", ...expires("1800 ; refresher=uas") }),
    ]);
    expect(events).toEqual(["offered0 early A", "ringing", "answered, answered0 A, answered1 B, refreshed 1800"]);
    expect(state.sessionExpiresS).toBe(1800);
  });

  test("asked for and not granted, there is none", () => {
    const { events, state } = play([request("INVITE", expires("1800")), response(200, "INVITE", { sdp: "B" })]);
    expect(events[1]).toBe("answered, offered1 B");
    expect(state.sessionExpiresS).toBe(0);
  });

  test("every successful refresh is told once, with or without a description, on however many hops", () => {
    const update = refresh("UPDATE", 2, expires("600"));
    const hop = response(200, "UPDATE", { ...IN, cseq: 2, hop: 2, ...expires("600") });
    const script = [...answered(expires("600", "x")), ...update, hop, ...update];
    expect(texts(...script).slice(3)).toEqual(["", "refreshed 600", "", "", ""]);
    const again = [...script, ...refresh("INVITE", 3, { sdp: "B", ...expires("600") }, { sdp: "A" })];
    expect(texts(...again).slice(-1)).toEqual(["answered0 A, answered1 B, refreshed 600"]);
    const other = [
      request("UPDATE", { by: 1, cseq: 1 }),
      response(200, "UPDATE", { by: 1, cseq: 1, ...expires("90") }),
    ];
    expect(texts(...again, ...other).slice(-1)).toEqual(["refreshed 90"]);
    expect(play([...again, ...other]).state.sessionExpiresS).toBe(90);
  });

  test("a refresh without the field turns it off; another turns it on again", () => {
    const off = [...answered(expires("600")), ...refresh("UPDATE", 2)];
    expect(texts(...off).at(-1)).toBe("refreshed 0");
    expect(play(off).state.sessionExpiresS).toBe(0);
    expect(texts(...off, ...refresh("UPDATE", 3)).at(-1)).toBe("");
    expect(texts(...off, ...refresh("UPDATE", 3, expires("300"))).at(-1)).toBe("refreshed 300");
  });

  test("sessions without a timer are never said to be refreshed", () => {
    expect(texts(...answered(), ...refresh("UPDATE", 2), ...refresh("INVITE", 3)).slice(3)).toEqual([
      "",
      "",
      "reinvite0",
      "",
    ]);
  });

  test("a proxy starts it for a user agent that knows none: seen behind the proxy only", () => {
    const { events, state } = play([
      INVITE,
      response(200, "INVITE", { hop: 2, sdp: "B" }),
      response(200, "INVITE", { sdp: "B", ...expires("1800;refresher=uac") }),
    ]);
    expect(events.slice(1)).toEqual(["answered, answered0 A, answered1 B", "refreshed 1800"]);
    expect(state.sessionExpiresS).toBe(1800);
  });

  test("422: asked again with more", () => {
    const min: Draft = { headers: [["Min-SE", "600"]] };
    expect(
      texts(
        request("INVITE", { sdp: "A", ...expires("90") }),
        response(422, "INVITE", min),
        request("ACK"),
        request("INVITE", { cseq: 2, sdp: "A", ...expires("600") }),
        response(200, "INVITE", { cseq: 2, sdp: "B", ...expires("600") }),
      ).slice(1),
    ).toEqual(["failed422", "", "retried, offered0 early A", "answered, answered0 A, answered1 B, refreshed 600"]);
    const refused = [request("UPDATE", { cseq: 2 }), response(422, "UPDATE", { cseq: 2, ...min })];
    const { events, state } = play([...answered(expires("300")), ...refused, ...refresh("UPDATE", 3, expires("600"))]);
    expect(events.slice(3)).toEqual(["", "", "", "refreshed 600"]);
    expect(state.sessionExpiresS).toBe(600);
  });

  test("an older refresh that comes late changes nothing", () => {
    const [old, oldAnswer] = refresh("UPDATE", 2, expires("100")) as [typeof INVITE, typeof INVITE];
    const script = [...answered(expires("600")), ...refresh("UPDATE", 3, expires("300")), old, oldAnswer];
    expect(texts(...script).slice(-2)).toEqual(["", ""]);
    expect(play(script).state.sessionExpiresS).toBe(300);
  });

  test("other forks have timers of their own", () => {
    const { events, state } = play([
      ...answered(expires("600")),
      response(200, "INVITE", { tags: ["a", "c"], sdp: "C", ...expires("100") }),
      request("UPDATE", { tags: ["a", "c"], cseq: 2 }),
      response(200, "UPDATE", { tags: ["a", "c"], cseq: 2, ...expires("100") }),
    ]);
    expect(events.slice(3).join("")).toBe("");
    expect(state.sessionExpiresS).toBe(600);
  });

  test("joined late, the next refresh tells", () => {
    const { events, state } = play(refresh("UPDATE", 7, expires("1200")));
    expect(events).toEqual(["answered", "refreshed 1200"]);
    expect(state.sessionExpiresS).toBe(1200);
  });

  test.each([
    ["0", 0],
    ["-5", 0],
    ["1e9", 0],
    ["", 0],
    ["abc;refresher=uac", 0],
    ["12345678901", 0],
    ["1", 90],
    ["89", 90],
    ["90", 90],
    ["4294967295", 4294967295],
    ["1800;refresher", 1800],
  ])("Session-Expires: %j is %i", (value, seconds) => {
    expect(play(answered(expires(value))).state.sessionExpiresS).toBe(seconds);
  });

  test("the compact form", () => {
    expect(play(answered(expires("240", "x"))).state.sessionExpiresS).toBe(240);
  });
});

describe("a request that meets nobody", () => {
  const reinvite = request("INVITE", { ...IN, cseq: 2, sdp: "A2" });
  const status = (code: number, method: string, cseq: number, by: 0 | 1 = 0) =>
    response(code, method, { ...IN, by, cseq });

  test.each([408, 481])("%i to a re-INVITE: lost, and not ended before its BYE", (code) => {
    const { events, state } = play([...answered(), reinvite, status(code, "INVITE", 2), status(code, "INVITE", 2)]);
    expect(events.slice(3)).toEqual(["reinvite0, offered0 A2", `rejected0, lost0 ${code}`, ""]);
    expect(state).toMatchObject({ phase: "answered", lostStatus: code });
    const over = play([...answered(), reinvite, status(code, "INVITE", 2), request("BYE", { cseq: 3 })]);
    expect(over.events.at(-1)).toBe("ended0");
  });

  test("an UPDATE without description as well, from either side, told once", () => {
    const script = [
      ...answered(),
      request("UPDATE", { by: 1, cseq: 1 }),
      status(481, "UPDATE", 1, 1),
      request("UPDATE", { by: 1, cseq: 2 }),
      status(408, "UPDATE", 2, 1),
    ];
    expect(texts(...script).slice(3)).toEqual(["", "lost1 481", "", ""]);
  });

  test("a later success shows that both are there", () => {
    const script = [...answered(), reinvite, status(408, "INVITE", 2), ...refresh("UPDATE", 3)];
    expect(play(script).state.lostStatus).toBe(0);
    expect(texts(...script, request("UPDATE", { cseq: 4 }), status(408, "UPDATE", 4)).at(-1)).toBe("lost0 408");
  });

  test("other refusals say that somebody is there, 408 of an attempt that it is none", () => {
    for (const code of [401, 404, 488, 491, 500, 503])
      expect(play([...answered(), reinvite, status(code, "INVITE", 2)]).state.lostStatus).toBe(0);
    expect(texts(INVITE, response(408, "INVITE"))).toEqual(["offered0 early A", "failed408"]);
    const late = [request("INVITE", { cseq: 2, sdp: "A2" }), response(408, "INVITE", { cseq: 2, tags: ["a", "b"] })];
    expect(texts(...answered(), ...late).at(-1)).toBe("");
  });
});
