// Whatever messages come in whatever order: the session never throws, stays bounded, says each thing once, and once
// ended stays ended for the parties it had.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SipMessage } from "../../device/sip/message.js";
import { type SessionState, startSession, stepSession } from "../../device/sip/session.js";
import { MAX_DESCRIPTIONS, MAX_DIALOG_TAGS, MAX_PATHS, MAX_TRANSACTIONS } from "../../device/sip/session-state.js";
import { descriptionCount } from "../../device/sip/session-transaction.js";
import { type Draft, eventText, request, response } from "../unit/sip/session-script.js";

const REQUESTS = ["INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK", "INFO", "REFER", "NOTIFY"] as const;
const STATUSES = [100, 180, 181, 183, 199, 200, 202, 302, 401, 407, 408, 422, 481, 486, 487, 488, 491, 603] as const;
const ANSWERED = ["INVITE", "UPDATE", "PRACK", "BYE", "REFER", "INFO"] as const;

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
  direction: fc.constantFrom("sendrecv" as const, "sendonly" as const, "recvonly" as const, "inactive" as const),
  address: fc.constantFrom("10.0.0.1", "0.0.0.0"),
  identity: fc.constantFrom("21", "22", ""),
  contact: fc.constantFrom("1@x", "2@x", ""),
  headers: fc.subarray([
    ["Session-Expires", "1800"],
    ["Refer-To", "<sip:300@x?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2>"],
    ["Event", "refer"],
    ["Remote-Party-ID", "<sip:23@x>;party=called"],
    ["Supported", "from-change"],
  ] as [string, string][]),
  body: fc.constantFrom({ type: "message/sipfrag", text: "SIP/2.0 200 OK" }, { type: "", text: "" }),
});

const message: fc.Arbitrary<SipMessage> = fc.oneof(
  fc.tuple(fc.constantFrom(...REQUESTS), draft).map(([method, d]) => request(method, withoutEmpty(d))),
  fc
    .tuple(fc.constantFrom(...STATUSES), fc.constantFrom(...ANSWERED), draft)
    .map(([status, method, d]) => response(status, method, withoutEmpty(d))),
);

function withoutEmpty({ sdp, identity, contact, body, ...rest }: Draft & { sdp: string }): Draft {
  return {
    ...rest,
    ...(sdp === "" ? {} : { sdp }),
    ...(identity ? { identity } : {}),
    ...(contact ? { contact } : {}),
    ...(body?.type ? { body } : {}),
  };
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
            expect(transaction.responses.length).toBeLessThanOrEqual(MAX_DIALOG_TAGS);
            expect(transaction.acknowledgements.length).toBeLessThanOrEqual(MAX_DIALOG_TAGS);
          }
          const descriptions = after.transactions.reduce((sum, one) => sum + descriptionCount(one), 0);
          if (after.transactions.length > 2) expect(descriptions).toBeLessThanOrEqual(MAX_DESCRIPTIONS);
          expect(after.earlyParties.length + after.endedTags.length).toBeLessThanOrEqual(2 * MAX_DIALOG_TAGS);
          for (const { identity, target } of after.parties)
            expect(Math.max(identity.values.length, target.values.length)).toBeLessThanOrEqual(8);
          if (before?.phase === "ended") expect([after, events]).toEqual([before, []]);
          if (before?.phase === "answered") expect(["answered", "ended"]).toContain(after.phase);
          expect(events.includes("answered")).toBe(after.phase === "answered" && before?.phase !== "answered");
          expect(events.some((text) => text.startsWith("ended"))).toBe(
            after.phase === "ended" && before?.phase !== "ended",
          );
          if (after.phase === "failed" && before?.phase !== "failed") expect(events.join()).toMatch(/failed\d+/);
          // What is said of an answered session's parties and refreshes is said of no other.
          if (before?.phase !== "answered") expect(events.join()).not.toMatch(/identity|target|lost/);
          if (after.phase !== "answered") expect(events.join()).not.toMatch(/refreshed|hold|resume|reinvite/);
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

