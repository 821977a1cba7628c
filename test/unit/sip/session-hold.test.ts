// Who puts whom on hold, as it is agreed: RFC 3264 §8.4, RFC 2543's 0.0.0.0, and what phones and PBXs make of them.
import { describe, expect, test } from "vitest";
import type { Side } from "../../../device/base/ids.js";
import type { SipMessage } from "../../../device/sip/message.js";
import type { SessionState } from "../../../device/sip/session.js";
import { type Draft, play, request, response } from "./session-script.js";

type Direction = NonNullable<Draft["direction"]>;
/** What a side says: a direction at its own address, or at 0.0.0.0, or more. */
type Words = Direction | "0.0.0.0" | Draft;

const CALL = [request("INVITE", { sdp: "A" }), response(200, "INVITE", { sdp: "B" }), request("ACK")];
const WITHIN = { tags: ["a", "b"] as const };
const LABELS = ["A", "B"] as const;

function draftOf(words: Words, by: Side, cseq: number, side: Side): Draft {
  const said: Draft =
    typeof words !== "string" ? words : words === "0.0.0.0" ? { address: words } : { direction: words };
  return { ...WITHIN, by, cseq, sdp: LABELS[side], ...said, more: { sessionVersion: cseq, ...said.more } };
}

/** An exchange within the call: `by` offers, the other side answers, by INVITE or UPDATE. */
function exchange(by: Side, cseq: number, offer: Words, answer: Words, method: "INVITE" | "UPDATE" = "INVITE") {
  const other: Side = by === 0 ? 1 : 0;
  const messages = [
    request(method, draftOf(offer, by, cseq, by)),
    response(200, method, draftOf(answer, by, cseq, other)),
  ];
  return method === "INVITE" ? [...messages, request("ACK", { ...WITHIN, by, cseq })] : messages;
}

/** The offer comes in the 200, its answer in the ACK. */
function lateExchange(by: Side, cseq: number, offer: Words, answer: Words) {
  const other: Side = by === 0 ? 1 : 0;
  return [
    request("INVITE", { ...WITHIN, by, cseq }),
    response(200, "INVITE", draftOf(offer, by, cseq, other)),
    request("ACK", draftOf(answer, by, cseq, by)),
  ];
}

/** Hold and resume events of what follows an answered call, and who holds at its end. */
function holds(...messages: SipMessage[]): [string[], SessionState["held"]] {
  const { events, state } = play([...CALL, ...messages]);
  const words = events
    .slice(CALL.length)
    .flatMap((text) => text.split(", "))
    .filter((word) => /^(hold|resume)/.test(word));
  return [words, state.held];
}

