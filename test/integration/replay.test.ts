// Replays synthesised captures through the built program, as a user would, and judges what lies on the disk.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { firstSound, readWav, soundSpan } from "../fakes/audio.js";
import { CaptureFile } from "../fakes/capture-file.js";
import { makeCall } from "../fakes/office-call.js";
import {
  makeFolder,
  type ProgramResult,
  readCallLog,
  readRecordings,
  removeFolder,
  runProgram,
} from "../fakes/program.js";
import { makeRandom } from "../fakes/random.js";
import { mergeCalls, reorderWithin, shuffleArrivals, type TimedFrame } from "../fakes/timed-frames.js";
import { decodeG711, markerSource, toneLevel, toneSource } from "../fakes/tone.js";

const AGENTS = ["--agents", "10.0.0.0/24"];
let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

async function replay(
  frames: readonly TimedFrame[],
  args: readonly string[],
  name = "a",
): Promise<ProgramResult & { data: string }> {
  const capture = join(folder, `${name}.pcap`);
  new CaptureFile().addAll(frames).write(capture);
  const data = join(folder, `data-${name}`);
  const result = await runProgram(["--read", capture, "--data", data, "--json", ...args]);
  return { ...result, data };
}

/** The payload bytes of one party's RTP in the order of sending, out of the frames themselves. */
function sentPayload(frames: readonly TimedFrame[], from: TimedFrame["from"]): Buffer {
  const headerBytes = 14 + 20 + 8 + 12;
  return Buffer.concat(
    frames.filter((one) => one.kind === "rtp" && one.from === from).map((one) => one.frame.subarray(headerBytes)),
  );
}

describe("default policy, agents known", () => {
  it("records the agent sample-exactly, the caller as silence, and counts what it discarded", async () => {
    const frames = makeCall();
    const { exitCode, stdout, data } = await replay(frames, AGENTS);
    expect(exitCode).toBe(0);
    const [recording, ...more] = readRecordings(data);
    expect(more).toEqual([]);
    const { manifest, wavPath } = recording!;
    const [agent, caller] = manifest.parties;
    expect([agent.role, agent.number, agent.channel, agent.consent]).toEqual(["agent", "21", 0, "not-required"]);
    expect([caller.role, caller.number, caller.channel, caller.consent]).toEqual([
      "caller",
      "0301234567",
      1,
      "unknown",
    ]);
    expect(agent.identifiedBy).toContain("10.0.0.0/24");
    const sent = frames.filter((one) => one.kind === "rtp");
    const byCaller = sent.filter((one) => one.from === "caller").length;
    expect(caller.streams[0]!.packets).toMatchObject({ seen: byCaller, recorded: 0, discarded: byCaller, lost: 0 });
    expect(agent.streams[0]!.packets).toMatchObject({
      seen: sent.length - byCaller,
      recorded: sent.length - byCaller,
      discarded: 0,
    });
    expect(caller.spans).toEqual([]);

    const { channels, sampleRateHz } = readWav(wavPath);
    expect(sampleRateHz).toBe(8000);
    expect(channels[1]!.every((sample) => sample === 0)).toBe(true);
    expect(channels[0]!.length).toBe(channels[1]!.length);
    const expected = decodeG711(sentPayload(frames, "callee"), "PCMA");
    const start = 80; // the first packet came 10 ms after the answer
    expect(channels[0]!.subarray(start, start + expected.length)).toEqual(expected);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: "sidetone.summary/1",
      calls: [{ id: manifest.id, noAudio: "" }],
    });
  });

  it("agrees with ffmpeg's decoder to the sample, A-law and µ-law", async ({ skip }) => {
    if (!hasProgram("ffmpeg")) {
      console.log("skipped: ffmpeg is not installed");
      skip();
    }
    for (const codec of ["PCMA", "PCMU"] as const) {
      const frames = makeCall({ codec });
      const { data } = await replay(frames, AGENTS, codec);
      const raw = join(folder, `${codec}.raw`);
      writeFileSync(raw, sentPayload(frames, "callee"));
      const format = codec === "PCMA" ? "alaw" : "mulaw";
      const pcm = execFileSync("ffmpeg", [
        "-v",
        "error",
        "-f",
        format,
        "-ar",
        "8000",
        "-ac",
        "1",
        "-i",
        raw,
        "-f",
        "s16le",
        "-",
      ]);
      const expected = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2);
      const { channels } = readWav(readRecordings(data)[0]!.wavPath);
      expect(channels[0]!.subarray(80, 80 + expected.length)).toEqual(expected);
    }
  });

  it("records the caller within the consented span only, at packet accuracy", async () => {
    const frames = makeCall({
      durationMs: 6000,
      midCall: [
        { atMs: 2000, from: "callee", method: "INFO", headers: [["X-Recording-Consent", "granted"]] },
        { atMs: 4000, from: "callee", method: "INFO", headers: [["X-Recording-Consent", "withdrawn"]] },
      ],
    });
    const { data } = await replay(frames, AGENTS);
    const { manifest, wavPath } = readRecordings(data)[0]!;
    const caller = manifest.parties[1];
    expect(caller.consent).toBe("withdrawn");
    expect(caller.spans.length).toBe(1);
    expect(caller.spans[0]!.fromMs).toBeCloseTo(2000, -1);
    expect(caller.spans[0]!.toMs).toBeCloseTo(4000, -1);
    expect(manifest.evidence.filter((entry) => entry.kind === "sip-header").map((entry) => entry.effect)).toEqual([
      "granted",
      "withdrawn",
    ]);
    const { packets } = caller.streams[0]!;
    expect(packets.recorded).toBe(100);
    expect(packets.seen).toBe(packets.recorded + packets.discarded);
    const sound = readWav(wavPath).channels[1]!;
    expect(soundSpan(sound)).toBeLessThanOrEqual(100 * 160);
    expect(toneLevel(sound.subarray(16_800, 31_200), 1000, 8000)).toBeGreaterThan(0.3);
    expect(sound.subarray(0, 2000 * 8).every((sample) => sample === 0)).toBe(true);
    expect(sound.subarray(4020 * 8).every((sample) => sample === 0)).toBe(true);
  });
});

