// Calls that reach the box inside encapsulations: the same packets are recorded as of the bare call, and the status says
// what they came in.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../device/contract/call-record.js";
import type { EncapsulationStatus } from "../../device/contract/engine-messages.js";
import { endpoints, ipPacket, linkFrame, udpFrame } from "../fakes/frames.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { RecorderRun } from "../fakes/recorder-run.js";
import type { TimedFrame } from "../fakes/timed-frames.js";
import {
  erspan1,
  erspan2,
  erspan3,
  GENEVE_OPTION,
  geneve,
  gre,
  gtpU,
  macInMac,
  mpls,
  PORT,
  pppoe,
  tzsp,
  vxlan,
} from "../fakes/tunnels.js";

const IPV4 = 0x0800;
const ETHERNET_HEADER_BYTES = 14;
const MIRROR = { source: "192.0.2.1:49152", destination: "192.0.2.2:0" };

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

/** The switch's packet around a payload. */
function inIp(protocol: number, payload: Buffer): Buffer {
  const ends = endpoints(MIRROR);
  return linkFrame(ipPacket(MIRROR, ends, payload, protocol), ends, {});
}
const inUdp = (port: number, payload: Buffer): Buffer =>
  udpFrame({ source: MIRROR.source, destination: `192.0.2.2:${port}`, payload });
/** A frame of the same ends with another type and payload. */
function retyped(frame: Buffer, type: number, payload: Buffer): Buffer {
  const header = Buffer.from(frame.subarray(0, ETHERNET_HEADER_BYTES));
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, payload]);
}
const packetOf = (frame: Buffer): Buffer => frame.subarray(ETHERNET_HEADER_BYTES);
function tagged(frame: Buffer, ...tags: [type: number, id: number][]): Buffer {
  let payload: Buffer = frame.subarray(12);
  for (const [type, id] of tags.toReversed()) {
    payload = Buffer.concat([Buffer.from([type >> 8, type & 255, id >> 8, id & 255]), payload]);
  }
  return Buffer.concat([frame.subarray(0, 12), payload]);
}

async function record(
  frames: readonly TimedFrame[],
): Promise<{ records: CallRecord[]; journalled: number; encapsulations: EncapsulationStatus[] }> {
  const run = new RecorderRun(folder).feed(frames);
  await run.end();
  const { records, recorder } = run;
  return {
    records,
    journalled: recorder.journal.counters["journal.records"],
    encapsulations: recorder.encapsulations(),
  };
}

/** What a call comes to, without what differs from run to run. */
const outcomes = (records: CallRecord[]) =>
  records.map(({ endReason, parties, streams, startedAtUs, answeredAtUs, endedAtUs }) => ({
    endReason,
    roles: parties.map((party) => party.role),
    streams: streams.map(({ side, ssrc, packets, discardedBy }) => ({ side, ssrc, packets, discardedBy })),
    times: [startedAtUs, answeredAtUs, endedAtUs],
  }));

const WAYS: [string, (frame: Buffer) => Buffer, Partial<EncapsulationStatus>][] = [
  ["IP in IP", (frame) => inIp(4, packetOf(frame)), { layers: "ip-in-ip" }],
  ["GRE", (frame) => inIp(47, gre(IPV4, packetOf(frame), { hasChecksum: true, key: 1 })), { layers: "gre" }],
  ["ERSPAN I", (frame) => inIp(47, erspan1(frame)), { layers: "gre/erspan1/ethernet" }],
  ["ERSPAN II", (frame) => inIp(47, erspan2(frame, { vlan: 30 })), { layers: "gre/erspan2/ethernet" }],
  [
    "ERSPAN III",
    (frame) => inIp(47, erspan3(tagged(frame, [0x8100, 30]), { platform: Buffer.alloc(8) })),
    { layers: "gre/erspan3/ethernet/vlan" },
  ],
  ["VXLAN", (frame) => inUdp(PORT.vxlan, vxlan(frame)), { layers: "vxlan/ethernet" }],
  ["GENEVE", (frame) => inUdp(PORT.geneve, geneve(0x6558, frame, GENEVE_OPTION)), { layers: "geneve/ethernet" }],
  ["TZSP", (frame) => inUdp(PORT.tzsp, tzsp(frame)), { layers: "tzsp/ethernet" }],
  ["GTP-U", (frame) => inUdp(PORT.gtpU, gtpU(packetOf(frame), { sequence: 9 })), { layers: "gtp-u" }],
  ["MPLS", (frame) => retyped(frame, 0x8847, mpls([16, 17], packetOf(frame))), { layers: "mpls", outer: "" }],
  [
    "a pseudowire",
    (frame) => retyped(frame, 0x8847, mpls([16], Buffer.concat([Buffer.alloc(4), frame]))),
    { layers: "mpls/ethernet", outer: "" },
  ],
  ["802.1ah", (frame) => retyped(frame, 0x88e7, macInMac(frame)), { layers: "mac-in-mac/ethernet", outer: "" }],
  [
    "PPPoE",
    (frame) => retyped(frame, 0x8864, pppoe(Buffer.concat([Buffer.from([0, 0x21]), packetOf(frame)]))),
    { layers: "pppoe", outer: "" },
  ],
  ["QinQ", (frame) => tagged(frame, [0x88a8, 100], [0x8100, 30]), { layers: "vlan/vlan", outer: "" }],
];

describe("a call", () => {
  it.each(WAYS)("inside %s is recorded with all packets", async (_, wrap, expected) => {
    const call = makeCall();
    const bare = await record(call);
    expect(bare.encapsulations).toEqual([]);
    expect(bare.journalled).toBeGreaterThan(150);
    const wrapped = await record(call.map((one) => ({ ...one, frame: wrap(one.frame) })));
    expect(outcomes(wrapped.records)).toEqual(outcomes(bare.records));
    expect(wrapped.journalled).toBe(bare.journalled);
    expect(wrapped.encapsulations).toMatchObject([
      {
        outer: "192.0.2.1 → 192.0.2.2",
        frames: call.length,
        firstAtUs: call[0]!.atUs,
        lastAtUs: call.at(-1)!.atUs,
        ...expected,
      },
    ]);
  });

  it("of which two mirrors show one side each is one call", async () => {
    const ways = { caller: WAYS[3]![1], callee: WAYS[5]![1] };
    const call = makeCall();
    const { records, encapsulations } = await record(call.map((one) => ({ ...one, frame: ways[one.from](one.frame) })));
    expect(records.map((one) => one.streams.map((stream) => stream.packets.seen))).toEqual([[200, 200]]);
    expect(encapsulations.map((one) => one.layers).sort()).toEqual(["gre/erspan2/ethernet", "vxlan/ethernet"]);
    expect(encapsulations.reduce((sum, one) => sum + one.frames, 0)).toBe(call.length);
  });

  it("on a tunnel's port is a call all the same", async () => {
    for (const port of Object.values(PORT)) {
      const { records } = await record(makeCall({ caller: { rtpPort: port }, callee: { rtpPort: port } }));
      expect(records.map((one) => one.streams.map((stream) => stream.packets.seen))).toEqual([[200, 200]]);
    }
  });
});
