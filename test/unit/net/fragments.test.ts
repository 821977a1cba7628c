import { describe, expect, it } from "vitest";
import { fragment, fragmentsOf, fragmentsWithOptions, LINK_TYPE_OF, type Version } from "./fragment-packets.js";
import { authentication, fragmentHeader, ipv4, ipv6, join, pattern, Recorded, START_US, udp } from "./packets.js";

const PAYLOAD = pattern(100);
const HEX = PAYLOAD.toString("hex");
const VERSIONS: Version[] = [4, 6];
const SECOND_US = 1_000_000;

class Reassembled extends Recorded {
  take(version: Version, packet: Buffer, atUs = START_US): this {
    return this.decode(packet, { linkType: LINK_TYPE_OF[version], atUs });
  }
}

describe.each(VERSIONS)("IPv%i fragments", (version) => {
  const parts = fragmentsOf(version, PAYLOAD, [32, 64]) as [Buffer, Buffer, Buffer];

  it("makes one datagram at the time of the fragment that completes it", () => {
    const seen = new Reassembled().take(version, parts[2]).take(version, parts[0], START_US + 10);
    expect(seen.datagrams).toEqual([]);
    seen.take(version, parts[1], START_US + 20);
    expect(seen.datagrams).toMatchObject([{ payload: HEX, truncated: false, atUs: START_US + 20 }]);
    expect(seen.counts).toEqual({ fragments: 3, reassembled: 1, udp: 1 });
    expect(seen.decoder.fragments).toMatchObject({ size: 0, bytes: 0 });
  });

  it("makes a datagram of the greatest length, and refuses one byte more", () => {
    const whole = pattern(65535 - 8);
    const cuts = Array.from({ length: 8 }, (_, i) => (i + 1) * 8000);
    const seen = new Reassembled();
    for (const part of fragmentsOf(version, whole, cuts)) seen.take(version, part);
    expect(seen.payloads).toEqual([whole.toString("hex")]);
    seen.take(version, fragment(version, Buffer.alloc(8), 65528, false, 8));
    expect(seen.counts).toMatchObject({ "bad-fragment": 1, reassembled: 1 });
    expect(seen.decoder.fragments.size).toBe(0);
  });

  it("takes exact copies of fragments for what they are", () => {
    const seen = new Reassembled();
    for (const part of [parts[0], parts[0], parts[1], parts[0], parts[1], parts[2]]) seen.take(version, part);
    expect(seen.payloads).toEqual([HEX]);
    expect(seen.counts).toEqual({ fragments: 6, "fragment-duplicate": 3, reassembled: 1, udp: 1 });
  });

  it("accepts overlaps that agree", () => {
    const datagram = udp(PAYLOAD);
    const seen = new Reassembled()
      .take(version, fragment(version, datagram.subarray(0, 48), 0, true))
      .take(version, fragment(version, datagram.subarray(16), 16, false));
    expect(seen.payloads).toEqual([HEX]);
  });

  it("drops a datagram whose overlaps differ, and all that follows of it", () => {
    const other = Buffer.from(udp(PAYLOAD).subarray(24, 48));
    other[23]! ^= 1;
    const seen = new Reassembled().take(version, parts[0]).take(version, parts[1]);
    seen.take(version, fragment(version, other, 24, true));
    for (const part of parts) seen.take(version, part);
    expect(seen.datagrams).toEqual([]);
    expect(seen.counts).toEqual({ fragments: 6, "fragment-overlap": 1 });
    // After the timeout the identification is free again.
    for (const part of parts) seen.take(version, part, START_US + 6 * SECOND_US);
    expect(seen.payloads).toEqual([HEX]);
    expect(seen.counts).not.toHaveProperty("fragment-timeout");
  });

  it.each<[string, [number, number, boolean][]]>([
    [
      "two ends",
      [
        [40, 20, false],
        [48, 20, false],
      ],
    ],
    [
      "a second end that only adjoins",
      [
        [40, 16, false],
        [56, 8, false],
      ],
    ],
    [
      "bytes behind the end",
      [
        [40, 20, false],
        [64, 8, true],
      ],
    ],
    [
      "an end before bytes that came",
      [
        [64, 8, true],
        [40, 20, false],
      ],
    ],
  ])("drops a datagram with %s", (_, fragments) => {
    const seen = new Reassembled();
    for (const [offset, length, more] of fragments) {
      seen.take(version, fragment(version, Buffer.alloc(length), offset, more));
    }
    expect(seen.counts).toEqual({ fragments: 2, "fragment-overlap": 1 });
  });

  it("refuses fragments of impossible length", () => {
    const seen = new Reassembled()
      .take(version, fragment(version, Buffer.alloc(20), 0, true))
      .take(version, fragment(version, Buffer.alloc(0), 8, false))
      .take(version, fragment(version, Buffer.alloc(0), 0, true));
    expect(seen.counts).toEqual({ fragments: 3, "bad-fragment": 3 });
    expect(seen.decoder.fragments.size).toBe(0);
  });

  it("cannot use a fragment that the capture cut", () => {
    const cut = parts[0].subarray(0, parts[0].length - 8);
    const seen = new Recorded().decode(cut, { linkType: LINK_TYPE_OF[version], originalLength: parts[0].length });
    expect(seen.counts).toEqual({ fragments: 1, "fragment-truncated": 1 });
  });

  it("gives up after the timeout in packet time, driven by any frame", () => {
    const seen = new Reassembled().take(version, parts[0]);
    seen.decode(Buffer.alloc(3), { atUs: START_US + 5 * SECOND_US });
    expect(seen.decoder.fragments.size).toBe(1);
    seen.decode(Buffer.alloc(3), { atUs: START_US + 5 * SECOND_US + 1 });
    expect(seen.decoder.fragments).toMatchObject({ size: 0, bytes: 0 });
    expect(seen.counts).toMatchObject({ "fragment-timeout": 1 });
  });

  it("does not join fragments that lie apart in time, backwards neither", () => {
    const seen = new Reassembled().take(version, parts[0]).take(version, parts[1]);
    for (const part of parts) seen.take(version, part, START_US - 3600 * SECOND_US);
    expect(seen.payloads).toEqual([HEX]);
    expect(seen.counts).toMatchObject({ "fragment-timeout": 1, reassembled: 1 });
  });

  it("keeps datagrams with different identifications apart", () => {
    const others = fragmentsOf(version, pattern(100, 2), [32, 64], 8);
    const seen = new Reassembled();
    for (let i = 0; i < 3; i++) seen.take(version, parts[i]!).take(version, others[i]!);
    expect(seen.payloads).toEqual([HEX, pattern(100, 2).toString("hex")]);
  });

  it("holds no more datagrams than allowed: the oldest goes first", () => {
    const seen = new Reassembled({ maxFragmentedDatagrams: 16, maxFragmentMegabytes: 1, fragmentTimeoutMs: 5000 });
    for (let id = 1; id <= 17; id++) seen.take(version, fragmentsOf(version, PAYLOAD, [64], id)[0]!);
    expect(seen.decoder.fragments.size).toBe(16);
    for (let id = 2; id <= 17; id++) seen.take(version, fragmentsOf(version, PAYLOAD, [64], id)[1]!);
    expect(seen.counts).toMatchObject({ "fragment-evicted": 1, reassembled: 16, udp: 16 });
  });

  it("stays within its memory whatever never finishes", () => {
    const limits = { maxFragmentedDatagrams: 65536, maxFragmentMegabytes: 1, fragmentTimeoutMs: 5000 };
    const seen = new Reassembled(limits);
    const template = fragment(version, pattern(48), 8 * 4096, true);
    const frame = { linkType: LINK_TYPE_OF[version], atUs: START_US };
    for (let i = 0; i < 100_000; i++) {
      // A new sender each time, so that none of them completes anything.
      template.writeUInt32BE(i, version === 4 ? 12 : 16);
      seen.decode(template, frame);
      if (seen.decoder.fragments.bytes > 1024 * 1024) throw new Error(`over the bound after ${i} fragments`);
    }
    const { size } = seen.decoder.fragments;
    expect(size).toBeGreaterThan(100);
    expect(seen.counts).toEqual({ fragments: 100_000, "fragment-evicted": 100_000 - size });
    for (const part of parts) seen.take(version, part);
    expect(seen.payloads).toEqual([HEX]);
  });
});