describe("a long call with all that may happen in it", () => {
  const near = (method: string, cseq: number, more: Draft = {}) => request(method, { tags: ["a", "b"], cseq, ...more });
  const far = (method: string, cseq: number, more: Draft = {}) => near(method, cseq, { by: 1, ...more });
  const ok = (method: string, cseq: number, more: Draft = {}) => response(200, method, { cseq, ...more });
  const timer: Draft = { headers: [["Session-Expires", "600"]] };
  const notify = (cseq: number, text: string) =>
    far("NOTIFY", cseq, { headers: [["Event", "refer"]], body: { type: "message/sipfrag", text } });
  const call = [
    request("INVITE", { sdp: "A", identity: "4711", contact: "1@x" }),
    response(183, "INVITE", { tags: ["a", "f"], sdp: "F", identity: "20" }),
    response(183, "INVITE", { sdp: "B", identity: "21" }),
    near("PRACK", 2),
    ok("PRACK", 2),
    ok("INVITE", 1, { sdp: "B", contact: "2@x", ...timer }),
    near("ACK", 1),
    near("UPDATE", 3, { contact: "1@x" }),
    ok("UPDATE", 3, timer),
    far("INVITE", 1, { sdp: "MUSIC", direction: "sendonly" }),
    ok("INVITE", 1, { by: 1, sdp: "A2", direction: "recvonly", ...timer }),
    far("ACK", 1),
    far("REFER", 2, { headers: [["Refer-To", "<sip:300@x>"]] }),
    response(202, "REFER", { by: 1, cseq: 2 }),
    near("NOTIFY", 4, { headers: [["Event", "refer"]], body: { type: "message/sipfrag", text: "SIP/2.0 180 R" } }),
    near("NOTIFY", 5, { headers: [["Event", "refer"]], body: { type: "message/sipfrag", text: "SIP/2.0 200 OK" } }),
    far("UPDATE", 3, { identity: "22", contact: "3@x" }),
    ok("UPDATE", 3, { by: 1, ...timer }),
    far("INVITE", 4, { sdp: "C" }),
    ok("INVITE", 4, { by: 1, sdp: "A3" }),
    far("ACK", 4),
    near("INVITE", 6, { sdp: "A4" }),
    response(491, "INVITE", { cseq: 6 }),
    near("ACK", 6),
    near("REFER", 7, { headers: [["Refer-To", "<sip:400@x>"]] }),
    response(603, "REFER", { cseq: 7 }),
    notify(5, "SIP/2.0 486 Busy"),
  ];
  const textsOf = (messages: readonly SipMessage[]): string[] => {
    const texts: string[] = [];
    run(messages, (_, __, events) => texts.push(...events));
    return texts;
  };
  const whole = textsOf(call);

  test("is told in full", () => {
    expect(whole.filter((text) => !/^(offered|answered[01]|ringing|confirmed|reinvite)/.test(text))).toEqual([
      "early-media1",
      "early-media1",
      "answered",
      "refreshed 600",
      "refreshed 600",
      "hold1",
      "refreshed 600",
      "refer1 sip:300@x",
      "refer-progress0 180",
      "refer-progress0 200",
      "identity1 22",
      "target1 sip:3@x",
      "refreshed 600",
      "resume1",
      "refreshed 0",
      "rejected0",
      "refer0 sip:400@x",
      "refer-refused0 603",
      "refer-progress1 486",
    ]);
  });

  test("copies at any later place are no news", () => {
    const places = fc.array(fc.tuple(fc.nat(call.length - 1), fc.nat(call.length)), { maxLength: 40 });
    fc.assert(
      fc.property(places, (copies) => {
        const order = call.map((one, index) => ({ one, at: index }));
        for (const [index, later] of copies) order.push({ one: call[index]!, at: Math.max(index, later) + 0.5 });
        order.sort((a, b) => a.at - b.at);
        expect(textsOf(order.map(({ one }) => one))).toEqual(whole);
      }),
      { numRuns: 300, seed: 4716 },
    );
  });

  test("lost and overtaken messages make it tell less, and nothing of the dialog twice", () => {
    const once = /^(answered$|confirmed|refer-|refer[01]|identity|target|rejected|reinvite)/;
    const fates = fc.array(fc.tuple(fc.nat(9), fc.nat(3)), { minLength: call.length, maxLength: call.length });
    fc.assert(
      fc.property(fates, (fate) => {
        const order = call
          .map((one, index) => ({ one, at: index + fate[index]![1] * 1.1, isLost: fate[index]![0] === 0 }))
          .filter(({ isLost }) => !isLost)
          .sort((a, b) => a.at - b.at);
        const texts = textsOf(order.map(({ one }) => one)).filter((text) => once.test(text));
        const counts = new Map<string, number>();
        for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
        for (const [text, count] of counts)
          expect([text, count]).toEqual([text, Math.min(count, whole.filter((one) => one === text).length || 1)]);
      }),
      { numRuns: 500, seed: 4717 },
    );
  });
});

function deepFreeze(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
}
