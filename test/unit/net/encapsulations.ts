// One frame of every link type and encapsulation that the decoder knows, all with the same UDP payload: for the tests
// that must hold for each of them.
import {
  erspan1,
  erspan2,
  erspan3,
  GENEVE_OPTION,
  geneve,
  gre,
  greEthernet,
  gtpU,
  macInMac,
  mpls,
  PORT,
  pptp,
  tzsp,
  vxlan,
  vxlanGpe,
} from "../../fakes/tunnels.js";
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
  /** What `encapsulations()` calls it; "" for none. */
  layers: string;
  /**
   * In a tunnel over UDP: from how many bytes on a cut frame gives the outer datagram, because the tunnel's header is not
   * whole, and from how many it does not.
   */
  cutOuter?: [number, number];
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

const v4 = (name: string, linkType: number, content: Buffer, layers = ""): Encapsulation => ({
  name,
  linkType,
  content,
  isIpv6: false,
  layers,
});
const v6 = (name: string, linkType: number, content: Buffer, layers = ""): Encapsulation => ({
  ...v4(name, linkType, content, layers),
  isIpv6: true,
});

/** Addresses of the mirroring switch and of this box, unlike those of the packets inside. */
const OUTER = { source: [192, 168, 0, 1], destination: [192, 168, 0, 2] };
const outerV4 = (protocol: number, payload: Uint8Array): Buffer =>
  ethernet(IPV4_TYPE, ipv4(payload, { ...OUTER, protocol }));
const outerV6 = (next: number, payload: Uint8Array): Buffer => ethernet(IPV6_TYPE, ipv6(payload, { next }));
const UDP_PAYLOAD_AT = 14 + 20 + 8;

/** In a UDP datagram to `port`; `headerBytes` = what of the payload must be there for it to be known as a tunnel. */
function overUdp(name: string, port: number, headerBytes: number, payload: Buffer, layers: string): Encapsulation {
  const content = outerV4(17, udp(payload, { source: 55555, destination: port }));
  return { ...v4(name, 1, content, layers), cutOuter: [UDP_PAYLOAD_AT, UDP_PAYLOAD_AT + headerBytes] };
}

const FRAME = ethernet(IPV4_TYPE, V4);
const FRAME_V6 = ethernet(IPV6_TYPE, V6);
const TAGGED = stacked([0x8100], IPV4_TYPE, V4);
const PPP_V4 = join(bytes(0xff, 3), uint16(0x0021), V4);
/** Frames whose destination begins like an IPv4 packet, an IPv6 packet and a control word. */
const FRAMES_TO = [0x48, 0x64, 0x00, 0x10].map((first) => {
  const frame = Buffer.from(FRAME);
  frame.set([first, 0x5b, 0x39, 0x11, 0x22, 0x33]);
  return frame;
}) as [Buffer, Buffer, Buffer, Buffer];
/** Labels of pseudowires: other readers have to be told which. */
export const WITH_CONTROL_WORD = 100;
export const WITHOUT_CONTROL_WORD = 101;
const SERVICE_CONTAINER = { kind: 0x85, content: bytes(0x10, 0x09) };

