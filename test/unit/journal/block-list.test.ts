// The list of a call's blocks: what goes in comes out, over many pages and from either end, and nothing learned of one touches another.
import { expect, test } from "vitest";
import { type AudioBlock, BlockList, makeAudioBlock } from "../../../device/journal/block-list.js";

/** Every number as large as its place allows, and different from every other block's. */
function block(n: number): AudioBlock {
  return {
    segment: 999_999_999 - n,
    offset: 0x7fff_ffff - n,
    payloadBytes: 0xffff - n,
    payloadCrc: (0xffff_ffff - n * 7919) >>> 0,
    flags: 255 - (n & 1),
    side: 255 - (n & 3),
    sequence: 0xffff_ffff - n,
    records: 1000 + n,
    baseUs: 1_795_251_600_000_000 + n * 1_000_001,
    place: n % 3 === 0 ? -1 : 0x7fff_0000 + n,
  };
}

function readAll(list: BlockList): AudioBlock[] {
  return Array.from({ length: list.length }, (_, i) => {
    const read = makeAudioBlock();
    list.read(i, read);
    return read;
  });
}

test("a list gives back what was pushed, and once it is reversed from the other end, over many pages", () => {
  const list = new BlockList();
  const blocks = Array.from({ length: 1000 }, (_, n) => block(n));
  for (const one of blocks) list.push(one);
  expect(readAll(list)).toEqual(blocks);
  list.reverse();
  expect(readAll(list)).toEqual([...blocks].reverse());
});

test("what is learned of a block stays with it and touches no other number of it", () => {
  const list = new BlockList();
  for (let n = 0; n < 600; n++) list.push(block(n));
  list.reverse();
  for (const i of [0, 255, 256, 599]) {
    list.keepAt(i, i);
    list.markChecked(i);
  }
  list.markDamaged(256);
  const read = readAll(list);
  for (let i = 0; i < 600; i++) {
    const isMarked = [0, 255, 256, 599].includes(i);
    expect(read[i]).toEqual({ ...block(599 - i), ...(isMarked && { place: i }) });
    expect([list.isChecked(i), list.isDamaged(i)]).toEqual([isMarked, i === 256]);
  }
});
