import { describe, expect, it } from "vitest";
import {
  authentication,
  ethernet,
  extension,
  fragmentHeader,
  IPV4_TYPE,
  IPV6_TYPE,
  ipv4,
  ipv6,
  join,
  pattern,
  Recorded,
  tcp,
  udp,
} from "./packets.js";

const PAYLOAD = pattern(20);
const HEX = PAYLOAD.toString("hex");
const decodeV4 = (packet: Buffer) => new Recorded().decode(packet, { linkType: 228 });
const decodeV6 = (packet: Buffer) => new Recorded().decode(packet, { linkType: 229 });

describe("IPv4", () => {
  it("trims Ethernet padding by the total length", () => {
    const seen = new Recorded().decode(join(ethernet(IPV4_TYPE, ipv4(udp(Buffer.alloc(0)))), Buffer.alloc(18, 0xee)));
    expect(seen.datagrams).toMatchObject([{ payload: "", truncated: false }]);
    expect(seen.counts).toEqual({ udp: 1 });
  });

  it("takes what is captured when the total length is 0 (segmentation offload)", () => {
    expect(decodeV4(ipv4(udp(PAYLOAD), { totalLength: 0 }))).toMatchObject({ payloads: [HEX], counts: { udp: 1 } });
  });

  it("uses what is there when the total length lies beyond the frame", () => {
    const seen = decodeV4(ipv4(udp(PAYLOAD, { length: 128 }), { totalLength: 148 }));
    expect(seen.datagrams).toMatchObject([{ payload: HEX, truncated: true }]);
    expect(seen.counts).toEqual({ "bad-ip-length": 1, udp: 1, truncated: 1 });
  });

  it("calls a snapped frame truncated, not wrong", () => {
    const packet = ipv4(udp(pattern(100)));
    const seen = new Recorded().decode(packet.subarray(0, 48), { linkType: 228, originalLength: packet.length });
    expect(seen.datagrams).toMatchObject([{ payload: pattern(100).toString("hex", 0, 20), truncated: true }]);
    expect(seen.counts).toEqual({ udp: 1, truncated: 1 });
  });

  it("trusts the captured length when the original one is smaller", () => {
    const seen = new Recorded().decode(ipv4(udp(PAYLOAD)), { linkType: 228, originalLength: 30 });
    expect(seen.datagrams).toMatchObject([{ payload: HEX, truncated: false }]);
    expect(seen.counts).toEqual({ udp: 1 });
  });

  it.each<[string, Buffer, Record<string, number>]>([
    ["version 6 in an IPv4 frame", ipv4(udp(PAYLOAD), { versionAndLength: 0x65 }), { "bad-ip-header": 1 }],
    ["a header of 16 bytes", ipv4(udp(PAYLOAD), { versionAndLength: 0x44 }), { "bad-ip-header": 1 }],
    ["a header longer than the packet", ipv4(Buffer.alloc(4), { versionAndLength: 0x4f }), { "bad-ip-header": 1 }],
    ["a total length below the header", ipv4(udp(PAYLOAD), { totalLength: 19 }), { "bad-ip-length": 1 }],
    ["another protocol", ipv4(udp(PAYLOAD), { protocol: 132 }), { "other-protocol": 1 }],
    [
      "an authentication header that is cut",
      ipv4(authentication(17).subarray(0, 20), { protocol: 51 }),
      { "bad-ip-header": 1 },
    ],
    [
      "a v6 fragment header behind one",
      ipv4(join(authentication(44), fragmentHeader(17, 8, true), udp(PAYLOAD)), { protocol: 51 }),
      { "bad-ip-header": 1 },
    ],
  ])("counts %s", (_, packet, counts) => {
    const seen = decodeV4(packet);
    expect(seen.datagrams).toEqual([]);
    expect(seen.counts).toEqual(counts);
  });

  it("does not look into ICMP errors, which quote datagrams", () => {
    const quote = join(Buffer.from([3, 3, 0, 0, 0, 0, 0, 0]), ipv4(udp(PAYLOAD)));
    const seen = decodeV4(ipv4(quote, { protocol: 1 }));
    expect(seen.datagrams).toEqual([]);
    expect(seen.counts).toEqual({ icmp: 1 });
  });
});

