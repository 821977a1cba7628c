import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CaptureFile, type CaptureOptions, CaptureStream } from "../../fakes/capture-file.js";
import { LINK_TYPE, udpFrame } from "../../fakes/frames.js";
import { hasTshark, tsharkFields } from "./tshark.js";

const ends = { source: "10.0.0.1:4000", destination: "10.0.0.2:4002" };
const frame = udpFrame({ ...ends, payload: Buffer.from("hello") });
const atUs = 1_795_251_600_123_456;

const FORMATS: [string, CaptureOptions, string][] = [
  ["pcap µs little", {}, "1795251600.123456000"],
  ["pcap µs big", { endian: "big" }, "1795251600.123456000"],
  ["pcap ns little", { resolution: "ns" }, "1795251600.123456250"],
  ["pcap ns big", { resolution: "ns", endian: "big" }, "1795251600.123456250"],
  ["pcapng little", { format: "pcapng" }, "1795251600.123456000"],
  ["pcapng big", { format: "pcapng", endian: "big" }, "1795251600.123456000"],
  ["pcapng ns", { format: "pcapng", interfaces: [{ linkType: 1, timestampResolution: 9 }] }, "1795251600.123456250"],
  ["pcapng ms", { format: "pcapng", interfaces: [{ linkType: 1, timestampResolution: 3 }] }, "1795251600.123000000"],
  ["pcapng 2^-20", { format: "pcapng", interfaces: [{ linkType: 1, timestampResolution: 148 }] }, "1795251600.12345"],
];

describe("capture files", () => {
  it.each(FORMATS)("%s is read back by tshark", (_name, options, expectedTime) => {
    const file = new CaptureFile(options).add(frame, atUs + 0.25).add(frame, atUs + 1e6);
    const magic = file.bytes().subarray(0, 4).toString("hex");
    expect(magic).toBe(expectedMagic(options));
    if (!hasTshark) return;
    const rows = tsharkFields(file.bytes(), "udp", "frame.time_epoch", "udp.payload", "frame.len");
    expect(rows.length).toBe(2);
    expect(rows[0]![0]!.startsWith(expectedTime), rows[0]![0]).toBe(true);
    expect(rows[0]!.slice(1)).toEqual([Buffer.from("hello").toString("hex"), String(frame.length)]);
  });

  it.skipIf(!hasTshark)("holds several interfaces of different link types", () => {
    const file = new CaptureFile({
      format: "pcapng",
      interfaces: [
        { linkType: LINK_TYPE.ethernet, name: "port" },
        { linkType: LINK_TYPE.sll2, name: "any", timestampResolution: 9 },
      ],
    });
    file.add(udpFrame({ ...ends, payload: Buffer.from("a") }), atUs);
    file.add(udpFrame({ ...ends, payload: Buffer.from("b"), linkType: LINK_TYPE.sll2 }), atUs, { interfaceIndex: 1 });
    const rows = tsharkFields(file.bytes(), "udp", "frame.interface_name", "frame.time_epoch", "udp.payload");
    expect(rows).toEqual([
      ["port", "1795251600.123456000", "61"],
      ["any", "1795251600.123456000", "62"],
    ]);
  });

  it("cuts at the snap length and keeps the original length", () => {
    const bytes = new CaptureFile({ snapLength: 20 }).add(frame, atUs).bytes();
    expect([bytes.length, bytes.readUInt32LE(32), bytes.readUInt32LE(36)]).toEqual([24 + 16 + 20, 20, frame.length]);
    const stated = new CaptureFile().add(frame, atUs, { originalLength: 3 }).bytes();
    expect(stated.readUInt32LE(36)).toBe(3);
  });

  it("refuses what the format cannot hold", () => {
    const two = [{ linkType: 1 }, { linkType: 1 }];
    expect(() => new CaptureFile({ interfaces: two })).toThrow(RangeError);
    expect(() => new CaptureFile().add(frame, atUs, { interfaceIndex: 1 })).toThrow(RangeError);
  });

  it("streams the same bytes, across its buffer's edge", () => {
    const folder = mkdtempSync(join(tmpdir(), "sidetone-capture-"));
    try {
      const path = join(folder, "stream.pcapng");
      const file = new CaptureFile({ format: "pcapng" });
      const stream = new CaptureStream(path, { format: "pcapng" });
      const large = Buffer.alloc(60_001, 7);
      for (let i = 0; i < 40; i++) {
        file.add(large, atUs + i);
        stream.add(large, atUs + i);
      }
      stream.close();
      expect(stream.writtenBytes).toBe(file.bytes().length);
      expect(readFileSync(path).equals(file.bytes())).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function expectedMagic(options: CaptureOptions): string {
  if (options.format === "pcapng") return "0a0d0d0a";
  const little = options.resolution === "ns" ? "4d3cb2a1" : "d4c3b2a1";
  return options.endian === "big" ? Buffer.from(little, "hex").reverse().toString("hex") : little;
}
