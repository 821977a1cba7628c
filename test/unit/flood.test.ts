// Floods of everything that the recorder keeps state for, around one running call: the call's record stays what it is
// without them, every table stays within its limit, memory within a bound, and the work grows no faster than the flood.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../device/contract/call-record.js";
import type { Config } from "../../device/contract/config.js";
import {
  answeredFlood,
  type Flood,
  floodedFrames,
  fragmentFlood,
  inviteFlood,
  registerFlood,
  rtpFlood,
  tcpFlood,
} from "../fakes/flood.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { officeConfig, RecorderRun } from "../fakes/recorder-run.js";

const CALL_MS = 20_000;
/** Long enough for a slow machine that does other things; what takes quadratic time takes hours. */
const TIMEOUT_MS = 120_000;
const MEGABYTE = 1024 * 1024;
const call = makeCall({ durationMs: CALL_MS });
const CALL_ID = "call-1@office.example";
const startUs = call[0]!.atUs;
/** From before the answer until after the end. */
const [fromUs, toUs] = [startUs + 500_000, startUs + CALL_MS * 1000 + 3_000_000];

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

interface Outcome {
  record: CallRecord;
  counts: Record<string, number>;
  /** Kept in memory at the end of the flood, without what was there before it. */
  keptBytes: number;
}

async function run(floods: readonly Flood[], config: Config = officeConfig()): Promise<Outcome> {
  const recorder = new RecorderRun(folder, config);
  const before = usedBytes();
  recorder.feed(floodedFrames(call, floods, fromUs, toUs)).recorder.idle(toUs);
  const keptBytes = usedBytes() - before;
  const counts = await recorder.end();
  const own = recorder.records.filter(({ sipCallIds }) => sipCallIds.includes(CALL_ID));
  expect(own.length).toBe(1);
  return { record: own[0]!, counts, keptBytes };
}

function usedBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Everything but the identifier, the warnings and what was refused; of the streams those that the call's own parties sent. */
function facts({ id: _id, warnings: _warnings, streams, parties, ...rest }: CallRecord): unknown {
  const own = streams.filter(({ source }) => ["10.0.0.7:40000", "198.51.100.20:30000"].includes(source));
  const taken = parties.map(({ closedSpans: _refused, ...party }) => party);
  return { ...rest, parties: taken, streams: own.map(({ index: _index, ...stream }) => stream) };
}

/** `share` of 10,000 INVITEs, fragments and TCP connections and of 100,000 REGISTERs and RTP streams. */
const everything = (share = 1): Flood[] => [
  { frame: inviteFlood(), count: 10_000 * share },
  { frame: registerFlood(), count: 100_000 * share },
  { frame: rtpFlood(), count: 100_000 * share },
  { frame: fragmentFlood(), count: 10_000 * share },
  { frame: tcpFlood(), count: 20_000 * share },
];

function expectWithinLimits(counts: Record<string, number>, { call: calls, rtp, net }: Config): void {
  const left = (all: string, ...gone: string[]) => counts[all]! - gone.reduce((sum, name) => sum + counts[name]!, 0);
  expect(left("call.started", "call.ended")).toBeLessThanOrEqual(calls.maxCalls);
  expect(counts["rtp.flows"]).toBeLessThanOrEqual(rtp.maxFlows);
  const { maxTcpConnections, maxFragmentedDatagrams } = net;
  expect(left("net.tcp-connections", "net.tcp-evicted", "net.tcp-idle")).toBeLessThanOrEqual(maxTcpConnections);
  expect(left("net.fragments", "net.fragment-evicted", "net.fragment-timeout")).toBeLessThanOrEqual(
    maxFragmentedDatagrams,
  );
}

