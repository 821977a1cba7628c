// The engine's pipeline as a whole, driven with synthesised frames: calls, legs, bindings and counts as the call records
// tell them.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CallRecord, DiscardReason } from "../../device/contract/call-record.js";
import type { Config } from "../../device/contract/config.js";
import { DEFAULT_START_US } from "../fakes/call-options.js";
import { udpFrame } from "../fakes/frames.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { checkCounts } from "../fakes/recorded-frames.js";
import { officeConfig, RecorderRun } from "../fakes/recorder-run.js";
import { rtpStream } from "../fakes/rtp-stream.js";
import { mergeCalls, type TimedFrame } from "../fakes/timed-frames.js";
import { toneSource } from "../fakes/tone.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

async function record(
  frames: readonly TimedFrame[],
  config: Config = officeConfig(),
): Promise<{ records: CallRecord[]; counts: Record<string, number>; journalled: number }> {
  const run = new RecorderRun(folder, config).feed(frames);
  const counts = await run.end();
  for (const one of run.records) checkCounts(one);
  return { records: run.records, counts, journalled: run.recorder.journal.counters["journal.records"] };
}

const sides = (one: CallRecord) =>
  ([0, 1] as const).map((side) => {
    const streams = one.streams.filter((stream) => stream.side === side);
    const sum = (pick: (stream: CallRecord["streams"][0]) => number) =>
      streams.reduce((total, stream) => total + pick(stream), 0);
    return {
      streams: streams.length,
      seen: sum((s) => s.packets.seen),
      recorded: sum((s) => s.packets.recorded),
      discarded: sum((s) => s.packets.discarded),
      reasons: [...new Set(streams.flatMap((s) => Object.keys(s.discardedBy)))] as DiscardReason[],
    };
  });

describe("a plain call", () => {
  it("admits the agent's packets only and says on what evidence", async () => {
    const { records, journalled } = await record(makeCall());
    expect(records.length).toBe(1);
    const [one] = records;
    expect(one!.endReason).toBe("bye");
    expect(one!.parties.map((party) => party.role)).toEqual(["caller", "agent"]);
    const [caller, agent] = sides(one!);
    expect(caller).toMatchObject({ streams: 1, recorded: 0, reasons: ["consent"] });
    expect(agent).toMatchObject({ streams: 1, discarded: 0 });
    expect(journalled).toBe(agent!.recorded);
    expect(one!.evidence).toMatchObject([{ kind: "rule", effect: "agent" }]);
    expect(one!.parties[1].spans.length).toBe(1);
  });

  it("counts what was lost and copied", async () => {
    const { records } = await record(
      makeCall({ callee: { isLost: (i) => i % 10 === 3, isDuplicated: (i) => i % 10 === 5 } }),
    );
    const { packets } = records[0]!.streams.find((stream) => stream.side === 1)!;
    expect(packets).toMatchObject({ recorded: 180, duplicate: 20, lost: 20 });
  });

  it("identifies the agent by number and by pattern", async () => {
    for (const match of ["21", "2?", "*1"]) {
      const { records } = await record(makeCall(), officeConfig({ agents: { match: [match] } }));
      expect(records[0]!.parties[1].identifiedBy).toContain(match);
      expect(sides(records[0]!)[0]!.recorded).toBe(0);
      expect(sides(records[0]!)[1]!.discarded).toBe(0);
    }
  });
});

it("writes what was admitted when no packet comes any more, though packet time stands still", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  try {
    const frames = makeCall().filter(({ atUs }) => atUs < DEFAULT_START_US + 3_000_000);
    const { recorder } = new RecorderRun(folder, officeConfig()).feed(frames);
    const { counters } = recorder.journal;
    expect(counters["journal.records"]).toBe(0);
    for (let ms = 0; ms < 500; ms += 100) {
      vi.advanceTimersByTime(100);
      recorder.idle(0);
    }
    expect(counters["journal.records"]).toBeGreaterThan(20);
  } finally {
    vi.useRealTimers();
  }
});

