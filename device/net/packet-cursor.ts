// Where decoding stands inside one captured frame, and which encapsulations it went through. Each layer's function checks
// its header against `end`, then moves the cursor behind it; one object serves every frame. Owns no bytes.
import type { TimeUs } from "../base/ids.js";
import type { NetCounters } from "./counters.js";
import { LAYER_BITS, LAYER_TOP_SHIFT, LAYER_WORD_MASK, type Layer } from "./layer.js";
import { LinkFacts } from "./link-facts.js";

const NO_BYTES = Buffer.alloc(0);
export const ADDRESS_PAIR_WORDS = 8;

export class PacketCursor {
  data: Buffer = NO_BYTES;
  /** First byte that no layer has claimed yet. */
  at = 0;
  /** End of the bytes that are captured and belong to the current layer: nothing is read at or beyond it. */
  end = 0;
  /** Where the current layer ends on the wire: beyond `end` when the capture holds less than was sent. */
  wireEnd = 0;
  capturedAtUs: TimeUs = 0;
  interfaceIndex = 0;

  /** Set by the IP layer: the payload is a fragment, and the four fields below describe it. */
  isFragment = false;
  fragmentOffsetBytes = 0;
  hasMoreFragments = false;
  /** 16 bits in IPv4 (RFC 791 §3.1), 32 bits signed in IPv6 (RFC 8200 §4.5). */
  identification = 0;
  /** True when the packet claims no length of its own (0 in the header, from segmentation offload or a jumbogram). */
  isLengthUnknown = false;

  /** Source and destination address and ports, laid out as in `Datagram.key`. */
  readonly key: Int32Array;
  readonly link = new LinkFacts();

  /** Encapsulations around the packet, as layer.ts holds them. */
  layersHigh = 0;
  layersLow = 0;
  /** Source and destination of the outermost IP header that carries an encapsulation; zeros when there is none. */
  readonly outer = new Int32Array(ADDRESS_PAIR_WORDS);
  hasOuter = false;
  /**
   * Hash of the ends and the identifiers (key, VNI, session, label) of all tunnels around the packet, 0 without: inside
   * different tunnels the same addresses are different hosts.
   */
  tunnel = 0;

  constructor(key: Int32Array) {
    this.key = key;
  }

  /** Bytes that may be read from `at`. */
  get remainingBytes(): number {
    return this.end - this.at;
  }

  /** Notes that the packet is inside one more layer. False when it is inside too many, which has then been counted. */
  push(layer: Layer, counters: NetCounters): boolean {
    if (this.layersHigh >>> LAYER_TOP_SHIFT !== 0) {
      counters.tooDeep++;
      return false;
    }
    this.layersHigh = (this.layersHigh << LAYER_BITS) | (this.layersLow >>> LAYER_TOP_SHIFT);
    this.layersLow = ((this.layersLow << LAYER_BITS) & LAYER_WORD_MASK) | layer;
    return true;
  }

  /** As `push`, for a tunnel that runs between the IP addresses in the key. */
  enterTunnel(layer: Layer, id: number, counters: NetCounters): boolean {
    if (!this.push(layer, counters)) return false;
    const key = this.key;
    for (let word = 0; word < ADDRESS_PAIR_WORDS; word++) {
      if (!this.hasOuter) this.outer[word] = key[word]!;
      this.identify(key[word]!);
    }
    this.hasOuter = true;
    this.identify(id);
    return true;
  }

  /** Takes one more 32-bit word into `tunnel`. */
  identify(word: number): void {
    const product = Math.imul(this.tunnel ^ word, 0x9e3779b1);
    this.tunnel = product ^ (product >>> 15);
  }

  /** Before the next frame. */
  forgetLayers(): void {
    this.layersHigh = 0;
    this.layersLow = 0;
    this.tunnel = 0;
    if (this.hasOuter) this.outer.fill(0);
    this.hasOuter = false;
  }
}
