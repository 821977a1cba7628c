// pcapng files: sections, interfaces, clocks, every packet block, unknown blocks, cut and broken.
import { describe, expect, it } from "vitest";
import { MAX_BLOCK_BYTES, MAX_INTERFACES } from "../../../device/capture/pcapng-blocks.js";
import { MAX_FRAME_BYTES } from "../../../device/capture/record-format.js";
import { PcapngBuilder, parse } from "./capture-builder.js";

const DATA = Buffer.from("0011223344", "hex");
const IF_NAME = 2;
const TSRESOL = 9;
const TSOFFSET = 14;
const NOW_US = 1_700_000_000_123_456n;

describe.each([
  ["little endian", true],
  ["big endian", false],
])("a pcapng section, %s", (_name, isLittleEndian) => {
  const make = new PcapngBuilder(isLittleEndian);

  it("gives each packet the link type of its interface", () => {
    const { frames, fault } = parse(
      make.section(),
      make.description(1),
      make.description(0),
      make.enhanced(1, NOW_US, DATA, 77),
      make.enhanced(0, NOW_US + 1n, DATA),
    );
    expect(fault).toBeUndefined();
    const bytes = DATA.toString("hex");
    const at = Number(NOW_US);
    expect(frames).toEqual([
      { bytes, originalLength: 77, capturedAtUs: at, linkType: 0, interfaceIndex: 1 },
      { bytes, originalLength: 5, capturedAtUs: at + 1, linkType: 1, interfaceIndex: 0 },
    ]);
  });

  it.each([
    ["10^-6", 6, NOW_US, NOW_US],
    ["10^-9, rounded down", 9, NOW_US * 1000n + 999n, NOW_US],
    ["10^-12", 12, (NOW_US * 1_000_000n) % 2n ** 64n, ((NOW_US * 1_000_000n) % 2n ** 64n) / 1_000_000n],
    ["10^-15", 15, 2n ** 64n - 1n, (2n ** 64n - 1n) / 10n ** 9n],
    ["10^-3", 3, NOW_US / 1000n, (NOW_US / 1000n) * 1000n],
    ["1 s", 0, 1_700_000_000n, 1_700_000_000_000_000n],
    ["2^-10", 0x80 | 10, 1_700_000_000n * 1024n + 1023n, 1_700_000_000_000_000n + (1023n * 1_000_000n) / 1024n],
    ["2^-32", 0x80 | 32, (1_700_000_000n << 32n) | 0xffffffffn, 1_700_000_000_999_999n],
    ["2^-40", 0x80 | 40, (1_000_000n << 40n) | (1n << 39n), 1_000_000_500_000n],
  ])("keeps time in units of %s", (_unit, resolution, ticks, expected) => {
    const name = { code: IF_NAME, value: Buffer.from("span0") };
    const description = make.description(1, [name, { code: TSRESOL, value: Buffer.from([resolution]) }]);
    const { frames } = parse(make.section(), description, make.enhanced(0, ticks, DATA));
    expect(frames[0]?.capturedAtUs).toBe(Number(expected));
  });

  it("adds the interface's time offset, negative too", () => {
    const offset = (seconds: bigint) => [{ code: TSOFFSET, value: make.uint64(seconds) }];
    const { frames } = parse(
      make.section(),
      make.description(1, offset(3600n)),
      make.description(1, offset(-10n)),
      make.enhanced(0, NOW_US, DATA),
      make.enhanced(1, NOW_US, DATA),
    );
    expect(frames.map((frame) => frame.capturedAtUs)).toEqual([
      Number(NOW_US) + 3_600_000_000,
      Number(NOW_US) - 10_000_000,
    ]);
  });

  it("gives simple packets the last time, the first interface and its snap length", () => {
    const { frames } = parse(
      make.section(),
      make.description(113, [], 4),
      make.enhanced(0, NOW_US, DATA),
      make.simple(Buffer.alloc(4, 7), 100),
    );
    expect(frames[1]).toEqual({
      bytes: "07070707",
      originalLength: 100,
      capturedAtUs: Number(NOW_US),
      linkType: 113,
      interfaceIndex: 0,
    });
    expect(parse(make.section(), make.description(1), make.simple(DATA)).frames[0]?.bytes).toBe(DATA.toString("hex"));
  });

  it("reads obsolete packets and their drops", () => {
    const { frames, counters } = parse(
      make.section(),
      make.description(1),
      make.description(101),
      make.obsolete(1, 5, NOW_US, DATA),
      make.obsolete(0, 0xffff, NOW_US, DATA),
    );
    expect(frames.map((frame) => frame.linkType)).toEqual([101, 1]);
    expect(frames[0]?.bytes).toBe(DATA.toString("hex"));
    expect(counters.kernelDrops).toBe(5);
  });

  it("adds up the drops that interfaces report as running totals", () => {
    const drops = (interfaceDrops: bigint, kernelDrops: bigint) => [
      { code: 5, value: make.uint64(interfaceDrops) },
      { code: 7, value: make.uint64(kernelDrops) },
    ];
    const { counters, fault } = parse(
      make.section(),
      make.description(1),
      make.description(1),
      make.statistics(0, drops(3n, 1n)),
      make.statistics(1, drops(10n, 0n)),
      make.statistics(0, drops(4n, 1n)),
      make.statistics(7, drops(100n, 100n)),
    );
    expect(fault).toBeUndefined();
    expect(counters).toMatchObject({ interfaceDrops: 14, kernelDrops: 1 });
  });

  it("skips blocks that it does not know, however long", () => {
    const huge = make.words(0x0bad, 3 * MAX_BLOCK_BYTES);
    const rest = Buffer.alloc(3 * MAX_BLOCK_BYTES - 8, 0x55);
    const { frames, counters, fault } = parse(
      make.section(),
      make.description(1),
      make.block(4, Buffer.alloc(20)),
      huge,
      rest.subarray(0, 100),
      rest.subarray(100),
      make.enhanced(0, NOW_US, DATA),
    );
    expect(fault).toBeUndefined();
    expect(frames).toHaveLength(1);
    expect(counters.blocksSkipped).toBe(2);
  });

  it("counts packets of interfaces that it does not describe", () => {
    const { frames, counters, fault } = parse(
      make.section(),
      make.simple(DATA),
      make.enhanced(0, 1n, DATA),
      make.description(1),
      make.enhanced(0xffffffff, 1n, DATA),
      make.obsolete(1, 0xffff, 1n, DATA),
      make.enhanced(0, 1n, DATA),
    );
    expect(fault).toBeUndefined();
    expect(frames).toHaveLength(1);
    expect(counters.unknownInterface).toBe(4);
  });

  it("keeps a bounded number of interfaces", () => {
    const descriptions = Buffer.concat(Array.from({ length: MAX_INTERFACES + 2 }, () => make.description(1)));
    const last = make.enhanced(MAX_INTERFACES - 1, 1n, DATA);
    const { frames, counters } = parse(make.section(), descriptions, last, make.enhanced(MAX_INTERFACES, 1n, DATA));
    expect(frames).toHaveLength(1);
    expect(counters).toMatchObject({ interfacesRefused: 2, unknownInterface: 1 });
  });

  it("allows a length that leaves its padding out", () => {
    const block = make.enhanced(0, NOW_US, DATA);
    const short = make.words(block.length - 3);
    short.copy(block, 4);
    short.copy(block, block.length - 4);
    const { frames, fault } = parse(make.section(), make.description(1), block, make.enhanced(0, NOW_US, DATA));
    expect(fault).toBeUndefined();
    expect(frames).toHaveLength(2);
  });

  it.each([
    ["a length below the smallest block", (block: Buffer) => make.words(8).copy(block, 4), "block length of 8"],
    ["two lengths that differ", (block: Buffer) => make.words(44).copy(block, block.length - 4), "two lengths differ"],
    ["a packet longer than its block", (block: Buffer) => make.words(6000).copy(block, 20), "does not fit its block"],
    [
      "a packet one byte longer than its block",
      (block: Buffer) => make.words(9).copy(block, 20),
      "does not fit its block",
    ],
    ["a giant packet block", (block: Buffer) => make.words(0x7ffffff0).copy(block, 4), "beyond the"],
    ["a packet block without a packet", () => make.block(6, Buffer.alloc(8)), "no room for its header"],
    ["an empty simple packet block", () => make.block(3), "no room for its header"],
    ["an empty interface description", () => make.block(1), "too short"],
    ["an empty statistics block", () => make.block(5), "too short"],
    ["a section header of 12 bytes", () => make.words(0x0a0d0d0a, 12, 0x1a2b3c4d), "block length of 12"],
    ["a section header without byte order", () => make.block(0x0a0d0d0a, Buffer.alloc(16)), "byte order"],
  ])("ends at %s", (_what, spoil, reason) => {
    const head = Buffer.concat([make.section(), make.description(1), make.enhanced(0, NOW_US, DATA)]);
    const block = make.enhanced(0, NOW_US, DATA);
    const spoilt = spoil(block);
    const bad = Buffer.isBuffer(spoilt) ? spoilt : block;
    const { frames, fault } = parse(head, bad, make.enhanced(0, NOW_US, DATA));
    expect(frames).toHaveLength(1);
    expect(fault).toMatchObject({ code: "capture-cut", offset: head.length });
    expect(fault?.message).toContain(reason);
  });

  it("refuses a frame beyond the longest", () => {
    const block = make.enhanced(0, NOW_US, Buffer.alloc(MAX_FRAME_BYTES + 1));
    expect(parse(make.section(), make.description(1), block).fault?.message).toContain("does not fit its block");
    const longest = make.enhanced(0, NOW_US, Buffer.alloc(MAX_FRAME_BYTES));
    expect(parse(make.section(), make.description(1), longest)).toMatchObject({ fault: undefined });
  });
});

