// Turns payloads of one byte per sample into interleaved 16-bit samples by a table: the loop that sealing spent most of its
// time in, as a WebAssembly function. The same loop in JavaScript costs three times as much, because every index is checked,
// and ten times as much in a thread's first tenths of a second, until it is compiled. Works in one memory only.

/** As much of it as is needed here; Node's types leave it out. */
declare const WebAssembly: {
  Memory: new (size: { initial: number }) => WasmMemory;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
};

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/**
 * Memory at a page address, all zero; undefined when it cannot be had: V8 asks for gigabytes of addresses around it, which
 * a process may be refused (RLIMIT_AS).
 */
export function makeWasmMemory(bytes: number): WasmMemory | undefined {
  try {
    return new WebAssembly.Memory({ initial: Math.ceil(bytes / WASM_PAGE_BYTES) });
  } catch {
    return undefined;
  }
}

export const WASM_PAGE_BYTES = 65_536;
const CODES = 256;
const TABLE_BYTES = CODES * Int16Array.BYTES_PER_ELEMENT;
const BYTES_PER_FRAME = 4;
const SAMPLES_PER_TURN = 4;

type Expand = (from: number, end: number, to: number, table: number) => void;

export class CodeExpander {
  /** Where codes are taken from. */
  readonly codes: Buffer;
  /** Where samples are put. */
  readonly samples: Int16Array;
  readonly #buffer: ArrayBuffer;
  readonly #expand: Expand;
  readonly #codesAt: number;
  readonly #samplesAt: number;
  /** Byte offsets of the tables that were copied into the memory. */
  readonly #tables = new Map<Int16Array, number>();
  #lastTable: Int16Array | undefined;
  #lastTableAt = 0;

  /** `codes` and `samples` lie in the memory; so do the tables, in its first page. */
  constructor(memory: WasmMemory, codes: Buffer, samples: Int16Array) {
    this.codes = codes;
    this.samples = samples;
    this.#buffer = memory.buffer;
    this.#codesAt = codes.byteOffset;
    this.#samplesAt = samples.byteOffset;
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(MODULE), { sealing: { memory } });
    this.#expand = exports["expand"] as Expand;
  }

  /**
   * Writes the samples of the codes codes[start, end) to samples[at], samples[at + 2], …; all of them must lie within.
   * `table` is the samples by code. False, with nothing written, when there are more tables than the memory holds.
   */
  expand(table: Int16Array, start: number, end: number, at: number): boolean {
    if (table !== this.#lastTable && !this.#useTable(table)) return false;
    const turnsEnd = end - ((end - start) % SAMPLES_PER_TURN);
    if (turnsEnd > start) {
      const to = this.#samplesAt + at * Int16Array.BYTES_PER_ELEMENT;
      this.#expand(this.#codesAt + start, this.#codesAt + turnsEnd, to, this.#lastTableAt);
    }
    const { codes, samples } = this;
    for (let from = turnsEnd, to = at + 2 * (turnsEnd - start); from < end; from++, to += 2) {
      samples[to] = table[codes[from]!]!;
    }
    return true;
  }

  #useTable(table: Int16Array): boolean {
    let tableAt = this.#tables.get(table);
    if (tableAt === undefined) {
      tableAt = this.#tables.size * TABLE_BYTES;
      if (tableAt === WASM_PAGE_BYTES) return false;
      new Int16Array(this.#buffer, tableAt, CODES).set(table);
      this.#tables.set(table, tableAt);
    }
    this.#lastTable = table;
    this.#lastTableAt = tableAt;
    return true;
  }
}

// The module in WebAssembly's binary format (WebAssembly Core Specification 2.0, chapter 5):
//
//   expand(from, end, to, table):            addresses in bytes; from < end, a multiple of 4 bytes apart
//     do {
//       codes = load32(from)
//       store16(to + 4 × k, load16(table + 2 × (code k of codes)))   for k = 0…3
//       to += 16; from += 4
//     } while (from < end)

const I32 = 0x7f;
const EMPTY = 0x40;
const [LOOP, END, BR_IF] = [0x03, 0x0b, 0x0d];
const [LOCAL_GET, LOCAL_SET, LOCAL_TEE] = [0x20, 0x21, 0x22];
const [LOAD32, LOAD16_U, STORE16] = [0x28, 0x2f, 0x3b];
const [CONST, LT_U, ADD, AND, SHL, SHR_U] = [0x41, 0x49, 0x6a, 0x71, 0x74, 0x76];
/** Powers of two of what addresses are multiples of, as a hint. */
const [ANY_PLACE, EVEN_PLACE] = [0, 1];
/** The parameters, then the one local. */
const [FROM, TO_END, TO, TABLE, CODES_READ] = [0, 1, 2, 3, 4];
/** Twice a byte, as a signed LEB128 number. */
const TWICE_BYTE = [0xfe, 0x03];

function storeSample(k: number): number[] {
  const codeTwice = k === 0 ? [CONST, 1, SHL] : [CONST, 8 * k - 1, SHR_U];
  return [
    ...[LOCAL_GET, TO],
    ...[LOCAL_GET, CODES_READ, ...codeTwice, CONST, ...TWICE_BYTE, AND],
    ...[LOCAL_GET, TABLE, ADD, LOAD16_U, EVEN_PLACE, 0],
    ...[STORE16, EVEN_PLACE, BYTES_PER_FRAME * k],
  ];
}

const LOOP_CODE = [
  ...[LOOP, EMPTY],
  ...[LOCAL_GET, FROM, LOAD32, ANY_PLACE, 0, LOCAL_SET, CODES_READ],
  ...[0, 1, 2, 3].flatMap(storeSample),
  ...[LOCAL_GET, TO, CONST, SAMPLES_PER_TURN * BYTES_PER_FRAME, ADD, LOCAL_SET, TO],
  ...[LOCAL_GET, FROM, CONST, SAMPLES_PER_TURN, ADD, LOCAL_TEE, FROM],
  ...[LOCAL_GET, TO_END, LT_U, BR_IF, 0],
  END,
];

/** A length and what it is of. */
function sized(bytes: readonly number[]): number[] {
  const { length } = bytes;
  return length < 0x80 ? [length, ...bytes] : [(length & 0x7f) | 0x80, length >> 7, ...bytes];
}
const text = (word: string): number[] => sized([...Buffer.from(word, "latin1")]);

const MODULE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  // Types: one function of four numbers without a result.
  ...[1, ...sized([1, 0x60, 4, I32, I32, I32, I32, 0])],
  // Imports: a memory of at least one page.
  ...[2, ...sized([1, ...text("sealing"), ...text("memory"), 2, 0, 1])],
  // Functions, exports, code: the one function.
  ...[3, ...sized([1, 0])],
  ...[7, ...sized([1, ...text("expand"), 0, 0])],
  ...[10, ...sized([1, ...sized([1, 1, I32, ...LOOP_CODE, END])])],
]);
