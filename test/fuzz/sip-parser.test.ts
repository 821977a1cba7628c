// Hostile input to the SIP parser: it never throws, never loops, and what it hands to the library stays small. The last
// is checked by what the library is given, not by the clock.
import { createRequire } from "node:module";
import type { SipLibrary } from "sip";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startSession, stepSession } from "../../device/sip/session.js";
import { makeRandom } from "../fakes/random.js";
import { invite, inviteLines, LIMITS, messageText, parse, SDP } from "../unit/sip/sip-text.js";
import { readAll } from "./hostile-sip.js";

/** Longest text that each call of the library got; reset before each test. */
const library = { longest: 0 };

const watched = createRequire(import.meta.url)("sip") as SipLibrary;
const { parse: libraryParse, parseAOR: libraryParseAor } = watched;
const note = (text: string): void => {
  library.longest = Math.max(library.longest, text.length);
  if (/\s{2,}[^\r\n]/.test(text.replaceAll("\r\n", ""))) throw new Error("white-space run reached the library");
};
watched.parse = (text) => {
  note(text);
  return libraryParse(text);
};
watched.parseAOR = (data) => {
  note(data.s);
  return libraryParseAor(data);
};

beforeEach(() => {
  library.longest = 0;
});
afterEach(() => {
  // From, To, Contact and the topmost Via, each one line at most.
  expect(library.longest).toBeLessThan(5 * LIMITS.maxLineBytes);
});

test("the library is watched", () => {
  expect(parse(whole).ok).toBe(true);
  expect(library.longest).toBeGreaterThan(100);
});

const SDP_TYPE = "Content-Type: application/sdp";
const whole = invite({}, [SDP_TYPE, `Content-Length: ${SDP.length}`, "P-Asserted-Identity: <sip:1@x>"], SDP);
const fill = (unit: string, octets: number) => unit.repeat(Math.ceil(octets / unit.length)).slice(0, octets);

describe("64 kB of the worst", () => {
  const line = LIMITS.maxLineBytes - 100;
  const cases: Record<string, string> = {
    "line feeds": fill("\n", 65000),
    "line ends": fill("\r\n", 65000),
    "spaces in a header": invite({}, [`X: ${fill(" ", 60000)}`]),
    "many lines of spaces": invite(
      {},
      Array.from({ length: 7 }, () => `X: ${fill(" ", line)}y`),
    ),
    folds: invite({}, [`X: y${fill("\r\n ", line)}`, `Y: y${fill("\r\n\t", line)}`]),
    "tokens as a display name": invite({ From: `From: ${fill("a ", line)}` }),
    "tokens before an address": invite({ From: `From: ${fill("a ", line)}<sip:a@b>;tag=1` }),
    quotes: invite({ From: `From: ${fill('"', line)}<sip:a@b>;tag=1` }),
    backslashes: invite({ From: `From: "${fill("\\", line)}<sip:a@b>;tag=1` }),
    parameters: invite({ From: `From: <sip:a@b>${fill(";a=b", line)}` }),
    "unclosed quotes in parameters": invite({ From: `From: <sip:a@b>${fill(';a="', line)}` }),
    "angle brackets": invite({ From: `From: ${fill("<", line)}` }),
    escapes: invite({ From: `From: <sip:${fill("%41", line)}@b>;tag=1` }),
    "at signs": invite({ From: `From: <sip:${fill("@", line)}>;tag=1` }),
    "separators of a number": invite({ From: `From: <tel:${fill("-", line)}>;tag=1` }),
    "slashes in Via": invite({ Via: `Via: ${fill("SIP/2.0/", line)}` }),
    "commas in Via": invite({ Via: `Via: ${fill(",", line)}` }),
    "tokens in Contact": invite({ Contact: `Contact: ${fill("a ", line)}` }),
    "tokens in an identity": invite({}, [`P-Asserted-Identity: ${fill("a ", line)}`]),
    digits: invite({ CSeq: `CSeq: ${fill("1", line)} INVITE` }),
    headers: invite(
      {},
      Array.from({ length: 9000 }, () => "a: b"),
    ),
    "start lines": fill("INVITE sip:a SIP/2.0\r\n", 65000),
    "a method": fill("A", 65000),
    "carriage returns": invite({}, [`X: ${fill("\r", line)}`]),
    "no-break spaces": invite({ From: `From: ${fill("\u00a0", line / 2)}<sip:a@b>;tag=1` }),
    types: invite({}, [`Content-Type: ${fill(";", line)}`], "x"),
    "empty SDP lines": invite({}, [SDP_TYPE], `v=0\r\n${fill("\n", 60000)}`),
    media: invite({}, [SDP_TYPE], `v=0\r\n${fill("m=audio 1 RTP/AVP 0\r\n", 60000)}`),
    formats: invite({}, [SDP_TYPE], `v=0\r\nm=audio 1 RTP/AVP ${fill("0 ", 60000)}`),
    "blanks in SDP": invite({}, [SDP_TYPE], `v=0\r\nm=audio${fill(" ", 60000)}`),
    parts: invite({}, ["Content-Type: multipart/mixed;boundary=a"], fill("--a\r\n\r\n", 60000)),
    boundaries: invite({}, ["Content-Type: multipart/mixed;boundary=a"], fill("--a", 60000)),
  };
  test.each(Object.keys(cases))("%s", (name) => {
    const result = parse(cases[name]!);
    if (!result.ok) expect(result.detail.length).toBeLessThan(100);
    else expect(result.message.headers.size).toBeLessThanOrEqual(LIMITS.maxHeaderLines);
  });
});

