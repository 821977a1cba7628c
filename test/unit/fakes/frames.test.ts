import { describe, expect, it } from "vitest";
import { CaptureFile } from "../../fakes/capture-file.js";
import { fragmentFrames, internetChecksum, LINK_TYPE, parseEndpoint, sumOf, udpFrame } from "../../fakes/frames.js";
import { hasTshark, tsharkFields } from "./tshark.js";

const V4 = { source: "10.0.0.1:4000", destination: "192.0.2.9:5060" };
const V6 = { source: "[2001:db8::1]:4000", destination: "[2001:db8::2]:5060" };
const payload = Buffer.from("the payload, of odd length.");
const GOOD = "1";

function capture(frames: Buffer[], linkType: number = LINK_TYPE.ethernet): Buffer {
  const file = new CaptureFile({ linkType });
  frames.forEach((frame, i) => {
    file.add(frame, 1e15 + i);
  });
  return file.bytes();
}

describe("endpoints", () => {
  it("reads both families", () => {
    expect(parseEndpoint("10.0.0.1:4000")).toEqual({ version: 4, address: Buffer.from([10, 0, 0, 1]), port: 4000 });
    const v6 = parseEndpoint("[2001:db8::1]:65535");
    expect([v6.version, v6.address.toString("hex"), v6.port]).toEqual([6, "20010db8000000000000000000000001", 65535]);
  });

  it("refuses what is none", () => {
    for (const text of ["", "10.0.0.1", "10.0.0.1:65536", "10.0.0:1", "2001:db8::1:4000", "[10.0.0.1]:x"]) {
      expect(() => parseEndpoint(text), text).toThrow(RangeError);
    }
    expect(() => udpFrame({ source: V4.source, destination: V6.destination, payload })).toThrow(RangeError);
  });
});

describe("UDP frames", () => {
  it("carries correct IPv4 and UDP headers", () => {
    const packet = udpFrame({ ...V4, payload, linkType: LINK_TYPE.raw });
    expect(packet.length).toBe(28 + payload.length);
    expect(packet.readUInt16BE(2)).toBe(packet.length);
    expect(internetChecksum(sumOf(packet.subarray(0, 20)))).toBe(0);
    const pseudo = sumOf(packet.subarray(12, 20)) + 17 + packet.readUInt16BE(24);
    expect(internetChecksum(pseudo + sumOf(packet.subarray(20)))).toBe(0);
    expect(packet.subarray(28)).toEqual(payload);
  });

  it("can lack or break the UDP checksum", () => {
    const checksum = (kind: "correct" | "zero" | "wrong") =>
      udpFrame({ ...V4, payload, linkType: LINK_TYPE.raw, checksum: kind }).readUInt16BE(26);
    expect(checksum("zero")).toBe(0);
    expect(checksum("wrong")).not.toBe(checksum("correct"));
  });

  it("pads Ethernet frames on request only", () => {
    const short = { ...V4, payload: Buffer.from("x") };
    expect(udpFrame(short).length).toBe(43);
    expect(udpFrame({ ...short, isPadded: true }).length).toBe(60);
  });

  it("refuses VLAN tags where the link layer has none", () => {
    expect(() => udpFrame({ ...V4, payload, linkType: LINK_TYPE.raw, vlan: [5] })).toThrow(RangeError);
    expect(() => udpFrame({ ...V4, payload, linkType: 12345 })).toThrow(RangeError);
  });

  it.skipIf(!hasTshark)("is read by tshark over every link layer", () => {
    const linkTypes = Object.values(LINK_TYPE);
    const file = new CaptureFile({ format: "pcapng", interfaces: linkTypes.map((linkType) => ({ linkType })) });
    const expected: string[][] = [];
    linkTypes.forEach((linkType, interfaceIndex) => {
      for (const ends of [V4, V6]) {
        if (linkType === (ends === V4 ? LINK_TYPE.ipv6 : LINK_TYPE.ipv4)) continue;
        file.add(udpFrame({ ...ends, payload, linkType }), 1e15, { interfaceIndex });
        expected.push([String(interfaceIndex), "4000", "5060", payload.toString("hex"), GOOD]);
      }
    });
    const fields = ["frame.interface_id", "udp.srcport", "udp.dstport", "udp.payload", "udp.checksum.status"];
    expect(tsharkFields(file.bytes(), "udp", ...fields)).toEqual(expected);
  });

  it.skipIf(!hasTshark)("is read by tshark below one and two VLAN tags", () => {
    const linkTypes = [LINK_TYPE.ethernet, LINK_TYPE.sll, LINK_TYPE.sll2];
    const file = new CaptureFile({ format: "pcapng", interfaces: linkTypes.map((linkType) => ({ linkType })) });
    linkTypes.forEach((linkType, interfaceIndex) => {
      file.add(udpFrame({ ...V4, payload, linkType, vlan: [5] }), 1e15, { interfaceIndex });
      file.add(udpFrame({ ...V6, payload, linkType, vlan: [100, 4094] }), 1e15, { interfaceIndex });
    });
    const rows = tsharkFields(file.bytes(), "udp.checksum.status == 1", "vlan.id", "ieee8021ad.id", "udp.payload");
    const hex = payload.toString("hex");
    expect(rows).toEqual(
      linkTypes.flatMap(() => [
        ["5", "", hex],
        ["4094", "100", hex],
      ]),
    );
  });
});

describe("IP fragments", () => {
  const long = Buffer.from(Array.from({ length: 4001 }, (_, i) => i & 0xff));

  it("is one whole frame when the datagram fits", () => {
    expect(fragmentFrames({ ...V4, payload, mtu: 1500 })).toEqual([udpFrame({ ...V4, payload })]);
  });

  it("keeps every IP packet within the mtu", () => {
    for (const ends of [V4, V6]) {
      const packets = fragmentFrames({ ...ends, payload: long, mtu: 1300, linkType: LINK_TYPE.raw });
      expect(packets.length).toBe(4);
      for (const packet of packets) expect(packet.length).toBeLessThanOrEqual(1300);
    }
    expect(() => fragmentFrames({ ...V4, payload: long, mtu: 20 })).toThrow(RangeError);
  });

  it.skipIf(!hasTshark)("is reassembled by tshark, in and out of order", () => {
    for (const ends of [V4, V6]) {
      const fragments = fragmentFrames({ ...ends, payload: long, mtu: 1300, identification: 77 });
      for (const order of [fragments, [...fragments].reverse()]) {
        const rows = tsharkFields(capture(order), "udp.payload", "udp.length", "udp.payload", "udp.checksum.status");
        expect(rows).toEqual([["4009", long.toString("hex"), GOOD]]);
      }
    }
  });
});
