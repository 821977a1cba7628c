// Transfers as the mirror shows them: the recording goes on, the parties change, and nobody inherits a consent.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
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

const CALLER = { user: "0301234567", address: "198.51.100.20", sipPort: 5060 };
const AGENT = { user: "21", address: "10.0.0.7", sipPort: 5060, rtpPort: 40_000 };
const COLLEAGUE = { user: "22", address: "10.0.0.8", sipPort: 5060, rtpPort: 42_000, payload: toneSource(700) };
const STRANGER = {
  user: "0409876543",
  address: "203.0.113.9",
  sipPort: 5060,
  rtpPort: 44_000,
  payload: toneSource(900),
};

/** Four seconds with the agent; at 3.5 s the agent sends the caller on. */
function firstCall(referTo: string, consent?: string): TimedFrame[] {
  return makeCall({
    callId: "first",
    caller: { ...CALLER, rtpPort: 30_000 },
    callee: AGENT,
    ...(consent ? { headers: { invite: [["X-Recording-Consent", consent]] } } : {}),
    midCall: [{ atMs: 3500, from: "callee", method: "REFER", headers: [["Refer-To", referTo]], status: 202 }],
    byeBy: "callee",
  });
}

/** The caller's new call, begun when the first one ends. */
function secondCall(callee: typeof COLLEAGUE, headers: [string, string][], options: object = {}): TimedFrame[] {
  return makeCall({
    callId: "second",
    startUs: DEFAULT_START_US + 4_700_000,
    ringMs: 500,
    caller: { ...CALLER, rtpPort: 30_002 },
    callee,
    headers: { invite: headers },
    ...options,
  });
}

describe("blind transfer", () => {
  it("goes on in the same recording with the new agent on the agent's channel", async () => {
    const frames = mergeCalls(
      firstCall("<sip:22@10.0.0.1>"),
      secondCall(COLLEAGUE, [["Referred-By", "<sip:21@10.0.0.7>"]]),
    );
    const { records, counts } = await recordFrames(frames, officeConfig(), folder);
    expect(records).toHaveLength(1);
    const [one] = records;
    expect(one!.sipCallIds).toEqual(["first", "second"]);
    expect(one!.endReason).toBe("bye");
    expect(one!.parties.map(({ side, role, number, joinedBy }) => [side, role, number, joinedBy])).toEqual([
      [0, "caller", CALLER.user, "start"],
      [1, "agent", "21", "start"],
      [1, "agent", "22", "transfer"],
    ]);
    expect(heard(one!, 1)).toMatchObject({ recorded: 200, discarded: 0 });
    expect(heard(one!, 2)).toMatchObject({ recorded: 200, discarded: 0 });
    expect(heard(one!, 0)).toMatchObject({ seen: 400, recorded: 0, reasons: ["consent"] });
    expect(one!.parties[2]!.fromUs).toBe(DEFAULT_START_US + 5_200_000);
    expect(one!.parties[1].toUs).toBe(DEFAULT_START_US + 5_000_000);
    expect(one!.events.filter(({ kind }) => kind === "transfer")).toMatchObject([
      { detail: { kind: "blind", to: "22" } },
    ]);
    expect(counts["call.transfers"]).toBe(1);
  });

  it("keeps the caller's consent with the caller, and gives it to nobody else", async () => {
    const frames = mergeCalls(firstCall("<sip:22@10.0.0.1>", "granted"), secondCall(COLLEAGUE, []));
    const { records } = await recordFrames(frames, officeConfig(), folder);
    expect(heard(records[0]!, 0)).toMatchObject({ recorded: 400, discarded: 0 });
    expect(records[0]!.parties.map(({ consent }) => consent)).toEqual(["granted", "not-required", "not-required"]);
  });

  it("records nothing of a stranger the caller is sent to", async () => {
    const frames = mergeCalls(firstCall(`<sip:${STRANGER.user}@10.0.0.1>`, "granted"), secondCall(STRANGER, []));
    const { records, journalled } = await recordFrames(frames, officeConfig(), folder);
    expect(records).toHaveLength(1);
    expect(heard(records[0]!, 2)).toMatchObject({ seen: 200, recorded: 0 });
    const endUs = DEFAULT_START_US + 5_200_000;
    expect(journalled[0]!.every(({ atUs }) => atUs < endUs)).toBe(true);
  });

  it("is another call when it goes elsewhere, comes from somebody else, or much too late", async () => {
    const others = [
      secondCall({ ...COLLEAGUE, user: "29" }, []),
      secondCall(COLLEAGUE, [], {
        caller: { ...CALLER, user: "0305555555", address: "198.51.100.77", rtpPort: 30_002 },
      }),
      secondCall(COLLEAGUE, [], { startUs: DEFAULT_START_US + 80_000_000 }),
    ];
    for (const [i, other] of others.entries()) {
      const { records } = await recordFrames(
        mergeCalls(firstCall("<sip:22@10.0.0.1>"), other),
        officeConfig(),
        `${folder}/${i}`,
      );
      expect(records.map(({ sipCallIds }) => sipCallIds).sort()).toEqual([["first"], ["second"]]);
    }
  });

  it("ends with the first dialog when the transfer fails, and names nobody who was never there", async () => {
    const frames = mergeCalls(firstCall("<sip:22@10.0.0.1>"), secondCall(COLLEAGUE, [], { outcome: 486 }));
    const { records } = await recordFrames(frames, officeConfig(), folder);
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ endReason: "bye", endedAtUs: DEFAULT_START_US + 5_000_000 });
    expect(records[0]!.parties).toHaveLength(2);
  });

  it("waits no longer than configured for the dialog that was announced", async () => {
    const late = secondCall(COLLEAGUE, [], { startUs: DEFAULT_START_US + 9_000_000 });
    const frames = mergeCalls(firstCall("<sip:22@10.0.0.1>"), late);
    const config = officeConfig({ call: { transferMs: 1000 } });
    const { records } = await recordFrames(frames, config, folder);
    expect(records.map(({ sipCallIds }) => sipCallIds)).toEqual([["first"], ["second"]]);
  });
});

