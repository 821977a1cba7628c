// One call that crosses the mirror on both sides of a PBX: recorded once, each person where it is nearest.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallOptions } from "../../fakes/call-options.js";
import { DEFAULT_START_US } from "../../fakes/call-options.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { heard, officeConfig, recordFrames } from "../../fakes/recorded-frames.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";
import { toneSource } from "../../fakes/tone.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const PBX = { address: "10.0.9.1", sipPort: 5060 };
const CALLER = { user: "0301234567", address: "198.51.100.20", sipPort: 5060 };
const MS = 1000;

/** The trunk's half: the caller, and the PBX under the number that was dialled. */
function trunkHalf(options: CallOptions = {}): TimedFrame[] {
  return makeCall({
    callId: "trunk",
    caller: { ...CALLER, rtpPort: 30_000 },
    callee: { ...PBX, user: "0309999", rtpPort: 20_000, payload: toneSource(440) },
    ...options,
  });
}

/** The phone's half: the PBX with the caller's number, and the agent. Begins 200 ms later, ends 20 ms later. */
function phoneHalf(options: CallOptions = {}): TimedFrame[] {
  return makeCall({
    callId: "phone",
    startUs: DEFAULT_START_US + 200 * MS,
    ringMs: 790,
    durationMs: 4020,
    caller: { ...PBX, user: CALLER.user, rtpPort: 20_002, payload: toneSource(1000) },
    callee: { user: "21", address: "10.0.0.7", sipPort: 5060, rtpPort: 40_000, payload: toneSource(440) },
    ...options,
  });
}

const config = (overrides: Record<string, unknown> = {}) =>
  officeConfig({ correlation: { byPayload: false }, ...overrides });

describe("two halves with the same caller's number at one PBX", () => {
  it("are one call: the caller's audio from the trunk, the agent's from the phone", async () => {
    const frames = mergeCalls(trunkHalf(), phoneHalf());
    const { records, counts } = await recordFrames(frames, config(), folder);
    expect(records).toHaveLength(1);
    const [one] = records;
    expect(one!.sipCallIds.sort()).toEqual(["phone", "trunk"]);
    expect(one!.parties.map(({ side, role, number }) => [side, role, number])).toEqual([
      [0, "caller", CALLER.user],
      [1, "agent", "21"],
    ]);
    const agentStreams = one!.streams.filter(({ packets }) => packets.recorded > 0);
    expect(agentStreams.map(({ source, side }) => [source, side])).toEqual([["10.0.0.7:40000", 1]]);
    expect(agentStreams[0]!.packets).toMatchObject({ discarded: 0, lost: 0 });
    const relays = one!.streams.filter(({ source }) => source.startsWith("10.0.9.1"));
    expect(relays).toHaveLength(2);
    for (const { discardedBy, packets } of relays) expect(discardedBy).toEqual({ "other-half": packets.seen });
    expect(one!.evidence).toContainEqual(
      expect.objectContaining({
        kind: "correlation",
        effect: "joined",
        detail: expect.objectContaining({ by: "number" }),
      }),
    );
    expect(counts["call.halves-joined"]).toBe(1);
  });

  it("record both people once under both-parties", async () => {
    const frames = mergeCalls(trunkHalf(), phoneHalf());
    const { records, journalled } = await recordFrames(frames, config({ consent: { policy: "both-parties" } }), folder);
    const sources = records[0]!.streams.filter(({ packets }) => packets.recorded > 0).map(({ source }) => source);
    expect(sources.sort()).toEqual(["10.0.0.7:40000", "198.51.100.20:30000"]);
    const perSide = [0, 1].map((side) => journalled[0]!.filter((packet) => packet.side === side).length);
    expect(perSide[0]).toBeGreaterThanOrEqual(199);
    expect(perSide[1]).toBeGreaterThanOrEqual(199);
  });

  it("let a consent given on the trunk's half open the caller's leg", async () => {
    const frames = mergeCalls(trunkHalf({ headers: { invite: [["X-Recording-Consent", "granted"]] } }), phoneHalf());
    const { records } = await recordFrames(frames, config(), folder);
    const caller = records[0]!.streams.find(({ source }) => source.startsWith("198.51.100.20"))!;
    expect(records[0]!.parties[0].consent).toBe("granted");
    expect(caller.packets.recorded).toBeGreaterThanOrEqual(198);
  });

  it("let a refusal on the phone's half shut it", async () => {
    const frames = mergeCalls(
      trunkHalf({ headers: { invite: [["X-Recording-Consent", "granted"]] } }),
      phoneHalf({ headers: { invite: [["X-Recording-Consent", "refused"]] } }),
    );
    const { records } = await recordFrames(frames, config(), folder);
    expect(records[0]!.parties[0].consent).toBe("refused");
    expect(heard(records[0]!, 0).recorded).toBe(0);
  });

  it("stay two calls when two calls fit equally", async () => {
    const other = trunkHalf({
      callId: "trunk-2",
      caller: { ...CALLER, rtpPort: 30_100 },
      callee: { ...PBX, user: "0309999", rtpPort: 20_100 },
    });
    const { records, counts } = await recordFrames(mergeCalls(trunkHalf(), other, phoneHalf()), config(), folder);
    expect(records).toHaveLength(3);
    expect(counts["call.halves-ambiguous"]).toBeGreaterThan(0);
  });

  it("stay two calls without a common PBX, without a number, or when switched off", async () => {
    const elsewhere = phoneHalf({ caller: { user: CALLER.user, address: "10.0.9.2", sipPort: 5060, rtpPort: 20_002 } });
    const anonymous = phoneHalf({ caller: { ...PBX, user: "anonymous", rtpPort: 20_002 } });
    for (const [i, [half, off]] of [
      [elsewhere, {}],
      [anonymous, {}],
      [phoneHalf(), { byNumber: false }],
    ].entries()) {
      const { records } = await recordFrames(
        mergeCalls(trunkHalf(), half as TimedFrame[]),
        config({ correlation: { byPayload: false, ...(off as object) } }),
        `${folder}/${i}`,
      );
      expect(records).toHaveLength(2);
    }
  });

  it("are one call when the agent calls out", async () => {
    const phone = makeCall({
      callId: "phone",
      caller: { user: "21", address: "10.0.0.7", sipPort: 5060, rtpPort: 40_000 },
      callee: { ...PBX, user: "0301234567", rtpPort: 20_002 },
    });
    const trunk = makeCall({
      callId: "trunk",
      startUs: DEFAULT_START_US + 100 * MS,
      ringMs: 890,
      caller: { ...PBX, user: "0309999", rtpPort: 20_000 },
      callee: { ...CALLER, rtpPort: 30_000 },
    });
    const { records } = await recordFrames(mergeCalls(phone, trunk), config(), folder);
    expect(records).toHaveLength(1);
    expect(records[0]!.parties.map(({ role, number }) => [role, number])).toEqual([
      ["agent", "21"],
      ["caller", CALLER.user],
    ]);
  });
});

