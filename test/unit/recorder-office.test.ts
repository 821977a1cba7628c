// What the engine's pipeline makes of what an office's systems say besides the calls themselves: timers that run out, who
// passed a call on and who is asserted to call, names of whatever bytes, conferences.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../device/contract/call-record.js";
import { type CallOptions, DEFAULT_START_US } from "../fakes/call-options.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { heard, officeConfig, recordFrames } from "../fakes/recorded-frames.js";
import { mergeCalls, type TimedFrame } from "../fakes/timed-frames.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const SECOND = 1_000_000;

async function recordOf(frames: readonly TimedFrame[], callId: string, config = officeConfig()): Promise<CallRecord> {
  const { records } = await recordFrames(frames, config, folder);
  const found = records.filter(({ sipCallIds }) => sipCallIds.includes(callId));
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** Refused calls, one every 20 s: time passes. */
function timePasses(seconds: number): TimedFrame[] {
  const calls = Array.from({ length: Math.ceil(seconds / 20) }, (_, i) =>
    makeCall({ callId: `tick-${i}`, startUs: DEFAULT_START_US + (i + 1) * 20 * SECOND, outcome: 486 }),
  );
  return mergeCalls(...calls);
}

describe("a session timer (RFC 4028) that runs out on a call on hold", () => {
  const timer = (seconds: number): CallOptions => ({
    callId: "held",
    isEndless: true,
    durationMs: 1000,
    sdpLines: { callee: ["a=sendonly"] },
    headers: {
      invite: [
        ["Supported", "timer"],
        ["Session-Expires", `${seconds};refresher=uac`],
      ],
      answer: [
        ["Require", "timer"],
        ["Session-Expires", `${seconds};refresher=uac`],
      ],
    },
  });

  it("ends it, as of its last packet", async () => {
    const record = await recordOf(mergeCalls(makeCall(timer(90)), timePasses(300)), "held");
    expect(record).toMatchObject({ endReason: "idle" });
    expect(record.endedAtUs - record.startedAtUs).toBeLessThan(3 * SECOND);
  });

  it("does not while it has not: the call ends with the capture", async () => {
    const record = await recordOf(mergeCalls(makeCall(timer(900)), timePasses(300)), "held");
    expect(record).toMatchObject({ endReason: "capture-ended" });
  });
});

describe("who is who", () => {
  const agents = { agents: { match: ["21"] } };

  it.each<[string, CallOptions]>([
    ["Remote-Party-ID", { headers: { invite: [["Remote-Party-ID", '"Jane" <sip:0405551234@pbx>;party=calling']] } }],
    [
      "P-Asserted-Identity",
      {
        headers: {
          invite: [
            ["P-Asserted-Identity", '"Jane" <sip:0405551234@pbx>'],
            ["Privacy", "id"],
          ],
        },
      },
    ],
  ])("is told by %s where From is anonymous", async (_, options) => {
    const frames = makeCall({ callId: "one", caller: { user: "anonymous" }, ...options });
    const record = await recordOf(frames, "one", officeConfig(agents));
    expect(record.parties[0]).toMatchObject({ role: "caller", number: "0405551234", name: "Jane" });
    expect(heard(record, 1).recorded).toBe(200);
  });

  it("is not who passed the call on (History-Info, RFC 7044)", async () => {
    const history = "<sip:21@pbx?Reason=SIP%3Bcause%3D486>;index=1, <sip:22@10.0.0.7;cause=486>;index=1.1;mp=1";
    const frames = makeCall({
      callId: "one",
      callee: { user: "22" },
      headers: { invite: [["History-Info", history]] },
    });
    const record = await recordOf(frames, "one", officeConfig(agents));
    expect(record.events).toContainEqual(
      expect.objectContaining({ kind: "diverted", detail: { by: "21", reason: "user-busy" } }),
    );
    expect(record.parties.map(({ role }) => role)).toEqual(["originator", "answerer"]);
    expect(heard(record, 1).recorded).toBe(0);
  });
});

describe("a display name", () => {
  it.each([
    ["terminal sequences", "J\u00f6rg \u0001\u001b[31mred\u0007", "J\u00f6rg   [31mred"],
    ["a turned direction", "\u202eevil\u202c \u2066x\u2069", "evil  x"],
    ["ends of lines", "one\u2028two\u0085three", "one two three"],
    ["a null", "a\u0000b", "a b"],
  ])("with %s is text without them", async (_, name, expected) => {
    const record = await recordOf(makeCall({ callId: "one", caller: { name } }), "one");
    expect(record.parties[0].name.replace(/ +/g, " ")).toBe(expected.replace(/ +/g, " "));
    expect(JSON.stringify(record)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/);
  });

  it("of any length is cut", async () => {
    const record = await recordOf(makeCall({ callId: "one", caller: { name: "x".repeat(5000) } }), "one");
    expect(record.parties[0].name.length).toBeLessThanOrEqual(256);
  });
});

describe("a conference", () => {
  const focus: CallOptions["headers"] = { answer: [["Contact", "<sip:conf@10.0.0.9>;isfocus"]] };

  it("to which the agent is sent by REFER mixes others: it is recorded as a caller is, and says so", async () => {
    const first = makeCall({
      callId: "first",
      durationMs: 4000,
      caller: { user: "21", address: "10.0.0.7", rtpPort: 40_000 },
      callee: { user: "0301234567", address: "198.51.100.20", rtpPort: 30_000 },
      midCall: [
        { atMs: 1000, from: "callee", method: "REFER", headers: [["Refer-To", "<sip:conf@10.0.0.9>"]], status: 202 },
      ],
    });
    const conference = makeCall({
      callId: "conference",
      startUs: DEFAULT_START_US + 2.2 * SECOND,
      ringMs: 200,
      durationMs: 2000,
      caller: { user: "21", address: "10.0.0.7", rtpPort: 40_002 },
      callee: { user: "conf", address: "10.0.0.9", rtpPort: 42_000 },
      headers: focus,
    });
    const record = await recordOf(
      mergeCalls(first, conference),
      "conference",
      officeConfig({ agents: { match: ["21"] } }),
    );
    expect(record.sipCallIds.sort()).toEqual(["conference", "first"]);
    expect(record.events).toContainEqual(
      expect.objectContaining({ kind: "transfer", detail: expect.objectContaining({ kind: "blind", to: "conf" }) }),
    );
    const mix = record.streams.filter(({ source }) => source.startsWith("10.0.0.9"));
    expect(mix.map(({ packets }) => packets.recorded)).toEqual([0]);
  });

  it("that is itself known as the agent is not recorded without a consent", async () => {
    const frames = makeCall({ callId: "one", callee: { user: "conf" }, headers: focus });
    const record = await recordOf(frames, "one");
    expect(record.parties[1]).toMatchObject({ role: "agent" });
    expect(heard(record, 1)).toMatchObject({ seen: 200, recorded: 0 });
  });
});
