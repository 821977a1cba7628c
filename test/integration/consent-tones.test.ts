// What is heard of a caller who consents, withdraws and consents again, by header and by keys: the tone that each side
// speaks, found by ear on the recording's channels, and every sample compared with what another program decodes out of the
// packets that the caller had agreed to.
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Manifest } from "../../device/contract/manifest.js";
import { readWav } from "../fakes/audio.js";
import type { CallOptions, MidCallRequest, Participant } from "../fakes/call-options.js";
import { CaptureFile } from "../fakes/capture-file.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, readRecordings, removeFolder, runProgram } from "../fakes/program.js";
import type { KeyPress } from "../fakes/rtp-stream.js";
import type { TimedFrame } from "../fakes/timed-frames.js";
import { G711_PAYLOAD_TYPE, type G711Codec } from "../fakes/tone.js";
import { hasTone, type ToneSpan, toneSpans } from "../fakes/tone-spans.js";

const RATE_HZ = 8000;
const PACKET_MS = 20;
const PACKET_SAMPLES = 160;
const AGENT_HZ = 440;
const CALLER_HZ = 1000;
/** The first packet comes so long after the answer; never do both sides' come at once. */
const OFFSET_MS = { caller: 10, callee: 5 } as const;
const DURATION_MS = 6000;
const RTP_AT = 14 + 20 + 8;
const RTP_HEADER_BYTES = 12;

/** Programs that decode G.711, by name. */
const DECODERS: Readonly<Record<string, (path: string, codec: G711Codec) => string[]>> = {
  ffmpeg: (path, codec) => {
    const format = codec === "PCMA" ? "alaw" : "mulaw";
    return ["-v", "error", "-f", format, "-ar", "8000", "-ac", "1", "-i", path, "-f", "s16le", "-"];
  },
  sox: (path, codec) => {
    const encoding = codec === "PCMA" ? "a-law" : "u-law";
    const raw = ["-t", "raw", "-r", "8000", "-c", "1"];
    return ["-D", ...raw, "-e", encoding, "-b", "8", path, ...raw, "-e", "signed-integer", "-b", "16", "-L", "-"];
  },
};
const decoder = Object.keys(DECODERS).find((one) => spawnSync(one, ["--version"]).error === undefined);
if (!decoder) console.log("skipped: samples against another decoder: neither ffmpeg nor sox is installed");

interface Scene {
  name: string;
  config: string[];
  call(): CallOptions;
  /** When the caller had consented and nobody had paused, and when somebody had, in ms from the answer. */
  open: ToneSpan[];
  paused: ToneSpan[];
}

const inform = (atMs: number, from: Participant, name: string, value: string): MidCallRequest => ({
  atMs,
  from,
  method: "INFO",
  headers: [[name, value]],
});
/** A key that is pressed so long after the answer, for so many packet times. */
const press = (from: Participant, key: string, atMs: number, packets: number): KeyPress => ({
  key,
  index: (atMs - OFFSET_MS[from]) / PACKET_MS,
  packets,
});

const SCENES: Scene[] = [
  {
    name: "by header",
    config: [],
    call: () => ({
      midCall: [
        inform(1000, "caller", "X-Recording-Consent", "granted"),
        inform(2000, "callee", "X-Recording-Consent", "withdrawn"),
        inform(3000, "callee", "X-Recording-Consent", "granted"),
        inform(4000, "callee", "X-Recording-Pause", "pause"),
        inform(4500, "callee", "X-Recording-Pause", "resume"),
        inform(5500, "caller", "X-Recording-Consent", "withdrawn"),
      ],
    }),
    open: [
      { fromMs: 1000, toMs: 2000 },
      { fromMs: 3000, toMs: 4000 },
      { fromMs: 4500, toMs: 5500 },
    ],
    paused: [{ fromMs: 4000, toMs: 4500 }],
  },
  {
    name: "by keys",
    config: [
      "consent:",
      '  dtmf: { granted: "1", withdrawn: "*3", refused: "2" }',
      '  pause: { pauseKeys: "7", resumeKeys: "8" }',
    ],
    // Keys take the place of what is said. The code is complete with the first report of its last key.
    call: () => ({
      hasEvents: true,
      caller: {
        keys: [
          press("caller", "1", 1010, 1),
          press("caller", "*", 1810, 2),
          press("caller", "3", 2010, 3),
          press("caller", "1", 3010, 1),
          press("caller", "*", 5410, 2),
          press("caller", "3", 5510, 5),
        ],
      },
      callee: { keys: [press("callee", "7", 4005, 1), press("callee", "8", 4505, 1)] },
    }),
    open: [
      { fromMs: 1010, toMs: 2010 },
      { fromMs: 3010, toMs: 4005 },
      { fromMs: 4505, toMs: 5510 },
    ],
    paused: [{ fromMs: 4005, toMs: 4505 }],
  },
];
const CASES = SCENES.flatMap((scene) =>
  (["PCMA", "PCMU"] as const).map((codec) => ({ scene, codec, name: scene.name })),
);

