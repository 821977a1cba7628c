// The built program on a capture of one call in a flood of everything else: the recording is that of the call alone, to
// the byte, every attempt is in the call log, and the processes stay small.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PeakSampler } from "../bench/process-usage.js";
import { CaptureStream } from "../fakes/capture-file.js";
import {
  type Flood,
  floodedFrames,
  fragmentFlood,
  inviteFlood,
  registerFlood,
  rtpFlood,
  tcpFlood,
} from "../fakes/flood.js";
import { makeCall } from "../fakes/office-call.js";
import { makeFolder, RunningProgram, readCallLog, readRecordings, removeFolder } from "../fakes/program.js";

const CALL_MS = 20_000;
const TIMEOUT_MS = 240_000;
const MEGABYTE = 1024 * 1024;
const call = makeCall({ durationMs: CALL_MS });
const startUs = call[0]!.atUs;

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

interface Replay {
  wavs: Buffer[];
  packets: unknown[];
  logged: number;
  counters: Record<string, number>;
  peaks: Map<string, number>;
}

async function replay(name: string, floods: readonly Flood[]): Promise<Replay> {
  const capture = join(folder, `${name}.pcap`);
  const file = new CaptureStream(capture);
  const frames = floodedFrames(call, floods, startUs + 500_000, startUs + CALL_MS * 1000 + 3_000_000);
  for (const { atUs, frame } of frames) file.add(frame, atUs);
  file.close();
  const data = join(folder, `data-${name}`);
  const args = ["--read", capture, "--data", data, "--json", "--agents", "10.0.0.0/24"];
  const running = new RunningProgram(args, { timeoutMs: TIMEOUT_MS });
  const sampler = new PeakSampler(running.child.pid!);
  const exitCode = await running.ended;
  const peaks = new Map(sampler.stop().map((peak) => [peak.name, peak.peakRssBytes]));
  expect([exitCode, running.stderr.includes('"level":"error"')]).toEqual([0, false]);
  const recordings = readRecordings(data);
  return {
    wavs: recordings.map(({ wavPath }) => readFileSync(wavPath)),
    packets: recordings.flatMap(({ manifest }) =>
      manifest.parties.flatMap(({ streams }) => streams.map(({ packets }) => packets)),
    ),
    logged: readCallLog(data).length,
    counters: (JSON.parse(running.stdout) as { counters: Record<string, number> }).counters,
    peaks,
  };
}

describe("a capture with a flood in it", () => {
  it(
    "gives the recording of the call alone",
    async () => {
      const alone = await replay("alone", []);
      expect(alone.packets).toMatchObject([
        { seen: 1000, recorded: 1000, discarded: 0, lost: 0 },
        { seen: 1000, recorded: 0, discarded: 1000, lost: 0 },
      ]);
      const flooded = await replay("flooded", [
        { frame: inviteFlood(), count: 10_000 },
        { frame: registerFlood(), count: 100_000 },
        { frame: rtpFlood(), count: 100_000 },
        { frame: fragmentFlood(), count: 10_000 },
        { frame: tcpFlood(), count: 20_000 },
      ]);
      expect(flooded.wavs.length).toBe(1);
      expect(flooded.wavs).toEqual(alone.wavs);
      expect(flooded.packets).toEqual(alone.packets);
      expect(flooded.logged).toBe(10_001);
      expect(flooded.counters).toMatchObject({ "call.started": 10_001, "call.refused": 0, "rtp.unbound": 100_000 });
      expect(flooded.peaks.get("engine.js")! / MEGABYTE).toBeLessThan(700);
      expect(flooded.peaks.get("main.js")! / MEGABYTE).toBeLessThan(400);
    },
    TIMEOUT_MS,
  );
});
