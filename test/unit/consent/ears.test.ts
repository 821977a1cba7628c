// Keys as tones in the audio itself, through the engine's pipeline: whose count, how often one press counts, and what is
// not listened to. How a tone is told is tone-detector's.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../../device/contract/call-record.js";
import { type CallOptions, DEFAULT_START_US } from "../../fakes/call-options.js";
import { speech } from "../../fakes/echo-scenes.js";
import { keyTone } from "../../fakes/key-tones.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { checkCounts } from "../../fakes/recorded-frames.js";
import { officeConfig, RecorderRun } from "../../fakes/recorder-run.js";
import { encodeG711, type G711Codec, type PayloadSource, silenceSource } from "../../fakes/tone.js";

const ANSWER_US = DEFAULT_START_US + 1_000_000;
/** The first packet is sent so long after the answer. */
const OFFSET_MS = 10;
const PACKET_MS = 20;
const SAMPLES_PER_MS = 8;
const CODECS: readonly G711Codec[] = ["PCMA", "PCMU"];
const CODES = { granted: "1", refused: "2", withdrawn: "9" };
const TONES = { dtmf: { ...CODES, tones: true } };
/** Two presses of one key: what counts twice makes the code. */
const TWICE = { dtmf: { granted: "11", tones: true } };

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

interface Tone {
  key: string;
  /** After the answer. */
  atMs: number;
  /** Default 80. */
  durationMs?: number;
}

/** Silence, or somebody who speaks until then, with tones in it. */
function pressing(tones: readonly Tone[], voice: Float64Array = new Float64Array(0)): PayloadSource {
  const samples = new Float64Array(4000 * SAMPLES_PER_MS);
  samples.set(voice.subarray(0, samples.length));
  for (const { key, atMs, durationMs = 80 } of tones) samples.set(keyTone(key, { durationMs }), sampleAt(atMs));
  return (first, count, codec) =>
    encodeG711(
      Int16Array.from({ length: count }, (_, i) => Math.round(samples[first + i] ?? 0)),
      codec,
    );
}
const sampleAt = (atMs: number): number => (atMs - OFFSET_MS) * SAMPLES_PER_MS;
/** A key as RTP events that begins then. */
const event = (key: string, atMs: number) => ({ key, index: Math.round((atMs - OFFSET_MS) / PACKET_MS) });

async function play(options: CallOptions, consent: object = TONES, more: object = {}): Promise<CallRecord> {
  const silent = { payload: silenceSource() };
  const { caller, callee } = options;
  const run = new RecorderRun(folder, officeConfig({ consent, ...more }));
  run.feed(
    makeCall({ hasEvents: true, ...options, caller: { ...silent, ...caller }, callee: { ...silent, ...callee } }),
  );
  await run.end();
  expect(run.records).toHaveLength(1);
  checkCounts(run.records[0]!);
  return run.records[0]!;
}

const changes = ({ ledger }: CallRecord): string[] => ledger.map(({ party, from, to }) => `${party} ${from}>${to}`);
const entries = ({ evidence }: CallRecord) => evidence.filter(({ kind }) => kind === "dtmf");

