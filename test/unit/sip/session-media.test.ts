// Offer and answer: which description is asked for, which is in force, who is on hold. RFC 3261 §13.2.1, §14; RFC 3262
// §5; RFC 3264 §8; RFC 3311 §5.
import { describe, expect, test } from "vitest";
import { play, request, response } from "./session-script.js";

const INVITE = request("INVITE", { sdp: "A" });
const OK = response(200, "INVITE", { sdp: "B" });
const ACK = request("ACK");
const CALL = [INVITE, OK, ACK];
const events = (...messages: Parameters<typeof play>[0]) => play(messages).events;
/** Events of what follows an answered call. */
const later = (...messages: Parameters<typeof play>[0]) => play([...CALL, ...messages]).events.slice(CALL.length);

describe("early media", () => {
  test("an answer in 183, the same in 200", () => {
    expect(events(INVITE, response(183, "INVITE", { sdp: "B" }), OK)).toEqual([
      "offered0 early A",
      "ringing, answered0 early A, answered1 early B, early-media1",
      "answered, answered0 A, answered1 B",
    ]);
  });

  test("an answer in 183 only", () => {
    expect(events(INVITE, response(183, "INVITE", { sdp: "B" }), response(200, "INVITE"))[2]).toBe(
      "answered, answered0 A, answered1 B",
    );
  });

  test("announcement first, then another address", () => {
    const script = [INVITE, response(183, "INVITE", { sdp: "M" }), response(183, "INVITE", { sdp: "N" }), OK];
    expect(events(...script).slice(1)).toEqual([
      "ringing, answered0 early A, answered1 early M, early-media1",
      "answered1 early N",
      "answered, answered0 A, answered1 B",
    ]);
  });

  test("an answer without any description accepts the offer", () => {
    expect(events(INVITE, response(200, "INVITE"))[1]).toBe("answered, answered0 A");
  });
});

describe("late offer", () => {
  test("in the 200, answered in the ACK", () => {
    expect(events(request("INVITE"), OK, request("ACK", { sdp: "A" }), request("ACK", { sdp: "A" }))).toEqual([
      "",
      "answered, offered1 B",
      "confirmed, answered1 B, answered0 A",
      "",
    ]);
  });

  test("on two hops with rewritten descriptions", () => {
    expect(
      events(
        request("INVITE"),
        request("INVITE", { hop: 2 }),
        response(200, "INVITE", { hop: 2, sdp: "B" }),
        response(200, "INVITE", { sdp: "B2" }),
        request("ACK", { sdp: "A" }),
        request("ACK", { hop: 2, sdp: "A2" }),
      ).slice(2),
    ).toEqual([
      "answered, offered1 B",
      "offered1 hop B2",
      "confirmed, answered1 B, answered1 hop B2, answered0 A",
      "answered0 hop A2",
    ]);
  });

  test("in a reliable 183, answered in the PRACK", () => {
    const prack = request("PRACK", { cseq: 2, sdp: "A" });
    expect(
      events(
        request("INVITE"),
        response(183, "INVITE", { sdp: "B" }),
        prack,
        prack,
        response(200, "PRACK", { cseq: 2 }),
        OK,
        ACK,
      ),
    ).toEqual([
      "",
      "ringing, offered1 early B, early-media1",
      "answered1 early B, answered0 early A",
      "",
      "",
      "answered",
      "confirmed",
    ]);
  });

  test("the ACK before its 200", () => {
    expect(events(request("INVITE"), request("ACK", { sdp: "A" }), OK)).toEqual([
      "",
      "answered, confirmed, answered0 A",
      "answered1 B",
    ]);
  });
});

