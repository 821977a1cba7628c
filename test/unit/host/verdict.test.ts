import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import wavefile from "wavefile";
import type { CallLogLine, Manifest } from "../../../device/contract/manifest.js";
import { beeps } from "../../../host/caller/tone.js";
import { type DemoCall, judge, readCallLog } from "../../../host/demo/verdict.js";

const SAMPLES = 8000;
const silence = new Int16Array(SAMPLES);
const agentTone = tone(440);
const callerTone = tone(1000);
const consented: DemoCall = {
  sipCallId: "one",
  caller: "030",
  agent: "21",
  agentToneHz: 440,
  callerToneHz: 1000,
  callerPackets: 50,
  stored: "both legs",
  why: "caller consents",
};
const unconsented: DemoCall = { ...consented, stored: "agent's leg", why: "caller did not consent" };
const unknown: DemoCall = { ...consented, stored: "nothing", why: "neither side is known as an agent" };

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-verdict-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function tone(frequencyHz: number): Int16Array {
  const pattern = { frequencyHz, amplitude: 0.5, beeps: 2, beepMs: 200, gapMs: 100, pauseMs: 400 };
  return beeps(pattern, 8000)(0, SAMPLES);
}

/** 60 ms of the caller in a pause. */
function withTrace(samples: Int16Array): Int16Array {
  const traced = Int16Array.from(samples);
  traced.set(callerTone.subarray(0, 480), 5600);
  return traced;
}

/** A recording as the recorder would leave it; returns the call log's line. */
function recording(left: Int16Array, right: Int16Array, packets: { recorded: number; discarded: number }): CallLogLine {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(2, 8000, "16", [left, right]);
  mkdirSync(join(folder, "recordings"), { recursive: true });
  writeFileSync(join(folder, "recordings/a.wav"), wav.toBuffer());
  const parties = [
    { role: "agent", channel: 0, streams: [{ packets: { seen: 50, recorded: 50, discarded: 0 } }] },
    { role: "caller", channel: 1, streams: [{ packets: { seen: packets.recorded + packets.discarded, ...packets } }] },
  ];
  writeFileSync(join(folder, "recordings/a.json"), JSON.stringify({ parties } as unknown as Manifest));
  return { sipCallIds: ["one"], file: "recordings/a.wav", noAudio: "", parties: [] } as unknown as CallLogLine;
}

function unrecorded(noAudio: string, recorded: number, discarded: number): CallLogLine {
  return {
    sipCallIds: ["one"],
    file: "",
    noAudio,
    parties: [{ packets: { recorded, discarded } }],
  } as unknown as CallLogLine;
}

describe("the verdict on a recording", () => {
  it("names both legs when the caller consents", () => {
    const log = recording(agentTone, callerTone, { recorded: 50, discarded: 0 });
    expect(judge(folder, log, consented)).toEqual({
      line: "a.wav  1.0 s  left: agent 21 (440 Hz), right: caller 030 (1000 Hz) — caller consents",
      faults: [],
    });
  });

  it("names the silence and the dropped packets when the caller does not", () => {
    const log = recording(agentTone, silence, { recorded: 0, discarded: 50 });
    expect(judge(folder, log, unconsented)).toEqual({
      line: "a.wav  1.0 s  left: agent 21 (440 Hz), right: silence — caller did not consent: 50 packets dropped before the disk",
      faults: [],
    });
  });

  it.each<[string, Int16Array, Int16Array, { recorded: number; discarded: number }, DemoCall]>([
    ["the unconsenting caller's tone", agentTone, callerTone, { recorded: 0, discarded: 50 }, unconsented],
    [
      "one sample that is not silent",
      agentTone,
      silence.map((_, i) => (i === 7 ? 1 : 0)),
      { recorded: 0, discarded: 50 },
      unconsented,
    ],
    ["recorded packets of the unconsenting", agentTone, silence, { recorded: 1, discarded: 49 }, unconsented],
    ["no count of dropped packets", agentTone, silence, { recorded: 0, discarded: 0 }, unconsented],
    ["the agent missing", silence, silence, { recorded: 0, discarded: 50 }, unconsented],
    ["the caller missing", agentTone, silence, { recorded: 50, discarded: 0 }, consented],
    ["the channels swapped", callerTone, agentTone, { recorded: 50, discarded: 0 }, consented],
    ["a trace of the caller on the left", withTrace(agentTone), callerTone, { recorded: 50, discarded: 0 }, consented],
    ["packets unseen", agentTone, callerTone, { recorded: 40, discarded: 0 }, consented],
    ["a file where none may be", agentTone, silence, { recorded: 0, discarded: 50 }, unknown],
  ])("finds %s", (_name, left, right, packets, call) => {
    expect(judge(folder, recording(left, right, packets), call).faults).not.toEqual([]);
  });
});

describe("the verdict on a call without a recording", () => {
  it("is well only where nothing may be stored and packets were dropped", () => {
    expect(judge(folder, unrecorded("agent-unknown", 0, 100), unknown)).toEqual({
      line: "no file  call 030 to 21  nothing stored — neither side is known as an agent: 100 packets dropped before the disk (agent-unknown)",
      faults: [],
    });
    expect(judge(folder, unrecorded("agent-unknown", 1, 99), unknown).faults).not.toEqual([]);
    expect(judge(folder, unrecorded("no-media", 0, 0), unknown).faults).not.toEqual([]);
    expect(judge(folder, unrecorded("no-media", 0, 0), consented).faults).not.toEqual([]);
    expect(judge(folder, undefined, unknown).faults).not.toEqual([]);
  });
});

describe("the call log", () => {
  it("is read by SIP Call-ID over all its days, whatever is cut or foreign", () => {
    expect(readCallLog(folder, ["one"]).size).toBe(0);
    mkdirSync(join(folder, "calls"));
    const line = (id: string): string => `${JSON.stringify(unrecorded(id, 0, 0)).replace('"one"', `"${id}"`)}\n`;
    writeFileSync(join(folder, "calls/2026-11-20.jsonl"), line("one") + line("foreign"));
    writeFileSync(join(folder, "calls/2026-11-21.jsonl"), line("two") + line("three").slice(0, 20));
    writeFileSync(join(folder, "calls/notes.txt"), line("three"));
    expect([...readCallLog(folder, ["one", "two", "three"]).keys()].sort()).toEqual(["one", "two"]);
  });
});