describe("fragments of one version", () => {
  it("keeps IPv4 protocols apart", () => {
    const [head, , tail] = fragmentsOf(4, PAYLOAD, [32, 64]) as [Buffer, Buffer, Buffer];
    const tcpPart = ipv4(Buffer.alloc(32), { protocol: 6, identification: 7, offset: 32, more: true });
    const seen = new Reassembled().take(4, head).take(4, tcpPart).take(4, tail);
    expect(seen.datagrams).toEqual([]);
    expect(seen.decoder.fragments.size).toBe(2);
  });

  it("refuses an IPv4 fragment without a total length", () => {
    const seen = new Reassembled().take(4, ipv4(Buffer.alloc(32), { totalLength: 0, more: true }));
    expect(seen.counts).toEqual({ fragments: 1, "bad-fragment": 1 });
  });

  it("follows IPv6 extension headers behind the first fragment's start, whatever later ones name", () => {
    const [first, second] = fragmentsWithOptions(PAYLOAD) as [Buffer, Buffer];
    expect(new Reassembled().take(6, first).take(6, second).payloads).toEqual([HEX]);
    expect(new Reassembled().take(6, second).take(6, first).payloads).toEqual([HEX]);
  });

  it("follows an IPv4 authentication header in a reassembled datagram", () => {
    const whole = join(authentication(17), udp(PAYLOAD));
    const seen = new Reassembled()
      .take(4, ipv4(whole.subarray(0, 16), { protocol: 51, more: true }))
      .take(4, ipv4(whole.subarray(16), { protocol: 51, offset: 16 }));
    expect(seen.payloads).toEqual([HEX]);
  });

  it("refuses fragments inside a reassembled datagram", () => {
    const whole = join(fragmentHeader(17, 0, true, 3), udp(PAYLOAD));
    const seen = new Reassembled()
      .take(6, ipv6(join(fragmentHeader(44, 0, true), whole.subarray(0, 64)), { next: 44 }))
      .take(6, ipv6(join(fragmentHeader(44, 64, false), whole.subarray(64)), { next: 44 }));
    expect(seen.counts).toEqual({ fragments: 2, reassembled: 1, "bad-ip-header": 1 });
  });
});