describe("attended transfer", () => {
  /** The agent asks a colleague first, then has the caller take that dialog's place. */
  function attended(): TimedFrame[] {
    const consultation = makeCall({
      callId: "consultation",
      startUs: DEFAULT_START_US + 2_000_000,
      ringMs: 200,
      durationMs: 2500,
      caller: { ...AGENT, rtpPort: 40_002 },
      callee: COLLEAGUE,
      byeBy: "callee",
    });
    const tags = tagsOf(consultation);
    const replaces = `consultation;to-tag=${tags.to};from-tag=${tags.from}`;
    return mergeCalls(
      firstCall(`<sip:22@10.0.0.8?Replaces=${encodeURIComponent(replaces)}>`),
      consultation,
      secondCall({ ...COLLEAGUE, rtpPort: 42_002 }, [["Replaces", replaces]]),
    );
  }

  it("goes on in the caller's recording; the consultation is a call of its own", async () => {
    const { records } = await recordFrames(attended(), officeConfig(), folder);
    expect(records.map(({ sipCallIds }) => sipCallIds).sort()).toEqual([["consultation"], ["first", "second"]]);
    const one = records.find(({ sipCallIds }) => sipCallIds.includes("second"))!;
    expect(one.parties.map(({ number, joinedBy }) => [number, joinedBy])).toEqual([
      [CALLER.user, "start"],
      ["21", "start"],
      ["22", "transfer"],
    ]);
    expect(heard(one, 2)).toMatchObject({ recorded: 200, discarded: 0 });
    expect(one.events.find(({ kind }) => kind === "transfer")).toMatchObject({ detail: { kind: "attended" } });
  });

  it("takes the replaced dialog's place when the REFER was not seen", async () => {
    const frames = attended().filter(({ label }) => !label.includes("REFER"));
    const { records } = await recordFrames(frames, officeConfig({ consent: { policy: "both-parties" } }), folder);
    const one = records.find(({ sipCallIds }) => sipCallIds.includes("second"))!;
    expect(one.sipCallIds).toEqual(["consultation", "second"]);
    expect(one.parties.at(-1)).toMatchObject({ number: CALLER.user, joinedBy: "replaces", side: 0 });
  });
});