describe("other evidence", () => {
  it("is a header with the same value, whatever the numbers", async () => {
    const session = (tag: string): CallOptions => ({
      headers: { invite: [["Session-ID", `ab30317f1a784dc48ff824d0d3715d86;remote=${tag.repeat(32)}`]] },
    });
    const { user: _user, ...pbx } = { ...PBX, user: "", rtpPort: 20_002 };
    const frames = mergeCalls(
      trunkHalf(session("0")),
      phoneHalf({ ...session("1"), caller: { ...pbx, user: "anonymous" } }),
    );
    const { records } = await recordFrames(frames, config(), folder);
    expect(records).toHaveLength(1);
    expect(records[0]!.evidence).toContainEqual(
      expect.objectContaining({ detail: expect.objectContaining({ by: "header" }) }),
    );
  });

  it("is a configured header that names the other half's Call-ID", async () => {
    const frames = mergeCalls(
      trunkHalf(),
      phoneHalf({
        caller: { ...PBX, user: "queue", rtpPort: 20_002 },
        headers: { invite: [["X-Trunk-Call", "trunk"]] },
      }),
    );
    const { records } = await recordFrames(
      frames,
      config({ correlation: { headers: ["X-Trunk-Call"], byPayload: false } }),
      folder,
    );
    expect(records).toHaveLength(1);
  });

  it("is one stream in both halves, when the PBX leaves the media alone", async () => {
    const direct = { mediaAddress: "10.0.0.7", rtpPort: 40_000 };
    const trunk = trunkHalf({ callee: { ...PBX, user: "0309999", ...direct } });
    const phone = phoneHalf({
      caller: { ...PBX, user: "queue", mediaAddress: CALLER.address, rtpPort: 30_000 },
    }).filter(({ kind }) => kind === "sip");
    const { records } = await recordFrames(mergeCalls(trunk, phone), config(), folder);
    expect(records).toHaveLength(1);
    const recorded = records[0]!.streams.reduce((sum, { packets }) => sum + packets.recorded, 0);
    expect(recorded).toBe(heard(records[0]!, 1).recorded);
    expect(recorded).toBeGreaterThanOrEqual(199);
    expect(recorded).toBeLessThanOrEqual(201);
  });
});

