// Calls that share addresses: several callers behind one NAT, a phone with one port for all its calls, ports that the next
// call uses again while packets of the first are still on their way. No call gets another's packets.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallOptions } from "../../fakes/call-options.js";
import { DEFAULT_START_US } from "../../fakes/call-options.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { officeConfig } from "../../fakes/recorded-frames.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";
import {
  AGENT,
  bothParties,
  byNumber,
  CALLER,
  checkVoices,
  fatesOf,
  type Heard,
  MS,
  media,
  record,
  signalling,
} from "./binding-scene.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const NAT = "203.0.113.5";
/** Who is heard in the second call. */
const SECOND: Heard = { second: [["neighbour"], ["agent"]] };
const apart = () => officeConfig({ ...byNumber(), correlation: { byNumber: false, byPayload: false } });

/** A call whose answer is `ms` after that of a call at the default time. */
function second(ms: number, options: CallOptions = {}): TimedFrame[] {
  return signalling({ callId: "second", startUs: DEFAULT_START_US + ms * MS, ...options });
}

/** Fates by call, in the order in which the calls ended. */
async function byCall(frames: readonly TimedFrame[], config = apart()): Promise<Record<string, string[]>> {
  const recorded = await record(frames, config, folder);
  checkVoices(recorded, SECOND);
  return Object.fromEntries(recorded.records.map((record) => [record.sipCallIds[0]!, fatesOf(record).sort()]));
}
const FIRST = "call-1@office.example";

describe("callers behind one NAT address", () => {
  it("are told by the agents' addresses", async () => {
    const frames = mergeCalls(
      signalling({ caller: { address: "192.168.7.2" } }),
      second(0, { caller: { address: "192.168.9.2" }, callee: { user: "21", address: "10.0.0.8", rtpPort: 42_000 } }),
      media("caller", `${NAT}:61000`, AGENT),
      media("agent", AGENT, `${NAT}:61000`),
      media("neighbour", `${NAT}:61002`, "10.0.0.8:42000"),
      media("agent", "10.0.0.8:42000", `${NAT}:61002`, { ssrc: 4711 }),
    );
    for (const config of [apart(), bothParties()]) {
      expect(await byCall(frames, config)).toEqual({
        [FIRST]: [`${AGENT} > ${NAT}:61000: answerer 200/200`, `${NAT}:61000 > ${AGENT}: originator 200/200`],
        second: [
          `10.0.0.8:42000 > ${NAT}:61002: answerer 200/200`,
          `${NAT}:61002 > 10.0.0.8:42000: originator 200/200`,
        ],
      });
    }
  });

  // The agent's phone has one port for both calls: the first is on hold when the second is answered, and resumed.
  const twoCalls = (sharesPrivate: boolean) =>
    mergeCalls(
      signalling({
        durationMs: 8000,
        caller: { address: "192.168.7.2" },
        midCall: [
          { atMs: 1000, from: "callee", method: "INVITE", sdp: { direction: "sendonly" } },
          { atMs: 6000, from: "callee", method: "INVITE" },
        ],
      }),
      second(2000, {
        durationMs: 3500,
        caller: { user: "0307654321", address: sharesPrivate ? "192.168.7.2" : "192.168.9.2" },
        midCall: [{ atMs: 3400, from: "callee", method: "INVITE", sdp: { direction: "sendonly" } }],
      }),
    );

  it.each([
    ["another NAT address", "203.0.113.77:61002", false],
    ["the same NAT address", `${NAT}:61002`, false],
    ["the same NAT address and the same private one", `${NAT}:61002`, true],
  ])("are not mixed up at a phone with one port, from %s", async (_name, neighbour, sharesPrivate) => {
    const frames = mergeCalls(
      twoCalls(sharesPrivate),
      // Held, the first caller's phone sends on.
      media("caller", `${NAT}:61000`, AGENT, { toMs: 8000 }),
      media("agent", AGENT, `${NAT}:61000`, { toMs: 1010 }),
      media("neighbour", neighbour, AGENT, { fromMs: 2030, toMs: 5450 }),
      media("agent", AGENT, neighbour, { fromMs: 2030, toMs: 5410, ssrc: 4711 }),
      media("agent", AGENT, `${NAT}:61000`, { fromMs: 6030, toMs: 8000, ssrc: 4712 }),
    );
    for (const config of [apart(), bothParties()]) {
      const told = await byCall(frames, config);
      expect(told[FIRST]!.find((one) => one.startsWith(`${NAT}:61000`))).toContain("originator 400/400");
      expect(told.second!.find((one) => one.startsWith(neighbour))).toContain("originator 171/171");
      expect(told.second!.some((one) => one.startsWith(`${NAT}:61000`))).toBe(false);
      expect(told[FIRST]!.some((one) => one.startsWith(neighbour))).toBe(false);
      const agent = (lines: readonly string[]) => lines.filter((one) => one.startsWith(AGENT));
      expect(agent(told[FIRST]!)).toEqual([
        `${AGENT} > ${NAT}:61000: answerer 50/50`,
        `${AGENT} > ${NAT}:61000: answerer 99/99`,
      ]);
      expect(agent(told.second!)).toEqual([`${AGENT} > ${neighbour}: answerer 169/169`]);
    }
  });

  it("are not mixed up when the second one's media is there before its answer is seen", async () => {
    const frames = mergeCalls(
      twoCalls(false),
      media("caller", `${NAT}:61000`, AGENT, { toMs: 1010 }),
      media("agent", AGENT, `${NAT}:61000`, { toMs: 1010 }),
      media("neighbour", `${NAT}:61002`, AGENT, { fromMs: 1850, toMs: 5450 }),
      media("agent", AGENT, `${NAT}:61002`, { fromMs: 1850, toMs: 5410, ssrc: 4711 }),
      media("caller", `${NAT}:61000`, AGENT, { fromMs: 6030, toMs: 8000, firstSequence: 1301 }),
    );
    const told = await byCall(frames);
    // Until the second call names the port, what comes to it and from it can only be refused to the first.
    for (const one of told[FIRST]!) if (one.includes(":61002")) expect(one).toMatch(/ 0\/[78] source-changed$|role/);
    expect(told.second!.find((one) => one.startsWith(`${NAT}:61002`))).toContain("originator 172/172");
  });
});