describe.each(CASES)("consent $name, $codec", ({ scene, codec }) => {
  let folder: string;
  let frames: TimedFrame[];
  let manifest: Manifest;
  let left: Int16Array;
  let right: Int16Array;

  beforeAll(async () => {
    folder = makeFolder();
    const { caller, callee, ...rest } = scene.call();
    frames = makeCall({
      codec,
      durationMs: DURATION_MS,
      caller: { ...caller, mediaOffsetMs: OFFSET_MS.caller },
      callee: { ...callee, mediaOffsetMs: OFFSET_MS.callee },
      ...rest,
    });
    const [capture, config, data] = ["call.pcap", "sidetone.yaml", "data"].map((name) => join(folder, name));
    new CaptureFile().addAll(frames).write(capture!);
    writeFileSync(config!, ["agents: { match: [10.0.0.0/24] }", ...scene.config, ""].join("\n"));
    const { exitCode, stderr } = await runProgram(["--read", capture!, "--data", data!, "--config", config!, "--json"]);
    expect(exitCode, stderr).toBe(0);
    const [recording, ...more] = readRecordings(data!);
    expect(more).toEqual([]);
    manifest = recording!.manifest;
    [left, right] = readWav(recording!.wavPath).channels as [Int16Array, Int16Array];
  });
  afterAll(() => removeFolder(folder));

  it("has the caller's tone in the granted spans only, to a packet", () => {
    const { spans } = manifest.parties[1];
    expect(spans.map(({ fromMs, toMs }) => ({ fromMs, toMs }))).toEqual(scene.open.map(rounded));
    for (const [i, { fromMs, toMs }] of spans.entries()) {
      const heard = windowsWith(right, CALLER_HZ).filter((window) => window > fromMs - 500 && window < toMs + 250);
      const difference = `span ${i} from ${fromMs} to ${toMs}, heard from ${heard[0]} to ${heard.at(-1)! + PACKET_MS}`;
      expect(Math.abs(heard[0]! - fromMs), difference).toBeLessThanOrEqual(PACKET_MS);
      expect(Math.abs(heard.at(-1)! + PACKET_MS - toMs), difference).toBeLessThanOrEqual(PACKET_MS);
    }
    const elsewhere = windowsWith(right, CALLER_HZ).filter(
      (window) =>
        !spans.some(({ fromMs, toMs }) => window >= fromMs - PACKET_MS && window + PACKET_MS <= toMs + PACKET_MS),
    );
    expect(elsewhere).toEqual([]);
    expect(windowsWith(left, CALLER_HZ)).toEqual([]);
  });

  it("has the agent's tone everywhere but in a pause", () => {
    const [pause, ...more] = manifest.pauses;
    expect(more).toEqual([]);
    expect({ fromMs: pause!.fromMs, toMs: pause!.toMs }).toEqual(rounded(scene.paused[0]!));
    const heard = toneSpans(left, AGENT_HZ, RATE_HZ);
    const expected = [
      { fromMs: 0, toMs: pause!.fromMs },
      { fromMs: pause!.toMs, toMs: DURATION_MS },
    ];
    expect(heard.length).toBe(expected.length);
    for (const [i, { fromMs, toMs }] of heard.entries()) {
      expect(Math.abs(fromMs - expected[i]!.fromMs)).toBeLessThanOrEqual(PACKET_MS);
      expect(Math.abs(toMs - expected[i]!.toMs)).toBeLessThanOrEqual(PACKET_MS);
    }
    expect(windowsWith(right, AGENT_HZ)).toEqual([]);
  });

  it("is digital silence wherever the manifest says that nothing stands", () => {
    for (const [channel, samples] of [left, right].entries()) {
      const extents = manifest.parties[channel]!.spans.map(({ audio }) => audio!);
      expect(extents.length).toBeGreaterThan(1);
      const within = (at: number): boolean =>
        extents.some(({ fromSample, toSample }) => at >= fromSample && at < toSample);
      expect(samples.findIndex((sample, at) => sample !== 0 && !within(at))).toBe(-1);
    }
    expect(left.length).toBe(right.length);
  });

  it.skipIf(!decoder)(
    "is what another program decodes out of the granted packets, to the sample, and nothing else",
    () => {
      const isPaused = (atMs: number): boolean => scene.paused.some((span) => isWithin(span, atMs));
      expect(right).toEqual(expectedChannel("caller", (atMs) => scene.open.some((span) => isWithin(span, atMs))));
      expect(left).toEqual(expectedChannel("callee", (atMs) => !isPaused(atMs)));
    },
  );

  it("counts every packet of the caller that it did not take", () => {
    const sent = frames.filter(({ kind, from }) => kind === "rtp" && from === "caller");
    const granted = audioOf("caller").filter(({ atMs }) => scene.open.some((span) => isWithin(span, atMs)));
    const { packets } = manifest.parties[1].streams[0]!;
    expect(packets).toMatchObject({ seen: sent.length, recorded: granted.length, lost: 0, undecoded: 0 });
    expect(packets.discarded).toBe(sent.length - granted.length);
  });

  /** The side's G.711 packets: when they were captured, in ms from the answer, and what is in them. */
  function audioOf(side: Participant): { atMs: number; firstSample: number; payload: Buffer }[] {
    const answeredAtUs = Date.parse(manifest.answeredAt) * 1000;
    const packets = frames.filter(({ kind, from }) => kind === "rtp" && from === side);
    const firstTimestamp = packets[0]!.frame.readUInt32BE(RTP_AT + 4);
    return packets
      .filter(({ frame }) => (frame[RTP_AT + 1]! & 0x7f) === G711_PAYLOAD_TYPE[codec])
      .map(({ frame, atUs }) => ({
        atMs: (atUs - answeredAtUs) / 1000,
        firstSample: (OFFSET_MS[side] * RATE_HZ) / 1000 + ((frame.readUInt32BE(RTP_AT + 4) - firstTimestamp) >>> 0),
        payload: frame.subarray(RTP_AT + RTP_HEADER_BYTES),
      }));
  }

  /** A channel with what the other program makes of the packets that were captured when they might be, and silence. */
  function expectedChannel(side: Participant, isTaken: (atMs: number) => boolean): Int16Array {
    const taken = audioOf(side).filter(({ atMs }) => isTaken(atMs));
    const raw = join(folder, `${side}.raw`);
    writeFileSync(raw, Buffer.concat(taken.map(({ payload }) => payload)));
    const pcm = execFileSync(decoder!, DECODERS[decoder!]!(raw, codec));
    const samples = new Int16Array(right.length);
    for (const [i, { firstSample }] of taken.entries())
      for (let at = 0; at < PACKET_SAMPLES; at++)
        samples[firstSample + at] = pcm.readInt16LE(2 * (i * PACKET_SAMPLES + at));
    return samples;
  }
});

/** Beginnings, in ms, of the windows of 20 ms in which the tone is heard. */
function windowsWith(samples: Int16Array, frequencyHz: number): number[] {
  const found: number[] = [];
  for (let at = 0; at + PACKET_SAMPLES <= samples.length; at += PACKET_SAMPLES) {
    if (hasTone(samples.subarray(at, at + PACKET_SAMPLES), frequencyHz, RATE_HZ)) found.push((at * 1000) / RATE_HZ);
  }
  return found;
}

function isWithin({ fromMs, toMs }: ToneSpan, atMs: number): boolean {
  return atMs >= fromMs && atMs < toMs;
}

function rounded({ fromMs, toMs }: ToneSpan): ToneSpan {
  return { fromMs: Math.round(fromMs), toMs: Math.round(toMs) };
}