describe("a flood of everything", () => {
  it(
    "leaves the running call as it is and memory within bounds, at the default limits",
    async () => {
      const config = officeConfig();
      const alone = await run([]);
      expect(alone.record.streams.map(({ packets }) => packets)).toMatchObject([
        { seen: 1000, recorded: 0, discarded: 1000, lost: 0 },
        { seen: 1000, recorded: 1000, discarded: 0, lost: 0 },
      ]);
      const { record, counts, keptBytes } = await run(everything(), config);
      expect(facts(record)).toEqual(facts(alone.record));
      expect(record.warnings).toEqual(alone.record.warnings);
      expect(counts).toMatchObject({
        "call.started": 10_001,
        "call.refused": 0,
        "rtp.unbound": 100_000,
        "net.fragments": 10_000,
        "net.tcp-connections": 10_000,
      });
      expectWithinLimits(counts, config);
      expect(keptBytes / MEGABYTE).toBeLessThan(300);
    },
    TIMEOUT_MS,
  );

  it(
    "costs no more memory than small limits allow, and counts what was refused",
    async () => {
      const config = officeConfig({
        call: { maxCalls: 100 },
        rtp: { maxFlows: 256 },
        net: { maxTcpConnections: 64, maxFragmentedDatagrams: 64 },
        agents: { match: ["10.0.0.0/24"], maxRegistrations: 128 },
      });
      const alone = await run([], config);
      const { record, counts, keptBytes } = await run(everything(0.1), config);
      expect(facts(record)).toEqual(facts(alone.record));
      // 99 places besides the running call's, and that one when it is over.
      expect(counts["call.refused"]).toBe(1000 - 100);
      expect(counts["rtp.flows-forgotten"]).toBeGreaterThan(9500);
      expect(counts["net.tcp-evicted"]).toBeGreaterThan(900);
      expect(counts["net.fragment-evicted"]).toBeGreaterThan(900);
      expectWithinLimits(counts, config);
      expect(keptBytes / MEGABYTE).toBeLessThan(16);
    },
    TIMEOUT_MS,
  );
});

describe("a flood of conversations", () => {
  it(
    "of one caller and one agent takes time in proportion to their number",
    async () => {
      const alone = await run([]);
      const { record, counts } = await run([{ frame: answeredFlood(), count: 2 * 5000 }]);
      expect(counts["call.started"]).toBe(5001);
      expect(facts(record)).toEqual(facts(alone.record));
    },
    TIMEOUT_MS,
  );
});

describe("a flood that aims at the running call", () => {
  it.each([
    ["the agent's", { address: "10.0.0.7", port: 40_000 }],
    ["the caller's", { address: "198.51.100.20", port: 30_000 }],
  ])(
    "INVITEs that name %s address for their own audio take nothing from it",
    async (_whose, media) => {
      const alone = await run([]);
      const { record } = await run([{ frame: inviteFlood({ media }), count: 2000 }]);
      expect(facts(record)).toEqual(facts(alone.record));
    },
    TIMEOUT_MS,
  );

  it.each([
    ["agent", "10.0.0.7:40000"],
    ["caller", "198.51.100.20:30000"],
  ])(
    "RTP from everywhere to the %s is neither recorded nor kept",
    async (_whom, destination) => {
      const config = officeConfig({ rtp: { maxFlows: 4096 } });
      const alone = await run([]);
      const { record, counts, keptBytes } = await run([{ frame: rtpFlood(destination), count: 50_000 }], config);
      expect(facts(record)).toEqual(facts(alone.record));
      const strangers = record.streams.filter(({ source }) => source.startsWith("172."));
      expect(strangers.length).toBeLessThanOrEqual(config.rtp.maxStreamsPerCall / 2);
      expect(strangers.every(({ packets }) => packets.recorded === 0)).toBe(true);
      expectWithinLimits(counts, config);
      expect(counts["rtp.flows-refused"]).toBe(0);
      expect(keptBytes / MEGABYTE).toBeLessThan(16);
    },
    TIMEOUT_MS,
  );

  it(
    "and leaves its parties room for streams of their own",
    async () => {
      const again = makeCall({
        durationMs: CALL_MS,
        callee: { isLost: (i) => i >= 900 },
      });
      const renewed = makeCall({ durationMs: CALL_MS, callee: { ssrc: 77, isLost: (i) => i < 900 } });
      const frames = [...again, ...renewed.filter((one) => one.kind === "rtp" && one.from === "callee")];
      frames.sort((a, b) => a.atUs - b.atUs);
      const recorder = new RecorderRun(folder);
      const flood = { frame: rtpFlood("198.51.100.20:30000"), count: 20_000 };
      recorder.feed(floodedFrames(frames, [flood], fromUs, toUs - 6_000_000));
      await recorder.end();
      const own = recorder.records[0]!.streams.filter(({ source }) => source === "10.0.0.7:40000");
      expect(own.map(({ packets }) => packets.recorded)).toEqual([900, 100]);
    },
    TIMEOUT_MS,
  );
});
