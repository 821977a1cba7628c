// No message of at most 64 kB costs more than 20 ms from octets to the session's events, whatever is in it. Measured as
// CPU time, the least of several runs, so that a busy machine changes nothing; what is kept of a message is bounded too.
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { SipMessage } from "../../device/sip/message.js";
import { looksLikeSip, parseSip } from "../../device/sip/parser.js";
import { type SessionState, startSession, stepSession } from "../../device/sip/session.js";
import { request, response } from "../unit/sip/session-script.js";
import { LIMITS } from "../unit/sip/sip-text.js";
import {
  BODY_STARTS,
  BODY_UNITS,
  FIELDS,
  fill,
  fixedShapes,
  LINE_OCTETS,
  readAll,
  UNITS,
  withBody,
  withField,
} from "./hostile-sip.js";

const LIMIT_MS = 20;
/** A first run under the compiler's eyes is slow, and so is one that meets the garbage collector. */
const RUNS = 6;
/** Of one message: its text, and what the text stands for. */
const MAX_STATE_CHARACTERS = 200_000;

/** The session that the hostile messages belong to. */
const LIVE: SessionState = (() => {
  const draft = { callId: "c@h" };
  const start = startSession(request("INVITE", { ...draft, sdp: "A" }))!;
  return stepSession(start.state, response(200, "INVITE", { ...draft, sdp: "B" })).state;
})();

interface Outcome {
  message: SipMessage | undefined;
  /** What the message leaves of the session it belongs to or opens. */
  state: SessionState | undefined;
}

function take(data: Buffer): Outcome {
  const result = looksLikeSip(data, 0, data.length) ? parseSip(data, 0, data.length, LIMITS) : undefined;
  if (!result?.ok) return { message: undefined, state: undefined };
  const { message } = result;
  readAll(message);
  const step = stepSession(LIVE, message);
  const again = stepSession(step.state, message);
  return { message, state: startSession(message)?.state ?? again.state };
}

function measure(data: Buffer): Outcome & { ms: number } {
  let ms = Number.POSITIVE_INFINITY;
  let outcome: Outcome = { message: undefined, state: undefined };
  for (let run = 0; run < RUNS && ms > LIMIT_MS / 4; run++) {
    const before = process.cpuUsage();
    outcome = take(data);
    const { user, system } = process.cpuUsage(before);
    ms = Math.min(ms, (user + system) / 1000);
  }
  return { ...outcome, ms };
}

function octetsOf(text: string): Buffer {
  return Buffer.from(text, "latin1").subarray(0, LIMITS.maxMessageBytes);
}

describe("64 kB of the worst", () => {
  const counts = { shapes: 0, accepted: 0, described: 0, most: 0 };
  const slow: string[] = [];
  beforeAll(() => {
    for (const [name, text] of fixedShapes()) {
      const { message, state, ms } = measure(octetsOf(text));
      if (ms > LIMIT_MS) slow.push(`${name}: ${ms.toFixed(1)} ms`);
      counts.shapes++;
      if (!message) continue;
      counts.accepted++;
      if (message.sdp) counts.described++;
      counts.most = Math.max(counts.most, JSON.stringify(state).length);
    }
  }, 300_000);

  test("costs at most 20 ms in every shape", () => {
    expect(slow).toEqual([]);
  });

  test("leaves little behind", () => {
    expect(counts.most).toBeGreaterThan(10_000);
    expect(counts.most).toBeLessThan(MAX_STATE_CHARACTERS);
  });

  test("comes in shapes that reach what they are for", () => {
    expect(counts.shapes).toBeGreaterThan(5000);
    expect(counts.accepted).toBeGreaterThan(2000);
    expect(counts.described).toBeGreaterThan(1000);
  });
});

describe("repeated fragments of any kind", () => {
  const unit = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...UNITS, ...BODY_UNITS) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 6 }) },
    {
      weight: 1,
      arbitrary: fc.string({ unit: fc.constantFrom(...' \t\r",;<>=\\%a1:@?&/'), minLength: 1, maxLength: 8 }),
    },
  );
  const run = fc.tuple(unit, fc.integer({ min: 1, max: 60_000 })).map(([one, octets]) => fill(one, octets));
  const text = fc.array(fc.oneof(run, unit), { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join(""));
  const message = fc.oneof(
    fc
      .tuple(
        fc.constantFrom(...FIELDS),
        fc.constantFrom("", "<sip:a@b>;", '"', "<sip:", "a;"),
        text,
        fc.integer({ min: 1, max: 8 }),
      )
      .map(([field, start, value, lines]) => withField(field, (start + value).slice(0, LINE_OCTETS), lines)),
    fc
      .tuple(
        fc.constantFrom(...BODY_STARTS),
        text,
        fc.constantFrom("application/sdp", "multipart/mixed;boundary=a", "message/sipfrag"),
      )
      .map(([start, value, type]) => withBody(type, start + value)),
    text,
  );

  test("cost at most 20 ms", () => {
    fc.assert(
      fc.property(message, (one) => {
        expect(measure(octetsOf(one)).ms).toBeLessThanOrEqual(LIMIT_MS);
      }),
      { numRuns: 600, seed: 4715 },
    );
  }, 300_000);
});