describe("a queue", () => {
  /** The PBX answers at once and plays music; agents come and go behind it. */
  const queue = trunkHalf({
    durationMs: 12_000,
    callee: { ...PBX, user: "0309999", rtpPort: 20_000, payload: toneSource(300) },
  });
  const agent = (n: number, startMs: number, durationMs: number) =>
    phoneHalf({
      callId: `agent-${n}`,
      startUs: DEFAULT_START_US + startMs * MS,
      ringMs: 500,
      durationMs,
      caller: { ...PBX, user: CALLER.user, rtpPort: 20_000 + 2 * n },
      callee: {
        user: `2${n}`,
        address: `10.0.0.${n}`,
        sipPort: 5060,
        rtpPort: 40_000 + 2 * n,
        payload: toneSource(440),
      },
      byeBy: "callee",
    });

  it("gives one recording with the agents one after the other, and nothing of what the PBX plays between them", async () => {
    const frames = mergeCalls(queue, agent(1, 2500, 3000), agent(2, 7500, 4000));
    const { records, journalled } = await recordFrames(frames, config(), folder);
    expect(records).toHaveLength(1);
    const [one] = records;
    expect(one!.parties.filter(({ role }) => role === "agent").map(({ number }) => number)).toEqual(["21", "22"]);
    const recorded = one!.streams.filter(({ packets }) => packets.recorded > 0);
    expect(recorded.map(({ source, packets }) => [source.split(":")[0], packets.recorded])).toEqual([
      ["10.0.0.1", 150],
      ["10.0.0.2", 200],
    ]);
    expect(journalled[0]!.every(({ side }) => side === 1)).toBe(true);
  });

  it("keeps what the PBX said before the agent came under both-parties, and doubles nothing", async () => {
    const frames = mergeCalls(queue, agent(1, 2500, 3000));
    const { records, journalled } = await recordFrames(frames, config({ consent: { policy: "both-parties" } }), folder);
    expect(records).toHaveLength(1);
    const packets = [0, 1].map((side) => journalled[0]!.filter((packet) => packet.side === side).length);
    expect(packets[0]).toBe(600);
    // What the PBX plays is taken again once the agent's half is closed, half a second after its BYE.
    expect(packets[1]).toBeGreaterThanOrEqual(574);
    expect(packets[1]).toBeLessThanOrEqual(577);
    const agents = records[0]!.parties.filter(({ side }) => side === 1);
    expect(agents.map(({ number, joinedBy }) => [number, joinedBy])).toEqual([
      ["0309999", "start"],
      ["21", "half"],
      ["0309999", "half"],
    ]);
  });
});

describe("halves that are recognised late", () => {
  it("bring what they admitted before into the one recording", async () => {
    // The payload is the same bytes on both sides; the numbers say nothing.
    const { records, journalled } = await recordFrames(
      mergeCalls(
        trunkHalf({
          caller: { ...CALLER, rtpPort: 30_000, payload: speech(1) },
          callee: { ...PBX, user: "0309999", rtpPort: 20_000, payload: speech(2), mediaOffsetMs: 25 },
        }),
        phoneHalf({
          caller: { ...PBX, user: "queue", rtpPort: 20_002, payload: speech(1), mediaOffsetMs: 25 },
          callee: { user: "21", address: "10.0.0.7", sipPort: 5060, rtpPort: 40_000, payload: speech(2) },
        }),
      ),
      officeConfig(),
      folder,
    );
    expect(records).toHaveLength(1);
    expect(records[0]!.evidence).toContainEqual(
      expect.objectContaining({ detail: expect.objectContaining({ by: "payload" }) }),
    );
    const agent = journalled[0]!.filter(({ side }) => side === 1);
    expect(agent.length).toBeGreaterThanOrEqual(199);
    expect(new Set(agent.map(({ payload }) => payload.toString("hex"))).size).toBe(agent.length);
  });
});

/** Bytes that differ from packet to packet, the same for the same seed and position. */
function speech(seed: number): (at: number, samples: number) => Buffer {
  return (at, samples) =>
    Buffer.from(Array.from({ length: samples }, (_, i) => ((at + i) * 2654435761 * (seed * 2 + 1)) >>> 24));
}