describe("a private address of a caller's that is also an agent's", () => {
  it("gets the agent no packet of another call", async () => {
    // The second caller, at home, has the very address that the first call's agent has in the office.
    const frames = mergeCalls(
      signalling({ caller: { address: "192.168.7.2" } }),
      second(500, {
        caller: { address: "203.0.113.66", mediaAddress: "10.0.0.7", rtpPort: 40_000 },
        callee: { user: "21", address: "10.0.0.8", rtpPort: 42_000 },
      }),
      // Seen before and after the second call was answered, in new streams each time.
      media("caller", `${NAT}:61000`, AGENT, { toMs: 500 }),
      media("caller", `${NAT}:61000`, AGENT, { fromMs: 500, ssrc: 78 }),
      media("agent", AGENT, `${NAT}:61000`),
    );
    for (const config of [apart(), bothParties()]) {
      const told = await byCall(frames, config);
      expect(told).toEqual({
        [FIRST]: [
          `${AGENT} > ${NAT}:61000: answerer 200/200`,
          `${NAT}:61000 > ${AGENT}: originator 175/175`,
          `${NAT}:61000 > ${AGENT}: originator 25/25`,
        ],
        second: [],
      });
    }
  });
});

describe("addresses that the next call uses again", () => {
  // Both calls have the same caller's and agent's ports; the first is over 1 s before the second begins.
  const calls = mergeCalls(signalling({ durationMs: 2000 }), second(3000 + 1000, { durationMs: 2000 }));
  const from = { fromMs: 4010, toMs: 6000 };
  const next = mergeCalls(
    media("neighbour", CALLER, AGENT, from),
    media("agent", AGENT, CALLER, { ...from, ssrc: 4711 }),
  );
  const whole = [`${AGENT} > ${CALLER}: answerer 100/100`, `${CALLER} > ${AGENT}: originator 100/100`];

  it("are the next call's", async () => {
    const first = mergeCalls(
      media("caller", CALLER, AGENT, { toMs: 2000 }),
      media("agent", AGENT, CALLER, { toMs: 2000 }),
    );
    expect(await byCall(mergeCalls(calls, first, next))).toEqual({ [FIRST]: whole, second: whole });
  });

  it("are the next call's though its streams have the SSRCs of the first", async () => {
    const same = mergeCalls(
      media("neighbour", CALLER, AGENT, { ...from, ssrc: 1 }),
      media("agent", AGENT, CALLER, { ...from, ssrc: 2 }),
    );
    const first = mergeCalls(
      media("caller", CALLER, AGENT, { toMs: 2000, ssrc: 1 }),
      media("agent", AGENT, CALLER, { toMs: 2000, ssrc: 2 }),
    );
    expect(await byCall(mergeCalls(calls, first, same))).toEqual({ [FIRST]: whole, second: whole });
  });

  it("leave the next call without the packets that a sender of the first goes on sending", async () => {
    const first = mergeCalls(
      media("caller", CALLER, AGENT, { toMs: 5000 }),
      media("agent", AGENT, CALLER, { toMs: 5000 }),
    );
    const told = await byCall(mergeCalls(calls, first, next));
    expect(told.second).toEqual(whole);
    for (const one of told[FIRST]!) expect(one).toMatch(/ 12[45]\/12[45]$/);
  });

  it("leave the first call what was on its way at its end, though the second has begun", async () => {
    const quick = mergeCalls(
      signalling({ durationMs: 2000 }),
      second(2150, { durationMs: 2000, ringMs: 100, startUs: DEFAULT_START_US + 3050 * MS }),
    );
    const first = mergeCalls(
      media("caller", CALLER, AGENT, { toMs: 2400 }),
      media("agent", AGENT, CALLER, { toMs: 2400 }),
    );
    const after = { fromMs: 2160, toMs: 4150 };
    const followed = mergeCalls(
      media("neighbour", CALLER, AGENT, after),
      media("agent", AGENT, CALLER, { ...after, ssrc: 4711 }),
    );
    expect(await byCall(mergeCalls(quick, first, followed))).toEqual({
      [FIRST]: [`${AGENT} > ${CALLER}: answerer 120/120`, `${CALLER} > ${AGENT}: originator 120/120`],
      second: whole,
    });
  });

  it("leave a caller behind NAT apart from the one before, who still sends", async () => {
    const natted = mergeCalls(
      signalling({ durationMs: 2000, caller: { address: "192.168.7.2" } }),
      second(4000, { durationMs: 2000, caller: { address: "192.168.9.2" } }),
    );
    const frames = mergeCalls(
      natted,
      media("caller", `${NAT}:61000`, AGENT, { toMs: 6000 }),
      media("agent", AGENT, `${NAT}:61000`, { toMs: 6000 }),
      media("neighbour", "203.0.113.77:61000", AGENT, { fromMs: 4200, toMs: 6000 }),
      media("agent", AGENT, "203.0.113.77:61000", { fromMs: 4200, toMs: 6000, ssrc: 4711 }),
    );
    for (const config of [apart(), bothParties()]) {
      const told = await byCall(frames, config);
      for (const one of told[FIRST]!) expect(one).toMatch(/ 12[45]\/12[45]$/);
      expect(told.second).toEqual([
        `${AGENT} > 203.0.113.77:61000: answerer 90/90`,
        `203.0.113.77:61000 > ${AGENT}: originator 90/90`,
      ]);
    }
  });

  it("are the next call's from the same NAT port, in a stream of its own", async () => {
    const natted = mergeCalls(
      signalling({ durationMs: 2000, caller: { address: "192.168.7.2" } }),
      second(4000, { durationMs: 2000, caller: { address: "192.168.7.2" } }),
    );
    const frames = mergeCalls(
      natted,
      media("caller", `${NAT}:61000`, AGENT, { toMs: 3900 }),
      media("neighbour", `${NAT}:61000`, AGENT, { fromMs: 4010, toMs: 6000 }),
      media("agent", AGENT, `${NAT}:61000`, { fromMs: 4010, toMs: 6000, ssrc: 4711 }),
    );
    const told = await byCall(frames);
    expect(told.second).toEqual([
      `${AGENT} > ${NAT}:61000: answerer 100/100`,
      `${NAT}:61000 > ${AGENT}: originator 100/100`,
    ]);
  });
});