describe("PRACK and UPDATE", () => {
  test("an offer in the PRACK, answered in its 200", () => {
    expect(
      events(
        INVITE,
        response(183, "INVITE", { sdp: "B" }),
        request("PRACK", { cseq: 2, sdp: "A2" }),
        response(200, "PRACK", { cseq: 2, sdp: "B2" }),
      ).slice(2),
    ).toEqual(["offered0 early A2", "answered0 early A2, answered1 early B2"]);
  });

  test("PRACKs without description change nothing", () => {
    expect(
      events(INVITE, response(183, "INVITE"), request("PRACK", { cseq: 2 }), response(200, "PRACK", { cseq: 2 })),
    ).toEqual(["offered0 early A", "ringing", "", ""]);
  });

  test("an UPDATE before the answer is not undone by the 200's older description", () => {
    expect(
      events(
        INVITE,
        response(183, "INVITE", { sdp: "B" }),
        request("UPDATE", { cseq: 2, sdp: "A2" }),
        response(200, "UPDATE", { cseq: 2, sdp: "B2" }),
        OK,
      ).slice(2),
    ).toEqual(["offered0 early A2", "answered0 early A2, answered1 early B2", "answered"]);
  });

  test("UPDATE within the call, from either side", () => {
    expect(
      later(
        request("UPDATE", { by: 1, cseq: 1, sdp: "B2" }),
        response(200, "UPDATE", { by: 1, cseq: 1, sdp: "A2" }),
        response(200, "UPDATE", { by: 1, cseq: 1, sdp: "A2" }),
      ),
    ).toEqual(["offered1 B2", "answered1 B2, answered0 A2", ""]);
  });

  test("a refused UPDATE, once", () => {
    const refusal = response(491, "UPDATE", { cseq: 2 });
    expect(later(request("UPDATE", { cseq: 2, sdp: "A2" }), refusal, refusal)).toEqual([
      "offered0 A2",
      "rejected0",
      "",
    ]);
  });

  test("a session refresh without description", () => {
    expect(
      later(request("UPDATE", { cseq: 2 }), response(200, "UPDATE", { cseq: 2 }), response(422, "UPDATE", { cseq: 3 })),
    ).toEqual(["", "", ""]);
  });

  test("the response before its request", () => {
    expect(later(response(200, "UPDATE", { cseq: 2, sdp: "B2" }), request("UPDATE", { cseq: 2, sdp: "A2" }))).toEqual([
      "answered1 B2",
      "answered0 A2",
    ]);
  });
});

describe("re-INVITE", () => {
  test("from either side", () => {
    expect(
      later(
        request("INVITE", { cseq: 2, tags: ["a", "b"], sdp: "A2" }),
        response(100, "INVITE", { cseq: 2 }),
        response(200, "INVITE", { cseq: 2, sdp: "B2" }),
        request("ACK", { cseq: 2 }),
        request("INVITE", { by: 1, cseq: 1, sdp: "B3" }),
        response(200, "INVITE", { by: 1, cseq: 1, sdp: "A3" }),
        request("ACK", { by: 1, cseq: 1 }),
      ),
    ).toEqual([
      "reinvite0, offered0 A2",
      "",
      "answered0 A2, answered1 B2",
      "",
      "reinvite1, offered1 B3",
      "answered1 B3, answered0 A3",
      "",
    ]);
  });

  test.each([488, 491, 401, 500])("refused with %i: nothing changed", (status) => {
    const { state, events } = play([
      ...CALL,
      request("INVITE", { cseq: 2, tags: ["a", "b"], sdp: "A2", direction: "sendonly" }),
      response(status, "INVITE", { cseq: 2 }),
      request("ACK", { cseq: 2 }),
    ]);
    expect(events.slice(3)).toEqual(["reinvite0, offered0 A2", "rejected0", ""]);
    expect(state).toMatchObject({ phase: "answered", held: [false, false], finalStatus: 200 });
  });

  test("both at once", () => {
    expect(
      later(
        request("INVITE", { cseq: 2, tags: ["a", "b"], sdp: "A2" }),
        request("INVITE", { by: 1, cseq: 1, sdp: "B2" }),
        response(491, "INVITE", { cseq: 2 }),
        response(491, "INVITE", { by: 1, cseq: 1 }),
        request("INVITE", { by: 1, cseq: 2, sdp: "B2" }),
        response(200, "INVITE", { by: 1, cseq: 2, sdp: "A" }),
      ),
    ).toEqual([
      "reinvite0, offered0 A2",
      "reinvite1, offered1 B2",
      "rejected0",
      "rejected1",
      "reinvite1, offered1 B2",
      "answered1 B2, answered0 A",
    ]);
  });

  test("without offer", () => {
    expect(
      later(
        request("INVITE", { cseq: 2, tags: ["a", "b"] }),
        response(200, "INVITE", { cseq: 2, sdp: "B2" }),
        request("ACK", { cseq: 2, sdp: "A2" }),
      ),
    ).toEqual(["reinvite0", "offered1 B2", "answered1 B2, answered0 A2"]);
    expect(later(request("INVITE", { cseq: 2, tags: ["a", "b"] }), response(488, "INVITE", { cseq: 2 }))[1]).toBe("");
  });

  test("only its response was seen", () => {
    expect(later(response(200, "INVITE", { by: 1, cseq: 1, sdp: "A2" }))).toEqual(["answered0 A2"]);
  });

  test("rewritten on a second hop", () => {
    expect(
      later(
        request("INVITE", { cseq: 2, tags: ["a", "b"], sdp: "A2" }),
        request("INVITE", { cseq: 2, hop: 2, tags: ["a", "b"], sdp: "A3" }),
        response(200, "INVITE", { cseq: 2, hop: 2, sdp: "B2" }),
        response(200, "INVITE", { cseq: 2, sdp: "B3" }),
      ),
    ).toEqual([
      "reinvite0, offered0 A2",
      "offered0 hop A3",
      "answered0 A2, answered0 hop A3, answered1 B2",
      "answered1 hop B3",
    ]);
  });

  test("at most four paths of one side", () => {
    const hops = Array.from({ length: 9 }, (_, i) => request("INVITE", { hop: i + 1, sdp: `A${i}` }));
    expect(events(...hops).filter((text) => text !== "")).toHaveLength(4);
  });
});

