// What the layers below UDP and TCP said about the packet at hand: VLAN, sender's MAC, IP identification, hop limit and
// the encapsulations around it. One object per decoder, overwritten by every frame; decides nothing.

/** Facts of the frame that carries the current datagram or segment. Whoever keeps them copies them. */
export class LinkFacts {
  /** Outermost VLAN identifier (IEEE 802.1Q §9.6), -1 when the frame has no tag. */
  vlan = -1;
  /** Source MAC of the outermost Ethernet header as two words (16 and 32 bits); both 0 when there is none. */
  sourceMacHigh = 0;
  sourceMacLow = 0;
  /** Identification of the innermost IPv4 header (RFC 791 §3.1); -1 in IPv6, which has none outside fragments. */
  identification = -1;
  /** TTL or hop limit of the innermost IP header. */
  hopLimit = 0;
  /** Index into the decoder's list of encapsulations seen; 0 = none. */
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

/** "00:11:22:aa:bb:cc", or "" when the frame had no source MAC. */
export function formatSourceMac(link: LinkFacts): string {
  if (link.sourceMacHigh === 0 && link.sourceMacLow === 0) return "";
  const hex =
    link.sourceMacHigh.toString(16).padStart(4, "0") + (link.sourceMacLow >>> 0).toString(16).padStart(8, "0");
  return hex.replace(/(..)(?!$)/g, "$1:");
}
