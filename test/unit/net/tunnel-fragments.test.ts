// Fragments around tunnels, inside them and both: what belongs together is put together, what only looks alike is not.
import { describe, expect, it } from "vitest";
import { erspan2, erspan3, greEthernet, gtpU, macInMac, mpls, PORT, pptp, vxlan } from "../../fakes/tunnels.js";
import { fragment, fragmentsOf } from "./fragment-packets.js";
import { bytes, ethernet, IPV4_TYPE, ipv4, join, pattern, Recorded, udp, uint16 } from "./packets.js";

const PAYLOAD = pattern(400);
const HEX = PAYLOAD.toString("hex");
const OTHER = pattern(400, 2);
const START = { source: [192, 168, 0, 1], destination: [192, 168, 0, 2] };

type Wrap = (packet: Buffer) => Buffer;
const frameOf = (packet: Uint8Array): Buffer => ethernet(IPV4_TYPE, packet);
const inIp = (protocol: number, payload: Uint8Array, ends = START): Buffer => ipv4(payload, { ...ends, protocol });
const inUdp = (port: number, payload: Uint8Array): Buffer => inIp(17, udp(payload, { destination: port }));
const decodeAll = (packets: Buffer[]): Recorded => {
  const seen = new Recorded();
  for (const packet of packets) seen.decode(packet, { linkType: 228 });
  return seen;
};
/** An IPv4 packet cut into fragments at these places of its payload. */
function cut(packet: Buffer, cuts: number[]): Buffer[] {
  const payload = packet.subarray(20);
  const starts = [0, ...cuts];
  return starts.map((offset, i) => {
    const part = payload.subarray(offset, starts[i + 1]);
    const more = i < starts.length - 1;
    return ipv4(part, { ...START, protocol: packet[9]!, identification: 99, offset, more });
  });
}

const TUNNELS: [string, Wrap][] = [
  ["IP in IP", (packet) => inIp(4, packet)],
  ["ERSPAN II", (packet) => inIp(47, erspan2(frameOf(packet)))],
  ["VXLAN", (packet) => inUdp(PORT.vxlan, vxlan(frameOf(packet)))],
  ["GTP-U", (packet) => inUdp(PORT.gtpU, gtpU(packet))],
];

describe.each(TUNNELS)("%s", (_, wrap) => {
  it("is opened once its fragments are together", () => {
    const seen = decodeAll(cut(wrap(ipv4(udp(PAYLOAD))), [40, 200]));
    expect(seen.payloads).toEqual([HEX]);
    expect(seen.counts).toEqual({ fragments: 3, reassembled: 1, udp: 1 });
    expect(seen.decoder.encapsulations()).toMatchObject([{ outer: "192.168.0.1 → 192.168.0.2", frames: 1 }]);
  });

  it("carries fragments", () => {
    const seen = decodeAll(fragmentsOf(4, PAYLOAD, [96, 200]).map(wrap));
    expect(seen.payloads).toEqual([HEX]);
    expect(seen.counts).toEqual({ fragments: 3, reassembled: 1, udp: 1 });
  });

  it("carries fragments in fragments, in any order", () => {
    const packets = fragmentsOf(4, PAYLOAD, [96, 200]).map(wrap);
    const pieces = packets.flatMap((packet, i) =>
      cut(packet, [48, 80]).map((piece) => {
        piece.writeUInt16BE(1000 + i, 4);
        return piece;
      }),
    );
    expect(decodeAll(pieces).payloads).toEqual([HEX]);
    const backwards = decodeAll(pieces.toReversed());
    expect(backwards.payloads).toEqual([HEX]);
    expect(backwards.counts).toEqual({ fragments: 9 + 3, reassembled: 4, udp: 1 });
    expect(backwards.decoder.fragments).toMatchObject({ size: 0, bytes: 0 });
  });

  it("does not share fragments with the network around it", () => {
    const inside = fragmentsOf(4, PAYLOAD, [200]);
    const outside = fragmentsOf(4, OTHER, [200]);
    const seen = decodeAll([wrap(inside[0]!), outside[1]!, outside[0]!, wrap(inside[1]!)]);
    expect(seen.payloads).toEqual([OTHER.toString("hex"), HEX]);
    expect(seen.counts).not.toHaveProperty("fragment-overlap");
  });
});