describe("agents unknown, default policy", () => {
  it("records nothing, says why, and exits 0", async () => {
    const { exitCode, stdout, data } = await replay(makeCall(), []);
    expect(exitCode).toBe(0);
    expect(readRecordings(data)).toEqual([]);
    expect(readCallLog(data)).toMatchObject([{ noAudio: "agent-unknown", file: "" }]);
    expect(JSON.parse(stdout).calls).toMatchObject([{ noAudio: "agent-unknown" }]);
  });

  it("takes a call in which both sides look like the agent as a contradiction", async () => {
    const { data } = await replay(makeCall({ caller: { address: "10.0.0.8" } }), AGENTS);
    expect(readCallLog(data)).toMatchObject([{ noAudio: "agent-contradictory" }]);
  });
});

describe("policies", () => {
  it("both-parties records both legs and says that consent was not required", async () => {
    const { data } = await replay(makeCall(), ["--policy", "both-parties"]);
    const { manifest, wavPath } = readRecordings(data)[0]!;
    expect(manifest.policy).toBe("both-parties");
    expect(manifest.parties.map((party) => [party.role, party.consent])).toEqual([
      ["originator", "not-required"],
      ["answerer", "not-required"],
    ]);
    const { channels } = readWav(wavPath);
    expect(toneLevel(channels[0]!.subarray(800), 1000, 8000)).toBeGreaterThan(0.3);
    expect(toneLevel(channels[1]!.subarray(800), 440, 8000)).toBeGreaterThan(0.3);
  });

  it("consent-first records no leg before the caller's consent", async () => {
    const midCall = [
      {
        atMs: 2000,
        from: "caller" as const,
        method: "INFO",
        headers: [["X-Recording-Consent", "yes"]] as [string, string][],
      },
    ];
    const without = await replay(makeCall(), [...AGENTS, "--policy", "consent-first"], "without");
    expect(readCallLog(without.data)).toMatchObject([{ noAudio: "no-consent" }]);
    const granted = await replay(makeCall({ midCall }), [...AGENTS, "--policy", "consent-first"], "granted");
    for (const channel of readWav(readRecordings(granted.data)[0]!.wavPath).channels) {
      expect(channel.subarray(0, 2000 * 8).every((sample) => sample === 0)).toBe(true);
      expect(soundSpan(channel)).toBeGreaterThan(1900 * 8);
    }
  });

  it("none records nothing", async () => {
    const { data } = await replay(makeCall(), [...AGENTS, "--policy", "none"]);
    expect(readCallLog(data)).toMatchObject([{ noAudio: "policy-none" }]);
  });

  it("rules by number grant, refuse and choose the policy", async () => {
    const config = join(folder, "rules.yaml");
    writeFileSync(
      config,
      [
        "agents: { match: [10.0.0.0/24] }",
        "consent:",
        "  rules:",
        "    - { name: on-file, numbers: ['0301*'], consent: granted }",
        "    - { name: never, numbers: ['0302*'], policy: none }",
        "    - { name: refused, numbers: ['0303*'], consent: refused }",
        "",
      ].join("\n"),
    );
    const call = (user: string, startUs: number, header?: string) =>
      makeCall({
        callId: `${user}@test`,
        startUs,
        caller: { user, rtpPort: 30_000 + Number(user.slice(3, 4)) * 10 },
        callee: { rtpPort: 40_000 + Number(user.slice(3, 4)) * 10 },
        ...(header ? { headers: { invite: [["X-Recording-Consent", header]] } } : {}),
      });
    const frames = mergeCalls(call("0301", 1e15), call("0302", 1e15 + 1e6), call("0303", 1e15 + 2e6, "granted"));
    const { data } = await replay(frames, ["--config", config]);
    const log = readCallLog(data);
    expect(log.map((line) => [line.policy, line.noAudio])).toEqual([
      ["agent-only", ""],
      ["none", "policy-none"],
      ["agent-only", ""],
    ]);
    const callers = readRecordings(data).map(({ manifest }) => manifest.parties[1]);
    expect(callers.map((party) => party.consent)).toEqual(["granted", "refused"]);
    expect(callers[0]!.streams[0]!.packets.discarded).toBe(0);
    expect(callers[1]!.streams[0]!.packets.recorded).toBe(0);
  });
});

