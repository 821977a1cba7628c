// Where decoding stands inside one captured frame. Each layer's function checks its header against `end`, then moves
// the cursor behind it; one object serves every frame. Owns no bytes.
import type { TimeUs } from "../base/ids.js";
import { LinkFacts } from "./link-facts.js";

const NO_BYTES = Buffer.alloc(0);

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

  constructor(key: Int32Array) {
    this.key = key;
  }

  /** Bytes that may be read from `at`. */
  get remainingBytes(): number {
    return this.end - this.at;
  }
}
