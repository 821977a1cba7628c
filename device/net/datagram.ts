// What net hands to sip and rtp: one UDP payload with its addresses, valid only during the call that hands it over.
import type { TimeUs } from "../base/ids.js";
import type { LinkFacts } from "./link-facts.js";

/**
 * A UDP datagram. Decoders reuse ONE Datagram object: whoever keeps bytes or the key copies them.
 * `data[start..end)` is the payload.
 */
export interface Datagram {
  data: Buffer;
  start: number;
  end: number;
  /** True when the capture holds fewer payload bytes than the UDP header says. */
  truncated: boolean;
  capturedAtUs: TimeUs;
  /**
   * 9 signed 32-bit words: 0–3 source address, 4–7 destination address (IPv4 as ::ffff:a.b.c.d, RFC 4291 §2.5.5.2,
   * network order), 8 = source port << 16 | destination port.
   */
  key: Int32Array;
  interfaceIndex: number;
  /** What the layers below said, valid as long as the datagram. */
  link: LinkFacts;
}
export const KEY_WORDS = 9;
export type DatagramSink = (datagram: Datagram) => void;
