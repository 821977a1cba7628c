// One frame of every link type and encapsulation that the decoder knows, all with the same UDP payload: for the tests
// that must hold for each of them.
import {
  authentication,
  bytes,
  ethernet,
  extension,
  fragmentHeader,
  IPV4_TYPE,
  IPV6_TYPE,
  ipv4,
  ipv6,
  join,
  pattern,
  tag,
  udp,
  uint16,
  uint32,
} from "./packets.js";

export interface Encapsulation {
  name: string;
  linkType: number;
  content: Buffer;
  isIpv6: boolean;
}

export const PAYLOAD = pattern(33);
const V4 = ipv4(udp(PAYLOAD));
const V6 = ipv6(udp(PAYLOAD));
const SNAP = bytes(0xaa, 0xaa, 3, 0, 0, 0);
const pppoe = (protocol: Buffer, packet: Buffer): Buffer =>
  join(bytes(0x11, 0), uint16(0x1234), uint16(protocol.length + packet.length), protocol, packet);
const sll = (protocol: number, payload: Uint8Array): Buffer =>
  join(uint16(0), uint16(1), uint16(6), Buffer.alloc(8), uint16(protocol), payload);
const sll2 = (protocol: number, payload: Uint8Array): Buffer =>
  join(uint16(protocol), uint16(0), uint32(3), uint16(1), bytes(0, 6), Buffer.alloc(8), payload);
export const erf = (type: number, extensions: Buffer[], content: Uint8Array): Buffer =>
  join(Buffer.alloc(8), bytes(type, 4), uint16(0), uint16(0), uint16(content.length), ...extensions, content);

function stacked(types: number[], inner: number, packet: Buffer): Buffer {
  const content = types.reduceRight(
    (payload, _, i) => tag(100 + i, types[i + 1] ?? inner, payload),
    packet as Buffer<ArrayBufferLike>,
  );
  return ethernet(types[0] ?? inner, content);
}

const v4 = (name: string, linkType: number, content: Buffer): Encapsulation => ({
  name,
  linkType,
  content,
  isIpv6: false,
});
const v6 = (name: string, linkType: number, content: Buffer): Encapsulation => ({
  name,
  linkType,
  content,
  isIpv6: true,
});

export const ENCAPSULATIONS: Encapsulation[] = [
  v4("Ethernet, IPv4", 1, ethernet(IPV4_TYPE, V4)),
  v6("Ethernet, IPv6", 1, ethernet(IPV6_TYPE, V6)),
  v4("Ethernet, IPv4 with options", 1, ethernet(IPV4_TYPE, ipv4(udp(PAYLOAD), { options: Buffer.alloc(40, 1) }))),
  v4("802.1Q", 1, stacked([0x8100], IPV4_TYPE, V4)),
  v6("802.1ad over 802.1Q", 1, stacked([0x88a8, 0x8100], IPV6_TYPE, V6)),
  v4("QinQ 0x9100", 1, stacked([0x9100, 0x8100], IPV4_TYPE, V4)),
  v4("QinQ 0x9200", 1, stacked([0x9200, 0x9200], IPV4_TYPE, V4)),
  v4("eight tags", 1, stacked(Array(8).fill(0x8100), IPV4_TYPE, V4)),
  v4("802.3 with LLC/SNAP", 1, ethernet(8 + V4.length, join(SNAP, uint16(IPV4_TYPE), V4))),
  v4("PPPoE, IPv4", 1, ethernet(0x8864, pppoe(uint16(0x0021), V4))),
  v6("PPPoE in a VLAN, IPv6", 1, stacked([0x8100], 0x8864, pppoe(uint16(0x0057), V6))),
  v4("SLL, IPv4", 113, sll(IPV4_TYPE, V4)),
  v6("SLL, VLAN, IPv6", 113, sll(0x8100, tag(5, IPV6_TYPE, V6))),
  v4("SLL, LLC/SNAP", 113, sll(4, join(SNAP, uint16(IPV4_TYPE), V4))),
  v6("SLL2, IPv6", 276, sll2(IPV6_TYPE, V6)),
  v4("SLL2, VLAN, IPv4", 276, sll2(0x88a8, tag(5, IPV4_TYPE, V4))),
  v4("raw IP, IPv4", 101, V4),
  v6("raw IP, IPv6", 101, V6),
  v4("raw IP of BSD", 12, V4),
  v6("raw IP of OpenBSD", 14, V6),
  v4("IPv4 only", 228, V4),
  v6("IPv6 only", 229, V6),
  v4("NULL, little endian", 0, join(bytes(2, 0, 0, 0), V4)),
  v4("NULL, big endian", 0, join(bytes(0, 0, 0, 2), V4)),
  ...[10, 24, 28, 30].map((family) => v6(`NULL, family ${family}`, 0, join(bytes(family, 0, 0, 0), V6))),
  v6("LOOP", 108, join(bytes(0, 0, 0, 24), V6)),
  v4("PPP", 9, join(bytes(0xff, 3), uint16(0x0021), V4)),
  v6("PPP without address and control", 9, join(uint16(0x0057), V6)),
  v4("PPP with a compressed protocol field", 50, join(bytes(0xff, 3, 0x21), V4)),
  v4("PPPoE as link type", 51, pppoe(uint16(0x0021), V4)),
  v4("ERF Ethernet", 197, erf(2, [], join(uint16(0), ethernet(IPV4_TYPE, V4)))),
  v4(
    "ERF Ethernet with two extension headers",
    197,
    erf(0x82, [join(bytes(0x83), Buffer.alloc(7)), Buffer.alloc(8, 3)], join(uint16(0), ethernet(IPV4_TYPE, V4))),
  ),
  v6("ERF IPv6", 197, erf(23, [], V6)),
  v6(
    "IPv6 extension headers",
    229,
    ipv6(join(extension(43, 1), extension(60), extension(51), authentication(17), udp(PAYLOAD)), { next: 0 }),
  ),
  v6("IPv6 atomic fragment", 229, ipv6(join(fragmentHeader(17, 0, false), udp(PAYLOAD)), { next: 44 })),
  v4("IPv4 authentication header", 228, ipv4(join(authentication(17), udp(PAYLOAD)), { protocol: 51 })),
];
