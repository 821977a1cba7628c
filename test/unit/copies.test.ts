// What a mirror port shows several times is recorded, counted and judged once: the call's record is that of the call
// shown once, but for the number of copies. What was really sent again is counted as ever.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../device/contract/call-record.js";
import type { Config } from "../../device/contract/config.js";
import type { CallOptions } from "../fakes/call-options.js";
import { DEFAULT_START_US } from "../fakes/call-options.js";
import { udpFrame } from "../fakes/frames.js";
import { copyOf, MIRROR_KINDS, type MirrorKind, mirrored } from "../fakes/mirror.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { makeRandom } from "../fakes/random.js";
import { officeConfig, RecorderRun } from "../fakes/recorder-run.js";
import { rtpPacket } from "../fakes/rtp-stream.js";
import { mergeCalls, type TimedFrame } from "../fakes/timed-frames.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

interface Outcome {
  records: CallRecord[];
  counts: Record<string, number>;
}

async function record(frames: readonly TimedFrame[], config: Config = officeConfig()): Promise<Outcome> {
  const run = new RecorderRun(folder, config).feed([...frames, afterwards(frames)]);
  return { counts: await run.end(), records: run.records };
}

/** Something else on the wire, so that a late copy is not what ends the capture. */
function afterwards(frames: readonly TimedFrame[]): TimedFrame {
  const lastUs = frames.reduce((last, one) => Math.max(last, one.atUs), 0);
  const frame = udpFrame({ source: "10.0.0.9:9", destination: "10.0.0.8:9", payload: Buffer.alloc(4) });
  return { atUs: Math.ceil(lastUs / 1_000_000) * 1_000_000 + 2_000_000, frame, kind: "sip", from: "caller", label: "" };
}

/** The records without what is new with every run, and without the copies. */
function facts(records: readonly CallRecord[]): unknown {
  return records.map(({ id: _id, streams, ...rest }) => ({
    ...rest,
    streams: streams.map(({ packets: { copies: _copies, ...packets }, ...stream }) => ({ ...stream, packets })),
  }));
}

const copiesOf = (records: readonly CallRecord[]) =>
  records.flatMap(({ streams }) => streams.map(({ packets }) => packets.copies ?? 0));
const ofKind = (frames: readonly TimedFrame[], kind: TimedFrame["kind"]) => frames.filter((one) => one.kind === kind);

const info = (atMs: number, value: string) => ({
  atMs,
  from: "callee" as const,
  method: "INFO",
  headers: [["X-Recording-Consent", value]] as [string, string][],
});

const CALLS: [string, CallOptions, Record<string, unknown>][] = [
  ["whose caller says nothing", {}, {}],
  [
    "whose caller consents and withdraws",
    { durationMs: 3000, midCall: [info(500, "granted"), info(2000, "withdrawn")] },
    {},
  ],
  ["whose caller refuses", { headers: { invite: [["X-Recording-Consent", "refused"]] } }, {}],
  ["with consent first", { midCall: [info(1500, "yes")] }, { consent: { policy: "consent-first" } }],
  ["of both parties", {}, { agents: { match: [] }, consent: { policy: "both-parties" } }],
  ["with early media", { earlyMediaMs: 800 }, {}],
  ["from behind NAT", { caller: { address: "192.168.7.2", natRtpEndpoint: "203.0.113.5:61000" } }, {}],
  [
    "with hold and resume",
    { midCall: [{ atMs: 800, from: "callee", method: "INVITE", sdp: { direction: "sendonly" } }] },
    {},
  ],
  ["in VLANs", { link: { vlan: [7, 42] } }, {}],
  ["with fragmented signalling", { mtu: 400 }, {}],
  [
    "over IPv6",
    { caller: { address: "2001:db8::20" }, callee: { address: "2001:db8:1::7" } },
    { agents: { match: ["21"] } },
  ],
  [
    "with loss, disorder and duplicates",
    {
      callee: { isLost: (i) => i % 10 === 3, isDuplicated: (i) => i % 10 === 5, delayUs: (i) => (i % 7) * 9000 },
      caller: { isDuplicated: (i) => i % 4 === 1, delayUs: (i) => (i % 3) * 25_000 },
    },
    {},
  ],
  ["whose end is not seen", { isEndless: true }, {}],
  ["that is rejected", { outcome: 486 }, {}],
]; // prettier-ignore

