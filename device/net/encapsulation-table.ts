// The encapsulations in which datagrams and segments came: which layers, between which outer addresses, how many. For
// installers who ask what their mirror port sends. Bounded; on the packet path it compares a few words and counts.
import { formatAddress } from "../base/address.js";
import type { EncapsulationStatus } from "../contract/engine-messages.js";
import type { NetCounters } from "./counters.js";
import { formatLayers } from "./layer.js";
import { ADDRESS_PAIR_WORDS, type PacketCursor } from "./packet-cursor.js";

/** A box sees one to three; a trunk with many tunnels fills the list, and what comes later is counted apart. */
export const MAX_ENCAPSULATIONS = 64;
/** `LinkFacts.encapsulation` of packets beyond the list. */
export const UNLISTED = MAX_ENCAPSULATIONS + 1;

/** Two words of layers, then the outermost address pair. */
const OUTER_WORD = 2;
const KEY_WORDS = OUTER_WORD + ADDRESS_PAIR_WORDS;
const SLOTS = 256;
const SLOT_SHIFT = 24;

export class EncapsulationTable {
  readonly #counters: NetCounters;
  readonly #keys = new Int32Array(MAX_ENCAPSULATIONS * KEY_WORDS);
  /** Address pair of the first packet inside. */
  readonly #inner = new Int32Array(MAX_ENCAPSULATIONS * ADDRESS_PAIR_WORDS);
  readonly #frames = new Float64Array(MAX_ENCAPSULATIONS);
  readonly #firstAtUs = new Float64Array(MAX_ENCAPSULATIONS);
  readonly #lastAtUs = new Float64Array(MAX_ENCAPSULATIONS);
  /** Open addressing: entry number, counted from 1, or 0. Four times as many slots as entries keep the chains short. */
  readonly #slots = new Uint8Array(SLOTS);
  #size = 0;
  /** Entry of the packet before, counted from 1: mirrors send from one place. */
  #latest = 0;

  constructor(counters: NetCounters) {
    this.#counters = counters;
  }

  /** Counts the packet at the cursor, whose key is the inner addresses. Returns its `LinkFacts.encapsulation`. */
  note(packet: PacketCursor): number {
    const number = this.#isEntry(this.#latest, packet) ? this.#latest : this.#find(packet);
    if (number === UNLISTED) {
      this.#counters.encapsulationUnlisted++;
      return UNLISTED;
    }
    this.#latest = number;
    const entry = number - 1;
    const { capturedAtUs } = packet;
    this.#frames[entry]!++;
    // Several capture files may be read in any order.
    if (capturedAtUs > this.#lastAtUs[entry]!) this.#lastAtUs[entry] = capturedAtUs;
    if (capturedAtUs < this.#firstAtUs[entry]!) this.#firstAtUs[entry] = capturedAtUs;
    return number;
  }

  /** In the order in which they were first seen. */
  status(): EncapsulationStatus[] {
    return Array.from({ length: this.#size }, (_, entry) => {
      const key = this.#keys.subarray(entry * KEY_WORDS, (entry + 1) * KEY_WORDS);
      return {
        layers: formatLayers(key[0]!, key[1]!),
        outer: formatPair(key, OUTER_WORD),
        inner: formatPair(this.#inner, entry * ADDRESS_PAIR_WORDS),
        frames: this.#frames[entry]!,
        firstAtUs: this.#firstAtUs[entry]!,
        lastAtUs: this.#lastAtUs[entry]!,
      };
    });
  }

  #isEntry(number: number, packet: PacketCursor): boolean {
    if (number === 0) return false;
    const keys = this.#keys;
    const at = (number - 1) * KEY_WORDS;
    if (keys[at] !== packet.layersHigh || keys[at + 1] !== packet.layersLow) return false;
    for (let word = 0; word < ADDRESS_PAIR_WORDS; word++) {
      if (keys[at + OUTER_WORD + word] !== packet.outer[word]) return false;
    }
    return true;
  }

  #find(packet: PacketCursor): number {
    let slot = hashOf(packet);
    for (; this.#slots[slot] !== 0; slot = (slot + 1) % SLOTS) {
      if (this.#isEntry(this.#slots[slot]!, packet)) return this.#slots[slot]!;
    }
    if (this.#size === MAX_ENCAPSULATIONS) return UNLISTED;
    this.#add(packet);
    this.#slots[slot] = this.#size;
    return this.#size;
  }

  #add(packet: PacketCursor): void {
    const entry = this.#size++;
    const at = entry * KEY_WORDS;
    this.#keys[at] = packet.layersHigh;
    this.#keys[at + 1] = packet.layersLow;
    for (let word = 0; word < ADDRESS_PAIR_WORDS; word++) {
      this.#keys[at + OUTER_WORD + word] = packet.outer[word]!;
      this.#inner[entry * ADDRESS_PAIR_WORDS + word] = packet.key[word]!;
    }
    this.#firstAtUs[entry] = packet.capturedAtUs;
    this.#lastAtUs[entry] = packet.capturedAtUs;
  }
}

function hashOf(packet: PacketCursor): number {
  let hash = Math.imul(packet.layersHigh ^ packet.layersLow, 0x9e3779b1);
  for (let word = 0; word < ADDRESS_PAIR_WORDS; word++) {
    hash = Math.imul(hash ^ (hash >>> 15) ^ packet.outer[word]!, 0x85ebca6b);
  }
  return hash >>> SLOT_SHIFT;
}

/** "10.0.0.1 → 10.0.0.2", or "" when there is no pair. */
function formatPair(words: Int32Array, at: number): string {
  const pair = words.subarray(at, at + ADDRESS_PAIR_WORDS);
  return pair.every((word) => word === 0) ? "" : `${formatAddress(pair, 0)} → ${formatAddress(pair, 4)}`;
}
