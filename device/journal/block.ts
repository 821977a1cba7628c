// A block being filled or waiting to be written, the bounded pool that block buffers come from, and the list of open
// blocks by age. Never touches a file; the format of the bytes is format.ts's.
import type { CallPlace } from "./call-place.js";
import { BLOCK_HEADER_BYTES, KIND_AUDIO } from "./format.js";

/** The call that a block belongs to. */
export interface BlockOwner {
  readonly place: CallPlace;
  /** The side's open block was taken away: the next packet begins a new one. */
  forgetBlock(side: number): void;
}

export class Block {
  /** Header and payload while it is filled. */
  readonly bytes: Buffer;
  /** The same with room behind it for what sealing adds. */
  readonly memory: Buffer;
  readonly view: DataView;
  /** Header and payload so far, in the end with what sealing added. */
  length = BLOCK_HEADER_BYTES;
  kind = KIND_AUDIO;
  flags = 0;
  side = 0;
  records = 0;
  baseUs = 0;
  sequence = 0;
  /** The writer's packet time when the block was opened. */
  openedAtUs = 0;
  owner: BlockOwner | undefined;
  older: Block | undefined;
  newer: Block | undefined;

  /** `room`: bytes at the end of `memory` that are not filled. */
  constructor(memory: Buffer, room = 0) {
    const bytes = memory.subarray(0, memory.length - room);
    this.memory = memory;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}

/** Audio blocks of one size, made on demand up to a maximum and used again. */
export class BlockPool {
  readonly #blockBytes: number;
  readonly #maxBlocks: number;
  readonly #room: number;
  readonly #free: Block[] = [];
  #made = 0;

  /** `room`: bytes of each block that are not filled. */
  constructor(blockBytes: number, maxBlocks: number, room = 0) {
    this.#room = room;
    this.#blockBytes = blockBytes;
    this.#maxBlocks = maxBlocks;
  }

  /** An empty audio block, or undefined while all are in use. */
  take(): Block | undefined {
    const used = this.#free.pop();
    if (used) return used;
    if (this.#made >= this.#maxBlocks) return undefined;
    this.#made++;
    return new Block(Buffer.allocUnsafeSlow(this.#blockBytes), this.#room);
  }

  /** Takes back a block that came from `take`; ignores blocks of other kinds, which were made to measure. */
  give(block: Block): void {
    if (block.kind !== KIND_AUDIO) return;
    block.length = BLOCK_HEADER_BYTES;
    block.records = 0;
    block.flags = 0;
    block.owner = undefined;
    this.#free.push(block);
  }
}

/** Open blocks, oldest first, as a list through the blocks themselves. */
export class OpenBlocks {
  #oldest: Block | undefined;
  #newest: Block | undefined;

  get oldest(): Block | undefined {
    return this.#oldest;
  }

  add(block: Block): void {
    block.older = this.#newest;
    if (this.#newest) this.#newest.newer = block;
    else this.#oldest = block;
    this.#newest = block;
  }

  remove(block: Block): void {
    if (block.older) block.older.newer = block.newer;
    else this.#oldest = block.newer;
    if (block.newer) block.newer.older = block.older;
    else this.#newest = block.older;
    block.older = undefined;
    block.newer = undefined;
  }
}