describe.each(["INVITE", "UPDATE"] as const)("by %s", (method) => {
  const on = (by: Side, cseq: number, offer: Words, answer: Words) => exchange(by, cseq, offer, answer, method);

  test.each<[string, Words, Words]>([
    ["sendonly", "sendonly", "recvonly"],
    ["sendonly, answered inactive", "sendonly", "inactive"],
    ["inactive", "inactive", "inactive"],
    ["0.0.0.0", "0.0.0.0", "sendrecv"],
    ["0.0.0.0, mirrored", "0.0.0.0", "0.0.0.0"],
    ["0.0.0.0 and inactive", { address: "0.0.0.0", direction: "inactive" }, "inactive"],
    ["0.0.0.0 and sendonly", { address: "0.0.0.0", direction: "sendonly" }, "recvonly"],
    ["the unspecified IPv6 address", { address: "::" }, "sendrecv"],
    ["a name that leads nowhere", { address: "host.invalid" }, "sendrecv"],
  ])("%s, and back, from either side", (name, offer, answer) => {
    for (const by of [0, 1] as const) {
      const on1 = on(by, 2, offer, answer);
      const words = name === "sendonly, answered inactive" ? [`hold${by}`, `hold${1 - by}`] : [`hold${by}`];
      expect(holds(...on1)[0].sort()).toEqual(words.sort());
      const back = on(by, 3, "sendrecv", "sendrecv");
      expect(holds(...on1, ...back)[1]).toEqual([false, false]);
      expect(holds(...on1, ...back)[0]).toContain(`resume${by}`);
    }
  });

  test("of a hold: once", () => {
    expect(holds(...on(0, 2, "sendonly", "recvonly"), ...on(0, 3, "sendonly", "recvonly"))[0]).toEqual(["hold0"]);
    expect(holds(...on(0, 2, "sendonly", "recvonly"), ...on(0, 3, "inactive", "inactive"))[0]).toEqual(["hold0"]);
    expect(holds(...on(0, 2, "0.0.0.0", "sendrecv"), ...on(0, 3, "sendonly", "recvonly"))[0]).toEqual(["hold0"]);
  });

  test("both sides, each in turn, and each back in turn", () => {
    const both = [...on(0, 2, "sendonly", "recvonly"), ...on(1, 2, "inactive", "inactive")];
    expect(holds(...both)).toEqual([
      ["hold0", "hold1"],
      [true, true],
    ]);
    // Back to the first holder, who answers that the other holds still.
    const firstBack = [...both, ...on(0, 4, "recvonly", "inactive")];
    expect(holds(...firstBack)[1]).toEqual([false, true]);
    expect(holds(...firstBack, ...on(1, 4, "sendrecv", "sendrecv"))).toEqual([
      ["hold0", "hold1", "resume0", "resume1"],
      [false, false],
    ]);
    // Or the second first: the first still does not receive.
    const secondBack = [...both, ...on(1, 4, "sendrecv", "sendonly")];
    expect(holds(...secondBack)[1]).toEqual([true, false]);
    expect(holds(...secondBack, ...on(0, 6, "sendrecv", "sendrecv"))[1]).toEqual([false, false]);
  });

  test("by the one who answers", () => {
    expect(holds(...on(0, 2, "sendrecv", "sendonly"))[0]).toEqual(["hold1"]);
    expect(holds(...on(0, 2, "sendrecv", "inactive"))[0]).toEqual(["hold1"]);
    expect(holds(...on(0, 2, "sendrecv", "0.0.0.0"))[0]).toEqual(["hold1"]);
  });

  test("who only listens holds nobody", () => {
    expect(holds(...on(0, 2, "sendrecv", "recvonly"))[0]).toEqual([]);
    expect(holds(...on(0, 2, "recvonly", "sendonly"))[0]).toEqual([]);
  });

  test("the one who is held refreshes the session as it is", () => {
    const held = on(0, 2, "sendonly", { direction: "recvonly", more: { sessionVersion: 7 } });
    const again = on(1, 1, { direction: "recvonly", more: { sessionVersion: 7 } }, "sendonly");
    expect(holds(...held, ...again)).toEqual([["hold0"], [true, false]]);
    const inactive = on(0, 2, "inactive", { direction: "inactive", more: { sessionVersion: 7 } });
    const repeated = on(1, 1, { direction: "inactive", more: { sessionVersion: 7 } }, "inactive");
    expect(holds(...inactive, ...repeated)).toEqual([["hold0"], [true, false]]);
    // With a new version it is a wish of its own.
    expect(holds(...inactive, ...on(1, 1, "inactive", "inactive"))).toEqual([
      ["hold0", "hold1"],
      [true, true],
    ]);
  });

  test("refused, it is none", () => {
    const refused = [
      request(method, draftOf("sendonly", 0, 2, 0)),
      response(488, method, { ...WITHIN, cseq: 2 }),
      ...on(1, 1, "sendrecv", "sendrecv"),
    ];
    expect(holds(...refused)[0]).toEqual([]);
  });
});

