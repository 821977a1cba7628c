// Transfers asked for within a call: the REFER and how it fares. RFC 3515, RFC 3891.
import { describe, expect, test } from "vitest";
import { type Draft, play, request, response } from "./session-script.js";

const CALL = [request("INVITE", { sdp: "A" }), response(200, "INVITE", { sdp: "B" }), request("ACK")];
const IN = { tags: ["a", "b"] as const };
const refer = (cseq: number, target: string, draft: Draft = {}) =>
  request("REFER", { ...IN, cseq, headers: [["Refer-To", target]], ...draft });
const notify = (cseq: number, line: string, draft: Draft = {}, type = "message/sipfrag;version=2.0") =>
  request("NOTIFY", {
    ...IN,
    by: 1,
    cseq,
    headers: [
      ["Event", "refer;id=2"],
      ["Subscription-State", "active"],
    ],
    body: { type, text: line },
    ...draft,
  });
const later = (...messages: Parameters<typeof play>[0]) => play([...CALL, ...messages]).events.slice(CALL.length);

describe("REFER", () => {
  test("a blind transfer, from REFER to BYE", () => {
    expect(
      later(
        refer(2, "<sip:300@pbx;user=phone>"),
        response(202, "REFER", { ...IN, cseq: 2 }),
        notify(1, "SIP/2.0 100 Trying\r\n"),
        response(200, "NOTIFY", { ...IN, by: 1, cseq: 1 }),
        notify(2, "SIP/2.0 180 Ringing\r\n"),
        notify(3, "SIP/2.0 200 OK\r\n"),
        request("BYE", { cseq: 3 }),
      ),
    ).toEqual([
      "refer0 sip:300@pbx;user=phone",
      "",
      "refer-progress1 100",
      "",
      "refer-progress1 180",
      "refer-progress1 200",
      "ended0",
    ]);
  });

  test("an attended transfer names the dialog that is replaced", () => {
    const target = "<sip:300@pbx?Replaces=c2%40h%3Bto-tag%3Dx%3Bfrom-tag%3Dy>";
    const { events, state } = play([...CALL, refer(1, target, { by: 1 })]);
    expect(events.at(-1)).toBe("refer1 sip:300@pbx for c2@h/x/y");
    expect(state.phase).toBe("answered");
  });

  test("copies and other hops are told once; another REFER is another", () => {
    const first = refer(2, "<sip:300@x>");
    expect(later(first, first, refer(2, "<sip:300@y>", { hop: 2 }), refer(3, "<sip:301@x>"), first)).toEqual([
      "refer0 sip:300@x",
      "",
      "",
      "refer0 sip:301@x",
      "",
    ]);
    expect(later(first, refer(2, "<sip:400@x>", { by: 1 }))).toEqual(["refer0 sip:300@x", "refer1 sip:400@x"]);
  });

  test("challenged, it is the same one again", () => {
    const script = [refer(2, "<sip:300@x>"), response(407, "REFER", { ...IN, cseq: 2 })];
    expect(later(...script, refer(3, "<sip:300@x>"), response(202, "REFER", { ...IN, cseq: 3 }))).toEqual([
      "refer0 sip:300@x",
      "",
      "",
      "",
    ]);
    expect(later(...script, refer(3, "<sip:301@x>")).at(-1)).toBe("refer0 sip:301@x");
  });

  test.each([400, 405, 481, 603])("refused with %i, once", (status) => {
    const refusal = response(status, "REFER", { ...IN, by: 1, cseq: 2 });
    expect(
      later(refer(2, "<sip:300@x>", { by: 1 }), response(100, "REFER", { ...IN, by: 1, cseq: 2 }), refusal, refusal),
    ).toEqual(["refer1 sip:300@x", "", `refer-refused1 ${status}`, ""]);
    expect(later(refusal)).toEqual([""]);
  });

  test("without a target that can be read it asks for nothing", () => {
    expect(later(request("REFER", { ...IN, cseq: 2 }), refer(3, ""), refer(4, "<>"))).toEqual(["", "", ""]);
  });

  test("outside the dialog, in one that is over, and after the end it is nobody's", () => {
    expect(later(refer(2, "<sip:300@x>", { tags: ["a", undefined] }))).toEqual([""]);
    expect(later(refer(2, "<sip:300@x>", { tags: ["a", "other"] }))).toEqual([""]);
    expect(later(request("BYE", { cseq: 2 }), refer(3, "<sip:300@x>")).at(-1)).toBe("");
    const failed = [CALL[0]!, response(486, "INVITE"), refer(2, "<sip:300@x>")];
    expect(play(failed).events.at(-1)).toBe("");
  });
});

describe("NOTIFY", () => {
  test("once, and not what an older one says", () => {
    const ok = notify(3, "SIP/2.0 200 OK");
    expect(later(ok, ok, notify(2, "SIP/2.0 180 Ringing"), notify(4, "SIP/2.0 487 X", { hop: 2 }))).toEqual([
      "refer-progress1 200",
      "",
      "",
      "refer-progress1 487",
    ]);
  });

  test("of anything but a transfer tells nothing", () => {
    const other = (event: string): Draft => ({ headers: [["Event", event]] });
    expect(
      later(
        notify(1, "SIP/2.0 200 OK", other("dialog")),
        notify(2, "SIP/2.0 200 OK", other("refers")),
        notify(3, "SIP/2.0 200 OK", { headers: [] }),
        notify(4, "SIP/2.0 200 OK", {}, "text/plain"),
        notify(5, "INVITE sip:x SIP/2.0"),
        notify(6, "SIP/2.0 999 X"),
        notify(7, "SIP/2.0 200 OK", { tags: ["a", "other"] }),
      ).join(""),
    ).toBe("");
  });
});
