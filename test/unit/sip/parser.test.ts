// One message out of octets: what must be read, what must be refused with which reason, and what the library must
// never see. RFC 3261 §7, §8.1.1, §20.
import { describe, expect, test } from "vitest";
import { parseSip } from "../../../device/sip/parser.js";
import { accept, invite, inviteLines, LIMITS, messageText, refusal, SDP } from "./sip-text.js";

const SDP_TYPE = "Content-Type: application/sdp";

describe("a whole message", () => {
  test("request", () => {
    const message = accept(invite({}, [SDP_TYPE, `Content-Length: ${SDP.length}`, "X-A: 1", "x-a: 2, 3"], SDP));
    expect(message).toMatchObject({
      kind: "request",
      method: "INVITE",
      requestUri: "sip:bob@example.com",
      status: 0,
      reason: "",
      callId: "a84b4c76e66710@192.0.2.1",
      cseq: 314159,
      branch: "z9hG4bK776asdhds",
      viaCount: 1,
      contact: "sip:alice@192.0.2.1:5060",
      bodyFault: "",
    });
    expect(message.from).toEqual({
      name: "Alice",
      uri: "sip:alice@example.com",
      user: "alice",
      host: "example.com",
      tag: "1928301774",
    });
    expect(message.to).toEqual({ name: "", uri: "sip:bob@example.com", user: "bob", host: "example.com", tag: "" });
    expect(message.sdp?.media[0]).toMatchObject({ kind: "audio", port: 49170 });
    expect(message.headers.get("x-a")).toEqual(["1", "2, 3"]);
    expect("assertedIdentity" in message).toBe(false);
  });

  test("response", () => {
    const message = accept(
      messageText("SIP/2.0 486 Busy Here", inviteLines({ To: "To: <sip:bob@example.com>;tag=9" })),
    );
    expect(message).toMatchObject({
      kind: "response",
      method: "INVITE",
      requestUri: "",
      status: 486,
      reason: "Busy Here",
    });
    expect(message.to.tag).toBe("9");
    expect(message.sdp).toBeUndefined();
  });

  test("within a larger buffer, octets around it untouched", () => {
    const text = invite({}, [SDP_TYPE], SDP);
    const data = Buffer.from(`junk${text}m=audio 1 RTP/AVP 0\r\n`);
    const result = parseSip(data, 4, 4 + text.length, LIMITS);
    expect(result.ok && result.message.sdp?.media.length).toBe(1);
  });

  test("leading line ends, bare line feeds, folded and compact headers", () => {
    const text = [
      "",
      "",
      "INVITE sip:bob@example.com SIP/2.0",
      "v: SIP/2.0/UDP 192.0.2.1",
      " ;branch=z9hG4bK1",
      "\t;rport , SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bK2",
      "F: Alice",
      "  <sip:alice@example.com>",
      " ; tag = x1",
      "t : <sip:bob@example.com>",
      "i: call-1",
      "CSEQ:   7",
      " INVITE",
      "m: *",
      "r: <sip:carol@example.com>",
      "x: 1800",
      "",
      "",
    ].join("\n");
    const message = accept(text);
    expect(message).toMatchObject({ callId: "call-1", cseq: 7, branch: "z9hG4bK1", viaCount: 2, contact: "*" });
    expect(message.from).toMatchObject({ name: "Alice", tag: "x1" });
    expect(message.headers.get("refer-to")).toEqual(["<sip:carol@example.com>"]);
    expect(message.headers.get("session-expires")).toEqual(["1800"]);
  });

  test("branch behind an IPv6 sent-by, quoted, or none", () => {
    const branch = (via: string) => accept(invite({ Via: via })).branch;
    expect(branch("Via: SIP/2.0/UDP [2001:db8::9:1]:5060;rport;branch=z9hG4bK1")).toBe("z9hG4bK1");
    expect(branch('Via: SIP/2.0/UDP h;branch="z9hG4bK=?1"')).toBe("z9hG4bK=?1");
    expect(branch("Via: SIP/2.0/UDP h;branch=z9hG4bK:a/b")).toBe("z9hG4bK:a/b");
    expect(branch("Via: SIP/2.0/UDP h")).toBe("");
    expect(branch("Via: nonsense;branch=x")).toBe("x");
  });

  test("tags outside the token alphabet stay whole and apart", () => {
    const tag = (value: string) => accept(invite({ From: `From: <sip:a@b>;tag=${value}` })).from.tag;
    expect(tag("as:df/1")).toBe("as:df/1");
    expect(tag("as:df/2")).toBe("as:df/2");
    expect(tag('"q\\"uoted"')).toBe('q"uoted');
  });

  test("P-Asserted-Identity: the first of several", () => {
    const value = 'P-Asserted-Identity: "Cullen Jennings" <sip:fluffy@example.com>, <tel:+14085264000>';
    expect(accept(invite({}, [value, "P-Asserted-Identity: <sip:other@x>"])).assertedIdentity).toEqual({
      name: "Cullen Jennings",
      uri: "sip:fluffy@example.com",
      user: "fluffy",
      host: "example.com",
      tag: "",
    });
    expect(accept(invite({}, ["P-Asserted-Identity: tel:+1-408-526-4000"])).assertedIdentity?.user).toBe(
      "+14085264000",
    );
  });

  test("octets that are no UTF-8 are shown as such, but keep Call-IDs apart", () => {
    const octetsOf = (text: string): Buffer => Buffer.from(text, "latin1");
    const utf8 = accept(Buffer.from(invite({ From: 'From: "Müller" <sip:a@b>;tag=1' }), "utf8"));
    const other = accept(octetsOf(invite({ From: 'From: "Müller" <sip:a@b>;tag=1' })));
    expect([utf8.from.name, other.from.name]).toEqual(["Müller", "M�ller"]);
    const callIds = ["\u00fc", "\u00fd"].map(
      (octet) => accept(octetsOf(invite({ "Call-ID": `Call-ID: ${octet}` }))).callId,
    );
    expect(callIds[0]).not.toBe(callIds[1]);
  });

  test("a method is taken as written", () => {
    const lines = inviteLines({ CSeq: "CSeq: 1 RE%47ISTER" });
    expect(accept(messageText("RE%47ISTER sip:a SIP/2.0", lines)).method).toBe("RE%47ISTER");
  });
});

