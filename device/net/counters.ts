// What the network layers count: one numeric field per reason, so that counting on the packet path is one addition.
// Knows nothing about packets.

/** Fields of a counter object under flat names: `fragmentTimeout` with prefix "net." becomes "net.fragment-timeout". */
export function flattenCounters(counters: object, prefix: string): Record<string, number> {
  const flat: Record<string, number> = {};
  for (const [field, value] of Object.entries(counters)) {
    const name = field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    flat[prefix + name] = value as number;
  }
  return flat;
}

/** Counts of the frame decoder, exported as "net.*". */
export class NetCounters {
  /** Frames handed in. */
  frames = 0;
  /** UDP datagrams handed on. */
  udp = 0;
  /** TCP segments with a sound header. */
  tcp = 0;
  /** ICMP and ICMPv6: never looked into, because their errors quote other packets. */
  icmp = 0;
  /** IP packets of any other protocol, tunnels apart. */
  otherProtocol = 0;
  /** Datagrams handed on with fewer bytes than their header says. */
  truncated = 0;
  /** Frames whose link type is not decoded. */
  unknownLinkType = 0;
  /** Frames, tunnelled ones included, that end inside a link-layer header. */
  shortFrame = 0;
  /** Frames with more VLAN tags or MPLS labels than are followed. */
  tooManyTags = 0;
  /** Frames that carry something else than IPv4 or IPv6, tunnelled ones included. */
  notIp = 0;
  /** GRE and ERSPAN headers that are cut off, of an unknown version or malformed. */
  badTunnelHeader = 0;
  /** Packets inside more encapsulations than are followed. */
  tooDeep = 0;
  /** Datagrams and segments handed on from encapsulations that the list of those seen had no room for. */
  encapsulationUnlisted = 0;
  /** IP headers that are cut off, of the wrong version or malformed, and chains of too many extension headers. */
  badIpHeader = 0;
  /** IP lengths below their own header (dropped) or beyond the frame on the wire (what is there is used). */
  badIpLength = 0;
  /** UDP headers cut off, lengths below 8 (both dropped) or beyond the IP payload (what is there is used). */
  badUdpLength = 0;
  /** TCP headers that are cut off or malformed. */
  badTcpHeader = 0;
  /** IP fragments seen. */
  fragments = 0;
  /** Fragments of impossible length or position, dropped. */
  badFragment = 0;
  /** Fragments that the capture cut short, dropped. */
  fragmentTruncated = 0;
  /** Fragments that brought only bytes that were there already. */
  fragmentDuplicate = 0;
  /** Datagrams put together from fragments. */
  reassembled = 0;
  /** Incomplete datagrams given up after the timeout. */
  fragmentTimeout = 0;
  /** Incomplete datagrams given up for want of room. */
  fragmentEvicted = 0;
  /** Datagrams dropped because two fragments contradict each other. */
  fragmentOverlap = 0;

  toRecord(): Record<string, number> {
    return flattenCounters(this, "net.");
  }
}