describe.each(CALLS)("a call %s", (_name, options, settings) => {
  const frames = makeCall(options);
  const config = officeConfig(settings);

  it.each(MIRROR_KINDS)("shown twice: %s", async (kind) => {
    const once = await record(frames, config);
    const twice = await record(mirrored(frames, { kinds: [kind], maximumDelayMs: 3 }), config);
    expect(facts(twice.records)).toEqual(facts(once.records));
    expect(copiesOf(once.records).every((count) => count === 0)).toBe(true);
    expect(twice.counts[`duplicates.rtp.${kind}`]).toBe(ofKind(frames, "rtp").length);
    expect(twice.counts["sip.messages"]).toBe(once.counts["sip.messages"]);
    for (const other of MIRROR_KINDS.filter((one) => one !== kind)) {
      expect([twice.counts[`duplicates.rtp.${other}`], twice.counts[`duplicates.sip.${other}`]]).toEqual([0, 0]);
    }
  });

  it("shown three and four times, copies late and in any order", async () => {
    const once = await record(frames, config);
    for (const [seed, kinds] of (
      [
        ["vlan", "ttl"],
        ["same", "same"],
        ["interface", "vlan", "ttl"],
      ] as MirrorKind[][]
    ).entries()) {
      const many = await record(mirrored(frames, { kinds, maximumDelayMs: 80, seed }), config);
      expect(facts(many.records)).toEqual(facts(once.records));
      const packets = ofKind(frames, "rtp").length;
      expect(copiesOf(many.records).reduce((a, b) => a + b, 0)).toBe(packets * kinds.length);
    }
  });

  it("shown on two interfaces that hand over their packets in turns", async () => {
    const once = await record(frames, config);
    const turns = mirrored(frames, { kinds: ["interface"] }).map((one) => {
      const turn = Math.floor(one.atUs / 100_000);
      return { one, key: turn * 2 + (one.interfaceIndex ?? 0) };
    });
    const inTurns = turns.sort((a, b) => a.key - b.key || a.one.atUs - b.one.atUs).map(({ one }) => one);
    const twice = await record(inTurns, config);
    expect(facts(twice.records)).toEqual(facts(once.records));
  });
});

describe("what was sent again", () => {
  it("counts a sender's duplicates as ever, shown once or three times", async () => {
    const frames = makeCall({
      callee: { isDuplicated: (i) => i % 10 === 5 },
      caller: { isDuplicated: (i) => i % 10 === 6 },
    });
    const once = await record(frames);
    const [caller, agent] = once.records[0]!.streams;
    expect(agent!.packets).toMatchObject({ seen: 220, recorded: 200, duplicate: 20 });
    expect(caller!.packets).toMatchObject({ seen: 220, discarded: 220 });
    const thrice = await record(mirrored(frames, { kinds: ["vlan", "same"], maximumDelayMs: 80 }));
    expect(facts(thrice.records)).toEqual(facts(once.records));
    expect(copiesOf(thrice.records)).toEqual([440, 440]);
  });

  it("counts a sequence number used again with another payload as ever", async () => {
    const frames = makeCall();
    const rtp = (from: TimedFrame["from"]) => ofKind(frames, "rtp").filter((one) => one.from === from);
    const reused = rtp("callee")
      .slice(50, 60)
      .map((one) => {
        const frame = Buffer.from(one.frame);
        frame.fill(0x55, 54);
        return { ...one, frame, atUs: one.atUs + 40 };
      });
    const all = mergeCalls(frames, reused);
    const once = await record(all);
    expect(once.records[0]!.streams.find((one) => one.side === 1)!.packets).toMatchObject({
      seen: 210,
      recorded: 200,
      duplicate: 10,
    });
    expect(copiesOf(once.records)).toEqual([0, 0]);
  });

  it("hands on SIP that was sent again, and takes out that one's copies", async () => {
    const frames = makeCall();
    const invite = frames.find((one) => one.label === "INVITE")!;
    const answer = frames.find((one) => one.label === "200 INVITE")!;
    const renumbered = (one: TimedFrame, identification: number) => {
      const frame = Buffer.from(one.frame);
      frame.writeUInt16BE(identification, 18);
      return { ...one, frame };
    };
    const again = [
      copyOf(invite, "same", 500_000),
      copyOf(renumbered(invite, 777), "same", 30_000),
      copyOf(answer, "same", 500_000),
      copyOf(renumbered(answer, 778), "vlan", 60_000),
    ];
    const once = await record(mergeCalls(frames, again));
    const plain = await record(frames);
    expect(once.counts["sip.messages"]).toBe(plain.counts["sip.messages"]! + again.length);
    expect(MIRROR_KINDS.map((kind) => once.counts[`duplicates.sip.${kind}`])).toEqual([0, 0, 0, 0]);
    expect(facts(once.records)).toEqual(facts(plain.records));
    const twice = await record(mirrored(mergeCalls(frames, again), { kinds: ["ttl"], maximumDelayMs: 80 }));
    expect(twice.counts["sip.messages"]).toBe(once.counts["sip.messages"]);
    expect(twice.counts["duplicates.sip.ttl"]).toBe(once.counts["sip.messages"]);
  });

  it("takes a header's word once, however often the mirror shows it", async () => {
    const frames = makeCall({ midCall: [info(1000, "granted")] });
    const { records } = await record(mirrored(frames, { kinds: ["same", "vlan", "ttl"], maximumDelayMs: 80 }));
    expect(records[0]!.evidence.filter((entry) => entry.kind === "sip-header").length).toBe(1);
  });
});

