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
      "ringing, answered0 early A, answered1 early B",
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
      "ringing, answered0 early A, answered1 early M",
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
      "ringing, offered1 early B",
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

describe("hold", () => {
  const reinvite = (cseq: number, direction: "sendrecv" | "sendonly" | "recvonly" | "inactive", address = "10.0.0.1") =>
    request("INVITE", { cseq, tags: ["a", "b"], sdp: `A${cseq}`, direction, address });
  const answer = (cseq: number, direction: "sendrecv" | "sendonly" | "recvonly" | "inactive") =>
    response(200, "INVITE", { cseq, sdp: `B${cseq}`, direction });
  const holds = (...messages: Parameters<typeof play>[0]) =>
    later(...messages).flatMap((text) => text.split(", ").filter((word) => /^(hold|resume)/.test(word)));

  test("by sendonly, inactive and 0.0.0.0, and back", () => {
    expect(
      holds(reinvite(2, "sendonly"), answer(2, "recvonly"), reinvite(3, "sendrecv"), answer(3, "sendrecv")),
    ).toEqual(["hold0", "resume0"]);
    expect(
      holds(reinvite(2, "inactive"), answer(2, "inactive"), reinvite(3, "sendrecv"), answer(3, "sendrecv")),
    ).toEqual(["hold0", "resume0"]);
    expect(holds(reinvite(2, "sendrecv", "0.0.0.0"), answer(2, "sendrecv"))).toEqual(["hold0"]);
    expect(
      holds(reinvite(2, "sendonly"), answer(2, "recvonly"), reinvite(3, "sendonly"), answer(3, "recvonly")),
    ).toEqual(["hold0"]);
  });

  test("counts when it is agreed, not when it is asked for", () => {
    expect(later(reinvite(2, "sendonly"), answer(2, "recvonly"))).toEqual([
      "reinvite0, offered0 A2",
      "answered0 A2, answered1 B2, hold0",
    ]);
    expect(holds(reinvite(2, "sendonly"), response(488, "INVITE", { cseq: 2 }))).toEqual([]);
  });

  test("by the answering side, and by both", () => {
    expect(holds(reinvite(2, "sendrecv"), answer(2, "sendonly"))).toEqual(["hold1"]);
    const first = [
      request("INVITE", { by: 1, cseq: 1, sdp: "B5", direction: "sendonly" }),
      response(200, "INVITE", { by: 1, cseq: 1, sdp: "A5", direction: "recvonly" }),
    ];
    expect(
      holds(...first, reinvite(2, "inactive"), answer(2, "inactive"), reinvite(3, "sendrecv"), answer(3, "sendonly")),
    ).toEqual(["hold1", "hold0", "resume0"]);
  });

  test("an early answer that only sends is an announcement, not hold", () => {
    const script = [INVITE, response(183, "INVITE", { sdp: "M", direction: "sendonly" }), OK];
    expect(events(...script).join(", ")).not.toMatch(/hold|resume/);
  });

  test("a call that starts on hold", () => {
    const script = [
      request("INVITE", { sdp: "A", direction: "inactive" }),
      response(200, "INVITE", { sdp: "B", direction: "inactive" }),
    ];
    expect(events(...script)[1]).toBe("answered, answered0 A, answered1 B, hold0");
  });
});
