// The truth that recordings are compared with, on captures whose truth is known.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CaptureFile } from "../../fakes/capture-file.js";
import { type RtpStreamOptions, rtpStream } from "../../fakes/rtp-stream.js";
import { mergeCalls } from "../../fakes/timed-frames.js";
import { toneSource } from "../../fakes/tone.js";
import { Wire } from "../../fakes/wire.js";
import { hasTshark } from "./tshark.js";

const START_MS = 1_700_000_000_000;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-wire-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function stream(options: Partial<RtpStreamOptions>) {
  return rtpStream({
    source: "10.0.0.1:4000",
    destination: "10.0.0.2:5000",
    from: "caller",
    startUs: START_MS * 1000,
    packets: 50,
    ssrc: 1,
    payload: toneSource(440),
    ...options,
  });
}

function wireOf(...streams: ReturnType<typeof stream>[]): Wire {
  const path = join(folder, "wire.pcap");
  new CaptureFile().addAll(mergeCalls(...streams)).write(path);
  return new Wire(path);
}

describe.skipIf(!hasTshark)("the wire", () => {
  it("tells who sent what to whom", () => {
    const wire = wireOf(
      stream({}),
      stream({ source: "10.0.0.2:5000", destination: "10.0.0.1:4000", ssrc: 2, packets: 9 }),
    );
    expect(wire.rtpFrom("10.0.0.1").length).toBe(50);
    expect(wire.rtpFrom("10.0.0.1:4000", "10.0.0.2").length).toBe(50);
    expect(wire.rtpFrom("10.0.0.1", "10.0.0.9")).toEqual([]);
    expect(wire.rtpFrom("10.0.0.2").length).toBe(9);
    expect(wire.count("udp.dstport == 5000")).toBe(50);
  });

  it("times a tone by its most punctual packet, though the sender is held up", () => {
    const wire = wireOf(stream({ delayUs: (index) => Math.min(90_000, Math.max(0, 25 - index) * 18_000) }));
    expect(wire.toneFrom("10.0.0.1", 440)).toEqual([{ fromMs: START_MS, toMs: START_MS + 1000 }]);
    expect(wire.toneFrom("10.0.0.1", 1000)).toEqual([]);
  });

  it("sees a pause, whether or not the timestamps go on", () => {
    const second = { startUs: (START_MS + 2000) * 1000, firstSequence: 50 };
    for (const firstTimestamp of [50 * 160, 100 * 160]) {
      const wire = wireOf(stream({}), stream({ ...second, firstTimestamp }));
      expect(wire.toneFrom("10.0.0.1", 440)).toEqual([
        { fromMs: START_MS, toMs: START_MS + 1000 },
        { fromMs: START_MS + 2000, toMs: START_MS + 3000 },
      ]);
    }
  });
});
