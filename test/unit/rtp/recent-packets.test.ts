import { describe, expect, it } from "vitest";
import { CopyKind, packWay } from "../../../device/base/copies.js";
import { makeRtpView, readRtp } from "../../../device/rtp/packet.js";
import { digestPacket, RecentPackets } from "../../../device/rtp/recent-packets.js";
import { rtpPacket } from "../../fakes/rtp-stream.js";

const START_US = 1_795_000_000_000_000;
const WINDOW_US = 100_000;

interface Seen {
  sequence?: number;
  digest?: number;
  identification?: number;
  vlan?: number;
  ttl?: number;
  encapsulation?: number;
  interfaceIndex?: number;
  atMs?: number;
}

function take(recent: RecentPackets, seen: Seen = {}): CopyKind {
  const { sequence = 7, digest = 1234, identification = 99, vlan = -1, ttl = 64, atMs = 0 } = seen;
  const { encapsulation = 0, interfaceIndex = 0 } = seen;
  const way = packWay(vlan, ttl, encapsulation, interfaceIndex);
  return recent.take(sequence, digest, identification, way, START_US + atMs * 1000, WINDOW_US);
}

/** Kinds of the packets in turn. */
function kinds(...seen: Seen[]): CopyKind[] {
  const recent = new RecentPackets();
  return seen.map((one) => take(recent, one));
}

describe("RecentPackets", () => {
  it("tells the kind of a copy by what differs", () => {
    const { none, same, vlan, ttl, encapsulation, interface: other } = CopyKind;
    expect(kinds({}, {}, { vlan: 7 }, { ttl: 63 }, { interfaceIndex: 1 })).toEqual([none, same, vlan, ttl, other]);
    expect(kinds({}, { encapsulation: 1 }, { encapsulation: 65, vlan: 3 })).toEqual([
      none,
      encapsulation,
      encapsulation,
    ]);
    expect(kinds({ vlan: 0 }, {})).toEqual([none, vlan]);
    expect(kinds({ vlan: 4095 }, { vlan: 4094, ttl: 63 })).toEqual([none, ttl]);
    expect(kinds({}, { vlan: 3, interfaceIndex: 2 })).toEqual([none, vlan]);
  });

  it("takes the same packet in another IP packet for the sender's own duplicate, and knows that one's copies", () => {
    const [a, b] = [{ identification: 1 }, { identification: 2 }];
    expect(kinds(a, b)).toEqual([CopyKind.none, CopyKind.none]);
    expect(kinds(a, b, a, b)).toEqual([CopyKind.none, CopyKind.none, CopyKind.same, CopyKind.same]);
    expect(kinds(a, a, b, b)).toEqual([CopyKind.none, CopyKind.same, CopyKind.none, CopyKind.same]);
  });

  it("has the way only where identifications are no use", () => {
    expect(kinds({ identification: -1 }, { identification: -1 })).toEqual([CopyKind.none, CopyKind.same]);
    expect(kinds({ identification: 1 }, { identification: 2, ttl: 63 })).toEqual([CopyKind.none, CopyKind.ttl]);
  });

  it("looks no further than the window, in either direction", () => {
    for (const sign of [1, -1]) {
      expect(kinds({}, { atMs: sign * 100 })).toEqual([CopyKind.none, CopyKind.same]);
      expect(kinds({}, { atMs: sign * 100.001 })).toEqual([CopyKind.none, CopyKind.none]);
    }
  });

  it("takes a packet of another content under the same number for no copy", () => {
    expect(kinds({}, { digest: 5 }, { digest: 5 })).toEqual([CopyKind.none, CopyKind.none, CopyKind.same]);
  });

  it("takes no packet for a copy in a run of more than one wrap of the sequence number", () => {
    const recent = new RecentPackets();
    let copies = 0;
    for (let i = 0; i < 140_000; i++) {
      if (take(recent, { sequence: i & 0xffff, atMs: i * 20 }) !== CopyKind.none) copies++;
    }
    expect(copies).toBe(0);
  });

  it("takes the first packet for new whatever its numbers are", () => {
    const recent = new RecentPackets();
    expect(recent.take(0, 0, 0, 0, 0, WINDOW_US)).toBe(CopyKind.none);
    expect(recent.take(0, 0, 0, 0, 0, WINDOW_US)).toBe(CopyKind.same);
  });

  it("knows copies that come 31 packets later", () => {
    const recent = new RecentPackets();
    for (let i = 0; i < 5000; i++) {
      expect(take(recent, { sequence: (65_000 + i) & 0xffff, atMs: i })).toBe(CopyKind.none);
      if (i >= 31) expect(take(recent, { sequence: (65_000 + i - 31) & 0xffff, atMs: i })).toBe(CopyKind.same);
    }
  });
});

describe("digestPacket", () => {
  const packet = (changes: Partial<Parameters<typeof rtpPacket>[0]> = {}) =>
    rtpPacket({ payloadType: 8, sequence: 5, timestamp: 800, ssrc: 1, payload: Buffer.alloc(160, 0xd5), ...changes });
  const digest = (bytes: Buffer, start = 0, end = bytes.length) => {
    const view = makeRtpView();
    expect(readRtp(bytes, start, end, view)).toBe(true);
    return digestPacket(view, bytes);
  };

  it("does not depend on where the packet lies", () => {
    const shifted = Buffer.concat([Buffer.from([1, 2, 3]), packet(), Buffer.from([4])]);
    expect(digest(shifted, 3, shifted.length - 1)).toBe(digest(packet()));
  });

  it("differs with every header field that may differ, and with the payload", () => {
    const other = [
      packet({ payloadType: 0 }),
      packet({ isMarked: true }),
      packet({ sequence: 6 }),
      packet({ timestamp: 960 }),
      packet({ ssrc: 2 }),
      packet({ payload: Buffer.alloc(159, 0xd5) }),
      packet({ payload: Buffer.alloc(160, 0x55) }),
      packet({ payload: Buffer.concat([Buffer.alloc(159, 0xd5), Buffer.from([1])]) }),
    ].map((bytes) => digest(bytes));
    expect(new Set([digest(packet()), ...other]).size).toBe(other.length + 1);
  });

  it("reads packets of every length without leaving them", () => {
    for (let length = 0; length < 40; length++) {
      const bytes = packet({ payload: Buffer.alloc(length, 7) });
      const around = Buffer.concat([Buffer.alloc(8, 0xaa), bytes, Buffer.alloc(8, 0xbb)]);
      const same = Buffer.concat([Buffer.alloc(8, 0x11), bytes, Buffer.alloc(8, 0x22)]);
      expect(digest(around, 8, 8 + bytes.length)).toBe(digest(same, 8, 8 + bytes.length));
    }
  });
});
