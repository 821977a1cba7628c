// The test every datagram takes and the reading of start lines: RFC 3261 §7.1, §7.2, §7.5.
import { describe, expect, test } from "vitest";
import { looksLikeSip, parseStartLine, skipLineEnds } from "../../../device/sip/start-line.js";

function looks(text: string): boolean {
  const data = Buffer.from(text, "latin1");
  return looksLikeSip(data, 0, data.length);
}

describe("looksLikeSip", () => {
  test.each([
    "INVITE sip:bob@example.com SIP/2.0\r\n",
    "INVITE sip:bob@example.com SIP/2.0\n",
    "INVITE sip:bob@example.com SIP/2.0",
    "\r\n\r\nBYE sip:bob@example.com SIP/2.0\r\n",
    "INVITE  sip:bob@example.com  SIP/2.0  \r\n",
    "INVITE sip:bob@example.com; lr SIP/2.0\r\n",
    "x-new.METHOD!%*_+`'~ tel:1 SIP/2.0\r\n",
    "options sip:a sip/2.0\r\n",
    "SIP/2.0 200 OK\r\n",
    "sip/2.0 100 \r\n",
    `INVITE sip:${"a".repeat(4000)} SIP/2.0\r\n`,
  ])("accepts %j", (text) => expect(looks(text)).toBe(true));

  test.each([
    "",
    "\r\n\r\n",
    "\0\0\0\0",
    "GET / HTTP/1.1\r\n",
    "SIP/2.0",
    "SIP/2.0\r\n",
    "SIP/7.0 200 OK\r\n",
    "OPTIONS sip:a SIP/7.0\r\n",
    "INVITE sip:a SIP/2.01\r\n",
    "INVITE SIP/2.0\r\n",
    "INVITE   SIP/2.0\r\n",
    "INVITE sip:a SIP/2.0 x\r\n",
    "INVITE\tsip:a SIP/2.0\r\n",
    "INVITE sip:a\r\nVia: x SIP/2.0\r\n",
    " INVITE sip:a SIP/2.0\r\n",
    `${"A".repeat(65)} sip:a SIP/2.0\r\n`,
    `INVITE sip:${"a".repeat(4096)} SIP/2.0\r\n`,
    `${"\r\n".repeat(40)}BYE sip:a SIP/2.0\r\n`,
    "\x80\x08\x12\x34 INVITE SIP/2.0",
  ])("refuses %j", (text) => expect(looks(text)).toBe(false));

  test("stays within start and end", () => {
    const data = Buffer.from("xxBYE sip:a SIP/2.0\r\nxx", "latin1");
    expect(looksLikeSip(data, 2, data.length)).toBe(true);
    expect(looksLikeSip(data, 0, data.length)).toBe(true);
    expect(looksLikeSip(data, 2, 18)).toBe(false);
    expect(looksLikeSip(data, 2, 19)).toBe(true);
  });

  test("skips a bounded number of line ends", () => {
    const data = Buffer.from(`${"\n".repeat(100)}a`);
    expect(skipLineEnds(data, 0, data.length)).toBe(64);
    expect(skipLineEnds(data, 90, data.length)).toBe(100);
  });
});

describe("parseStartLine", () => {
  test("reads requests", () => {
    expect(parseStartLine("INVITE sip:bob@example.com SIP/2.0")).toEqual({
      kind: "request",
      method: "INVITE",
      uri: "sip:bob@example.com",
    });
    expect(parseStartLine("RE%47ISTER sip:a; lr sip/2.0")).toEqual({
      kind: "request",
      method: "RE%47ISTER",
      uri: "sip:a; lr",
    });
  });

  test("reads responses", () => {
    expect(parseStartLine("SIP/2.0 200 OK then")).toEqual({ kind: "response", status: 200, reason: "OK then" });
    expect(parseStartLine("SIP/2.0 100")).toEqual({ kind: "response", status: 100, reason: "" });
    expect(parseStartLine("sip/2.0 699 x")).toEqual({ kind: "response", status: 699, reason: "x" });
  });

  test.each([
    "SIP/2.0 99 x",
    "SIP/2.0 700 x",
    "SIP/2.0 4294967301 x",
    "SIP/2.0 -200 x",
    "SIP/2.0 OK",
    "SIP/2.0 0200 x",
  ])("status: %j", (line) => expect(parseStartLine(line)).toBe("status"));

  test.each([
    "",
    "INVITE",
    "INVITE SIP/2.0",
    "INVITE sip:a SIP/2.1",
    "INVITE sip:a",
    "IN(VITE sip:a SIP/2.0",
    "SIP/2.0",
  ])("start-line: %j", (line) => expect(parseStartLine(line)).toBe("start-line"));
});
