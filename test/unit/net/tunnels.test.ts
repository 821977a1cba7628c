// Tunnels: what is taken for one and what is not, how deep, what their fragments and link facts come to, and that an
// independent reader agrees about every frame.
import { describe, expect, it } from "vitest";
import { CaptureFile } from "../../fakes/capture-file.js";
import {
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
import { hasTshark, tshark } from "../fakes/tshark.js";
import { PAYLOAD, TUNNELS, WITH_CONTROL_WORD, WITHOUT_CONTROL_WORD } from "./encapsulations.js";
import {
  bytes,
  ethernet,
  IPV4_TYPE,
  ipv4,
  ipv6,
  join,
  pattern,
  Recorded,
  tag,
  tcp,
  udp,
  uint16,
  uint32,
} from "./packets.js";

const HEX = PAYLOAD.toString("hex");
const PACKET = ipv4(udp(PAYLOAD));
const FRAME = ethernet(IPV4_TYPE, PACKET);
const OUTER = { source: [192, 168, 0, 1], destination: [192, 168, 0, 2] };
const inIp = (protocol: number, payload: Uint8Array, options = {}): Buffer =>
  ipv4(payload, { ...OUTER, protocol, ...options });
const inUdp = (port: number, payload: Uint8Array): Buffer => inIp(17, udp(payload, { destination: port }));
const decode = (packet: Uint8Array): Recorded => new Recorded().decode(packet, { linkType: 228 });

describe("tunnels", () => {
  it.skipIf(!hasTshark)("are read by tshark as they are here", () => {
    const file = new CaptureFile({ linkType: 1 });
    for (const { content } of TUNNELS) file.add(content, 1e15);
    const fields = [
      "-T",
      "fields",
      "-E",
      "occurrence=l",
      "-e",
      "udp.srcport",
      "-e",
      "udp.dstport",
      "-e",
      "udp.payload",
    ];
    // Linux' port belongs to another protocol there, and a pseudowire is an agreement of its two ends.
    const decodeAs = [
      `udp.port==${PORT.vxlanLinux},vxlan`,
      `mpls.label==${WITH_CONTROL_WORD},pwethcw`,
      `mpls.label==${WITHOUT_CONTROL_WORD},pwethnocw`,
    ].flatMap((rule) => ["-d", rule]);
    const rows = tshark(file.bytes(), ...decodeAs, ...fields);
    expect(rows.map((row, i) => [TUNNELS[i]!.name, row])).toEqual(
      TUNNELS.map(({ name }) => [name, `4000\t4002\t${HEX}`]),
    );
  });

  it("are followed to TCP as well", () => {
    const seen = decode(inIp(47, erspan2(ethernet(IPV4_TYPE, ipv4(tcp(PAYLOAD), { protocol: 6 })))));
    expect(seen.segments).toMatchObject([{ source: "10.0.0.1:5060", payload: HEX, wireBytes: PAYLOAD.length }]);
    expect(seen.decoder.encapsulations()).toMatchObject([{ layers: "gre/erspan2/ethernet", frames: 1 }]);
  });

  it("with ICMP inside stay closed", () => {
    const quote = ipv4(join(bytes(3, 3, 0, 0, 0, 0, 0, 0), PACKET), { protocol: 1 });
    for (const packet of [
      inIp(4, quote),
      inUdp(PORT.gtpU, gtpU(quote)),
      inIp(1, join(Buffer.alloc(8), inIp(4, PACKET))),
    ]) {
      const seen = decode(packet);
      expect(seen.datagrams).toEqual([]);
      expect(seen.counts).toEqual({ icmp: 1 });
      expect(seen.decoder.encapsulations()).toEqual([]);
    }
  });

  it.each<[string, Buffer, string]>([
    ["GRE of another version", inIp(47, gre(IPV4_TYPE, PACKET, { flags: 2 })), "bad-tunnel-header"],
    ["GRE with source routes", inIp(47, gre(IPV4_TYPE, PACKET, { flags: 0x4000 })), "bad-tunnel-header"],
    ["GRE that is cut", inIp(47, bytes(0, 0, 8)), "bad-tunnel-header"],
    ["GRE whose key is cut", inIp(47, join(uint16(0x2000), uint16(IPV4_TYPE), bytes(0, 0, 0))), "bad-tunnel-header"],
    ["GRE that keeps alive", inIp(47, gre(0, Buffer.alloc(0))), "not-ip"],
    ["GRE with an 802.3 length", inIp(47, gre(100, PACKET)), "not-ip"],
    ["GRE with spanning tree", inIp(47, greEthernet(ethernet(38, Buffer.alloc(38, 0x42)))), "not-ip"],
    ["PPTP's acknowledgment", inIp(47, pptp(Buffer.alloc(0), { acknowledgment: 4 })), "not-ip"],
    ["PPTP without a key", inIp(47, gre(0x880b, PACKET, { flags: 1 })), "bad-tunnel-header"],
    ["version 1 with IP", inIp(47, gre(IPV4_TYPE, PACKET, { flags: 1, key: 3 })), "bad-tunnel-header"],
    ["PPTP's compressed data", inIp(47, pptp(bytes(0, 0xfd, 1, 2, 3), { sequence: 1 })), "not-ip"],
    ["ERSPAN of another version", inIp(47, erspan2(FRAME, { version: 7 })), "bad-tunnel-header"],
    ["ERSPAN II that is cut", inIp(47, erspan2(Buffer.alloc(0)).subarray(0, 12)), "bad-tunnel-header"],
    ["ERSPAN III that is cut", inIp(47, erspan3(Buffer.alloc(0)).subarray(0, 17)), "bad-tunnel-header"],
    ["ERSPAN III of another kind of frame", inIp(47, erspan3(FRAME, { frameType: 1 })), "not-ip"],
    ["ERSPAN III with neither version of IP", inIp(47, erspan3(bytes(0x55, 0), { frameType: 2 })), "not-ip"],
    ["an MPLS associated channel", inIp(47, gre(0x8847, mpls([16], bytes(0x10, 0, 0, 7, 1, 2)))), "not-ip"],
    ["MPLS with nothing behind", inIp(47, gre(0x8847, mpls([16], Buffer.alloc(0)))), "short-frame"],
    ["a seventeenth MPLS label", inIp(47, gre(0x8847, mpls(Array(17).fill(16), PACKET))), "too-many-tags"],
    ["802.1ah that is cut", inIp(47, gre(0x88e7, bytes(0, 0, 1))), "short-frame"],
  ])("counts %s", (_, packet, reason) => {
    const seen = decode(packet);
    expect(seen.datagrams).toEqual([]);
    expect(seen.counts).toEqual({ [reason]: 1 });
  });

  it("takes both kinds of IP mirrored by ERSPAN III", () => {
    expect(decode(inIp(47, erspan3(PACKET, { frameType: 2 }))).payloads).toEqual([HEX]);
    expect(decode(inIp(47, erspan3(ipv6(udp(PAYLOAD)), { frameType: 2 }))).payloads).toEqual([HEX]);
  });

  it("takes sixteen MPLS labels", () => {
    expect(decode(inIp(47, gre(0x8847, mpls(Array(16).fill(16), PACKET)))).payloads).toEqual([HEX]);
  });
});

describe("a tunnel's port", () => {
  const rtp = join(bytes(0x80, 8), uint16(1), uint32(160), uint32(0xdeadbeef), Buffer.alloc(160, 0xd5));
  const stun = join(uint16(0x0101), uint16(12), uint32(0x2112a442), pattern(12), uint16(0x20), uint16(8), pattern(8));
  const dtls = join(bytes(22, 0xfe, 0xfd), Buffer.alloc(8), uint16(20), pattern(20));
  const sip = Buffer.from("OPTIONS sip:21@10.0.0.2 SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n");
  const ports = Object.entries(PORT);

  it.each(ports)("of %s carries calls as any other does", (_, port) => {
    const stuns = [0x0001, 0x0011, 0x0111].map((type) => join(uint16(type), stun.subarray(2)));
    const short = [0, 1, 2, 4, 7, 8].map((length) => Buffer.alloc(length));
    for (const payload of [rtp, stun, ...stuns, dtls, sip, Buffer.from("\r\n\r\n"), ...short]) {
      const seen = decode(inUdp(port, payload));
      expect(seen.datagrams).toMatchObject([{ destination: `192.168.0.2:${port}`, payload: payload.toString("hex") }]);
      expect(seen.counts).toEqual({ udp: 1 });
    }
  });

  it.each(ports)("of %s never takes what begins like RTP, whatever follows", (_, port) => {
    const tunnels = [vxlan(FRAME), vxlanGpe(3, FRAME), geneve(0x6558, FRAME), gtpU(PACKET), tzsp(FRAME)];
    for (const tunnel of tunnels) {
      for (let first = 0x80; first <= 0xff; first++) {
        const payload = Buffer.from(tunnel);
        payload[0] = first;
        expect(decode(inUdp(port, payload)).payloads).toEqual([payload.toString("hex")]);
      }
    }
  });

  it("says nothing as the source", () => {
    const payload = vxlan(FRAME);
    expect(decode(inIp(17, udp(payload, { source: PORT.vxlan }))).payloads).toEqual([payload.toString("hex")]);
  });

  const damaged = (payload: Buffer, at: number, value: number): Buffer => {
    const copy = Buffer.from(payload);
    copy[at] = value;
    return copy;
  };
  it.each<[string, number, Buffer]>([
    ["VXLAN without a network", PORT.vxlan, damaged(vxlan(FRAME), 0, 0)],
    ["VXLAN with other flags", PORT.vxlan, damaged(vxlan(FRAME), 0, 0x48)],
    ["VXLAN with reserved bits in byte 1", PORT.vxlan, damaged(vxlan(FRAME), 1, 1)],
    ["VXLAN with reserved bits in byte 2", PORT.vxlan, damaged(vxlan(FRAME), 2, 1)],
    ["VXLAN with a next protocol", PORT.vxlan, damaged(vxlan(FRAME), 3, 1)],
    ["VXLAN with reserved bits at the end", PORT.vxlan, damaged(vxlan(FRAME), 7, 1)],
    ["VXLAN-GPE with a service chain", PORT.vxlanGpe, vxlanGpe(4, FRAME)],
    ["VXLAN-GPE of another version", PORT.vxlanGpe, damaged(vxlanGpe(3, FRAME), 0, 0x1c)],
    ["VXLAN-GPE for maintenance", PORT.vxlanGpe, damaged(vxlanGpe(3, FRAME), 0, 0x0d)],
    ["GENEVE of another version", PORT.geneve, damaged(geneve(0x6558, FRAME), 0, 0x40)],
    ["GENEVE's control packets", PORT.geneve, damaged(geneve(0x6558, FRAME), 1, 0x80)],
    ["GENEVE with reserved bits", PORT.geneve, damaged(geneve(0x6558, FRAME), 1, 0x01)],
    ["GENEVE with reserved bits at the end", PORT.geneve, damaged(geneve(0x6558, FRAME), 7, 1)],
    ["GENEVE with another protocol", PORT.geneve, geneve(0x0806, FRAME)],
    ["GENEVE with options beyond the datagram", PORT.geneve, damaged(geneve(0x6558, pattern(20)), 0, 6)],
    ["TZSP of another version", PORT.tzsp, damaged(tzsp(FRAME), 0, 2)],
    ["TZSP's keepalive", PORT.tzsp, damaged(tzsp(FRAME), 1, 4)],
    ["TZSP with Wi-Fi", PORT.tzsp, tzsp(FRAME, Buffer.alloc(0), 18)],
    ["TZSP whose tags do not end", PORT.tzsp, join(bytes(1, 0, 0, 1), Buffer.alloc(30, 10))],
    ["TZSP with padding for ever", PORT.tzsp, join(bytes(1, 0, 0, 1), Buffer.alloc(70), bytes(1), FRAME)],
    ["TZSP with a tag that is cut", PORT.tzsp, bytes(1, 0, 0, 1, 10)],
    ["GTP of version 2", PORT.gtpU, damaged(gtpU(PACKET), 0, 0x50)],
    ["GTP'", PORT.gtpU, damaged(gtpU(PACKET), 0, 0x20)],
    ["GTP's echo", PORT.gtpU, gtpU(PACKET, { message: 1 })],
    ["GTP that is longer than its datagram", PORT.gtpU, damaged(gtpU(PACKET), 2, 0x10)],
    ["GTP with neither version of IP", PORT.gtpU, gtpU(damaged(PACKET, 0, 0x55))],
    [
      "GTP with an extension of no length",
      PORT.gtpU,
      damaged(gtpU(PACKET, { extensions: [{ kind: 0x85, content: bytes(0, 0) }] }), 12, 0),
    ],
    [
      "GTP with an extension beyond the datagram",
      PORT.gtpU,
      damaged(gtpU(PACKET, { extensions: [{ kind: 0x85, content: bytes(0, 0) }] }), 12, 200),
    ],
    [
      "GTP with nine extensions",
      PORT.gtpU,
      gtpU(PACKET, { extensions: Array(9).fill({ kind: 0x85, content: bytes(0, 0) }) }),
    ],
  ])("does not make a tunnel of %s", (_, port, payload) => {
    const seen = decode(inUdp(port, payload));
    expect(seen.payloads).toEqual([payload.toString("hex")]);
    expect(seen.counts).toEqual({ udp: 1 });
    expect(seen.links).toMatchObject([{ encapsulation: 0 }]);
  });

  it("ends the tunnel where UDP ends, whatever stands behind it and whatever the inner packet says", () => {
    const inTunnel = (packet: Buffer) => inIp(17, join(udp(gtpU(packet), { destination: PORT.gtpU }), pattern(99)));
    expect(decode(inTunnel(PACKET))).toMatchObject({ payloads: [HEX], counts: { udp: 1 } });
    const lying = { totalLength: 20 + 20 + PAYLOAD.length + 50 };
    const datagram = decode(inTunnel(ipv4(udp(PAYLOAD), lying)));
    expect(datagram).toMatchObject({ payloads: [HEX], counts: { udp: 1, "bad-ip-length": 1 } });
    const segment = decode(inTunnel(ipv4(tcp(PAYLOAD), { protocol: 6, ...lying })));
    expect(segment.segments).toMatchObject([{ payload: HEX }]);
    expect(segment.counts).toEqual({ tcp: 1, "bad-ip-length": 1 });
  });
});

describe("nesting", () => {
  const nested = (depth: number): Buffer => {
    let packet = PACKET;
    for (let i = 0; i < depth; i++) packet = inIp(4, packet);
    return packet;
  };

  it("is followed through twelve layers and no more", () => {
    const seen = decode(nested(12));
    expect(seen.payloads).toEqual([HEX]);
    expect(seen.decoder.encapsulations()).toMatchObject([{ layers: Array(12).fill("ip-in-ip").join("/") }]);
    const deeper = decode(nested(13));
    expect(deeper.datagrams).toEqual([]);
    expect(deeper.counts).toEqual({ "too-deep": 1 });
  });

  it.each<[string, (frame: Buffer) => Buffer]>([
    ["ERSPAN II", (frame) => ethernet(IPV4_TYPE, inIp(47, erspan2(frame)))],
    ["ERSPAN III", (frame) => ethernet(IPV4_TYPE, inIp(47, erspan3(frame)))],
    ["VXLAN", (frame) => ethernet(IPV4_TYPE, inUdp(PORT.vxlan, vxlan(frame)))],
    ["GENEVE", (frame) => ethernet(IPV4_TYPE, inUdp(PORT.geneve, geneve(0x6558, frame, GENEVE_OPTION)))],
    ["TZSP", (frame) => ethernet(IPV4_TYPE, inUdp(PORT.tzsp, tzsp(frame)))],
    ["MPLS", (frame) => ethernet(0x8847, mpls([16], join(uint32(0), frame)))],
    ["802.1ah", (frame) => ethernet(0x88e7, macInMac(frame))],
    ["transparent Ethernet", (frame) => ethernet(0x6558, frame)],
    ["VLAN tags and Ethernet in turn", (frame) => ethernet(0x8100, tag(9, 0x6558, frame))],
  ])("of %s without end is bounded, and hands nothing on", (_, wrap) => {
    let frame = FRAME;
    for (let i = 0; i < 60; i++) frame = wrap(frame);
    const seen = new Recorded().decode(frame);
    expect(seen.datagrams).toEqual([]);
    expect(seen.counts).toEqual({ "too-deep": 1 });
  });
});

describe("link facts", () => {
  const officeFrame = (type: number, payload: Uint8Array): Buffer =>
    join(bytes(2, 0, 0, 0, 0, 9, 0, 0x0c, 0xaa, 0xbb, 0xcc, 0xdd), uint16(type), payload);
  const office = ipv4(udp(PAYLOAD), { identification: 0x4321, hopLimit: 61 });
  const mirror = { identification: 1, hopLimit: 255 };
  const linkOf = (frame: Buffer) => new Recorded().decode(frame).links;
  const trunk = (packet: Buffer): Buffer => ethernet(0x8100, tag(999, IPV4_TYPE, packet));

  it("are those of the mirrored frame", () => {
    const tagged = officeFrame(0x8100, tag(30, IPV4_TYPE, office));
    const expected = {
      vlan: 30,
      sourceMac: "00:0c:aa:bb:cc:dd",
      identification: 0x4321,
      hopLimit: 61,
      encapsulation: 1,
    };
    expect(linkOf(trunk(inIp(47, erspan2(tagged), mirror)))).toEqual([expected]);
    expect(linkOf(trunk(inIp(17, udp(vxlan(tagged), { destination: PORT.vxlan }), mirror)))).toEqual([expected]);
    expect(linkOf(ethernet(0x88e7, macInMac(tagged)))).toEqual([expected]);
    const double = officeFrame(0x88a8, tag(30, 0x8100, tag(31, IPV4_TYPE, office)));
    expect(linkOf(trunk(inIp(47, greEthernet(double), mirror)))).toEqual([expected]);
  });

  it("take the VLAN from ERSPAN where the frame has no tag", () => {
    const plain = officeFrame(IPV4_TYPE, office);
    expect(linkOf(trunk(inIp(47, erspan2(plain, { vlan: 40, encapsulation: 2 }))))).toMatchObject([{ vlan: 40 }]);
    expect(linkOf(trunk(inIp(47, erspan3(plain, { vlan: 41 }))))).toMatchObject([{ vlan: 41 }]);
    const tagged = officeFrame(0x8100, tag(30, IPV4_TYPE, office));
    expect(linkOf(inIp47(erspan2(tagged, { vlan: 40, encapsulation: 3 })))).toMatchObject([{ vlan: 30 }]);
    expect(linkOf(inIp47(erspan3(tagged, { vlan: 40 })))).toMatchObject([{ vlan: 30 }]);
    // The tag is said to be in the frame, so that the field says nothing.
    expect(linkOf(inIp47(erspan2(plain, { vlan: 40, encapsulation: 3 })))).toMatchObject([{ vlan: -1 }]);
  });
  const inIp47 = (payload: Buffer): Buffer => ethernet(IPV4_TYPE, inIp(47, payload));

  it("keep the outer frame's where the inner says nothing", () => {
    const seen = linkOf(trunk(inIp(4, office, mirror)));
    const mac = { vlan: 999, sourceMac: "02:00:00:00:00:02" };
    expect(seen).toEqual([{ ...mac, identification: 0x4321, hopLimit: 61, encapsulation: 1 }]);
  });

  it("are forgotten with the frame", () => {
    const seen = new Recorded().decode(trunk(inIp(47, erspan2(officeFrame(IPV4_TYPE, office), { vlan: 40 }))));
    seen.decode(FRAME).decode(ethernet(0x8100, tag(5, IPV4_TYPE, PACKET)));
    expect(seen.links.slice(1)).toEqual([
      { vlan: -1, sourceMac: "02:00:00:00:00:02", identification: 7, hopLimit: 64, encapsulation: 0 },
      { vlan: 5, sourceMac: "02:00:00:00:00:02", identification: 7, hopLimit: 64, encapsulation: 0 },
    ]);
  });

  it("tell a frame that the mirror cut from a packet that lies about its length", () => {
    const cut = FRAME.subarray(0, FRAME.length - 10);
    const payload = HEX.slice(0, -20);
    const honest = decode(inIp(47, erspan2(cut, { isTruncated: true })));
    expect(honest.datagrams).toMatchObject([{ payload, truncated: true }]);
    expect(honest.counts).toEqual({ udp: 1, truncated: 1 });
    const unsaid = decode(inIp(47, erspan2(cut)));
    expect(unsaid.datagrams).toMatchObject([{ payload, truncated: true }]);
    expect(unsaid.counts).toEqual({ udp: 1, truncated: 1, "bad-ip-length": 1 });
  });
});
