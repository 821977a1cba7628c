// The kernel's packet filters (pcap-filter(7)): pass what can carry calls, drop bulk TCP before it costs a copy.
// Only expressions; live-source installs them. A filter may pass too much, never too little.
//
// The Ethernet filter counts bytes itself instead of using libpcap's `vlan`, `udp` and `tcp`: `vlan` shifts the offsets
// of everything to its right, and network cards take the outer tag off before the filter runs (libpcap puts it back
// afterwards). Byte offsets for no, one and two tags hold in every one of these cases, for files as well.

const ETHERTYPE_AT = 12;
const TAG_BYTES = 4;
const MAX_TAGS = 2;
/** IEEE 802.1Q, 802.1ad and the older QinQ numbers. */
const VLAN_TYPES = [0x8100, 0x88a8, 0x9100, 0x9200];
const IPV4_TYPE = 0x0800;
const IPV6_TYPE = 0x86dd;
/** Below it the field is an IEEE 802.3 length: LLC, which may hold IP (RFC 1042) and is never bulk. */
const ETHERTYPE_MINIMUM = 0x600;
/** PPPoE session (RFC 2516), MPLS unicast and multicast (RFC 5332), IEEE 802.1ah: passed whole, with what is inside. */
const TUNNEL_TYPES = [0x8864, 0x8847, 0x8848, 0x88e7];
const TCP = 6;
/** UDP, IP in IP, IPv6 in IP, GRE. */
const PASSED_PROTOCOLS = [17, 4, 41, 47];
/** IPv6 fragment, hop-by-hop options, routing, destination options: what follows them is not looked for. */
const IPV6_EXTENSIONS = [44, 0, 43, 60];
const IPV6_HEADER_BYTES = 40;

/** First and last of adjoining ports. */
type PortRange = readonly [number, number];

/** The filter for Ethernet interfaces; of TCP it passes what has one of `tcpPorts` on either end. */
export function captureFilter(tcpPorts: readonly number[]): string {
  return tagLevel(0, portRanges(tcpPorts));
}

/**
 * The filter for interfaces with other link layers (raw IP, Linux cooked, null): the same protocols, looked for
 * directly behind the link header; frames that still carry a tag or a tunnel header pass where the link layer tells.
 */
export function anyLinkFilter(tcpPorts: readonly number[]): string {
  const protocols = PASSED_PROTOCOLS.flatMap((protocol) => [`ip proto ${protocol}`, `ip6 proto ${protocol}`]);
  const extensions = IPV6_EXTENSIONS.map((extension) => `ip6 proto ${extension}`);
  const ports = portRanges(tcpPorts).map(([first, last]) => `tcp portrange ${first}-${last}`);
  const outer = [...VLAN_TYPES, ...TUNNEL_TYPES].map((type) => `ether proto ${hex(type)}`);
  return anyOf([...protocols, "ip[6:2] & 0x3fff != 0", ...extensions, ...ports, ...outer]);
}

/** What passes behind `tags` VLAN tags, and behind more of them. */
function tagLevel(tags: number, ports: readonly PortRange[]): string {
  const typeAt = ETHERTYPE_AT + tags * TAG_BYTES;
  const networkAt = typeAt + 2;
  const type = `ether[${typeAt}:2]`;
  const isTagged = equalsAny(type, VLAN_TYPES);
  return anyOf([
    allOf([`${type} = ${hex(IPV4_TYPE)}`, ipv4(networkAt, ports)]),
    allOf([`${type} = ${hex(IPV6_TYPE)}`, ipv6(networkAt, ports)]),
    equalsAny(type, TUNNEL_TYPES),
    `${type} < ${hex(ETHERTYPE_MINIMUM)}`,
    // Deeper stacks than the filter looks into pass.
    tags === MAX_TAGS ? isTagged : allOf([isTagged, tagLevel(tags + 1, ports)]),
  ]);
}

/** RFC 791 §3.1; a fragment has "more fragments" or an offset. */
function ipv4(at: number, ports: readonly PortRange[]): string {
  const protocol = `ether[${at + 9}]`;
  const isFragment = `ether[${at + 6}:2] & 0x3fff != 0`;
  const tcpAt = `${at} + ((ether[${at}] & 0x0f) << 2)`;
  return anyOf([equalsAny(protocol, PASSED_PROTOCOLS), isFragment, ...tcp(protocol, tcpAt, ports)]);
}

/** RFC 8200 §3, §4. */
function ipv6(at: number, ports: readonly PortRange[]): string {
  const nextHeader = `ether[${at + 6}]`;
  return anyOf([
    equalsAny(nextHeader, [...PASSED_PROTOCOLS, ...IPV6_EXTENSIONS]),
    ...tcp(nextHeader, `${at + IPV6_HEADER_BYTES}`, ports),
  ]);
}

/** Source or destination port of the TCP header at `at` (RFC 9293 §3.1); nothing when no port is wanted. */
function tcp(protocol: string, at: string, ports: readonly PortRange[]): string[] {
  if (ports.length === 0) return [];
  const either = [`ether[${at} : 2]`, `ether[${at} + 2 : 2]`].flatMap((field) => ports.map(inRange(field)));
  return [allOf([`${protocol} = ${TCP}`, anyOf(either)])];
}

function inRange(field: string): (range: PortRange) => string {
  return ([first, last]) =>
    first === last ? `${field} = ${first}` : allOf([`${field} >= ${first}`, `${field} <= ${last}`]);
}

/** Ports in order, adjoining ones together: a short program for the kernel, which takes some thousand instructions. */
function portRanges(ports: readonly number[]): PortRange[] {
  const ranges: [number, number][] = [];
  for (const port of [...new Set(ports)].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === port - 1) last[1] = port;
    else ranges.push([port, port]);
  }
  return ranges;
}

function equalsAny(field: string, values: readonly number[]): string {
  return anyOf(values.map((value) => `${field} = ${hex(value)}`));
}

function anyOf(terms: readonly string[]): string {
  return `(${terms.join(" or ")})`;
}

function allOf(terms: readonly string[]): string {
  return `(${terms.join(" and ")})`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
