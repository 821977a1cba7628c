// What the layers below UDP and TCP said about the packet at hand: VLAN, sender's MAC, IP identification, hop limit and
// the encapsulations around it. Where headers are nested the innermost one that says it wins: what a remote mirror sends
// is the office's frame, and the frame around it the mirror's own. One object per decoder, overwritten by every frame.

/** Facts of the frame that carries the current datagram or segment. Whoever keeps them copies them. */
export class LinkFacts {
  /**
   * VLAN identifier (IEEE 802.1Q §9.6) of the innermost Ethernet header with a tag, of its outermost tag; of an ERSPAN
   * header where the mirrored frame has none. -1 when nothing says a VLAN.
   */
  vlan = -1;
  /** Source MAC of the innermost Ethernet header as two words (16 and 32 bits); both 0 when there is none. */
  sourceMacHigh = 0;
  sourceMacLow = 0;
  /** Identification of the innermost IPv4 header (RFC 791 §3.1); -1 in IPv6, which has none outside fragments. */
  identification = -1;
  /** TTL or hop limit of the innermost IP header. */
  hopLimit = 0;
  /** Which of `NetDecoder.encapsulations()` the packet was in, counted from 1; 0 = none, UNLISTED = one beyond the list. */
  encapsulation = 0;

  /** Forgets the previous frame. */
  clear(): void {
    this.vlan = -1;
    this.sourceMacHigh = 0;
    this.sourceMacLow = 0;
    this.identification = -1;
    this.hopLimit = 0;
    this.encapsulation = 0;
  }
}

const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

/** "00:11:22:aa:bb:cc", or "" when the frame had no source MAC. */
export function formatSourceMac(link: LinkFacts): string {
  if (link.sourceMacHigh === 0 && link.sourceMacLow === 0) return "";
  const { sourceMacHigh: high, sourceMacLow: low } = link;
  const octets = [high >>> 8, high, low >>> 24, low >>> 16, low >>> 8, low];
  return octets.map((octet) => HEX[octet & 0xff]).join(":");
}