describe("determinism", () => {
  const frames = () =>
    mergeCalls(
      makeCall({
        callId: "one",
        headers: { invite: [["X-Recording-Consent", "granted"]] },
        caller: { isLost: (i) => i % 17 === 5 },
      }),
      makeCall({
        callId: "two",
        startUs: Date.UTC(2026, 10, 21, 9, 0, 1) * 1000,
        caller: { rtpPort: 30_100, payload: toneSource(700) },
        callee: { rtpPort: 40_100, address: "10.0.0.9" },
      }),
    );

  async function wavs(input: readonly TimedFrame[], name: string): Promise<Buffer[]> {
    const { data, exitCode } = await replay(input, AGENTS, name);
    expect(exitCode).toBe(0);
    return readRecordings(data).map(({ wavPath }) => readFileSync(wavPath));
  }

  it("gives byte-identical WAVs for the same packets", async () => {
    const first = await wavs(frames(), "first");
    expect(first.length).toBe(2);
    expect(await wavs(frames(), "second")).toEqual(first);
  });

  it("gives byte-identical WAVs when packets are delayed by up to 200 ms or stand out of order in the file", async () => {
    const first = await wavs(frames(), "first");
    expect(await wavs(reorderWithin(frames(), { windowMs: 200, seed: 3 }), "delayed")).toEqual(first);
    expect(await wavs(outOfOrder(frames(), 200, 5), "disordered")).toEqual(first);
  });

  it("gives the same samples when packets take each other's arrival times within 200 ms", async () => {
    const audio = (name: string, input: readonly TimedFrame[]) =>
      replay(input, AGENTS, name).then(({ data }) =>
        readRecordings(data).flatMap(({ wavPath }) => readWav(wavPath).channels.map(sound)),
      );
    const first = await audio("first", frames());
    // Every packet's time is another's now: where the audio stands may move by a little, what it is may not.
    expect(await audio("exchanged", shuffleArrivals(frames(), { windowMs: 200, seed: 4 }))).toEqual(first);
  });
});

/** The samples from the first to the last that is not zero. */
function sound(samples: Int16Array): Buffer {
  const first = firstSound(samples);
  const part = first < 0 ? samples.subarray(0, 0) : samples.slice(first, first + soundSpan(samples));
  return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
}

/** RTP frames stand up to `windowMs` later in the file than their times say. */
function outOfOrder(frames: readonly TimedFrame[], windowMs: number, seed: number): TimedFrame[] {
  const random = makeRandom(seed);
  const keyed = frames.map((one) => ({ one, key: one.atUs + (one.kind === "rtp" ? random() * windowMs * 1000 : 0) }));
  return keyed.sort((a, b) => a.key - b.key).map(({ one }) => one);
}

describe("where the input comes from", () => {
  it("reads standard input and pcapng", async () => {
    const bytes = new CaptureFile({ format: "pcapng" }).addAll(makeCall()).bytes();
    const data = join(folder, "data");
    const result = await runProgram(["--read", "-", "--data", data, ...AGENTS], { input: bytes });
    expect(result.exitCode).toBe(0);
    expect(readRecordings(data).length).toBe(1);
    expect(result.stdout).toContain("21 (agent) <- 0301234567");
  });

  it("keeps a call that spans two files", async () => {
    const frames = makeCall();
    const half = frames.length >> 1;
    const paths = [frames.slice(0, half), frames.slice(half)].map((part, i) => {
      const path = join(folder, `part-${i}.pcap`);
      new CaptureFile().addAll(part).write(path);
      return path;
    });
    const data = join(folder, "data");
    const result = await runProgram(["--read", paths[0]!, "--read", paths[1]!, "--data", data, ...AGENTS]);
    expect(result.exitCode).toBe(0);
    const [recording] = readRecordings(data);
    expect(recording!.manifest.endReason).toBe("bye");
    expect(recording!.manifest.parties[0].streams[0]!.packets.lost).toBe(0);
  });

  it("leaves the caller's payload nowhere after a replay", async () => {
    const marker = Buffer.from("caller-payload-must-not-be-here");
    const { data, stdout, stderr } = await replay(makeCall({ caller: { payload: markerSource(marker) } }), AGENTS);
    const found = execFileSync("sh", ["-c", `grep -rlaF ${marker} '${data}' || true`]).toString();
    expect(found).toBe("");
    expect(stdout + stderr).not.toContain(marker.toString());
  });
});

function hasProgram(name: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((path) => existsSync(join(path, name)));
}
