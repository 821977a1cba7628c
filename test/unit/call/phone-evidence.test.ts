// An agent who is known by the kind of phone alone, through real frames: its MAC address, its VLAN, what it calls itself.
// And what comes of it when a trunk's address says otherwise.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../../device/contract/call-record.js";
import type { CallOptions } from "../../fakes/call-options.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { heard, officeConfig, recordFrames } from "../../fakes/recorded-frames.js";
import type { TimedFrame } from "../../fakes/timed-frames.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const PHONE_MAC = "000413aabbcc";
const PHONE_NAME: CallOptions["headers"] = {
  ringing: [["Server", "snomD785/10.1"]],
  answer: [["Server", "snomD785/10.1"]],
};
const TRUNK = { trunks: { match: ["198.51.100.0/24"] } };

/** One call from outside to 21, whose agent is known by `agents` only. */
async function recordOne(frames: readonly TimedFrame[], agents: object, more: object = {}): Promise<CallRecord> {
  const { records } = await recordFrames(frames, officeConfig({ agents: { match: [], ...agents }, ...more }), folder);
  expect(records).toHaveLength(1);
  return records[0]!;
}

/** The frames of one side with this source address. */
function fromMac(frames: readonly TimedFrame[], from: TimedFrame["from"], mac: string): TimedFrame[] {
  return frames.map((one) => {
    if (one.from !== from) return one;
    const frame = Buffer.from(one.frame);
    Buffer.from(mac, "hex").copy(frame, 6);
    return { ...one, frame };
  });
}

/** Every frame in the VLAN of its sender (802.1Q). */
function inVlans(frames: readonly TimedFrame[], vlans: Record<TimedFrame["from"], number>): TimedFrame[] {
  return frames.map((one) => {
    const tag = Buffer.alloc(4);
    tag.writeUInt16BE(0x8100, 0);
    tag.writeUInt16BE(vlans[one.from], 2);
    return { ...one, frame: Buffer.concat([one.frame.subarray(0, 12), tag, one.frame.subarray(12)]) };
  });
}

describe("an agent known by the phone", () => {
  it.each<[string, () => TimedFrame[], object, string]>([
    [
      "its MAC address",
      () => fromMac(makeCall(), "callee", PHONE_MAC),
      { macs: ["00:04:13"] },
      "agents.macs 00:04:13 on 00:04:13:aa:bb:cc",
    ],
    ["its VLAN", () => inVlans(makeCall(), { caller: 30, callee: 20 }), { vlans: [20] }, "agents.vlans 20 on VLAN 20"],
    [
      "what it calls itself",
      () => makeCall({ headers: PHONE_NAME }),
      { userAgents: ["snom*"] },
      "agents.userAgents snom* on snomD785/10.1",
    ],
  ])("%s: its side is recorded, and nobody else's", async (_, frames, agents, identifiedBy) => {
    const record = await recordOne(frames(), agents);
    expect(record.parties.map(({ role, identifiedBy: by }) => [role, by])).toEqual([
      ["caller", ""],
      ["agent", identifiedBy],
    ]);
    expect(heard(record, 0)).toMatchObject({ seen: 200, recorded: 0 });
    expect(heard(record, 1)).toMatchObject({ seen: 200, recorded: 200 });
    expect(record.warnings).toEqual([]);
  });
});

describe("a trunk that looks like an agent's phone", () => {
  const outsideIsSnom: CallOptions["headers"] = { invite: [["User-Agent", "snomD785/10.1"]] };

  it.each<[string, () => TimedFrame[], object, string]>([
    [
      "by its MAC address",
      () => fromMac(makeCall(), "caller", PHONE_MAC),
      { macs: ["00:04:13"] },
      "agents.macs 00:04:13 on 00:04:13:aa:bb:cc",
    ],
    [
      "by its VLAN",
      () => inVlans(makeCall(), { caller: 20, callee: 30 }),
      { vlans: [20] },
      "agents.vlans 20 on VLAN 20",
    ],
    [
      "by its name",
      () => makeCall({ headers: outsideIsSnom }),
      { userAgents: ["snom*"] },
      "agents.userAgents snom* on snomD785/10.1",
    ],
  ])("%s is not one: nothing is recorded, and both signs are named", async (_, frames, agents, sign) => {
    const record = await recordOne(frames(), agents, TRUNK);
    expect(record.parties.map(({ role }) => role)).toEqual(["originator", "answerer"]);
    expect([0, 1].map((side) => heard(record, side as 0 | 1).recorded)).toEqual([0, 0]);
    expect(record.noAudio).toBe("agent-contradictory");
    expect(record.warnings).toEqual([
      {
        code: "agent-on-trunk",
        detail: { side: "originator", agent: sign, trunk: "trunks.match 198.51.100.0/24 on signalling 198.51.100.20" },
      },
    ]);
  });

  it("is the caller of an agent who is known for certain, and the signs are named all the same", async () => {
    const frames = inVlans(makeCall(), { caller: 20, callee: 20 });
    const record = await recordOne(frames, { match: ["21"], vlans: [20] }, TRUNK);
    expect(record.parties.map(({ role }) => role)).toEqual(["caller", "agent"]);
    expect([heard(record, 0).recorded, heard(record, 1).recorded]).toEqual([0, 200]);
    expect(record.warnings.map(({ code }) => code)).toEqual(["agent-on-trunk"]);
  });
});

describe("signs of a phone on one side and a number on the other", () => {
  it("are a contradiction that names both, and nobody is the agent", async () => {
    const frames = inVlans(makeCall(), { caller: 20, callee: 30 });
    const record = await recordOne(frames, { match: ["21"], vlans: [20] });
    expect(record.parties.map(({ role }) => role)).toEqual(["originator", "answerer"]);
    expect([heard(record, 0).recorded, heard(record, 1).recorded]).toEqual([0, 0]);
    expect(record.warnings).toEqual([
      {
        code: "agent-contradictory",
        detail: { originator: "agents.vlans 20 on VLAN 20", answerer: "agents.match 21 on user 21" },
      },
    ]);
  });
});