describe("refused", () => {
  test.each(["From", "To", "Call-ID", "CSeq", "Via"])("without %s", (name) => {
    expect(refusal(invite({ [name]: "" }))).toBe("missing-header");
    expect(refusal(invite({ [name]: `${name}:` }))).toBe("missing-header");
  });

  test("a response needs no Via", () => {
    expect(accept(messageText("SIP/2.0 200 OK", inviteLines({ Via: "" }))).viaCount).toBe(0);
  });

  test.each([
    ["From: <sip:mallory@example.com>;tag=2"],
    ["f: <sip:mallory@example.com>;tag=2"],
    ["To: <sip:carol@example.com>"],
    ["Call-ID: other"],
    ["CSeq: 5 INVITE"],
  ])("a second, different %s", (line) => {
    expect(refusal(invite({}, [line]))).toBe("duplicate-header");
  });

  test("the same twice is one", () => {
    expect(accept(invite({}, inviteLines())).callId).toBe("a84b4c76e66710@192.0.2.1");
  });

  test.each([
    "CSeq: INVITE",
    "CSeq: 1",
    "CSeq: -1 INVITE",
    "CSeq: 4294967296 INVITE",
    `CSeq: ${"9".repeat(400)} INVITE`,
    "CSeq: 1 BYE",
    "CSeq: 1 invite",
    "CSeq: 1 INVITE x",
    "CSeq: 1.5 INVITE",
  ])("%s", (line) => expect(refusal(invite({ CSeq: line }))).toBe("cseq"));

  test.each([
    ["CSeq: 0 INVITE", 0],
    ["CSeq: 0009 INVITE", 9],
    ["CSeq: 2147483648 INVITE", 2147483648],
    ["CSeq: 4294967295 INVITE", 4294967295],
  ])("but not %s", (line, cseq) => expect(accept(invite({ CSeq: line })).cseq).toBe(cseq));

  test("start lines and states", () => {
    expect(refusal(messageText("INVITE sip:a SIP/7.0", inviteLines()))).toBe("start-line");
    expect(refusal(messageText("SIP/2.0 4294967301 x", inviteLines()))).toBe("status");
    expect(refusal("")).toBe("start-line");
    expect(refusal("\r\n".repeat(20000))).toBe("start-line");
  });

  test("malformed header lines, but a stray octet in a name costs only that field", () => {
    expect(refusal(invite({}, ["no colon here"]))).toBe("header-malformed");
    expect(refusal(invite({}, ["X\0Y: 1"]))).toBe("header-malformed");
    expect(refusal(invite({}, ["X\u0001: 1"]))).toBe("header-malformed");
    const message = accept(invite({}, ["X Y: 1", ": 2", "(Z): 3", "X-Good: 4"]));
    expect(message.headers.get("x-good")).toEqual(["4"]);
    expect([...message.headers.keys()].some((name) => /[ ():]/.test(name) || name === "")).toBe(false);
  });

  test("identifiers beyond any sense", () => {
    expect(refusal(invite({ "Call-ID": `Call-ID: ${"x".repeat(1025)}` }))).toBe("header-malformed");
    expect(accept(invite({ "Call-ID": `Call-ID: ${"x".repeat(1024)}` })).callId.length).toBe(1024);
    expect(refusal(invite({ From: `From: <sip:a@b>;tag=${"x".repeat(1025)}` }))).toBe("header-malformed");
  });
});

