// One side's audio blocks, in the order of the call: where they stand and what their headers say. All that a reader keeps
// of a call, besides the payloads where it was given memory for them.

/** An audio block whose header was found intact. */
export interface AudioBlock {
  readonly segment: number;
  readonly offset: number;
  /** As in the file: of a sealed block, with what sealing added. */
  readonly payloadBytes: number;
  readonly payloadCrc: number;
  readonly flags: number;
  readonly side: number;
  readonly sequence: number;
  readonly records: number;
  readonly baseUs: number;
  /** Where its payload is kept in a BlockMemory, -1 when it is not. */
  place: number;
  /** The payload's checksum was found right, and what was sealed is open. */
  isChecked: boolean;
  /** The payload turned out damaged: later visits pass it by. */
  isDamaged: boolean;
}

export class BlockList {
  readonly #blocks: AudioBlock[] = [];

  get length(): number {
    return this.#blocks.length;
  }

  push(block: Omit<AudioBlock, "isChecked" | "isDamaged">): void {
    const { segment, offset, payloadBytes, payloadCrc, flags, side, sequence, records, baseUs, place } = block;
    const facts = { flags, side, sequence, records, baseUs };
    const state = { isChecked: false, isDamaged: false };
    this.#blocks.push({ segment, offset, payloadBytes, payloadCrc, ...facts, place, ...state });
  }

  at(index: number): AudioBlock {
    return this.#blocks[index]!;
  }

  reverse(): void {
    this.#blocks.reverse();
  }
}