describe("media before the answer and after the end", () => {
  it("discards early media but keeps what overtakes the answer", async () => {
    const { records } = await record(makeCall({ earlyMediaMs: 800 }));
    const agent = sides(records[0]!)[1]!;
    expect(agent.reasons).toEqual(["early-media"]);
    expect(agent.discarded).toBeGreaterThanOrEqual(29);
    expect(agent.discarded).toBeLessThanOrEqual(31);
  });

  it("keeps early media when configured", async () => {
    const { records } = await record(
      makeCall({ earlyMediaMs: 800 }),
      officeConfig({ agents: { match: ["21"] }, recording: { earlyMedia: "keep" } }),
    );
    expect(sides(records[0]!)[1]!.discarded).toBe(0);
  });

  it("takes what was on its way at the BYE and no more", async () => {
    const { records } = await record(makeCall({ rtpAfterByeMs: 2000 }));
    const agent = records[0]!.streams.find((stream) => stream.side === 1)!;
    expect(agent.packets.recorded).toBeGreaterThanOrEqual(200 + 24);
    expect(agent.packets.recorded).toBeLessThanOrEqual(200 + 27);
  });
});

describe("calls that end otherwise", () => {
  it.each([
    ["rejected", makeCall({ outcome: 486 }), { endReason: "rejected", rejectStatus: 486, noAudio: "not-answered" }],
    ["cancelled", makeCall({ outcome: "cancelled" }), { endReason: "cancelled", noAudio: "not-answered" }],
    ["still going when the capture ends", makeCall({ isEndless: true }), { endReason: "capture-ended" }],
    ["whose BYE comes from the other side", makeCall({ byeBy: "callee" }), { endReason: "bye" }],
  ])("%s", async (_name, frames, expected) => {
    const { records } = await record(frames);
    expect(records).toMatchObject([expected]);
  });

  it("by silence, when no BYE was seen", async () => {
    const later = makeCall({
      callId: "later",
      startUs: DEFAULT_START_US + 600e6,
      caller: { rtpPort: 31_000 },
      callee: { rtpPort: 41_000 },
    });
    const { records } = await record(mergeCalls(makeCall({ isEndless: true }), later));
    expect(records.map((one) => one.endReason)).toEqual(["idle", "bye"]);
    expect(records[0]!.endedAtUs).toBeLessThan(DEFAULT_START_US + 10e6);
  });

  it("and leaves no ghost behind when its messages come again late", async () => {
    const frames = makeCall();
    const late = frames.filter((one) => one.kind === "sip").map((one) => ({ ...one, atUs: one.atUs + 8_000_000 }));
    const { records } = await record(mergeCalls(frames, late));
    expect(records.map((one) => one.endReason)).toEqual(["bye"]);
  });

  it("is followed from the answer when the INVITE was not seen", async () => {
    const frames = makeCall().filter((one) => !["INVITE", "100 INVITE", "180 INVITE"].includes(one.label));
    const { records } = await record(frames);
    expect(records).toMatchObject([{ endReason: "bye", warnings: [{ code: "start-not-seen" }] }]);
    expect(sides(records[0]!)[1]!.recorded).toBeGreaterThan(150);
  });
});