describe("in a late offer", () => {
  test("whoever does not want to receive holds", () => {
    expect(holds(...lateExchange(0, 2, "sendonly", "recvonly"))[0]).toEqual(["hold1"]);
    expect(holds(...lateExchange(0, 2, "sendrecv", "sendonly"))[0]).toEqual(["hold0"]);
    expect(holds(...lateExchange(1, 2, "sendrecv", "inactive"))[0]).toEqual(["hold1"]);
    expect(holds(...lateExchange(0, 2, "sendrecv", "0.0.0.0"))[0]).toEqual(["hold0"]);
  });

  test("the one who is held offers all it has, and is held still", () => {
    const held = exchange(0, 2, "sendonly", "recvonly");
    expect(holds(...held, ...lateExchange(0, 3, "sendrecv", "sendonly"))).toEqual([["hold0"], [true, false]]);
    expect(holds(...held, ...lateExchange(0, 3, "sendrecv", "sendrecv"))).toEqual([
      ["hold0", "resume0"],
      [false, false],
    ]);
  });

  test("its ACK is lost: nothing is agreed", () => {
    const [invite, ok] = lateExchange(0, 2, "sendonly", "recvonly") as [SipMessage, SipMessage];
    expect(holds(invite, ok)[0]).toEqual([]);
    expect(holds(invite, ok, ...exchange(0, 3, "sendonly", "recvonly"))[0]).toEqual(["hold0"]);
  });
});

describe("music on hold", () => {
  const music: Draft = { sdp: "MUSIC", direction: "sendonly", address: "10.0.9.9", more: { port: 9000 } };

  test("the holder sends from a server of another address and origin", () => {
    const { events, state } = play([
      ...CALL,
      ...exchange(1, 1, music, "recvonly"),
      ...exchange(1, 2, { direction: "sendrecv" }, "sendrecv"),
    ]);
    expect(events.slice(3)).toEqual([
      "reinvite1, offered1 MUSIC",
      "answered1 MUSIC, answered0 A, hold1",
      "",
      "reinvite1, offered1 B",
      "answered1 B, answered0 A, resume1",
      "",
    ]);
    expect(state.held).toEqual([false, false]);
  });

  test("fetched by late offer (RFC 7088): the held side's offer meets the server's answer", () => {
    expect(holds(...lateExchange(1, 1, "sendrecv", music))[0]).toEqual(["hold1"]);
  });
});

describe("sections that are not there", () => {
  const disabled: Draft = { more: { port: 0 } };

  test("an audio section that is taken out or rejected is no hold", () => {
    expect(holds(...exchange(0, 2, disabled, disabled))).toEqual([[], [false, false]]);
    expect(holds(...exchange(0, 2, { direction: "sendonly" }, disabled))).toEqual([[], [false, false]]);
    const fax: Draft = { more: { port: 0, furtherMedia: ["m=image 5004 udptl t38"] } };
    expect(holds(...exchange(0, 2, fax, fax))[0]).toEqual([]);
    expect(holds(...exchange(0, 2, "sendonly", "recvonly"), ...exchange(0, 3, disabled, disabled))[1]).toEqual([
      true,
      false,
    ]);
  });

  test("of several audio lines, the ones in use decide", () => {
    const second = (direction: string, port = 4002) => [`m=audio ${port} RTP/AVP 0`, `a=${direction}`];
    const lines = (first: Draft["direction"], port: number, further: string[]): Draft => ({
      ...(first === undefined ? {} : { direction: first }),
      more: { port, furtherMedia: further },
    });
    const both = lines("sendonly", 4000, second("sendonly"));
    expect(holds(...exchange(0, 2, both, lines("recvonly", 4000, second("recvonly"))))[0]).toEqual(["hold0"]);
    const one = lines("sendonly", 4000, second("sendrecv"));
    expect(holds(...exchange(0, 2, one, lines("recvonly", 4000, second("sendrecv"))))[0]).toEqual([]);
    // The second is rejected, so the first alone counts; or the other way round.
    expect(holds(...exchange(0, 2, one, lines("recvonly", 4000, second("sendrecv", 0))))[0]).toEqual(["hold0"]);
    expect(holds(...exchange(0, 2, one, lines("recvonly", 0, second("sendrecv"))))[0]).toEqual([]);
  });

  test("a proxy that drops a rejected section does not confuse it", () => {
    const offer: Draft = { direction: "sendonly", more: { furtherMedia: ["m=video 4004 RTP/AVP 31"] } };
    const video: Draft = { ...offer, more: { port: 0, furtherMedia: ["m=audio 4000 RTP/AVP 8", "a=sendonly"] } };
    expect(holds(...exchange(0, 2, offer, "recvonly"))[0]).toEqual(["hold0"]);
    expect(holds(...exchange(0, 2, video, "recvonly"))[0]).toEqual(["hold0"]);
  });
});

