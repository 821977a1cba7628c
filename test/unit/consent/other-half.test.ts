// Consent that an IVR takes on the caller's half of the call follows the caller to the agent's half, under another Call-ID;
// where it is ambiguous whose half it is, there is none.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CallOptions, DEFAULT_START_US } from "../../fakes/call-options.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { heard, officeConfig, recordFrames } from "../../fakes/recorded-frames.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const MS = 1000;
const PBX = { address: "10.0.9.1", sipPort: 5060 };
const SESSION = [["Session-ID", "0123456789abcdef"]] as const;
const ANSWER_US = DEFAULT_START_US + 1_000 * MS;
/** The caller presses 1 in the menu, two seconds before the agent is there. */
const PRESSED_MS = 1010;
const AGENT_MS = 3000;

function trunkHalf(n: number, options: CallOptions = {}): TimedFrame[] {
  return makeCall({
    callId: `trunk-${n}`,
    hasEvents: true,
    durationMs: 6000,
    headers: { invite: SESSION },
    caller: {
      user: `030123456${n}`,
      address: `198.51.100.2${n}`,
      sipPort: 5060,
      rtpPort: 30_000,
      keys: [{ key: "1", index: (PRESSED_MS - 10) / 20 }],
    },
    callee: { ...PBX, user: "0309999", rtpPort: 20_000 + 10 * n },
    ...options,
  });
}

function phoneHalf(options: CallOptions = {}): TimedFrame[] {
  return makeCall({
    callId: "phone",
    startUs: ANSWER_US + (AGENT_MS - 500) * MS,
    ringMs: 500,
    durationMs: 3020,
    headers: { invite: SESSION },
    caller: { ...PBX, user: "queue-7", rtpPort: 21_000 },
    callee: { user: "21", address: "10.0.0.7", sipPort: 5060, rtpPort: 40_000 },
    ...options,
  });
}

const config = officeConfig({
  consent: { dtmf: { granted: "1", refused: "2" } },
  correlation: { byPayload: false, byNumber: false },
});

describe("consent taken by an IVR on the caller's half", () => {
  it("opens the caller's leg from the moment the agent's half is known, and says where it was given", async () => {
    const { records } = await recordFrames(mergeCalls(trunkHalf(1), phoneHalf()), config, folder);
    expect(records).toHaveLength(1);
    const [caller] = records[0]!.parties;
    expect([caller.role, caller.consent]).toEqual(["caller", "granted"]);
    expect(caller.spans).toHaveLength(1);
    const openedMs = Math.round((caller.spans[0]!.fromUs - ANSWER_US) / MS);
    expect(openedMs).toBeGreaterThanOrEqual(AGENT_MS - 500);
    expect(openedMs).toBeLessThanOrEqual(AGENT_MS + 20);
    const evidence = records[0]!.evidence.find(({ id }) => id === caller.spans[0]!.evidence)!;
    expect(evidence).toMatchObject({ kind: "dtmf", effect: "granted", detail: { keys: "1" } });
    expect(evidence.atUs).toBeLessThan(ANSWER_US + (PRESSED_MS + 40) * MS);
    expect(heard(records[0]!, 0).recorded).toBeGreaterThan(145);
  });

  it("a refusal there is one here", async () => {
    const refused = trunkHalf(1, {
      caller: {
        user: "0301234561",
        address: "198.51.100.21",
        sipPort: 5060,
        rtpPort: 30_000,
        keys: [{ key: "2", index: 50 }],
      },
    });
    const granted = phoneHalf({ headers: { invite: [...SESSION, ["X-Recording-Consent", "granted"]] } });
    const { records } = await recordFrames(mergeCalls(refused, granted), config, folder);
    expect(records).toHaveLength(1);
    expect(["refused", "withdrawn"]).toContain(records[0]!.parties[0].consent);
    expect(heard(records[0]!, 0).recorded).toBe(0);
  });

  it("opens nothing when two halves fit equally", async () => {
    const byNumber = officeConfig({
      consent: { dtmf: { granted: "1", refused: "2" } },
      correlation: { byPayload: false, headers: [] },
    });
    const keys = [{ key: "1", index: 50 }];
    const of = (n: number) =>
      trunkHalf(n, {
        headers: {},
        caller: { user: "0301234567", address: `198.51.100.2${n}`, sipPort: 5060, rtpPort: 30_000, keys },
      });
    const phone = phoneHalf({ headers: {}, caller: { ...PBX, user: "0301234567", rtpPort: 21_000 } });
    const alone = await recordFrames(mergeCalls(of(1), phone), byNumber, folder);
    expect(alone.records).toHaveLength(1);
    expect(heard(alone.records[0]!, 0).recorded).toBeGreaterThan(100);
    removeFolder(folder);
    folder = makeFolder();
    const { records } = await recordFrames(mergeCalls(of(1), of(2), phone), byNumber, folder);
    expect(records).toHaveLength(3);
    for (const record of records) {
      for (const stream of record.streams.filter(({ source }) => !source.startsWith("10.0.0.7")))
        expect(stream.packets.recorded).toBe(0);
    }
  });
});
