// One side's audio blocks, in the order of the call: where they stand and what their headers say, 40 bytes a block. All that
// a reader keeps of a call, besides the payloads where it was given memory for them: a call of ten hours has 90,000 blocks.

/** An audio block whose header was found intact. */
export interface AudioBlock {
  segment: number;
  offset: number;
  /** As in the file: of a sealed block, with what sealing added. */
  payloadBytes: number;
  payloadCrc: number;
  flags: number;
  side: number;
  sequence: number;
  records: number;
  baseUs: number;
  /** Where its payload is kept in a BlockMemory, -1 when it is not. */
  place: number;
}

const BLOCKS_PER_PAGE = 256;
/** A block is so many 32-bit words: its numbers in the order below, then `baseUs` as a double at the end. */
const WORDS = 10;
const SEGMENT = 0;
const OFFSET = 1;
const PAYLOAD_BYTES = 2;
const PAYLOAD_CRC = 3;
const SEQUENCE = 4;
const RECORDS = 5;
const PLACE = 6;
/** Flags and side, a byte each, and what the list itself knows of the block. */
const MARKS = 7;
const BASE_US = 4;
const SIDE_SHIFT = 8;
const CHECKED = 1 << 16;
const DAMAGED = 1 << 17;
const DOUBLES = WORDS / 2;

class Page {
  readonly words = new Uint32Array(BLOCKS_PER_PAGE * WORDS);
  readonly doubles = new Float64Array(this.words.buffer);
}

export class BlockList {
  readonly #pages: Page[] = [];
  #length = 0;
  #isReversed = false;

  get length(): number {
    return this.#length;
  }

  /** Appends a copy. Not once the list is reversed. */
  push(block: Readonly<AudioBlock>): void {
    const index = this.#length++;
    if (index % BLOCKS_PER_PAGE === 0) this.#pages.push(new Page());
    const { words, doubles } = this.#pages.at(-1)!;
    const at = (index % BLOCKS_PER_PAGE) * WORDS;
    words[at + SEGMENT] = block.segment;
    words[at + OFFSET] = block.offset;
    words[at + PAYLOAD_BYTES] = block.payloadBytes;
    words[at + PAYLOAD_CRC] = block.payloadCrc;
    words[at + SEQUENCE] = block.sequence;
    words[at + RECORDS] = block.records;
    words[at + PLACE] = block.place;
    words[at + MARKS] = block.flags | (block.side << SIDE_SHIFT);
    doubles[(index % BLOCKS_PER_PAGE) * DOUBLES + BASE_US] = block.baseUs;
  }

  /** Fills `block` with what the list has of the block at `index`. */
  read(index: number, block: AudioBlock): void {
    const { words, doubles } = this.#pageOf(index);
    const at = this.#wordOf(index);
    block.segment = words[at + SEGMENT]!;
    block.offset = words[at + OFFSET]!;
    block.payloadBytes = words[at + PAYLOAD_BYTES]!;
    block.payloadCrc = words[at + PAYLOAD_CRC]!;
    block.sequence = words[at + SEQUENCE]!;
    block.records = words[at + RECORDS]!;
    block.place = words[at + PLACE]! | 0;
    block.flags = words[at + MARKS]! & 0xff;
    block.side = (words[at + MARKS]! >>> SIDE_SHIFT) & 0xff;
    block.baseUs = doubles[at / 2 + BASE_US]!;
  }

  /** The payload is kept at `place` from now on. */
  keepAt(index: number, place: number): void {
    this.#pageOf(index).words[this.#wordOf(index) + PLACE] = place;
  }

  /** The payload's checksum was found right, and what was sealed is open. */
  isChecked(index: number): boolean {
    return this.#has(index, CHECKED);
  }

  markChecked(index: number): void {
    this.#mark(index, CHECKED);
  }

  /** The payload turned out damaged: later visits pass it by. */
  isDamaged(index: number): boolean {
    return this.#has(index, DAMAGED);
  }

  markDamaged(index: number): void {
    this.#mark(index, DAMAGED);
  }

  /** From now on the last block is the first. Called once, after the last `push`. */
  reverse(): void {
    this.#isReversed = true;
  }

  #has(index: number, mark: number): boolean {
    return (this.#pageOf(index).words[this.#wordOf(index) + MARKS]! & mark) !== 0;
  }

  #mark(index: number, mark: number): void {
    this.#pageOf(index).words[this.#wordOf(index) + MARKS]! |= mark;
  }

  #stored(index: number): number {
    return this.#isReversed ? this.#length - 1 - index : index;
  }

  #pageOf(index: number): Page {
    return this.#pages[Math.floor(this.#stored(index) / BLOCKS_PER_PAGE)]!;
  }

  #wordOf(index: number): number {
    return (this.#stored(index) % BLOCKS_PER_PAGE) * WORDS;
  }
}

/** An empty one, to be filled by `read`. */
export function makeAudioBlock(): AudioBlock {
  return {
    segment: 0,
    offset: 0,
    payloadBytes: 0,
    payloadCrc: 0,
    flags: 0,
    side: 0,
    sequence: 0,
    records: 0,
    baseUs: 0,
    place: -1,
  };
}