describe("addresses", () => {
  it("binds media from behind NAT, each side in turn", async () => {
    const callerNat = await record(
      makeCall({ caller: { address: "192.168.7.2", natRtpEndpoint: "203.0.113.5:61000" } }),
    );
    expect(sides(callerNat.records[0]!).map((side) => [side.streams, side.seen > 190])).toEqual([
      [1, true],
      [1, true],
    ]);
    expect(sides(callerNat.records[0]!)[0]!.recorded).toBe(0);
    expect(sides(callerNat.records[0]!)[1]!.discarded).toBe(0);
  });

  it("does not take a source outside agents.match for an agent identified by address alone", async () => {
    const { records } = await record(makeCall({ callee: { natRtpEndpoint: "203.0.113.5:61000" } }));
    const agent = sides(records[0]!)[1]!;
    expect(agent).toMatchObject({ recorded: 0, reasons: ["source-changed"] });
    expect(records[0]!.warnings).toMatchObject([{ code: "agent-source-outside-match" }]);
  });

  it("refuses a second source that turns up without signalling", async () => {
    const call = makeCall({ callee: { user: "21" } });
    const intruder = rtpStream({
      source: "203.0.113.9:5000",
      destination: "198.51.100.20:30000",
      from: "callee",
      startUs: DEFAULT_START_US + 2_500_000,
      packets: 50,
      ssrc: 4711,
      payload: toneSource(300),
    });
    const { records } = await record(mergeCalls(call, intruder), officeConfig({ agents: { match: ["21"] } }));
    const streams = records[0]!.streams.filter((stream) => stream.side === 1);
    expect(streams.map((stream) => [stream.packets.seen, stream.packets.recorded])).toEqual([
      [200, 200],
      [50, 0],
    ]);
    expect(records[0]!.warnings.map((warning) => warning.code)).toContain("source-changed");
  });

  it("keeps a stream whose SSRC changes on the same path", async () => {
    const call = makeCall({ callee: { isLost: (i) => i >= 100 } });
    const rest = rtpStream({
      source: "10.0.0.7:40000",
      destination: "198.51.100.20:30000",
      from: "callee",
      startUs: DEFAULT_START_US + 3_010_000,
      packets: 100,
      ssrc: 99,
      payload: toneSource(440),
    });
    const { records } = await record(mergeCalls(call, rest));
    expect(sides(records[0]!)[1]).toMatchObject({ streams: 2, recorded: 200, discarded: 0 });
  });

  it("gives one stream to both calls that share it (direct media)", async () => {
    const first = makeCall({ callId: "trunk-side", callee: { user: "21" } });
    const secondSignalling = makeCall({ callId: "phone-side" }).filter((one) => one.kind === "sip");
    const { records } = await record(mergeCalls(first, secondSignalling));
    expect(records.map((one) => sides(one).map((side) => side.seen))).toEqual([
      [200, 200],
      [200, 200],
    ]);
  });

  it.each([700, 100])("keeps calls between the same ports, %i ms apart, apart by their SSRCs", async (apartMs) => {
    const calls = [0, 1, 2].map((i) =>
      makeCall({
        callId: `shared-${i}`,
        startUs: DEFAULT_START_US + i * apartMs * 1000,
        durationMs: 3000,
        callee: { ssrc: 100 + i },
        caller: { ssrc: 200 + i },
      }),
    );
    const { records } = await record(mergeCalls(...calls));
    expect(records.map((one) => one.streams.map((stream) => [stream.ssrc, stream.packets.seen]).sort())).toEqual(
      [0, 1, 2].map((i) => [
        [`0x${(100 + i).toString(16).padStart(8, "0")}`, 150],
        [`0x${(200 + i).toString(16).padStart(8, "0")}`, 150],
      ]),
    );
  });
});

describe("limits", () => {
  it("follows no more calls than configured and counts the rest", async () => {
    const calls = Array.from({ length: 5 }, (_, i) =>
      makeCall({ callId: `c${i}`, caller: { rtpPort: 30_000 + i * 2 }, callee: { rtpPort: 40_000 + i * 2 } }),
    );
    const { records, counts } = await record(mergeCalls(...calls), officeConfig({ call: { maxCalls: 3 } }));
    expect(records.length).toBe(3);
    expect(counts["call.refused"]).toBe(2);
  });

  it("forgets stray flows before those of calls", async () => {
    const strays = Array.from({ length: 2000 }, (_, i) => ({
      atUs: DEFAULT_START_US + 1_500_000 + i * 100,
      frame: udpFrame({
        source: `192.0.2.${i % 250}:${10_000 + i}`,
        destination: "192.0.2.255:9000",
        payload: Buffer.concat([Buffer.from([0x80, 0, 0, i & 255, 0, 0, 0, 1, 0, 0, 0, 2]), Buffer.alloc(160)]),
      }),
      kind: "rtp" as const,
      from: "caller" as const,
      label: "",
    }));
    const { records, counts } = await record(
      mergeCalls(makeCall(), strays),
      officeConfig({ agents: { match: ["21"] }, rtp: { maxFlows: 256 } }),
    );
    expect(counts["rtp.flows"]).toBeLessThanOrEqual(256);
    expect(counts["rtp.unbound"]).toBe(2000);
    expect(sides(records[0]!)[1]).toMatchObject({ seen: 200, recorded: 200 });
  });
});