/** Frames inside tunnels, as an independent reader understands them too. */
export const TUNNELS: Encapsulation[] = [
  v4("IP in IP", 1, outerV4(4, V4), "ip-in-ip"),
  v6("IPv6 in IP", 1, outerV4(41, V6), "ipv6-in-ip"),
  v4("IP in IPv6", 1, outerV6(4, V4), "ip-in-ip"),
  v6("IPv6 in IPv6 behind destination options", 1, outerV6(60, join(extension(41), V6)), "ipv6-in-ip"),
  v4("IP in IP behind an authentication header", 1, outerV4(51, join(authentication(4), V4)), "ip-in-ip"),
  v4("GRE, IPv4", 1, outerV4(47, gre(IPV4_TYPE, V4)), "gre"),
  v6("GRE, IPv6, over IPv6", 1, outerV6(47, gre(IPV6_TYPE, V6)), "gre"),
  v4("GRE with checksum", 1, outerV4(47, gre(IPV4_TYPE, V4, { hasChecksum: true })), "gre"),
  v4(
    "GRE with checksum, key and sequence",
    1,
    outerV4(47, gre(IPV4_TYPE, V4, { hasChecksum: true, key: 99, sequence: 3 })),
    "gre",
  ),
  v4("GRE, Ethernet", 1, outerV4(47, greEthernet(FRAME)), "gre/ethernet"),
  v4("GRE, Ethernet with a VLAN", 1, outerV4(47, greEthernet(TAGGED, { key: 5 })), "gre/ethernet/vlan"),
  v4("GRE, MPLS", 1, outerV4(47, gre(0x8847, mpls([18], V4))), "gre/mpls"),
  v4("GRE, PPP", 1, outerV4(47, gre(0x880b, PPP_V4)), "gre/ppp"),
  v4("PPTP", 1, outerV4(47, pptp(PPP_V4, { sequence: 1 })), "gre/ppp"),
  v4("PPTP with acknowledgment", 1, outerV4(47, pptp(PPP_V4, { sequence: 2, acknowledgment: 1 })), "gre/ppp"),
  v4("ERSPAN I", 1, outerV4(47, erspan1(FRAME)), "gre/erspan1/ethernet"),
  v4("ERSPAN II", 1, outerV4(47, erspan2(FRAME, { vlan: 5, encapsulation: 2 })), "gre/erspan2/ethernet"),
  v6("ERSPAN II, IPv6", 1, outerV4(47, erspan2(FRAME_V6)), "gre/erspan2/ethernet"),
  v4("ERSPAN III", 1, outerV4(47, erspan3(FRAME)), "gre/erspan3/ethernet"),
  v4(
    "ERSPAN III with a platform header, in a VLAN",
    1,
    stacked(
      [0x8100],
      IPV4_TYPE,
      ipv4(erspan3(TAGGED, { platform: bytes(3 << 2, 0, 0, 9, 0, 0, 0, 0) }), { ...OUTER, protocol: 47 }),
    ),
    "vlan/gre/erspan3/ethernet/vlan",
  ),
  overUdp("VXLAN", PORT.vxlan, 8, vxlan(FRAME), "vxlan/ethernet"),
  overUdp("VXLAN on the port of Linux, with a VLAN", PORT.vxlanLinux, 8, vxlan(TAGGED), "vxlan/ethernet/vlan"),
  overUdp("VXLAN-GPE, Ethernet", PORT.vxlanGpe, 8, vxlanGpe(3, FRAME), "vxlan-gpe/ethernet"),
  overUdp("VXLAN-GPE, IPv4", PORT.vxlanGpe, 8, vxlanGpe(1, V4), "vxlan-gpe"),
  overUdp("GENEVE, Ethernet", PORT.geneve, 8, geneve(0x6558, FRAME), "geneve/ethernet"),
  overUdp("GENEVE with options, IPv4", PORT.geneve, 16, geneve(IPV4_TYPE, V4, GENEVE_OPTION), "geneve"),
  overUdp("TZSP", PORT.tzsp, 5, tzsp(FRAME), "tzsp/ethernet"),
  overUdp("TZSP with tags and padding", PORT.tzsp, 11, tzsp(TAGGED, bytes(0, 10, 2, 1, 2, 0)), "tzsp/ethernet/vlan"),
  overUdp("GTP-U", PORT.gtpU, 9, gtpU(V4), "gtp-u"),
  overUdp("GTP-U with a sequence number", PORT.gtpU, 13, gtpU(V4, { sequence: 7 }), "gtp-u"),
  overUdp("GTP-U with an extension", PORT.gtpU, 17, gtpU(V4, { extensions: [SERVICE_CONTAINER] }), "gtp-u"),
  v4("MPLS, IPv4", 1, ethernet(0x8847, mpls([16], V4)), "mpls"),
  v6("MPLS, three labels, IPv6", 1, ethernet(0x8848, mpls([16, 17, 2], V6)), "mpls"),
  v4(
    "MPLS, pseudowire with control word",
    1,
    ethernet(0x8847, mpls([16, WITH_CONTROL_WORD], join(uint32(0), FRAME))),
    "mpls/ethernet",
  ),
  v4(
    "MPLS, pseudowire with a numbered control word, with a VLAN",
    1,
    ethernet(0x8847, mpls([WITH_CONTROL_WORD], join(uint32(0x1234), TAGGED))),
    "mpls/ethernet/vlan",
  ),
  v4(
    "MPLS, pseudowire without control word",
    1,
    ethernet(0x8847, mpls([WITHOUT_CONTROL_WORD], FRAME)),
    "mpls/ethernet",
  ),
  v4("802.1ah", 1, stacked([0x88a8], 0x88e7, macInMac(FRAME)), "vlan/mac-in-mac/ethernet"),
  v4("802.1ah, customer's VLAN", 1, ethernet(0x88e7, macInMac(TAGGED)), "mac-in-mac/ethernet/vlan"),
  overUdp(
    "ERSPAN in VXLAN",
    PORT.vxlan,
    8,
    vxlan(outerV4(47, erspan2(TAGGED))),
    "vxlan/ethernet/gre/erspan2/ethernet/vlan",
  ),
];

/** Pseudowires without control word to addresses that look like something else. */
const PSEUDOWIRES: Encapsulation[] = FRAMES_TO.map((frame) =>
  v4(`MPLS, pseudowire to ${frame.toString("hex", 0, 6)}`, 1, ethernet(0x8847, mpls([16], frame)), "mpls/ethernet"),
);

export const ENCAPSULATIONS: Encapsulation[] = [
  ...TUNNELS,
  ...PSEUDOWIRES,
  v4("Ethernet, IPv4", 1, ethernet(IPV4_TYPE, V4)),
  v6("Ethernet, IPv6", 1, ethernet(IPV6_TYPE, V6)),
  v4("Ethernet, IPv4 with options", 1, ethernet(IPV4_TYPE, ipv4(udp(PAYLOAD), { options: Buffer.alloc(40, 1) }))),
  v4("802.1Q", 1, stacked([0x8100], IPV4_TYPE, V4)),
  v6("802.1ad over 802.1Q", 1, stacked([0x88a8, 0x8100], IPV6_TYPE, V6), "vlan/vlan"),
  v4("QinQ 0x9100", 1, stacked([0x9100, 0x8100], IPV4_TYPE, V4), "vlan/vlan"),
  v4("QinQ 0x9200", 1, stacked([0x9200, 0x9200], IPV4_TYPE, V4), "vlan/vlan"),
  v4("eight tags", 1, stacked(Array(8).fill(0x8100), IPV4_TYPE, V4), Array(8).fill("vlan").join("/")),
  v4("802.3 with LLC/SNAP", 1, ethernet(8 + V4.length, join(SNAP, uint16(IPV4_TYPE), V4))),
  v4("PPPoE, IPv4", 1, ethernet(0x8864, pppoe(uint16(0x0021), V4)), "pppoe"),
  v6("PPPoE in a VLAN, IPv6", 1, stacked([0x8100], 0x8864, pppoe(uint16(0x0057), V6)), "vlan/pppoe"),
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
  v4("PPPoE as link type", 51, pppoe(uint16(0x0021), V4), "pppoe"),
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