describe("IPv6", () => {
  it("trims by the payload length", () => {
    const seen = new Recorded().decode(join(ethernet(IPV6_TYPE, ipv6(udp(PAYLOAD))), Buffer.alloc(9, 0xee)));
    expect(seen).toMatchObject({ payloads: [HEX], counts: { udp: 1 } });
  });

  it("takes what is captured when the payload length is 0, and refuses a jumbogram's UDP length of 0", () => {
    expect(decodeV6(ipv6(udp(PAYLOAD), { payloadLength: 0 }))).toMatchObject({ payloads: [HEX], counts: { udp: 1 } });
    const jumbo = ipv6(join(extension(17), udp(PAYLOAD, { length: 0 })), { next: 0, payloadLength: 0 });
    expect(decodeV6(jumbo).counts).toEqual({ "bad-udp-length": 1 });
  });

  it("follows eight extension headers and no more", () => {
    const chain = (count: number) => {
      const headers = Array.from({ length: count }, (_, i) => extension(i === count - 1 ? 17 : 60));
      return ipv6(join(...headers, udp(PAYLOAD)), { next: 60 });
    };
    expect(decodeV6(chain(8))).toMatchObject({ payloads: [HEX], counts: { udp: 1 } });
    expect(decodeV6(chain(9)).counts).toEqual({ "bad-ip-header": 1 });
  });

  it.each<[string, Buffer, Record<string, number>]>([
    ["version 4 in an IPv6 frame", join(Buffer.from([0x45]), ipv6(udp(PAYLOAD)).subarray(1)), { "bad-ip-header": 1 }],
    [
      "an extension header beyond the packet",
      ipv6(extension(17, 200).subarray(0, 64), { next: 0 }),
      { "bad-ip-header": 1 },
    ],
    ["no next header", ipv6(udp(PAYLOAD), { next: 59 }), { "other-protocol": 1 }],
    ["ICMPv6", ipv6(udp(PAYLOAD), { next: 58 }), { icmp: 1 }],
  ])("counts %s", (_, packet, counts) => {
    const seen = decodeV6(packet);
    expect(seen.datagrams).toEqual([]);
    expect(seen.counts).toEqual(counts);
  });
});

describe("UDP", () => {
  it("hands on an empty payload", () => {
    expect(decodeV4(ipv4(udp(Buffer.alloc(0))))).toMatchObject({ payloads: [""], counts: { udp: 1 } });
  });

  it("leaves out what lies behind the UDP length", () => {
    const seen = decodeV4(ipv4(join(udp(PAYLOAD), Buffer.alloc(5))));
    expect(seen.datagrams).toMatchObject([{ payload: HEX, truncated: false }]);
  });

  it("delivers the part that is there when the UDP length lies beyond the IP payload", () => {
    const seen = new Recorded().decode(join(ethernet(IPV4_TYPE, ipv4(udp(PAYLOAD, { length: 40 }))), Buffer.alloc(99)));
    expect(seen.datagrams).toMatchObject([{ payload: HEX, truncated: true }]);
    expect(seen.counts).toEqual({ udp: 1, "bad-udp-length": 1, truncated: 1 });
  });

  it.each([0, 1, 7])("refuses a length of %i", (length) => {
    const seen = decodeV4(ipv4(udp(PAYLOAD, { length })));
    expect(seen.datagrams).toEqual([]);
    expect(seen.counts).toEqual({ "bad-udp-length": 1 });
  });

  it("refuses a header that the packet does not hold", () => {
    expect(decodeV4(ipv4(udp(PAYLOAD).subarray(0, 7))).counts).toEqual({ "bad-udp-length": 1 });
  });
});

describe("TCP header", () => {
  it("skips options and tells captured from wire bytes", () => {
    const packet = ipv4(tcp(pattern(60), { sequence: 0xfffffff0, options: Buffer.alloc(12, 1), flags: 0x18 }), {
      protocol: 6,
    });
    const seen = new Recorded().decode(packet.subarray(0, packet.length - 40), {
      linkType: 228,
      originalLength: packet.length,
    });
    expect(seen.segments).toEqual([
      {
        source: "10.0.0.1:5060",
        destination: "10.0.0.2:5062",
        payload: pattern(60).toString("hex", 0, 20),
        wireBytes: 60,
        sequence: 0xfffffff0,
        flags: 0x18,
      },
    ]);
    expect(seen.counts).toEqual({ tcp: 1 });
  });

  it.each<[string, Buffer]>([
    ["a data offset below 5", tcp(PAYLOAD, { dataOffset: 4 })],
    ["a data offset beyond the segment", tcp(Buffer.alloc(0), { dataOffset: 6 })],
    ["a header that is cut", tcp(PAYLOAD).subarray(0, 19)],
  ])("counts %s", (_, segment) => {
    const seen = decodeV4(ipv4(segment, { protocol: 6 }));
    expect(seen.segments).toEqual([]);
    expect(seen.counts).toEqual({ "bad-tcp-header": 1 });
  });
});