describe("one conversation in two dialogs with direct media", () => {
  it("is heard in both when the caller is behind NAT, and in the end once", async () => {
    // A PBX between the trunk and the phone has put each side's description through to the other.
    const pbx = { address: "10.0.9.1", sipPort: 5060 };
    const trunk = signalling({
      callId: "trunk",
      caller: { address: "203.0.113.5", mediaAddress: "192.168.7.2" },
      callee: { ...pbx, user: "0309999", mediaAddress: "10.0.0.7" },
    });
    const phone = signalling({
      callId: "phone",
      startUs: DEFAULT_START_US + 200 * MS,
      ringMs: 790,
      caller: { ...pbx, user: "0301234567", mediaAddress: "192.168.7.2" },
    });
    const frames = mergeCalls(
      trunk,
      phone,
      media("caller", `${NAT}:61000`, AGENT, { fromMs: 60 }),
      media("agent", AGENT, `${NAT}:61000`, { fromMs: 60 }),
    );
    const { records, journalled } = await record(frames, byNumber(), folder);
    expect(records.map(({ sipCallIds }) => [...sipCallIds].sort())).toEqual([["phone", "trunk"]]);
    checkVoices({ records, journalled, counts: {} });
    expect([0, 1].map((side) => journalled[0]!.filter((packet) => packet.side === side).length)).toEqual([197, 197]);
  });
});

describe("a call that is named by the same private addresses as another", () => {
  it("is told by the NAT address that each caller was accepted from", async () => {
    const frames = mergeCalls(
      signalling({ caller: { address: "192.168.178.20", rtpPort: 7078 } }),
      second(700, { caller: { address: "192.168.178.20", rtpPort: 7078, user: "0307654321" } }),
      media("caller", `${NAT}:61000`, AGENT),
      media("neighbour", "203.0.113.77:61000", AGENT, { fromMs: 710 }),
    );
    for (const config of [apart(), bothParties()]) {
      expect(await byCall(frames, config)).toEqual({
        [FIRST]: [`${NAT}:61000 > ${AGENT}: originator 200/200`],
        second: [`203.0.113.77:61000 > ${AGENT}: originator 165/165`],
      });
    }
  });
});