describe("tones of the caller", () => {
  it.each(CODECS)("grant and withdraw, in %s, and are evidence that says how they came", async (codec) => {
    const payload = pressing([
      { key: "1", atMs: 510 },
      { key: "9", atMs: 2010 },
    ]);
    const record = await play({ codec, caller: { payload } });
    expect(changes(record)).toEqual(["0 unknown>granted", "0 granted>withdrawn"]);
    expect(entries(record)).toMatchObject([
      { effect: "granted", detail: { keys: "1", by: "tones", from: "originator" } },
      { effect: "withdrawn", detail: { keys: "9", by: "tones", from: "originator" } },
    ]);
    // With the packet in which the tone has lasted for long enough.
    const [span, ...further] = record.parties[0].spans.map(({ fromUs, toUs }) => [
      (fromUs - ANSWER_US) / 1000,
      (toUs - ANSWER_US) / 1000,
    ]);
    expect(further).toEqual([]);
    for (const [i, atMs] of [510, 2010].entries()) {
      expect(span![i]).toBeGreaterThanOrEqual(atMs + 20);
      expect(span![i]).toBeLessThanOrEqual(atMs + 60);
    }
  });

  it("make codes of several keys, between words", async () => {
    const voice = speech(1, { seed: 3 });
    const tones = ["*", "1", "2"].map((key, i) => ({ key, atMs: 1210 + 400 * i }));
    const dtmf = { granted: "*12", tones: true };
    expect(changes(await play({ caller: { payload: pressing(tones, voice) } }, { dtmf }))).toEqual([
      "0 unknown>granted",
    ]);
    const mixedUp = pressing([tones[1]!, { ...tones[0]!, atMs: 2410 }, tones[2]!], voice);
    expect(changes(await play({ caller: { payload: mixedUp } }, { dtmf }))).toEqual([]);
  });

  it("are not listened for unless that is configured, nor without codes", async () => {
    const caller = { payload: pressing([{ key: "1", atMs: 510 }]) };
    for (const dtmf of [CODES, { tones: true }]) {
      const record = await play({ caller }, { dtmf });
      expect([changes(record), entries(record)]).toEqual([[], []]);
    }
  });

  it("count wherever the caller is, on the answering side as well", async () => {
    const outbound = { agents: { match: ["198.51.100.0/24"] } };
    const tone = pressing([{ key: "1", atMs: 510 }]);
    const record = await play({ callee: { payload: tone } }, TONES, outbound);
    expect(record.parties.map(({ role, consent }) => [role, consent])).toEqual([
      ["agent", "not-required"],
      ["caller", "granted"],
    ]);
    expect(changes(await play({ caller: { payload: tone } }, TONES, outbound))).toEqual([]);
  });

  describe("with packets missing", () => {
    const firstOf = (atMs: number): number => (atMs - OFFSET_MS) / PACKET_MS;
    const losing = (tones: readonly Tone[], from: number, to: number): CallOptions => ({
      caller: { payload: pressing(tones), isLost: (index) => index >= from && index < to },
    });

    it("are none when there is too little left of them", async () => {
      const tone = { key: "1", atMs: 510, durationMs: 160 };
      const first = firstOf(510);
      expect(changes(await play(losing([tone], first + 1, first + 7)))).toEqual([]);
    });

    it("are one press all the same when a packet of it is", async () => {
      const tone = { key: "1", atMs: 510, durationMs: 160 };
      expect(changes(await play(losing([tone], firstOf(510) + 3, firstOf(510) + 4)))).toEqual(["0 unknown>granted"]);
      expect(changes(await play(losing([tone], firstOf(510) + 3, firstOf(510) + 4), TWICE))).toEqual([]);
    });

    it("are two when it is the pause between them", async () => {
      const tones = [510, 670].map((atMs) => ({ key: "1", atMs }));
      expect(changes(await play(losing(tones, firstOf(590), firstOf(670)), TWICE))).toEqual(["0 unknown>granted"]);
    });
  });

  it("are not heard in encrypted audio", async () => {
    const sdpLines = { caller: ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"] };
    const record = await play({ sdpLines, caller: { payload: pressing([{ key: "1", atMs: 510 }]) } });
    expect([changes(record), entries(record)]).toEqual([[], []]);
  });
});

describe("tones of the agent", () => {
  it("grant nothing for the caller", async () => {
    const record = await play({ callee: { payload: pressing([{ key: "1", atMs: 510 }]) } });
    expect([changes(record), entries(record)]).toEqual([[], []]);
    expect(record.parties[0].consent).toBe("unknown");
    expect(record.streams.find(({ party }) => party === 0)!.packets.recorded).toBe(0);
  });

  it("pause and resume, and what the caller presses meanwhile is nothing", async () => {
    const keys = { pause: { pauseKeys: "*7", resumeKeys: "*8" }, ...TONES };
    const agent = ["*", "7", "*", "8"].map((key, i) => ({ key, atMs: [510, 810, 2010, 2310][i]! }));
    const caller = [
      { key: "1", atMs: 1210 },
      { key: "1", atMs: 3010 },
    ];
    const record = await play({ caller: { payload: pressing(caller) }, callee: { payload: pressing(agent) } }, keys);
    expect(record.pauses).toMatchObject([{ source: "dtmf", by: "agent pressed *7", endedBy: "request" }]);
    expect(changes(record)).toEqual(["0 unknown>granted"]);
    expect(record.ledger[0]!.atUs).toBeGreaterThan(ANSWER_US + 3_000_000);
  });
});

describe("one press that comes in two ways", () => {
  it.each([
    ["the tone before the events", 510, 590],
    ["the tone after the events", 710, 510],
  ])("counts once: %s", async (_name, toneMs, eventMs) => {
    const both = (codes: object) =>
      play({ caller: { payload: pressing([{ key: "1", atMs: toneMs }]), keys: [event("1", eventMs)] } }, codes);
    expect(changes(await both(TWICE))).toEqual([]);
    const once = await both(TONES);
    expect(changes(once)).toEqual(["0 unknown>granted"]);
    expect(entries(once)).toMatchObject([{ detail: { by: toneMs < eventMs ? "tones" : "rfc4733" } }]);
  });

  it("is told from two presses: the second comes later, or by another key", async () => {
    const tones = [{ key: "1", atMs: 510 }];
    const later = await play({ caller: { payload: pressing(tones), keys: [event("1", 1510)] } }, TWICE);
    expect(changes(later)).toEqual(["0 unknown>granted"]);
    const dtmf = { granted: "12", tones: true };
    const other = await play({ caller: { payload: pressing(tones), keys: [event("2", 610)] } }, { dtmf });
    expect(changes(other)).toEqual(["0 unknown>granted"]);
  });

  it("is told from two presses in one way, however soon", async () => {
    const tones = [510, 650].map((atMs) => ({ key: "1", atMs }));
    expect(changes(await play({ caller: { payload: pressing(tones) } }, TWICE))).toEqual(["0 unknown>granted"]);
    const keys = [event("1", 510), event("1", 650)];
    expect(changes(await play({ caller: { keys } }, TWICE))).toEqual(["0 unknown>granted"]);
  });

  it("counts once in INFO, too", async () => {
    const info = (atMs: number) => ({
      atMs,
      from: "caller" as const,
      method: "INFO",
      body: { type: "application/dtmf-relay", text: "Signal=1\r\nDuration=160\r\n" },
    });
    const payload = pressing([{ key: "1", atMs: 510 }]);
    expect(changes(await play({ caller: { payload }, midCall: [info(700)] }, TWICE))).toEqual([]);
    expect(changes(await play({ caller: { payload }, midCall: [info(1700)] }, TWICE))).toEqual(["0 unknown>granted"]);
  });
});