describe("fragments", () => {
  it.each([4, 6])("IPv%i: leave nothing behind that would look like loss", async (version) => {
    const addresses: CallOptions =
      version === 6 ? { caller: { address: "2001:db8::20" }, callee: { address: "2001:db8:1::7" } } : {};
    const call = makeCall({ ...addresses, mtu: version === 6 ? 160 : 120 });
    const later = makeCall({ startUs: DEFAULT_START_US + 60_000_000, callId: "later" });
    for (const maximumDelayMs of [0, 3, 80]) {
      const shown = mergeCalls(mirrored(call, { kinds: ["vlan", "same"], maximumDelayMs }), later);
      const { counts } = await record(shown, officeConfig({ agents: { match: ["21"] } }));
      expect(counts["net.fragments"]).toBeGreaterThan(30);
      expect(counts["net.fragment-timeout"]).toBe(0);
    }
  });
});

describe("capture.duplicates", () => {
  it("keep: treats copies like the sender's own duplicates", async () => {
    const frames = makeCall();
    const config = officeConfig({ capture: { duplicates: "keep" } });
    const twice = await record(mirrored(frames, { kinds: ["vlan"], maximumDelayMs: 3 }), config);
    const [caller, agent] = twice.records[0]!.streams;
    expect(agent!.packets).toMatchObject({ seen: 400, recorded: 200, duplicate: 200 });
    expect(caller!.packets).toMatchObject({ seen: 400, discarded: 400 });
    expect(twice.counts["sip.messages"]).toBe(2 * ofKind(frames, "sip").length);
    expect(Object.entries(twice.counts).filter(([name, count]) => name.startsWith("duplicates.") && count > 0)).toEqual(
      [],
    );
  });

  it("duplicateWindowMs: what comes later is no copy", async () => {
    const frames = makeCall();
    const late = mirrored(frames, { kinds: ["same"], minimumDelayMs: 60, maximumDelayMs: 61 });
    const short = await record(late, officeConfig({ capture: { duplicateWindowMs: 50 } }));
    expect(copiesOf(short.records)).toEqual([0, 0]);
    expect(short.records[0]!.streams.find((one) => one.side === 1)!.packets).toMatchObject({
      seen: 400,
      duplicate: 200,
    });
    const long = await record(late, officeConfig({ capture: { duplicateWindowMs: 70 } }));
    expect(copiesOf(long.records)).toEqual([200, 200]);
  });
});

describe("the edges of a stream", () => {
  it("gives a copy to nobody when the call that got the packet has ended and another uses its ports", async () => {
    const first = makeCall({ durationMs: 1000 });
    const lastUs = first.at(-1)!.atUs;
    const tail = officeConfig({ call: { tailMs: 0 } });
    const second = makeCall({
      callId: "second",
      startUs: lastUs - 140_000,
      ringMs: 160,
      callee: { mediaOffsetMs: 100 },
    });
    const once = await record(mergeCalls(first, second), tail);
    expect(once.records.length).toBe(2);
    const late = mirrored(first, { kinds: ["vlan"], minimumDelayMs: 70, maximumDelayMs: 80 });
    const twice = await record(mergeCalls(late, second), tail);
    expect(facts(twice.records)).toEqual(facts(once.records));
  });

  it("records a packet of which only a copy arrives", async () => {
    const frames = makeCall();
    const random = makeRandom(5);
    const shown = frames.map((one) => (random() < 0.5 ? one : copyOf(one, "vlan", 0)));
    const { records } = await record(shown);
    expect(facts(records)).toEqual(facts((await record(frames)).records));
    expect(copiesOf(records)).toEqual([0, 0]);
  });

  it("does not take a packet for a copy when its number comes round again", async () => {
    const call = makeCall({ isEndless: true, durationMs: 1000, callee: { isMute: true }, caller: { isMute: true } });
    const stream = Array.from({ length: 70_000 }, (_, i) => ({
      atUs: DEFAULT_START_US + 1_010_000 + i * 20_000,
      frame: udpFrame({
        source: "10.0.0.7:40000",
        destination: "198.51.100.20:30000",
        identification: i,
        payload: rtpPacket({
          payloadType: 8,
          sequence: i,
          timestamp: i * 160,
          ssrc: 9,
          payload: Buffer.alloc(160, 0xd5),
        }),
      }),
      kind: "rtp" as const,
      from: "callee" as const,
      label: "",
    }));
    const { records, counts } = await record(mergeCalls(call, stream));
    expect(records.flatMap((one) => one.streams.map((each) => each.packets))).toMatchObject([
      { seen: 70_000, recorded: 70_000, duplicate: 0, lost: 0 },
    ]);
    expect(counts["duplicates.rtp.same"]).toBe(0);
  });
});
