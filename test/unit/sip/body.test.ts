// Session descriptions out of multipart bodies: RFC 2046 §5.1, RFC 5621.
import { describe, expect, test } from "vitest";
import { contentLength } from "../../../device/sip/body.js";
import { accept, invite, SDP } from "./sip-text.js";

function read(type: string, body: string) {
  const { sdp, bodyFault } = accept(invite({}, [`Content-Type: ${type}`], body));
  return { media: sdp?.media.length, fault: bodyFault };
}

const part = (type: string, body: string, boundary = "b1") =>
  `--${boundary}\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`;

describe("multipart", () => {
  test("the part that is SDP, wherever it stands", () => {
    const xml = part("application/pidf+xml", "<x/>");
    expect(read("multipart/mixed;boundary=b1", `${xml}${part("application/sdp", SDP)}--b1--\r\n`)).toEqual({
      media: 1,
      fault: "",
    });
    expect(read("multipart/mixed; boundary=b1", `preamble\r\n${part("application/SDP", SDP)}${xml}--b1--`)).toEqual({
      media: 1,
      fault: "",
    });
    expect(read('Multipart/Related; x=1; BOUNDARY="b1"', `${part("application/sdp", SDP)}--b1--`).media).toBe(1);
  });

  test("bare line feeds and a missing end", () => {
    const body = `--b1\nContent-Type: application/sdp\n\n${SDP.replaceAll("\r", "")}`;
    expect(read("multipart/mixed;boundary=b1", body)).toEqual({ media: 1, fault: "" });
  });

  test("one level deeper, and no further", () => {
    const inner = `${part("text/plain", "x", "b12")}${part("application/sdp", SDP, "b12")}--b12--\r\n`;
    const outer = `${part("multipart/alternative;boundary=b12", inner)}--b1--`;
    expect(read("multipart/mixed;boundary=b1", outer)).toEqual({ media: 1, fault: "" });
    const deeper = `${part("multipart/mixed;boundary=b1", outer, "b0")}--b0--`;
    expect(read("multipart/mixed;boundary=b0", deeper)).toEqual({ media: undefined, fault: "multipart" });
  });

  test("a boundary counts at a line's start, whole", () => {
    const tricky = `${part("text/plain", "x --b1\r\n--b1x\r\nContent-Type: application/sdp\r\n\r\nv=1")}`;
    expect(read("multipart/mixed;boundary=b1", `${tricky}${part("application/sdp", SDP)}--b1--`).media).toBe(1);
  });

  test("at most 16 parts", () => {
    const many = (count: number) => `${part("text/plain", "x").repeat(count)}${part("application/sdp", SDP)}--b1--`;
    expect(read("multipart/mixed;boundary=b1", many(15)).media).toBe(1);
    expect(read("multipart/mixed;boundary=b1", many(16))).toEqual({ media: undefined, fault: "no-sdp" });
  });

  test.each([
    ["multipart/mixed", `${part("application/sdp", SDP)}--b1--`, "multipart"],
    ["multipart/mixed;boundary=", `${part("application/sdp", SDP)}--b1--`, "multipart"],
    [`multipart/mixed;boundary=${"b".repeat(71)}`, "x", "multipart"],
    ["multipart/mixed;boundary=b1", "no parts", "no-sdp"],
    ["multipart/mixed;boundary=b1", `${part("text/plain", "x")}--b1--`, "no-sdp"],
    ["multipart/mixed;boundary=b1", "--b1\r\nContent-Type: application/sdp", "multipart"],
    ["multipart/mixed;boundary=b1", `${part("application/sdp", "x=1")}--b1--`, "sdp"],
  ])("%s %j", (type, body, fault) => expect(read(type, body)).toEqual({ media: undefined, fault }));

  test("an encoded part is no SDP that can be read", () => {
    const body = `--b1\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\ndj0w\r\n--b1--`;
    expect(read("multipart/mixed;boundary=b1", body)).toEqual({ media: undefined, fault: "content-encoding" });
  });
});

describe("bodies handed on as text", () => {
  const text = (type: string, body: string, options = {}) =>
    accept(invite({}, [`Content-Type: ${type}`], body), options).bodyText;

  test.each([
    ["message/sipfrag;version=2.0", "SIP/2.0 200 OK\r\n"],
    ["MESSAGE/SIPFRAG", "SIP/2.0 200 OK"],
    ["application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"],
    ["application/dtmf", "5"],
    ["application/vnd.nortelnetworks.digits", "p=Digit-Collection\r\ny=Digits\r\nd=5"],
  ])("%s", (type, body) => expect(text(type, body)).toBe(body));

  test("no others", () => {
    for (const type of ["text/plain", "application/sdp", "application/dtmf2", "", "image/png"])
      expect(text(type, SDP)).toBeUndefined();
    expect(accept(invite()).bodyText).toBeUndefined();
    expect(text("message/sipfrag", "")).toBeUndefined();
  });

  test("at most 4096 characters, and none of a cut body", () => {
    expect(text("application/dtmf", "5".repeat(5000))).toBe("5".repeat(4096));
    expect(text("application/dtmf", "55", { truncated: true })).toBeUndefined();
    expect(accept(invite({}, ["Content-Type: application/dtmf", "Content-Length: 9"], "55"))).not.toHaveProperty(
      "bodyText",
    );
    expect(accept(invite({}, ["Content-Type: application/dtmf", "Content-Length: 1"], "55")).bodyText).toBe("5");
  });

  test("UTF-8, else Latin-1", () => {
    expect(text("message/sipfrag", "SIP/2.0 200 schön")).toBe("SIP/2.0 200 schön");
    const octets = Buffer.concat([Buffer.from(invite({}, ["Content-Type: message/sipfrag"])), Buffer.from([0xe4])]);
    expect(accept(octets).bodyText).toBe("ä");
  });

  test("out of multipart, beside a description or alone", () => {
    const frag = part("message/sipfrag", "SIP/2.0 180 Ringing");
    const first = part("text/plain", "x");
    const both = accept(invite({}, ["Content-Type: multipart/mixed;boundary=b1"], `${first}${frag}${frag}--b1--`));
    expect(both).toMatchObject({ bodyText: "SIP/2.0 180 Ringing\r\n", bodyFault: "no-sdp" });
    const sdp = accept(
      invite({}, ["Content-Type: multipart/mixed;boundary=b1"], `${frag}${part("application/sdp", SDP)}--b1--`),
    );
    expect(sdp.sdp?.media).toHaveLength(1);
  });
});

test("contentLength", () => {
  expect(contentLength([])).toEqual({ octets: undefined, isFaulty: false });
  expect(contentLength(["10"])).toEqual({ octets: 10, isFaulty: false });
  expect(contentLength(["10", "10"])).toEqual({ octets: 10, isFaulty: false });
  for (const values of [["10", "11"], ["-1"], ["1e3"], ["12345678901"], [""]]) {
    expect(contentLength(values)).toEqual({ octets: undefined, isFaulty: true });
  }
});
