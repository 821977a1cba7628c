import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { processesIn } from "../../bench/recorder-run.js";
import { runReference } from "../../bench/reference.js";
import { type BenchTraffic, writeTraffic } from "../../bench/traffic.js";
import { hasTshark, tshark, tsharkFields } from "./tshark.js";

const CALLS = 5;
let folder = "";
let path = "";
let traffic: BenchTraffic;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-bench-test-"));
  path = join(folder, "capture.pcap");
  traffic = writeTraffic(path, CALLS, 1);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("the bench's capture", () => {
  it("holds what it says, in the order of time", () => {
    expect(traffic).toEqual({
      calls: CALLS,
      seconds: 1,
      rtpPackets: CALLS * 2 * 50,
      sipFrames: CALLS * 7,
      fileBytes: readFileSync(path).length,
    });
    const bytes = readFileSync(path);
    let packets = 0;
    let lastAtUs = 0;
    for (let at = 24; at < bytes.length; at += 16 + bytes.readUInt32LE(at + 8)) {
      const atUs = bytes.readUInt32LE(at) * 1e6 + bytes.readUInt32LE(at + 4);
      expect(atUs).toBeGreaterThanOrEqual(lastAtUs);
      lastAtUs = atUs;
      packets++;
    }
    expect(packets).toBe(traffic.rtpPackets + traffic.sipFrames);
  });

  it.skipIf(!hasTshark)("is whole calls to tshark, with correct checksums", () => {
    const bytes = readFileSync(path);
    const bad = "ip.checksum.status == 0 || udp.checksum.status == 0 || _ws.malformed";
    expect(tshark(bytes, "-Y", bad)).toEqual([]);
    expect(tsharkFields(bytes, 'sip.Method == "BYE"', "sip.Call-ID").length).toBe(CALLS);
    const streams = tshark(bytes, "-q", "-z", "rtp,streams").filter((line) => line.includes("0x5107"));
    expect(streams.length).toBe(2 * CALLS);
    for (const line of streams) expect(line).toMatch(/g711[AU]\s+50\s+0 \(0\.0%\)/);
  });

  it("is read to its end by the reference loop", () => {
    expect(runReference(path).packets).toBe(traffic.rtpPackets + traffic.sipFrames);
  });
});

describe("the recorder's summary", () => {
  it("is found alone and after other lines", () => {
    const summary = { schema: "sidetone.summary/1", processes: { engine: { cpuUs: 5 } } };
    for (const text of [
      JSON.stringify(summary),
      JSON.stringify(summary, null, 2),
      `a line\n${JSON.stringify(summary)}\n`,
    ]) {
      expect(processesIn(text)).toEqual(summary.processes);
    }
    expect(processesIn("nothing")).toEqual({});
  });
});
