// Classic pcap files: every magic, both byte orders, cut and broken at every place.
import { describe, expect, it } from "vitest";
import { CaptureParser } from "../../../device/capture/file-format.js";
import type { Frame } from "../../../device/capture/frame.js";
import { MAX_FRAME_BYTES } from "../../../device/capture/record-format.js";
import {
  MICROSECONDS,
  MODIFIED,
  NANOSECONDS,
  parse,
  pcapFile,
  pcapHeader,
  pcapRecord,
  someRecords,
} from "./capture-builder.js";

const DATA = Buffer.from("00112233445566778899aabbccddeeff", "hex");

describe.each([
  ["little endian", true],
  ["big endian", false],
])("a pcap file, %s", (_name, isLittleEndian) => {
  it.each([
    ["microseconds", MICROSECONDS, 123_456, 123_456],
    ["nanoseconds, rounded down", NANOSECONDS, 123_456_999, 123_456],
    ["modified records", MODIFIED, 7, 7],
  ])("with %s", (_unit, magic, fraction, expectedUs) => {
    const options = { magic, isLittleEndian };
    const file = pcapFile([{ seconds: 0xfffffffe, fraction, data: DATA, originalLength: 99 }], options);
    const { frames, fault, counters } = parse(file);
    expect(fault).toBeUndefined();
    expect(frames).toEqual([
      {
        bytes: DATA.toString("hex"),
        originalLength: 99,
        capturedAtUs: 0xfffffffe * 1_000_000 + expectedUs,
        linkType: 1,
        interfaceIndex: 0,
      },
    ]);
    expect(counters).toMatchObject({ frames: 1, bytes: DATA.length, snapped: 1, overlong: 0 });
  });

  it.each([
    ["113", 113, 113],
    ["Ethernet with FCS bits", 0x54000001, 1],
    ["the BSD numbers of raw IP", 12, 101],
    ["OpenBSD's number of raw IP", 14, 101],
    ["276", 276, 276],
  ])("reads the link type %s", (_what, linkType, expected) => {
    const file = pcapFile([{ seconds: 1, fraction: 0, data: DATA }], { isLittleEndian, linkType });
    expect(parse(file).frames[0]?.linkType).toBe(expected);
  });
});

describe("records of a pcap file", () => {
  it("come in order with their lengths, whole in one chunk and without a copy", () => {
    const file = pcapFile(someRecords(3));
    const seen = new Set<Frame>();
    const buffers = new Set<Buffer>();
    const parser = new CaptureParser((frame) => {
      seen.add(frame);
      buffers.add(frame.data);
    });
    parser.push(file);
    parser.finish();
    expect(parser.counters.frames).toBe(3);
    expect(seen.size).toBe(1);
    expect([...buffers]).toEqual([file]);
    expect([...buffers][0]).toBe(file);
  });

  it("may be empty, and longer than the wire says", () => {
    const records = [
      { seconds: 1, fraction: 0, data: Buffer.alloc(0), originalLength: 60 },
      { seconds: 2, fraction: 0, data: DATA, originalLength: 4 },
    ];
    const { frames, counters, fault } = parse(pcapFile(records));
    expect(fault).toBeUndefined();
    expect(frames.map((frame) => frame.bytes)).toEqual(["", DATA.toString("hex")]);
    expect(counters).toMatchObject({ frames: 2, snapped: 1, overlong: 1 });
  });

  it("may have the longest length, not one more", () => {
    const longest = { seconds: 1, fraction: 0, data: Buffer.alloc(MAX_FRAME_BYTES, 1) };
    expect(parse(pcapFile([longest])).frames).toHaveLength(1);
    const beyond = { seconds: 1, fraction: 0, data: Buffer.alloc(MAX_FRAME_BYTES + 1, 1) };
    const { frames, fault } = parse(pcapFile([...someRecords(1), beyond]));
    expect(frames).toHaveLength(1);
    expect(fault?.code).toBe("capture-cut");
    expect(fault?.message).toContain(`its length ${MAX_FRAME_BYTES + 1} is beyond`);
  });

  it("are none in a file of only a header", () => {
    expect(parse(pcapHeader())).toMatchObject({ frames: [], fault: undefined });
  });

  it("end where zeros begin", () => {
    const file = Buffer.concat([pcapFile(someRecords(2)), Buffer.alloc(4096)]);
    const { frames, fault } = parse(file);
    expect(frames).toHaveLength(2);
    expect(fault?.code).toBe("capture-cut");
    expect(fault?.message).toContain("only zero bytes");
    expect(fault?.offset).toBe(file.length - 4096);
  });
});

describe("a pcap file cut short", () => {
  const records = someRecords(4);
  const file = pcapFile(records);
  const ends = records.map((_, i) => pcapFile(records.slice(0, i + 1)).length);
  const whole = parse(file);

  it("gives every packet before the cut, at every length", () => {
    for (let length = 1; length < file.length; length++) {
      const { frames, fault } = parse(file.subarray(0, length));
      const complete = ends.filter((end) => end <= length).length;
      expect(frames).toEqual(whole.frames.slice(0, complete));
      if (length < 4) expect(fault?.code).toBe("capture-format");
      else if (length === 24 || ends.includes(length)) expect(fault).toBeUndefined();
      else expect(fault?.code).toBe("capture-cut");
    }
  });

  it("says where", () => {
    const { fault } = parse(file.subarray(0, ends[2]! + 20));
    expect(fault).toEqual({
      code: "capture-cut",
      message: `is cut off inside the record at byte ${ends[2]}; the 3 packets before it were used`,
      offset: ends[2],
    });
    expect(parse(file.subarray(0, 30)).fault?.message).toContain("there is no packet before it");
    expect(parse(file.subarray(0, ends[0]! + 1)).fault?.message).toContain("the one packet before it was used");
    expect(parse(file.subarray(0, 23)).fault?.message).toContain("inside the file header");
  });
});

describe("chunks", () => {
  const file = pcapFile(someRecords(5));
  const whole = parse(file);

  it("give the same frames wherever the file is split", () => {
    for (let at = 0; at <= file.length; at++) {
      expect(parse(file.subarray(0, at), file.subarray(at))).toEqual(whole);
    }
  });

  it("give the same frames byte by byte", () => {
    expect(parse(...Array.from(file, (byte) => Buffer.from([byte])))).toEqual(whole);
  });

  it("after a fault are ignored", () => {
    const broken = pcapRecord({ seconds: 1, fraction: 0, data: Buffer.alloc(0) });
    broken.writeUInt32LE(0xffffffff, 8);
    const { frames, fault } = parse(file, broken, pcapRecord(someRecords(1)[0]!));
    expect(frames).toHaveLength(5);
    expect(fault?.offset).toBe(file.length);
  });

  it.each([true, false])("of a file that follows another are a fault, not frames", (isLittleEndian) => {
    const { frames, fault } = parse(file, pcapFile(someRecords(2), { isLittleEndian }));
    expect(frames).toEqual(whole.frames);
    expect(fault).toMatchObject({ code: "capture-cut", offset: file.length });
    expect(fault?.message).toContain("another capture file begins there");
  });
});
