// What the packet filters must let pass and what they must keep out, for libpcap on files and for the kernel.
import { ipv4, ipv6, ports } from "./packet-builder.js";

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const UDP = 17;
const TCP = 6;
const MORE_FRAGMENTS = 0x2000;

/** Out of order, with adjoining ones and one twice. */
export const TCP_PORTS: readonly number[] = [8088, 5061, 5060, 5066, 5062, 8089, 7443, 5060];

export interface FilterCase {
  name: string;
  type: number;
  packet: Buffer;
  passes: boolean;
}
function pass(name: string, type: number, packet: Buffer): FilterCase {
  return { name, type, packet, passes: true };
}
function drop(name: string, type: number, packet: Buffer): FilterCase {
  return { name, type, packet, passes: false };
}

/** What must pass or not wherever an IP packet may stand. */
export const PACKETS: readonly FilterCase[] = [
  pass("UDP", IPV4, ipv4(UDP, ports(4000, 5004))),
  pass("UDP behind IP options", IPV4, ipv4(UDP, ports(4000, 5004), { headerWords: 8 })),
  pass("first fragment of UDP", IPV4, ipv4(UDP, ports(5060, 5060), { fragment: MORE_FRAGMENTS })),
  pass("last fragment of UDP", IPV4, ipv4(UDP, ports(0xffff, 0xffff), { fragment: 185 })),
  pass("first fragment of TCP", IPV4, ipv4(TCP, ports(80, 80), { fragment: MORE_FRAGMENTS })),
  pass("last fragment of TCP", IPV4, ipv4(TCP, ports(80, 80), { fragment: 185 })),
  pass("SIP over TCP", IPV4, ipv4(TCP, ports(40000, 5060))),
  pass("SIP over TCP, the answer", IPV4, ipv4(TCP, ports(5060, 40000))),
  pass("SIP over TLS behind IP options", IPV4, ipv4(TCP, ports(40000, 5061), { headerWords: 15 })),
  pass("IP in IP", IPV4, ipv4(4, ipv4(TCP, ports(80, 80)))),
  pass("IPv6 in IP", IPV4, ipv4(41, ipv6(TCP, ports(80, 80)))),
  pass("GRE", IPV4, ipv4(47, Buffer.alloc(40))),
  pass("UDP over IPv6", IPV6, ipv6(UDP, ports(4000, 5004))),
  pass("fragment over IPv6", IPV6, ipv6(44, Buffer.from([TCP, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]))),
  pass(
    "UDP behind hop-by-hop options",
    IPV6,
    ipv6(0, Buffer.concat([Buffer.from([UDP, 0, 1, 4, 0, 0, 0, 0]), ports(1, 2)])),
  ),
  pass("IP in IPv6", IPV6, ipv6(4, ipv4(UDP, ports(1, 2)))),
  pass("GRE over IPv6", IPV6, ipv6(47, Buffer.alloc(40))),
  pass("SIP over TCP over IPv6", IPV6, ipv6(TCP, ports(5061, 40000))),
  ...[5060, 5061, 5062, 5066, 7443, 8088, 8089].flatMap((port) => [
    pass(`to TCP port ${port}`, IPV4, ipv4(TCP, ports(40000, port))),
    pass(`from TCP port ${port} over IPv6`, IPV6, ipv6(TCP, ports(port, 40000))),
  ]),
  ...[5059, 5063, 5065, 5067, 8087, 8090].map((port) =>
    drop(`TCP port ${port}, next to a wanted one`, IPV4, ipv4(TCP, ports(40000, port))),
  ),
  drop("HTTPS", IPV4, ipv4(TCP, ports(40000, 443))),
  drop("HTTPS with SIP's port in the data", IPV4, ipv4(TCP, Buffer.concat([ports(443, 40000), ports(5060, 5060)]))),
  drop("HTTPS behind IP options that look like SIP", IPV4, ipv4(TCP, ports(443, 80), { headerWords: 6 })),
  drop("HTTPS over IPv6", IPV6, ipv6(TCP, ports(443, 40000))),
  drop("ICMP", IPV4, ipv4(1, Buffer.alloc(40))),
];
export const ETHERNET_ONLY: readonly FilterCase[] = [
  pass("PPPoE session", 0x8864, Buffer.alloc(60)),
  pass("MPLS", 0x8847, Buffer.alloc(60)),
  pass("802.1ah", 0x88e7, Buffer.alloc(60)),
  pass("LLC/SNAP", 60, Buffer.from("aaaa030000000800".padEnd(120, "0"), "hex")),
  drop("ARP", 0x0806, Buffer.alloc(46)),
];
/** Tag types from the outside in. */
export const TAGS: readonly number[][] = [[], [0x8100], [0x88a8], [0x8100, 0x8100], [0x88a8, 0x8100], [0x9100, 0x8100]];