describe("several sections", () => {
  const little = new PcapngBuilder(true);
  const big = new PcapngBuilder(false);
  const file = Buffer.concat([
    little.section(),
    little.description(1),
    little.description(0),
    little.enhanced(1, NOW_US, Buffer.alloc(33, 1)),
    little.block(0x0bad, Buffer.alloc(40)),
    big.section(),
    big.description(113, [{ code: TSRESOL, value: Buffer.from([9]) }]),
    big.enhanced(0, NOW_US * 1000n, Buffer.alloc(60, 2)),
    big.enhanced(1, NOW_US, DATA),
    little.section(),
    little.description(1),
    little.enhanced(0, NOW_US, Buffer.alloc(60, 3)),
  ]);
  const whole = parse(file);

  it("each have their own byte order and interfaces", () => {
    expect(whole.fault).toBeUndefined();
    expect(whole.frames.map((frame) => [frame.linkType, frame.interfaceIndex])).toEqual([
      [0, 1],
      [113, 0],
      [1, 0],
    ]);
    expect(new Set(whole.frames.map((frame) => frame.capturedAtUs))).toEqual(new Set([Number(NOW_US)]));
    expect(whole.counters.unknownInterface).toBe(1);
  });

  it("give the same frames wherever the file is split, and byte by byte", () => {
    for (let at = 0; at <= file.length; at++) {
      expect(parse(file.subarray(0, at), file.subarray(at))).toEqual(whole);
    }
    expect(parse(...Array.from(file, (byte) => Buffer.from([byte])))).toEqual(whole);
  });

  it("give what comes before a cut, at every length", () => {
    for (let length = 1; length < file.length; length++) {
      const { frames, fault } = parse(file.subarray(0, length));
      expect(frames).toEqual(whole.frames.slice(0, frames.length));
      expect(frames.length).toBeLessThanOrEqual(3);
      if (fault !== undefined) expect(fault.code).toBe(length < 4 ? "capture-format" : "capture-cut");
    }
    const cut = parse(file.subarray(0, file.length - 1));
    expect(cut.frames).toHaveLength(2);
    expect(cut.fault?.message).toContain("the 2 packets before it were used");
  });

  it("cut inside a skipped block say where that block begins", () => {
    const start = file.indexOf(little.words(0x0bad));
    const { frames, fault } = parse(file.subarray(0, start + 30));
    expect(frames).toHaveLength(1);
    expect(fault).toMatchObject({ code: "capture-cut", offset: start });
  });
});
