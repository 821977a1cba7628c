// Whatever messages come in whatever order: the session never throws, stays bounded, says each thing once, and once
// ended stays ended for the parties it had.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SipMessage } from "../../device/sip/message.js";
import { type SessionState, startSession, stepSession } from "../../device/sip/session.js";
import { MAX_DIALOG_TAGS, MAX_PATHS, MAX_TRANSACTIONS } from "../../device/sip/session-state.js";
import { eventText, request, response } from "../unit/sip/session-script.js";

const REQUESTS = ["INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK", "INFO", "REFER"] as const;
const STATUSES = [100, 180, 183, 200, 202, 302, 401, 407, 486, 487, 488, 491, 603] as const;

const draft = fc.record({
  cseq: fc.integer({ min: 1, max: 12 }),
  by: fc.constantFrom(0 as const, 1 as const),
  tags: fc.constantFrom(
    ["a", "b"],
    ["a", undefined],
    ["a", "f1"],
    ["a", "f2"],
    [undefined, undefined],
    ["x", "b"],
    ["x", "y"],
  ) as fc.Arbitrary<readonly [string | undefined, string | undefined]>,
  hop: fc.integer({ min: 1, max: 3 }),
  sdp: fc.constantFrom("A", "B", "C", ""),
  direction: fc.constantFrom("sendrecv" as const, "sendonly" as const, "inactive" as const),
});

const message: fc.Arbitrary<SipMessage> = fc.oneof(
  fc.tuple(fc.constantFrom(...REQUESTS), draft).map(([method, d]) => request(method, withoutEmpty(d))),
  fc
    .tuple(fc.constantFrom(...STATUSES), fc.constantFrom("INVITE", "UPDATE", "PRACK", "BYE"), draft)
    .map(([status, method, d]) => response(status, method, withoutEmpty(d))),
);

function withoutEmpty<T extends { sdp: string }>(d: T): Omit<T, "sdp"> & { sdp?: string } {
  const { sdp, ...rest } = d;
  return sdp === "" ? rest : { ...rest, sdp };
}

function run(
  messages: readonly SipMessage[],
  visit: (before: SessionState | undefined, after: SessionState, events: string[]) => void,
) {
  let state: SessionState | undefined;
  for (const one of messages) {
    const step = state ? stepSession(state, one) : startSession(one);
    if (!step) continue;
    visit(state, step.state, step.events.map(eventText));
    state = step.state;
  }
  return state;
}

describe("any messages in any order", () => {
  test("no throw, bounded state, and an end that holds", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 60 }), (messages) => {
        run(messages, (before, after, events) => {
          expect(after.transactions.length).toBeLessThanOrEqual(MAX_TRANSACTIONS);
          expect(after.earlyTags.length).toBeLessThanOrEqual(MAX_DIALOG_TAGS);
          expect(after.answeredTags.length).toBeLessThanOrEqual(MAX_DIALOG_TAGS);
          for (const transaction of after.transactions) {
            expect(transaction.request.length).toBeLessThanOrEqual(MAX_PATHS);
            for (const media of transaction.responses) expect(media.versions.length).toBeLessThanOrEqual(MAX_PATHS);
          }
          if (before?.phase === "ended") expect([after, events]).toEqual([before, []]);
          if (before?.phase === "answered") expect(["answered", "ended"]).toContain(after.phase);
          expect(events.includes("answered")).toBe(after.phase === "answered" && before?.phase !== "answered");
          expect(events.some((text) => text.startsWith("ended"))).toBe(
            after.phase === "ended" && before?.phase !== "ended",
          );
          if (after.phase === "failed" && before?.phase !== "failed") expect(events.join()).toMatch(/failed\d+/);
        });
      }),
      { numRuns: 400, seed: 4711 },
    );
  });

  test("a message seen twice in a row is no second event", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 40 }), (messages) => {
        let state: SessionState | undefined;
        for (const one of messages) {
          const step = state ? stepSession(state, one) : startSession(one);
          if (!step) continue;
          expect(stepSession(step.state, one).events).toEqual([]);
          state = step.state;
        }
      }),
      { numRuns: 300, seed: 4712 },
    );
  });

  test("nothing is changed in place", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 30 }), (messages) => {
        run(messages, (before, after) => {
          if (before) expect(Object.isFrozen(before)).toBe(true);
          deepFreeze(after);
        });
      }),
      { numRuns: 100, seed: 4713 },
    );
  });
});

describe("an ordinary call out of order within a window", () => {
  const call = [
    request("INVITE", { sdp: "A" }),
    response(100, "INVITE"),
    response(180, "INVITE"),
    response(200, "INVITE", { sdp: "B" }),
    request("ACK"),
    request("INVITE", { by: 1, cseq: 1, sdp: "B2" }),
    response(200, "INVITE", { by: 1, cseq: 1, sdp: "A2" }),
    request("ACK", { by: 1, cseq: 1 }),
    request("BYE", { cseq: 2 }),
  ];

  test("is answered once, ends once, by the right side", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 2 }), { minLength: call.length, maxLength: call.length }),
        (delays) => {
          const order = call.map((one, index) => ({ one, at: index + (delays[index] ?? 0) * 1.1 }));
          // The BYE comes seconds later: nothing overtakes it.
          order.at(-1)!.at = 100;
          order.sort((a, b) => a.at - b.at);
          const events: string[] = [];
          const state = run(
            order.map(({ one }) => one),
            (_, __, texts) => events.push(...texts),
          );
          expect(state?.phase).toBe("ended");
          expect(events.filter((text) => text === "answered")).toHaveLength(1);
          expect(events.filter((text) => text.startsWith("ended"))).toEqual(["ended0"]);
          expect(events).toContain("answered1 B");
          expect(events).toContain("answered0 A2");
        },
      ),
      { numRuns: 300, seed: 4714 },
    );
  });
});

function deepFreeze(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
}
