// Re-INVITEs that bring somebody else onto a leg: music on hold, third-party call control, a PBX that reconnects the
// remaining leg. Whoever is new has given no consent; whoever comes back has kept it.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CallOptions, DEFAULT_START_US, type MidCallRequest } from "../../fakes/call-options.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { heard, officeConfig, type Recorded, recordFrames } from "../../fakes/recorded-frames.js";
import { rtpStream } from "../../fakes/rtp-stream.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";
import { toneSource } from "../../fakes/tone.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const ANSWER_US = DEFAULT_START_US + 1_000_000;
const AGENT_RTP = "10.0.0.7:40000";

/** A consenting caller who is away from 1 s to 3 s after the answer, when `stranger` speaks on its leg. */
function callWith(midCall: readonly MidCallRequest[], strangerSource: string, options: CallOptions = {}): TimedFrame[] {
  const stranger = rtpStream({
    source: strangerSource,
    destination: AGENT_RTP,
    from: "caller",
    startUs: ANSWER_US + 1_100_000,
    packets: 90,
    ssrc: 77,
    payload: toneSource(600),
  });
  const call = makeCall({
    caller: { isLost: (i) => i >= 50 && i < 150, ssrc: 55 },
    headers: { invite: [["X-Recording-Consent", "granted"]] },
    midCall,
    ...options,
  });
  return mergeCalls(call, stranger);
}

const reinvite = (atMs: number, sdp: MidCallRequest["sdp"]): MidCallRequest => ({
  atMs,
  from: "caller",
  method: "INVITE",
  ...(sdp ? { sdp } : {}),
});

function callerSide({ records: [record] }: Recorded): { ssrc: string; recorded: number; discarded: number }[] {
  return record!.streams
    .filter(({ side }) => side === 0)
    .map(({ ssrc, packets }) => ({ ssrc, recorded: packets.recorded, discarded: packets.discarded }));
}

describe("another origin on the caller's leg", () => {
  it.each([
    ["whose stream goes on", 30],
    ["of whom nothing was heard before", 99],
  ])("is not taken for the caller who came back: packets on their way of a stranger %s", async (_, from) => {
    const stranger = rtpStream({
      source: "198.51.100.99:36000",
      destination: AGENT_RTP,
      from: "caller",
      startUs: ANSWER_US + 1_010_000,
      packets: 110,
      ssrc: 77,
      isLost: (i) => i < from,
      payload: toneSource(600),
    });
    const call = makeCall({
      caller: { isLost: (i) => i >= 50 && i < 160, ssrc: 55 },
      headers: { invite: [["X-Recording-Consent", "granted"]] },
      midCall: [
        reinvite(1000, { address: "198.51.100.99", port: 36_000, sessionId: 9 }),
        reinvite(3000, { port: 30_100 }),
      ],
    });
    const result = await recordFrames(mergeCalls(call, stranger), officeConfig(), folder);
    const strangers = callerSide(result).filter(({ ssrc }) => ssrc === "0x0000004d");
    expect(strangers.map(({ recorded }) => recorded)).toEqual(strangers.map(() => 0));
    expect(strangers.reduce((sum, { discarded }) => sum + discarded, 0)).toBe(110 - from);
    expect(result.records[0]!.warnings).toEqual([]);
  });

  it("is somebody without consent; the caller comes back with its own", async () => {
    const frames = callWith(
      [
        reinvite(1000, { address: "198.51.100.99", port: 36_000, sessionId: 9, direction: "sendonly" }),
        reinvite(3000, {}),
      ],
      "198.51.100.99:36000",
    );
    const result = await recordFrames(frames, officeConfig(), folder);
    expect(callerSide(result)).toEqual([
      { ssrc: "0x00000037", recorded: 100, discarded: 0 },
      { ssrc: "0x0000004d", recorded: 0, discarded: 90 },
    ]);
    const [record] = result.records;
    expect(record!.parties.map(({ side, role, consent, joinedBy }) => [side, role, consent, joinedBy])).toEqual([
      [0, "caller", "granted", "start"],
      [1, "agent", "not-required", "start"],
      [0, "caller", "unknown", "re-invite"],
    ]);
    expect(record!.events.map(({ kind }) => kind)).toContain("hold");
  });

  it("is the same caller when only the session id is counted up in the same place", async () => {
    const frames = callWith(
      [reinvite(1000, { sessionId: 2 }), reinvite(3000, { sessionId: 3 })],
      "198.51.100.20:30000",
    );
    const { records } = await recordFrames(frames, officeConfig(), folder);
    expect(records[0]!.parties).toHaveLength(2);
    expect(heard(records[0]!, 0)).toMatchObject({ discarded: 0 });
  });

  it("changes nothing while it is only offered, or when it is refused", async () => {
    const frames = callWith(
      [{ ...reinvite(1000, { address: "198.51.100.99", port: 36_000, sessionId: 9 }), status: 488 }],
      "198.51.100.20:30000",
    );
    const { records } = await recordFrames(frames, officeConfig(), folder);
    expect(records[0]!.parties).toHaveLength(2);
  });
});

describe("another asserted identity", () => {
  const identity = (atMs: number, from: "caller" | "callee", user: string): MidCallRequest => ({
    atMs,
    from,
    method: "UPDATE",
    headers: [["P-Asserted-Identity", `<sip:${user}@pbx.example>`]],
    sdp: {},
  });

  it("on the caller's leg is somebody without consent", async () => {
    const frames = makeCall({
      midCall: [identity(1000, "caller", "0407654321")],
      headers: {
        invite: [
          ["X-Recording-Consent", "granted"],
          ["P-Asserted-Identity", "<sip:0301234567@pbx.example>"],
        ],
      },
    });
    const { records } = await recordFrames(frames, officeConfig(), folder);
    const [record] = records;
    expect(record!.parties.at(-1)).toMatchObject({
      side: 0,
      number: "0407654321",
      consent: "unknown",
      joinedBy: "re-invite",
    });
    expect(heard(record!, 0)).toMatchObject({ recorded: 50, discarded: 0 });
    expect(heard(record!, 2)).toMatchObject({ seen: 150, recorded: 0 });
  });

  it("on the agent's leg is the agent no longer, unless it is one as well", async () => {
    const agents = officeConfig({ agents: { match: ["2?"] } });
    const call = (user: string) =>
      makeCall({
        midCall: [identity(2000, "callee", user)],
        headers: { answer: [["P-Asserted-Identity", "<sip:21@pbx.example>"]] },
      });
    const stranger = await recordFrames(call("0407654321"), agents, folder);
    expect(heard(stranger.records[0]!, 1)).toMatchObject({ recorded: 100, discarded: 0 });
    expect(heard(stranger.records[0]!, 2).recorded).toBe(0);
    const colleague = await recordFrames(call("22"), agents, `${folder}/22`);
    expect(heard(colleague.records[0]!, 2)).toMatchObject({ discarded: 0 });
    expect(colleague.records[0]!.parties.map(({ number, role }) => [number, role])).toEqual([
      ["0301234567", "caller"],
      ["21", "agent"],
      ["22", "agent"],
    ]);
  });
});
