// SIP messages as browsers and their gateways write them: RFC 7118 §5, §8. The examples' forms, not their texts.
import { describe, expect, test } from "vitest";
import { accept, invite, messageText, SDP } from "./sip-text.js";

const BROWSER = {
  Via: "Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks",
  Contact: 'Contact: <sip:alice@df7jal23ls0d.invalid;transport=ws;ob>;+sip.instance="<urn:uuid:0-1>";reg-id=1',
};

describe("a browser's request", () => {
  test("with a host that is none", () => {
    const message = accept(invite(BROWSER, ["Supported: path, outbound, gruu", "Content-Type: application/sdp"], SDP));
    expect(message).toMatchObject({
      method: "INVITE",
      branch: "z9hG4bK56sdasks",
      viaCount: 1,
      contact: "sip:alice@df7jal23ls0d.invalid;transport=ws;ob",
      bodyFault: "",
    });
    // Without Content-Length, which message boundaries make needless.
    expect(message.sdp?.media).toHaveLength(1);
  });

  test.each(["WS", "WSS", "ws"])("over %s, behind a proxy on another transport", (transport) => {
    const via = [
      `Via: SIP/2.0/${transport} df7jal23ls0d.invalid;branch=z9hG4bKa;received=203.0.113.9;rport=51234`,
      "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKb, SIP/2.0/TLS [2001:db8::1]:5061;branch=z9hG4bKc",
    ].join("\r\n");
    expect(accept(invite({ Via: via }))).toMatchObject({ branch: "z9hG4bKa", viaCount: 3 });
  });

  test("with parties that are .invalid themselves, and identified by GRUU", () => {
    const message = accept(
      messageText("BYE sip:bob@x1y2z3.invalid;transport=ws SIP/2.0", [
        BROWSER.Via,
        'From: "anonymous" <sip:anonymous@anonymous.invalid>;tag=asdyka899',
        "To: <sips:bob@example.com;gr=urn:uuid:f81d4fae>;tag=bmqkjhsd",
        "Call-ID: asidkj3ss",
        "CSeq: 1201 BYE",
      ]),
    );
    expect(message.from).toMatchObject({ user: "anonymous", host: "anonymous.invalid", tag: "asdyka899" });
    expect(message.to).toMatchObject({ user: "bob", host: "example.com", tag: "bmqkjhsd" });
  });
});

test("a response with nothing but a .invalid Via", () => {
  const lines = [BROWSER.Via, "From: <sip:a@b>;tag=1", "To: <sip:c@d>;tag=2", "Call-ID: 1", "CSeq: 1 INVITE"];
  expect(accept(messageText("SIP/2.0 200 OK", lines))).toMatchObject({ status: 200, method: "INVITE", viaCount: 1 });
});
