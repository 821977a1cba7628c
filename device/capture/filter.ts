// The kernel's packet filters (pcap-filter(7)): pass what can carry calls, drop bulk TCP before it costs a copy.
// Only expressions; live-source installs them. A filter may pass too much, never too little.
//
// The Ethernet filter counts bytes itself instead of using libpcap's `vlan`, `udp` and `tcp`: `vlan` shifts the offsets
// of everything to its right, and network cards take the outer tag off before the filter runs (libpcap puts it back
// afterwards). Byte offsets for no, one and two tags hold in every one of these cases, for files as well.

/** TCP ports that carry SIP and SIP over TLS (RFC 3261 §19.1.2). */
export const SIP_TCP_PORTS: readonly number[] = [5060, 5061];

const ETHERTYPE_AT = 12;
const TAG_BYTES = 4;
const MAX_TAGS = 2;
/** IEEE 802.1Q, 802.1ad and the older QinQ numbers. */
const VLAN_TYPES = [0x8100, 0x88a8, 0x9100, 0x9200];
const IPV4_TYPE = 0x0800;
const IPV6_TYPE = 0x86dd;
/** Below it the field is an IEEE 802.3 length: LLC, which may hold IP (RFC 1042) and is never bulk. */
const ETHERTYPE_MINIMUM = 0x600;
/** PPPoE session (RFC 2516), MPLS unicast and multicast (RFC 5332): passed whole, with what is inside. */
const TUNNEL_TYPES = [0x8864, 0x8847, 0x8848];
const TCP = 6;
/** UDP, IP in IP, IPv6 in IP, GRE. */
const PASSED_PROTOCOLS = [17, 4, 41, 47];
/** IPv6 fragment, hop-by-hop options, routing, destination options: what follows them is not looked for. */
const IPV6_EXTENSIONS = [44, 0, 43, 60];
const IPV6_HEADER_BYTES = 40;

/** The filter for Ethernet interfaces. */
export function captureFilter(): string {
  return tagLevel(0);
}

/**
 * The filter for interfaces with other link layers (raw IP, Linux cooked, null): the same protocols, looked for
 * directly behind the link header; frames that still carry a tag or a tunnel header pass where the link layer tells.
 */
export function anyLinkFilter(): string {
  const protocols = PASSED_PROTOCOLS.flatMap((protocol) => [`ip proto ${protocol}`, `ip6 proto ${protocol}`]);
  const extensions = IPV6_EXTENSIONS.map((extension) => `ip6 proto ${extension}`);
  const ports = SIP_TCP_PORTS.map((port) => `tcp port ${port}`);
  const outer = [...VLAN_TYPES, ...TUNNEL_TYPES].map((type) => `ether proto ${hex(type)}`);
  return anyOf([...protocols, "ip[6:2] & 0x3fff != 0", ...extensions, ...ports, ...outer]);
}

/** What passes behind `tags` VLAN tags, and behind more of them. */
function tagLevel(tags: number): string {
  const typeAt = ETHERTYPE_AT + tags * TAG_BYTES;
  const networkAt = typeAt + 2;
  const type = `ether[${typeAt}:2]`;
  const isTagged = equalsAny(type, VLAN_TYPES);
  return anyOf([
    allOf([`${type} = ${hex(IPV4_TYPE)}`, ipv4(networkAt)]),
    allOf([`${type} = ${hex(IPV6_TYPE)}`, ipv6(networkAt)]),
    equalsAny(type, TUNNEL_TYPES),
    `${type} < ${hex(ETHERTYPE_MINIMUM)}`,
    // Deeper stacks than the filter looks into pass.
    tags === MAX_TAGS ? isTagged : allOf([isTagged, tagLevel(tags + 1)]),
  ]);
}

/** RFC 791 §3.1; a fragment has "more fragments" or an offset. */
function ipv4(at: number): string {
  const protocol = `ether[${at + 9}]`;
  const isFragment = `ether[${at + 6}:2] & 0x3fff != 0`;
  const tcpAt = `${at} + ((ether[${at}] & 0x0f) << 2)`;
  return anyOf([equalsAny(protocol, PASSED_PROTOCOLS), isFragment, allOf([`${protocol} = ${TCP}`, sipPorts(tcpAt)])]);
}

/** RFC 8200 §3, §4. */
function ipv6(at: number): string {
  const nextHeader = `ether[${at + 6}]`;
  return anyOf([
    equalsAny(nextHeader, [...PASSED_PROTOCOLS, ...IPV6_EXTENSIONS]),
    allOf([`${nextHeader} = ${TCP}`, sipPorts(`${at + IPV6_HEADER_BYTES}`)]),
  ]);
}

/** Source or destination port of the TCP header at `at` (RFC 9293 §3.1). */
function sipPorts(at: string): string {
  return anyOf([equalsAny(`ether[${at} : 2]`, SIP_TCP_PORTS), equalsAny(`ether[${at} + 2 : 2]`, SIP_TCP_PORTS)]);
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