describe("bounds", () => {
  const limits = { maxMessageBytes: 2000, maxLineBytes: 300, maxHeaderLines: 20 };

  test("message", () => {
    expect(refusal(invite({}, [], "x".repeat(2000)), {}, limits)).toBe("too-long");
  });

  test("line, before and after unfolding", () => {
    expect(refusal(invite({}, [`X: ${"y".repeat(300)}`]), {}, limits)).toBe("line-too-long");
    expect(refusal(invite({}, [`X: y${"\r\n y".repeat(80)}`]), {}, limits)).toBe("line-too-long");
    expect(refusal(invite({}, [`X: ${" ".repeat(300)}`]), {}, limits)).toBe("line-too-long");
    expect(accept(invite({}, [`Subject: ${"y".repeat(280)}`]), {}, limits).headers.get("subject")?.[0]?.length).toBe(
      280,
    );
  });

  test("number of header lines", () => {
    const further = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: 1`);
    expect(accept(invite({}, further(14)), {}, limits).headers.size).toBe(20);
    expect(refusal(invite({}, further(15)), {}, limits)).toBe("too-many-headers");
  });
});

describe("names never become object keys", () => {
  test.each(["__proto__", "constructor", "C%6Fntact", "%5f%5fproto%5f%5f", "hasOwnProperty", "toString"])(
    "%s",
    (name) => {
      const message = accept(invite({}, [`${name}: polluted`]));
      expect(message.headers.get(name.toLowerCase())).toEqual(["polluted"]);
      expect(message.contact).toBe("sip:alice@192.0.2.1:5060");
      expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
      expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    },
  );

  test("nor do parameters of the fields the library reads", () => {
    const from = "From: <sip:a@b>;__proto__=x;constructor=y;tag=1;toString";
    const via = "Via: SIP/2.0/UDP h;__proto__;branch=z9hG4bK1";
    const message = accept(invite({ From: from, Via: via }));
    expect([message.from.tag, message.branch]).toEqual(["1", "z9hG4bK1"]);
    expect(String({})).toBe("[object Object]");
  });
});

describe("body", () => {
  const withBody = (lines: readonly string[], body = SDP) => accept(invite({}, lines, body));

  test("is cut at Content-Length", () => {
    const message = withBody([SDP_TYPE, `l: ${SDP.length}`], `${SDP}m=video 1 RTP/AVP 31\r\n`);
    expect(message.sdp?.media.length).toBe(1);
    expect(message.bodyFault).toBe("");
  });

  test("is all that is there without a usable Content-Length", () => {
    expect(withBody([SDP_TYPE])).toMatchObject({ bodyFault: "" });
    for (const lines of [["l: -999"], ["l: x"], ["l: 3", "l: 4"]]) {
      const message = withBody([SDP_TYPE, ...lines]);
      expect(message.sdp?.media.length).toBe(1);
      expect(message.bodyFault).toBe("content-length");
    }
  });

  test("shorter than Content-Length: whole lines are used, and it says so", () => {
    const cut = `${SDP}a=rtpmap:8 PCMA/8000\r\na=sendon`;
    const message = withBody([SDP_TYPE, "Content-Length: 9999"], cut);
    expect(message.bodyFault).toBe("truncated");
    expect(message.sdp?.media[0]).toMatchObject({ port: 49170, direction: "sendrecv" });
    expect(withBody([SDP_TYPE, "Content-Length: 9999"], "v=0\r\nm=audio 491").sdp?.media).toEqual([]);
    expect(withBody([SDP_TYPE, "Content-Length: 9999"], "").bodyFault).toBe("truncated");
  });

  test("faults", () => {
    expect(withBody([SDP_TYPE], "garbage").bodyFault).toBe("sdp");
    expect(withBody(["Content-Type: application/pidf+xml"]).bodyFault).toBe("no-sdp");
    expect(withBody([SDP_TYPE, "Content-Encoding: gzip"]).bodyFault).toBe("content-encoding");
    expect(withBody([SDP_TYPE], "").bodyFault).toBe("");
    expect(withBody([SDP_TYPE, "Content-Length: 0"]).sdp).toBeUndefined();
  });

  test("type without case, with parameters, or missing", () => {
    for (const type of ["c: APPLICATION/SDP ; charset=utf-8", "Content-type:application/sdp", "X-None: 1"]) {
      expect(withBody([type]).sdp?.media.length).toBe(1);
    }
  });
});

describe("cut by the capture", () => {
  const text = invite({}, [SDP_TYPE, `Content-Length: ${SDP.length}`], SDP);

  test("inside the head: refused as truncated unless all needed fields are whole", () => {
    expect(refusal(text.slice(0, 150), { truncated: true })).toBe("truncated");
    expect(refusal(text.slice(0, 150))).toBe("missing-header");
    const message = accept(text.slice(0, text.indexOf("Content-Length") + 4), { truncated: true });
    expect(message).toMatchObject({ bodyFault: "truncated", callId: "a84b4c76e66710@192.0.2.1" });
  });

  test("inside the body", () => {
    const message = accept(text.slice(0, -10), { truncated: true });
    expect(message.bodyFault).toBe("truncated");
    expect(message.sdp?.media).toEqual([]);
  });
});