describe("changes that fail, cross or get lost", () => {
  const IN = { tags: ["a", "b"] as const };
  const reinvite = (by: 0 | 1, cseq: number, sdp?: string, more: object = {}) =>
    request("INVITE", { ...IN, by, cseq, ...(sdp === undefined ? {} : { sdp }), ...more });
  const answer = (by: 0 | 1, cseq: number, sdp?: string, more: object = {}) =>
    response(200, "INVITE", { ...IN, by, cseq, ...(sdp === undefined ? {} : { sdp }), ...more });
  const refusal = (status: number, by: 0 | 1, cseq: number, method = "INVITE") =>
    response(status, method, { ...IN, by, cseq });

  test("re-INVITE and UPDATE cross: whichever is refused, the other counts", () => {
    const crossing = [reinvite(0, 2, "A2"), request("UPDATE", { by: 1, cseq: 1, sdp: "B2" })];
    const updated = response(200, "UPDATE", { by: 1, cseq: 1, sdp: "A3" });
    expect(later(...crossing, refusal(491, 0, 2), updated).slice(2)).toEqual([
      "rejected0",
      "answered1 B2, answered0 A3",
    ]);
    expect(later(...crossing, refusal(491, 1, 1, "UPDATE"), answer(0, 2, "B3")).slice(2)).toEqual([
      "rejected1",
      "answered0 A2, answered1 B3",
    ]);
    expect(later(...crossing, refusal(491, 1, 1, "UPDATE"), refusal(491, 0, 2)).slice(2)).toEqual([
      "rejected1",
      "rejected0",
    ]);
  });

  test("500 to an INVITE that came before the one before was answered", () => {
    const busy = response(500, "INVITE", { ...IN, cseq: 3, headers: [["Retry-After", "4"]] });
    expect(
      later(
        reinvite(0, 2, "A2"),
        reinvite(0, 3, "A3"),
        busy,
        answer(0, 2, "B2"),
        reinvite(0, 4, "A4"),
        answer(0, 4, "B4"),
      ),
    ).toEqual([
      "reinvite0, offered0 A2",
      "reinvite0, offered0 A3",
      "rejected0",
      "answered0 A2, answered1 B2",
      "reinvite0, offered0 A4",
      "answered0 A4, answered1 B4",
    ]);
  });

  test("cancelled: 487 leaves all as it was, a 200 that crosses the CANCEL counts", () => {
    const cancel = request("CANCEL", { ...IN, cseq: 2 });
    expect(later(reinvite(0, 2, "A2"), cancel, response(200, "CANCEL", { cseq: 2 }), refusal(487, 0, 2))).toEqual([
      "reinvite0, offered0 A2",
      "",
      "",
      "rejected0",
    ]);
    expect(later(reinvite(0, 2, "A2"), cancel, answer(0, 2, "B2")).slice(1)).toEqual([
      "",
      "answered0 A2, answered1 B2",
    ]);
    expect(play([...CALL, reinvite(0, 2, "A2"), cancel]).state).toMatchObject({ phase: "answered", cancelSeen: false });
  });

  test("the ACK is lost, the answer sent again and again", () => {
    const ok = answer(0, 2, "B2");
    expect(later(reinvite(0, 2, "A2"), ok, ok, ok, reinvite(0, 2, "A2"), request("ACK", { ...IN, cseq: 2 }))).toEqual([
      "reinvite0, offered0 A2",
      "answered0 A2, answered1 B2",
      "",
      "",
      "",
      "",
    ]);
  });

  test("an answer that was overtaken by the next one undoes nothing", () => {
    const first = [reinvite(0, 2, "A2"), answer(0, 2, "B2")] as const;
    const second = [reinvite(0, 3, "A3"), answer(0, 3, "B3")] as const;
    expect(later(first[0], ...second, first[1], first[0])).toEqual([
      "reinvite0, offered0 A2",
      "reinvite0, offered0 A3",
      "answered0 A3, answered1 B3",
      "",
      "",
    ]);
    expect(later(...second, ...first)).toEqual(["reinvite0, offered0 A3", "answered0 A3, answered1 B3", "", ""]);
    const update = (cseq: number) => [
      request("UPDATE", { cseq, sdp: `A${cseq}` }),
      response(200, "UPDATE", { cseq, sdp: `B${cseq}` }),
    ];
    expect(later(...update(3), ...update(2))).toEqual(["offered0 A3", "answered0 A3, answered1 B3", "", ""]);
    // What the other side agrees on has a count of its own.
    expect(later(...update(9), reinvite(1, 1, "B4"), answer(1, 1, "A4")).slice(2)).toEqual([
      "reinvite1, offered1 B4",
      "answered1 B4, answered0 A4",
    ]);
  });

  test("answered in 183, then refused: what held before holds again", () => {
    const early = response(183, "INVITE", { ...IN, cseq: 2, sdp: "B2", direction: "recvonly" });
    const { events, state } = play([
      ...CALL,
      reinvite(0, 2, "A2", { direction: "sendonly" }),
      early,
      refusal(580, 0, 2),
      refusal(580, 0, 2),
    ]);
    expect(events.slice(3)).toEqual([
      "reinvite0, offered0 A2",
      "answered0 A2, answered1 B2, hold0",
      "rejected0, answered0 A, answered1 B, resume0",
      "",
    ]);
    expect(state.held).toEqual([false, false]);
  });

  test("an UPDATE within a re-INVITE is not undone by the 200's older description", () => {
    expect(
      later(
        reinvite(0, 2, "A2"),
        response(183, "INVITE", { ...IN, cseq: 2, sdp: "B2" }),
        request("UPDATE", { cseq: 3, sdp: "A3" }),
        response(200, "UPDATE", { cseq: 3, sdp: "B3" }),
        answer(0, 2, "B2"),
      ).slice(2),
    ).toEqual(["offered0 A3", "answered0 A3, answered1 B3", ""]);
  });

  describe("late offers", () => {
    const ack = (by: 0 | 1, cseq: number, sdp: string) => request("ACK", { ...IN, by, cseq, sdp });

    test("from either side, sent again, on two hops", () => {
      for (const by of [0, 1] as const) {
        const other = by === 0 ? 1 : 0;
        expect(
          later(
            reinvite(by, 5),
            answer(by, 5, "O2", { hop: 2 }),
            answer(by, 5, "O"),
            answer(by, 5, "O"),
            ack(by, 5, "N"),
            ack(by, 5, "N"),
            request("ACK", { ...IN, by, cseq: 5, hop: 2, sdp: "N2" }),
          ),
        ).toEqual([
          `reinvite${by}`,
          `offered${other} O2`,
          `offered${other} hop O`,
          "",
          `answered${other} O2, answered${other} hop O, answered${by} N`,
          "",
          `answered${by} hop N2`,
        ]);
      }
    });

    test("in a reliable 183, answered in the PRACK; the 200 says it again", () => {
      expect(
        later(
          reinvite(0, 2),
          response(183, "INVITE", { ...IN, cseq: 2, sdp: "B2" }),
          request("PRACK", { cseq: 3, sdp: "A2" }),
          response(200, "PRACK", { cseq: 3 }),
          answer(0, 2, "B2"),
          request("ACK", { ...IN, cseq: 2 }),
        ),
      ).toEqual(["reinvite0", "offered1 B2", "answered1 B2, answered0 A2", "", "", ""]);
    });

    test("refused, or never acknowledged: the offer is void", () => {
      expect(later(reinvite(0, 2), response(183, "INVITE", { ...IN, cseq: 2, sdp: "B2" }), refusal(488, 0, 2))).toEqual(
        ["reinvite0", "offered1 B2", "rejected1"],
      );
      expect(
        later(reinvite(0, 2), answer(0, 2, "B2"), reinvite(0, 3, "A3"), answer(0, 3, "B3"), ack(0, 2, "A2")),
      ).toEqual(["reinvite0", "offered1 B2", "reinvite0, offered0 A3", "answered0 A3, answered1 B3", ""]);
    });
  });

  test("a hop that carries the offer after it was refused brings nothing", () => {
    expect(later(reinvite(0, 2, "A2"), refusal(488, 0, 2), reinvite(0, 2, "A3", { hop: 2 }))).toEqual([
      "reinvite0, offered0 A2",
      "rejected0",
      "",
    ]);
  });
});
