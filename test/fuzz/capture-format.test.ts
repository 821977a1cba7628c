// Hostile capture files: noise, spoilt bytes, random chunks. The parser must end, stay inside its buffers and give the
// same result however the bytes arrive.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CaptureParser } from "../../device/capture/file-format.js";
import {
  keep,
  type Parsed,
  PcapngBuilder,
  parse,
  pcapFile,
  pcapHeader,
  someRecords,
} from "../unit/capture/capture-builder.js";

const SETTINGS = { seed: 20_261_121, numRuns: 300 };

const make = new PcapngBuilder(true);
const pcapng = Buffer.concat([
  make.section(),
  make.description(1, [{ code: 9, value: Buffer.from([9]) }]),
  make.description(113),
  ...someRecords(6).map((record, i) => make.enhanced(i % 2, BigInt(i) * 1_000_000n, record.data)),
  make.statistics(0, [{ code: 5, value: make.uint64(3n) }]),
  make.block(0x0bad, Buffer.alloc(64, 9)),
  make.simple(Buffer.alloc(50, 1)),
]);
const files = [pcapFile(someRecords(8)), pcapFile(someRecords(8), { isLittleEndian: false }), pcapng];

/** Cuts the file at the given places, in any order. */
function chunksOf(file: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [0, ...places.map((place) => place % (file.length + 1)), file.length].sort((a, b) => a - b);
  return cuts.slice(1).map((end, i) => file.subarray(cuts[i], end));
}

function expectSound(parsed: Parsed, file: Buffer): void {
  expect(parsed.counters.bytes).toBeLessThanOrEqual(file.length);
  for (const frame of parsed.frames) expect(Number.isFinite(frame.capturedAtUs)).toBe(true);
}

describe("spoilt capture files", () => {
  it("give the same frames and fault in any chunks", () => {
    const spoilt = fc.tuple(
      fc.constantFrom(...files),
      fc.array(fc.tuple(fc.nat(2000), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
      fc.array(fc.nat(5000), { maxLength: 12 }),
    );
    fc.assert(
      fc.property(spoilt, ([original, changes, places]) => {
        const file = Buffer.from(original);
        for (const [at, value] of changes) file[at % file.length] = value;
        const whole = parse(file);
        expectSound(whole, file);
        expect(parse(...chunksOf(file, places))).toEqual(whole);
      }),
      SETTINGS,
    );
  });

  it("made of noise behind a good head give the same frames and fault in any chunks", () => {
    const heads = [
      pcapHeader(),
      pcapHeader({ isLittleEndian: false }),
      Buffer.concat([make.section(), make.description(1)]),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...heads),
        fc.uint8Array({ maxLength: 400 }),
        fc.array(fc.nat(600), { maxLength: 8 }),
        (head, noise, places) => {
          const file = Buffer.concat([head, noise]);
          const whole = parse(file);
          expectSound(whole, file);
          expect(parse(...chunksOf(file, places))).toEqual(whole);
        },
      ),
      SETTINGS,
    );
  });

  it("made of noise from the first byte are refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), (noise) => {
        // No generated array begins with one of the four-byte magics.
        expect(parse(Buffer.from(noise))).toMatchObject({ frames: [], fault: { code: "capture-format" } });
      }),
      SETTINGS,
    );
  });
});

describe("endless input", () => {
  it("of blocks that nobody knows is skipped without being kept", () => {
    const parser = new CaptureParser(() => expect.unreachable("there is no packet in it"));
    parser.push(Buffer.concat([make.section(), make.words(0x0bad, 0xfffffff0)]));
    const chunk = Buffer.alloc(1024 * 1024, 0xa5);
    for (let i = 0; i < 64; i++) parser.push(chunk);
    expect(parser.fault).toBeUndefined();
    parser.finish();
    expect(parser.fault).toMatchObject({ code: "capture-cut", offset: make.section().length });
  });

  it("of the smallest records goes through, one byte at a time", () => {
    const empty = someRecords(1).map((record) => ({ ...record, data: Buffer.alloc(0) }));
    const record = pcapFile(empty).subarray(24);
    let frames = 0;
    const parser = new CaptureParser((frame) => {
      keep(frame);
      frames++;
    });
    parser.push(pcapHeader());
    for (let i = 0; i < 20_000; i++) {
      for (let at = 0; at < record.length; at++) parser.push(record.subarray(at, at + 1));
    }
    parser.finish();
    expect(parser.fault).toBeUndefined();
    expect(frames).toBe(20_000);
  });
});