describe("an agent in two calls at once", () => {
  const second = (midCall: object[]) =>
    makeCall({
      callId: "other",
      startUs: DEFAULT_START_US + 1_000_000,
      ringMs: 1000,
      durationMs: 2000,
      caller: { ...STRANGER },
      callee: { ...AGENT, rtpPort: 40_002 },
      midCall: midCall as never,
    });

  it("may have joined them in the phone: the agent's stream counts as a caller's meanwhile", async () => {
    const frames = mergeCalls(
      makeCall({ callId: "first", caller: { ...CALLER, rtpPort: 30_000 }, callee: AGENT }),
      second([]),
    );
    const { records } = await recordFrames(frames, officeConfig(), folder);
    for (const record of records) expect(record.warnings.map(({ code }) => code)).toContain("agent-stream-mixed");
    const first = records.find(({ sipCallIds }) => sipCallIds[0] === "first")!;
    // One second before the other call was answered, one after it ended.
    expect(heard(first, 1)).toMatchObject({ recorded: 100, discarded: 100, reasons: ["consent"] });
    const trusting = await recordFrames(
      frames,
      officeConfig({ agents: { match: ["10.0.0.0/24"], mixedStreams: "trust" } }),
      `${folder}/trust`,
    );
    for (const record of trusting.records) expect(heard(record, 1).discarded).toBe(0);
  });

  it("with the first one on hold is an agent as ever", async () => {
    const first = makeCall({
      callId: "first",
      caller: { ...CALLER, rtpPort: 30_000 },
      callee: AGENT,
      midCall: [
        { atMs: 900, from: "callee", method: "INVITE", sdp: { direction: "sendonly" } },
        { atMs: 3100, from: "callee", method: "INVITE", sdp: { direction: "sendrecv" } },
      ],
    });
    const { records } = await recordFrames(mergeCalls(first, second([])), officeConfig(), folder);
    for (const record of records) {
      expect(record.warnings.map(({ code }) => code)).not.toContain("agent-stream-mixed");
      expect(heard(record, 1).discarded).toBe(0);
    }
  });
});

describe("a conference", () => {
  const granted: [string, string][] = [["X-Recording-Consent", "granted"]];

  it("that somebody joins at the agent's phone: the agent's stream counts as a caller's until it has left", async () => {
    const first = makeCall({
      callId: "first",
      caller: { ...CALLER, rtpPort: 30_000 },
      callee: AGENT,
      headers: { invite: granted },
    });
    const tags = tagsOf(first);
    const joiner = makeCall({
      callId: "joiner",
      startUs: DEFAULT_START_US + 1_500_000,
      ringMs: 500,
      durationMs: 1000,
      caller: STRANGER,
      callee: { ...AGENT, rtpPort: 40_002 },
      headers: { invite: [["Join", `first;to-tag=${tags.to};from-tag=${tags.from}`]] },
    });
    const config = officeConfig({ agents: { match: ["10.0.0.0/24"] } });
    const { records } = await recordFrames(mergeCalls(first, joiner), config, folder);
    const one = records.find(({ sipCallIds }) => sipCallIds[0] === "first")!;
    expect(one.events).toContainEqual(
      expect.objectContaining({ kind: "transfer", detail: { kind: "join", to: STRANGER.user } }),
    );
    expect(heard(one, 0)).toMatchObject({ recorded: 200, discarded: 0 });
    // Two seconds into the call until the joiner's dialog is closed.
    expect(heard(one, 1).discarded).toBeGreaterThanOrEqual(50);
    expect(heard(one, 1).discarded).toBeLessThanOrEqual(80);
  });

  it("on the caller's side has nobody's consent", async () => {
    const frames = makeCall({ caller: CALLER, callee: AGENT, headers: { invite: granted } }).map((one) => ({
      ...one,
      frame: one.label === "INVITE" ? withFocus(one.frame) : one.frame,
    }));
    const { records } = await recordFrames(frames, officeConfig(), folder);
    expect(heard(records[0]!, 0)).toMatchObject({ recorded: 0, reasons: ["consent"] });
    expect(heard(records[0]!, 1)).toMatchObject({ discarded: 0 });
  });
});

/** The INVITE with a conference's Contact, in a datagram of the right length. */
function withFocus(frame: Buffer): Buffer {
  const text = frame.toString("latin1").replace(/(Contact: <[^>]*>)/, "$1;isfocus");
  const changed = Buffer.from(text, "latin1");
  changed.writeUInt16BE(changed.length - 14, 16);
  changed.writeUInt16BE(changed.length - 34, 38);
  return changed;
}

/** Tags of the dialog: the callee's is the To tag. */
function tagsOf(frames: readonly TimedFrame[]): { from: string; to: string } {
  const answer = frames.find(({ label }) => label === "200 INVITE")!.frame.toString("latin1");
  return { from: /\r\nFrom:.*;tag=(\S+)/.exec(answer)![1]!, to: /\r\nTo:.*;tag=(\S+)/.exec(answer)![1]! };
}
