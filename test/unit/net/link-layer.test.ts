import { describe, expect, it } from "vitest";
import { NetDecoder } from "../../../device/net/decoder.js";
import { ENCAPSULATIONS, erf, PAYLOAD } from "./encapsulations.js";
import {
  bytes,
  ethernet,
  frameOf,
  IPV4_TYPE,
  ipv4,
  join,
  LIMITS,
  Recorded,
  START_US,
  tag,
  udp,
  uint16,
} from "./packets.js";

const PACKET = ipv4(udp(PAYLOAD));

describe("link layers", () => {
  it.each(ENCAPSULATIONS)("$name: finds the datagram", ({ linkType, content, isIpv6 }) => {
    const seen = new Recorded().decode(content, { linkType, atUs: START_US + 5, interfaceIndex: 3 });
    expect(seen.datagrams).toEqual([
      {
        source: isIpv6 ? "[2001:db8::1]:4000" : "10.0.0.1:4000",
        destination: isIpv6 ? "[2001:db8::ff]:4002" : "10.0.0.2:4002",
        payload: PAYLOAD.toString("hex"),
        truncated: false,
        atUs: START_US + 5,
        interfaceIndex: 3,
      },
    ]);
    expect(seen.counts).toEqual({ udp: 1 });
  });

  it.each(ENCAPSULATIONS)("$name: says what it came in", ({ linkType, content, layers, isIpv6 }) => {
    const seen = new Recorded();
    for (let i = 0; i < 3; i++) seen.decode(content, { linkType, atUs: START_US + i });
    const inner = isIpv6 ? "2001:db8::1 → 2001:db8::ff" : "10.0.0.1 → 10.0.0.2";
    const expected = { layers, inner, frames: 3, firstAtUs: START_US, lastAtUs: START_US + 2 };
    expect(seen.decoder.encapsulations()).toMatchObject(layers === "" ? [] : [expected]);
  });

  // A cut frame must give the same result whatever lies behind it in the buffer, and say what was wrong with it.
  it.each(ENCAPSULATIONS)("$name: cut at every length it stays within its bytes", ({ linkType, content, cutOuter }) => {
    const [outerFrom, outerTo] = cutOuter ?? [0, 0];
    for (let length = 0; length < content.length; length++) {
      const cut = content.subarray(0, length);
      const [seen, other] = [0x00, 0xff].map((poison) =>
        new Recorded().decode(cut, { linkType, poison, originalLength: content.length }),
      ) as [Recorded, Recorded];
      expect(other.datagrams).toEqual(seen.datagrams);
      expect(other.counts).toEqual(seen.counts);
      const headerBytes = content.length - PAYLOAD.length;
      if (length >= outerFrom && length < outerTo) {
        const payload = content.toString("hex", outerFrom, length);
        expect(seen.datagrams).toMatchObject([{ source: "192.168.0.1:55555", payload, truncated: true }]);
        expect(seen.counts).toEqual({ udp: 1, truncated: 1 });
      } else if (length < headerBytes) {
        expect(seen.datagrams).toEqual([]);
        expect(Object.values(seen.counts).reduce((sum, count) => sum + count, 0)).toBe(1);
      } else {
        const payload = PAYLOAD.toString("hex", 0, length - headerBytes);
        expect(seen.datagrams).toMatchObject([{ payload, truncated: true }]);
        expect(seen.counts).toEqual({ udp: 1, truncated: 1 });
      }
    }
  });

  it("hands on one reused datagram object", () => {
    const objects = new Set<unknown>();
    const decoder = new NetDecoder(LIMITS, (datagram) => objects.add(datagram));
    for (const { linkType, content } of ENCAPSULATIONS) decoder.decode(frameOf(content, { linkType }));
    expect(objects.size).toBe(1);
  });

  it("gives up on a ninth tag", () => {
    let content = tag(1, IPV4_TYPE, PACKET);
    for (let i = 0; i < 8; i++) content = tag(1, 0x8100, content);
    expect(new Recorded().decode(ethernet(0x8100, content)).counts).toEqual({ "too-many-tags": 1 });
  });

  it.each<[string, number, Buffer, string]>([
    ["an unknown link type", 105, PACKET, "unknown-link-type"],
    ["ARP", 1, ethernet(0x0806, Buffer.alloc(28)), "not-ip"],
    ["spanning tree", 1, ethernet(38, join(bytes(0x42, 0x42, 3), Buffer.alloc(35))), "not-ip"],
    ["SNAP with an organisation", 1, ethernet(30, join(bytes(0xaa, 0xaa, 3, 0, 0, 12), uint16(0x2000))), "not-ip"],
    ["SNAP inside SNAP", 1, ethernet(30, join(bytes(0xaa, 0xaa, 3, 0, 0, 0), uint16(30), PACKET)), "not-ip"],
    ["PPPoE discovery code in a session", 1, ethernet(0x8864, bytes(0x11, 9, 0, 0, 0, 0, 0, 0x21)), "not-ip"],
    ["PPP link control", 9, bytes(0xff, 3, 0xc0, 0x21, 1, 1, 0, 4), "not-ip"],
    ["raw IP of version 5", 101, bytes(0x55, 0, 0, 0), "not-ip"],
    ["a loopback family that is not IP", 0, bytes(7, 0, 0, 0, 0x45), "not-ip"],
    ["a cooked frame of 802.3", 113, join(Buffer.alloc(14), uint16(1), PACKET), "not-ip"],
    ["ERF of another type", 197, erf(1, [], PACKET), "not-ip"],
    ["ERF extension headers without end", 197, erf(0x82, Array(40).fill(Buffer.alloc(8, 0x80)), PACKET), "short-frame"],
  ])("counts %s", (_, linkType, content, reason) => {
    expect(new Recorded().decode(content, { linkType }).counts).toEqual({ [reason]: 1 });
  });
});
