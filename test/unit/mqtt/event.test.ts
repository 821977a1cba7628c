// Events: each thing that the engine reports has one kind and no number.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeCallId } from "../../../device/base/ids.js";
import type { AuditedEvent } from "../../../device/contract/engine-messages.js";
import { eventOf } from "../../../device/mqtt/event.js";

const call = makeCallId(1_700_000_000_000_000);
const origin = { atUs: 1_700_000_000_123_456, call, source: "dtmf", by: "caller pressed 1" } as const;
const shown = { at: "2023-11-14T22:13:20.123456Z", call, source: "dtmf", by: "caller pressed 1" };

describe("eventOf", () => {
  it.each<[AuditedEvent, string, object]>([
    [
      {
        ...origin,
        kind: "consent",
        side: 1,
        role: "caller",
        purpose: "qa",
        from: "unknown",
        to: "granted",
        notice: "2026-11",
      },
      "consent",
      { side: "answerer", role: "caller", purpose: "qa", from: "unknown", to: "granted", notice: "2026-11" },
    ],
    [{ ...origin, kind: "paused", reason: "card" }, "pause", { state: "paused", reason: "card" }],
    [{ ...origin, kind: "resumed", reason: "" }, "pause", { state: "resumed", reason: "" }],
    [{ ...origin, kind: "started" }, "call", { change: "started" }],
    [{ ...origin, kind: "stopped" }, "call", { change: "stopped" }],
    [{ ...origin, kind: "erased", side: 0, packets: 7 }, "call", { change: "erased", side: "originator", packets: 7 }],
    [
      { ...origin, kind: "policy", policy: "none", rule: "vip", purpose: "qa" },
      "call",
      { change: "policy", policy: "none", rule: "vip", purpose: "qa" },
    ],
  ])("%#", (event, kind, rest) => expect(eventOf(event)).toEqual({ kind, payload: { ...shown, ...rest } }));

  it("holds no number that somebody wrote into who or why", () => {
    const number = fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 5, maxLength: 15 });
    fc.assert(
      fc.property(number, number, (first, second) => {
        const by = `client ${first}`;
        const { payload } = eventOf({ ...origin, by, kind: "paused", reason: `for ${second} only` });
        expect(payload).toMatchObject({ by: "client •••", reason: "for ••• only" });
      }),
    );
  });
});
