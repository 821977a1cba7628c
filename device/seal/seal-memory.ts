// The memory that sealing works in: made once by a sealing thread and used for one call after the other. One stretch at a
// page address, as direct writes ask for, and shared with the one loop that is not JavaScript. Where such memory cannot be
// had, sealing does the same in more time.
import { CodeExpander, makeWasmMemory, WASM_PAGE_BYTES, type WasmMemory } from "./code-expander.js";
import { WindowMemory } from "./sample-window.js";

/** Windows of recordings at 8 and 16 kHz; longer ones get memory of their own. Costs nothing where it is not used. */
const WINDOW_BYTES = 4 * 1024 * 1024;
const STAGING_BYTES = 1024 * 1024;

export class SealMemory {
  readonly window: WindowMemory;
  /** For the journal's blocks of the call that is sealed. */
  readonly blocks: Buffer;
  readonly #makeMemory: (bytes: number) => WasmMemory | undefined;
  #staging: Uint8Array | undefined;

  /** `blockBytes`: how much of a call's journal is kept, so that it is read once. Only tests give another `makeMemory`. */
  constructor(blockBytes = 0, makeMemory: (bytes: number) => WasmMemory | undefined = makeWasmMemory) {
    this.#makeMemory = makeMemory;
    // The first page is the expander's.
    const windowAt = WASM_PAGE_BYTES;
    const blocksAt = windowAt + WINDOW_BYTES;
    const memory = makeMemory(blocksAt + blockBytes);
    if (memory === undefined) {
      this.blocks = Buffer.allocUnsafeSlow(blockBytes);
      this.window = new WindowMemory();
      return;
    }
    const windowSamples = new Int16Array(memory.buffer, windowAt, WINDOW_BYTES / Int16Array.BYTES_PER_ELEMENT);
    this.blocks = Buffer.from(memory.buffer, blocksAt, blockBytes);
    this.window = new WindowMemory(new CodeExpander(memory, this.blocks, windowSamples));
  }

  /** For encrypted bytes on their way to the file; made when it is first asked for. */
  get staging(): Uint8Array {
    this.#staging ??= new Uint8Array(this.#makeMemory(STAGING_BYTES)?.buffer ?? new ArrayBuffer(STAGING_BYTES));
    return this.#staging;
  }
}
