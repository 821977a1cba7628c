// Keys in INFO requests, as Cisco, Nortel and others write them.
import { describe, expect, test } from "vitest";
import { readPressedKeys } from "../../../device/sip/pressed-keys.js";
import { makeRandom } from "../../fakes/random.js";
import { accept, inviteLines, messageText, SDP } from "./sip-text.js";

function message(type: string, body: string, method = "INFO", startLine = `${method} sip:bob@example.com SIP/2.0`) {
  const lines = [...inviteLines({ CSeq: `CSeq: 2 ${method}` }), `Content-Type: ${type}`];
  return accept(messageText(startLine, lines, body));
}
const keysIn = (type: string, body: string, method = "INFO") => readPressedKeys(message(type, body, method)).join("");

const RELAY = "application/dtmf-relay";
const PLAIN = "application/dtmf";
const NORTEL = "application/vnd.nortelnetworks.digits";

describe("application/dtmf-relay", () => {
  test.each([
    ["Signal=1\r\nDuration=160\r\n", "1"],
    ["Signal=5\r\nDuration=160", "5"],
    ["Signal= 5\r\nDuration= 160\r\n", "5"],
    ["Signal = 5 \nDuration = 160\n", "5"],
    ["signal=0\r\nduration=250", "0"],
    ["Duration=100\r\nSignal=9", "9"],
    ["Signal=*\r\nDuration=160", "*"],
    ["Signal=#\r\nDuration=160", "#"],
    ["Signal= 10\r\nDuration=160", "*"],
    ["Signal= 11\r\nDuration=160", "#"],
    ["Signal=12\r\n", "A"],
    ["Signal=15\r\n", "D"],
    ["Signal=A\r\n", "A"],
    ["Signal=d\r\n", "D"],
    ["Signal=1", "1"],
  ])("%j", (body, keys) => expect(keysIn(RELAY, body)).toBe(keys));

  test.each([
    "Signal=16\r\nDuration=160",
    "Signal=flash",
    "Signal=",
    "Signal=1 2",
    "Signal=E",
    "Signal=-1",
    "Signal=01",
    "Signal=１",
    "Signal 1",
    "Signals=1",
    "Duration=1",
    "XSignal=1",
    "",
  ])("no key in %j", (body) => expect(keysIn(RELAY, body)).toBe(""));
});

describe("application/dtmf", () => {
  test.each([
    ["1", "1"],
    ["#", "#"],
    ["*\r\n", "*"],
    [" 7 ", "7"],
    ["11", "#"],
    ["b", "B"],
  ])("%j", (body, keys) => expect(keysIn(PLAIN, body)).toBe(keys));

  test.each(["16", "123", "1 1", "!", "x", "\r\n"])("no key in %j", (body) => expect(keysIn(PLAIN, body)).toBe(""));
});

describe("application/vnd.nortelnetworks.digits", () => {
  test.each([
    ["p=Digit-Collection\r\ny=Digits\r\ns=success\r\nu=12345678\r\ni=87654321\r\nv=0\r\nd=4\r\n", "4"],
    ["d=*", "*"],
    ["d=1", "1"],
    ["p=Digit-Collection\ny=Digits\nd= 12#\n", "12#"],
    ["d=1\r\nd=2\r\n", "12"],
  ])("%j", (body, keys) => expect(keysIn(NORTEL, body)).toBe(keys));

  test.each(["p=Digit-Collection\r\ny=Digits\r\ns=success\r\nv=0", "d=", "d=x", "d=1x", "id=1", "d=1,2"])(
    "no key in %j",
    (body) => expect(keysIn(NORTEL, body)).toBe(""),
  );
});

test("in a part of a multipart body", () => {
  const part = (type: string, body: string) => `--b\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`;
  const body = `${part("application/pidf+xml", "<d=1/>")}${part(RELAY, "Signal=8\r\nDuration=160")}--b--\r\n`;
  expect(keysIn("multipart/mixed;boundary=b", body)).toBe("8");
});

describe("nothing in other messages", () => {
  const body = "Signal=1\r\nDuration=160";
  test.each(["INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "info"])("%s", (method) =>
    expect(keysIn(RELAY, body, method)).toBe(""),
  );
  test("the response to an INFO", () => {
    expect(readPressedKeys(message(RELAY, body, "INFO", "SIP/2.0 200 OK"))).toEqual([]);
  });
  test.each([
    ["text/plain", "1"],
    ["application/sdp", SDP],
    ["message/sipfrag", "SIP/2.0 200 OK"],
    ["message/sipfrag", "INFO sip:d@1 SIP/2.0\r\nTo: <sip:1@example.com>;signal=1\r\n"],
  ])("%s %j", (type, text) => expect(keysIn(type, text)).toBe(""));
  test("no body", () => expect(keysIn(RELAY, "")).toBe(""));
});

describe("bounded", () => {
  test("16 keys at most, the first", () => {
    expect(keysIn(NORTEL, `d=${"0123456789*#".repeat(300)}`)).toBe("0123456789*#0123");
    expect(keysIn(RELAY, "Signal=1\r\nSignal=2\r\n".repeat(40))).toBe("1212121212121212");
  });

  test("cut anywhere it is that key, the one that its first digit alone says, or none", () => {
    const body = "Signal= 11\r\nDuration=160\r\n";
    const heard = Array.from({ length: body.length + 1 }, (_, length) => keysIn(RELAY, body.slice(0, length)));
    expect(heard.slice(0, 9).join("")).toBe("");
    expect(heard[9]).toBe("1");
    expect(heard.slice(10).every((keys) => keys === "#")).toBe(true);
  });

  test("a body that is known to be cut is not read at all", () => {
    const lines = [...inviteLines({ CSeq: "CSeq: 2 INFO" }), `Content-Type: ${RELAY}`, "Content-Length: 24"];
    const cut = messageText("INFO sip:bob@example.com SIP/2.0", lines, "Signal= 1");
    expect(readPressedKeys(accept(cut, { truncated: true }))).toEqual([]);
  });

  test("noise of the formats' own characters gives keys or nothing", () => {
    const random = makeRandom(4733);
    const pieces = ["Signal", "=", " ", "\t", "d=", "1", "11", "#", "*", "\r\n", "\n", "p=Digit-Collection", "A", "x"];
    for (let round = 0; round < 500; round++) {
      let body = "";
      while (body.length < 4096 * random()) body += pieces[Math.floor(random() * pieces.length)];
      const keys = keysIn([RELAY, PLAIN, NORTEL][round % 3]!, body);
      expect(keys).toMatch(/^[0-9*#A-D]{0,16}$/);
    }
  });
});