describe("a good message damaged", () => {
  test("cut at every length, known to be cut or not", () => {
    for (let end = 0; end < whole.length; end++) {
      for (const truncated of [false, true]) {
        const result = parse(whole.slice(0, end), { truncated });
        if (!result.ok) continue;
        expect(result.message.callId).toBe("a84b4c76e66710@192.0.2.1");
        const isWholeBody = end === whole.length;
        expect(result.message.sdp?.media.length ?? 0).toBeLessThanOrEqual(1);
        if (result.message.sdp && !isWholeBody) expect(result.message.bodyFault).toBe("truncated");
      }
    }
  });

  test("octets exchanged, up to the session and to all that reads a message", () => {
    const rich = invite(
      {},
      [
        SDP_TYPE,
        "Refer-To: <sip:300@x?Replaces=c%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>",
        "Replaces: c@h;to-tag=1;from-tag=2;early-only",
        "Target-Dialog: c@h;local-tag=1;remote-tag=2",
        'Referred-By: "B" <sip:21@x>;cid="1@y"',
        "P-Asserted-Identity: <sip:1@x>, <tel:+49>",
        'Remote-Party-ID: "N" <sip:2@x>;party=calling',
        "Session-Expires: 1800;refresher=uac",
      ],
      SDP,
    );
    const random = makeRandom(4);
    let read = 0;
    for (let round = 0; round < 3000; round++) {
      const data = Buffer.from(rich, "latin1");
      for (let i = 0; i < 1 + (round % 6); i++) data[Math.floor(random() * data.length)] = Math.floor(random() * 256);
      const result = parse(data);
      if (!result.ok) continue;
      read++;
      readAll(result.message);
      const start = startSession(result.message);
      if (start) expect(stepSession(start.state, result.message).events).toEqual([]);
    }
    expect(read).toBeGreaterThan(1000);
  });

  test("octets exchanged", () => {
    const random = makeRandom(1);
    for (let round = 0; round < 3000; round++) {
      const data = Buffer.from(whole, "latin1");
      for (let i = 0; i < 1 + (round % 4); i++) data[Math.floor(random() * data.length)] = Math.floor(random() * 256);
      expect(() => parse(data)).not.toThrow();
    }
  });

  test("lines dropped, doubled and in any order", () => {
    const random = makeRandom(2);
    const lines = [...inviteLines(), SDP_TYPE, "X: \t ", " folded", ": ", "Via: SIP/2.0/UDP b;branch=2"];
    for (let round = 0; round < 2000; round++) {
      const picked = Array.from({ length: 10 }, () => lines[Math.floor(random() * lines.length)]!);
      const result = parse(messageText("INVITE sip:bob@example.com SIP/2.0", picked, SDP));
      if (result.ok) expect(result.message.method).toBe("INVITE");
    }
  });

  test("noise", () => {
    const random = makeRandom(3);
    for (let round = 0; round < 500; round++) {
      const data = Buffer.from(Array.from({ length: 300 }, () => Math.floor(random() * 256)));
      expect(parse(data).ok).toBe(false);
    }
  });
});