describe("fragments of the same addresses and identification", () => {
  const elsewhere = { source: [192, 168, 0, 3], destination: [192, 168, 0, 2] };
  it.each<[string, Wrap, Wrap]>([
    ["tunnels from other places", (packet) => inIp(4, packet), (packet) => inIp(4, packet, elsewhere)],
    ["other kinds of tunnel", (packet) => inIp(4, packet), (packet) => inUdp(PORT.gtpU, gtpU(packet))],
    [
      "other VXLAN networks",
      (packet) => inUdp(PORT.vxlan, vxlan(frameOf(packet), 1)),
      (packet) => inUdp(PORT.vxlan, vxlan(frameOf(packet), 2)),
    ],
    [
      "other GRE keys",
      (packet) => inIp(47, greEthernet(frameOf(packet), { key: 1 })),
      (packet) => inIp(47, greEthernet(frameOf(packet), { key: 2 })),
    ],
    [
      "other ERSPAN sessions",
      (packet) => inIp(47, erspan3(frameOf(packet), { session: 1 })),
      (packet) => inIp(47, erspan3(frameOf(packet), { session: 2 })),
    ],
    [
      "other GTP endpoints",
      (packet) => inUdp(PORT.gtpU, gtpU(packet, { endpoint: 1 })),
      (packet) => inUdp(PORT.gtpU, gtpU(packet, { endpoint: 2 })),
    ],
    [
      "other labels",
      (packet) => inIp(47, greEthernet(ethernet(0x8847, mpls([16, 100], packet)))),
      (packet) => inIp(47, greEthernet(ethernet(0x8847, mpls([16, 101], packet)))),
    ],
    [
      "other backbone services",
      (packet) => inIp(47, greEthernet(ethernet(0x88e7, macInMac(frameOf(packet), 1)))),
      (packet) => inIp(47, greEthernet(ethernet(0x88e7, macInMac(frameOf(packet), 2)))),
    ],
    [
      "tunnels in other tunnels",
      (packet) => inIp(4, inUdp(PORT.gtpU, gtpU(packet))),
      (packet) => inIp(4, inUdp(PORT.gtpU, gtpU(packet)), elsewhere),
    ],
  ])("stay apart in %s", (_, first, second) => {
    const mine = fragmentsOf(4, PAYLOAD, [200]);
    const theirs = fragmentsOf(4, OTHER, [200]);
    const seen = decodeAll([first(mine[0]!), second(theirs[0]!), first(mine[1]!), second(theirs[1]!)]);
    expect(seen.payloads).toEqual([HEX, OTHER.toString("hex")]);
    expect(seen.counts).toEqual({ fragments: 4, reassembled: 2, udp: 2 });
    // The second half alone never completes the other network's first.
    expect(decodeAll([first(mine[0]!), second(theirs[1]!)]).datagrams).toEqual([]);
  });

  it("belong together whatever differs from packet to packet in the headers around them", () => {
    const [first, second] = fragmentsOf(4, PAYLOAD, [200]) as [Buffer, Buffer];
    const ppp = (packet: Buffer) => join(bytes(0xff, 3), uint16(0x0021), packet);
    // PPTP's key holds the length, GRE and GTP count, a label stack may be entered higher up.
    const pairs = [
      [inIp(47, pptp(ppp(first), { sequence: 1 })), inIp(47, pptp(ppp(second), { sequence: 2, acknowledgment: 9 }))],
      [inUdp(PORT.gtpU, gtpU(first, { sequence: 1 })), inUdp(PORT.gtpU, gtpU(second, { sequence: 2 }))],
      [
        inIp(47, greEthernet(frameOf(first), { key: 7, sequence: 1 })),
        inIp(47, greEthernet(frameOf(second), { key: 7, sequence: 2 })),
      ],
      [
        inIp(47, greEthernet(ethernet(0x8847, mpls([16, 17, 100], first)))),
        inIp(47, greEthernet(ethernet(0x8847, mpls([18, 100], second)))),
      ],
    ];
    for (const pair of pairs) expect(decodeAll(pair).payloads).toEqual([HEX]);
  });

  it("are joined across VLANs, as a mirror of several ports shows them", () => {
    const [first, second] = fragmentsOf(4, PAYLOAD, [200]) as [Buffer, Buffer];
    const seen = new Recorded()
      .decode(ethernet(0x8100, join(uint16(10), uint16(IPV4_TYPE), first)))
      .decode(ethernet(0x8100, join(uint16(20), uint16(IPV4_TYPE), first)))
      .decode(ethernet(0x8100, join(uint16(20), uint16(IPV4_TYPE), second)));
    expect(seen.payloads).toEqual([HEX]);
    expect(seen.counts).toEqual({ fragments: 3, "fragment-duplicate": 1, reassembled: 1, udp: 1 });
  });
});

describe("a tunnel that is reassembled", () => {
  it("does not disturb the fragments that its packet joins", () => {
    // The fragment that completes the inner datagram lies in the buffer into which that datagram is put together.
    const long = pattern(20_000);
    const [first, second, third] = fragmentsOf(4, long, [8000, 16_000]) as [Buffer, Buffer, Buffer];
    const seen = decodeAll([inIp(4, first), inIp(4, third), ...cut(inIp(4, second), [1000, 4000])]);
    expect(seen.payloads).toEqual([long.toString("hex")]);
  });

  it("is not opened when a fragment of it was forged", () => {
    const pieces = cut(inIp(4, ipv4(udp(PAYLOAD))), [40, 200]);
    const forged = Buffer.from(pieces[1]!);
    forged[forged.length - 1]! ^= 1;
    expect(decodeAll([pieces[0]!, forged, pieces[1]!, pieces[2]!]).datagrams).toEqual([]);
  });

  it("may carry IPv6 fragments", () => {
    const datagram = udp(PAYLOAD);
    const parts = [fragment(6, datagram.subarray(0, 200), 0, true), fragment(6, datagram.subarray(200), 200, false)];
    const packets = parts.flatMap((part, i) =>
      cut(inIp(41, part), [80]).map((piece) => {
        piece.writeUInt16BE(i, 4);
        return piece;
      }),
    );
    const seen = decodeAll(packets);
    expect(seen.datagrams).toMatchObject([{ source: "[2001:db8::1]:4000", payload: HEX }]);
    expect(seen.decoder.encapsulations()).toMatchObject([{ layers: "ipv6-in-ip" }]);
  });
});