describe("around the answer", () => {
  const INVITE = request("INVITE", { sdp: "A" });
  const texts = (...messages: SipMessage[]) => play(messages).events.join(", ");

  test("an early answer that only sends is an announcement, not hold", () => {
    const script = [INVITE, response(183, "INVITE", { sdp: "M", direction: "sendonly" }), CALL[1]!];
    expect(texts(...script)).not.toMatch(/hold|resume/);
  });

  test("a call that starts on hold", () => {
    const script = [
      request("INVITE", { sdp: "A", direction: "inactive" }),
      response(200, "INVITE", { sdp: "B", direction: "inactive" }),
    ];
    expect(texts(...script)).toContain("answered, answered0 A, answered1 B, hold0");
  });

  test("an UPDATE before the answer counts from the answer on", () => {
    const early = (offer: Direction, answer: Direction) => [
      INVITE,
      response(183, "INVITE", { sdp: "B" }),
      request("UPDATE", { cseq: 2, sdp: "A2", direction: offer }),
      response(200, "UPDATE", { cseq: 2, sdp: "B2", direction: answer }),
    ];
    expect(texts(...early("sendonly", "recvonly"))).not.toContain("hold");
    expect(play([...early("sendonly", "recvonly"), response(200, "INVITE")]).events.at(-1)).toBe("answered, hold0");
    expect(play([...early("sendonly", "recvonly"), CALL[1]!]).events.at(-1)).toBe("answered, hold0");
    // IMS preconditions: inactive first, both ways before the answer.
    const preconditions = [
      request("INVITE", { sdp: "A", direction: "inactive" }),
      response(183, "INVITE", { sdp: "B", direction: "inactive" }),
      ...early("sendrecv", "sendrecv").slice(2),
      response(200, "INVITE"),
    ];
    expect(texts(...preconditions)).not.toContain("hold");
  });

  test("its messages out of order", () => {
    const [offer, answer, ack] = exchange(0, 2, "sendonly", "recvonly") as [SipMessage, SipMessage, SipMessage];
    for (const order of [
      [answer, offer, ack],
      [answer, ack, offer],
      [offer, ack, answer],
    ])
      expect(holds(...order)[0]).toEqual(["hold0"]);
  });
});

describe("resumed", () => {
  const resume = (words: Draft) => {
    const messages = [...exchange(0, 2, "sendonly", "recvonly"), ...exchange(0, 3, words, "sendrecv")];
    let state = play(CALL).state;
    let description: unknown;
    const { events } = play([...CALL, ...messages]);
    state = play([...CALL, ...messages]).state;
    for (const transaction of state.transactions)
      if (transaction.cseq === 3) description = transaction.request[0]?.description.media[0];
    return { last: events.at(-2), description, held: state.held };
  };

  test.each<[string, Draft, object]>([
    ["port", { more: { port: 4100 } }, { port: 4100 }],
    ["address", { address: "10.0.0.77" }, { addressText: "10.0.0.77" }],
    [
      "codec",
      { more: { codecs: [{ payloadType: 9, name: "G722", clockRate: 8000 }] } },
      { codecs: [{ payloadType: 9, name: "G722", clockRate: 8000, channels: 1 }] },
    ],
    ["packet time", { more: { ptimeMs: 40 } }, { ptimeMs: 40 }],
  ])("with another %s", (_, words, expected) => {
    const { last, description, held } = resume(words);
    expect(last).toBe("answered0 A, answered1 B, resume0");
    expect(description).toMatchObject(expected);
    expect(held).toEqual([false, false]);
  });

  test("with the very description of before", () => {
    const messages = [
      ...exchange(0, 2, "sendonly", "recvonly"),
      request("INVITE", { ...WITHIN, cseq: 3, sdp: "A" }),
      response(200, "INVITE", { ...WITHIN, cseq: 3, sdp: "B" }),
    ];
    expect(play([...CALL, ...messages]).events.at(-1)).toBe("answered0 A, answered1 B, resume0");
  });
});
