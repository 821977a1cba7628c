import { describe, expect, it } from "vitest";
import type { Datagram } from "../../../device/net/datagram.js";
import { DatagramCopies } from "../../../device/net/datagram-copies.js";
import { LinkFacts } from "../../../device/net/link-facts.js";

const START_US = 1_795_000_000_000_000;

interface Seen {
  text?: string;
  atMs?: number;
  identification?: number;
  vlan?: number;
  ttl?: number;
  interfaceIndex?: number;
  port?: number;
}

function datagram(seen: Seen = {}): Datagram {
  const { text = "INVITE", atMs = 0, identification = 99, vlan = -1, ttl = 64, interfaceIndex = 0, port = 5060 } = seen;
  const data = Buffer.from(`<<${text}>>`);
  const link = Object.assign(new LinkFacts(), { identification, vlan, hopLimit: ttl });
  const key = Int32Array.from([0, 0, 0xffff, 0x0a000001, 0, 0, 0xffff, 0x0a000002, (port << 16) | 5060]);
  const capturedAtUs = START_US + atMs * 1000;
  return { data, start: 2, end: data.length - 2, truncated: false, capturedAtUs, key, interfaceIndex, link };
}

/** Which of the datagrams are copies, in turn. */
function copies(filter: DatagramCopies, ...seen: Seen[]): boolean[] {
  return seen.map((one) => filter.isCopy(datagram(one)));
}

describe("DatagramCopies", () => {
  it("counts each copy by its kind, however many there are", () => {
    const filter = new DatagramCopies(100);
    expect(
      copies(filter, {}, {}, { vlan: 7 }, { ttl: 63 }, { interfaceIndex: 1 }, { vlan: 9, ttl: 62, atMs: 100 }),
    ).toEqual([false, true, true, true, true, true]);
    expect(filter.counters.toRecord("")).toEqual({ same: 1, vlan: 1, ttl: 2, encapsulation: 0, interface: 1 });
  });

  it("hands on what differs in a byte, in an address, or in the IP identification", () => {
    const filter = new DatagramCopies(100);
    expect(
      copies(filter, {}, { text: "INVITF" }, { port: 5061 }, { identification: 100 }, { identification: 100, vlan: 3 }),
    ).toEqual([false, false, false, false, true]);
  });

  it("hands on a retransmission: after the window, whatever its identification", () => {
    const filter = new DatagramCopies(100);
    const sentAgain = [0, 500, 1500, 3500, 7500].map((atMs) => ({ identification: 0, atMs }));
    expect(copies(filter, ...sentAgain)).toEqual(sentAgain.map(() => false));
    expect(filter.counters.toRecord("").same).toBe(0);
  });

  it("knows the copies of each retransmission", () => {
    const filter = new DatagramCopies(100);
    const shown = [0, 50, 500, 600, 1100, 1101].map((atMs) => ({ identification: 0, atMs }));
    expect(copies(filter, ...shown)).toEqual([false, true, false, true, false, true]);
  });

  it("has time and content only in IPv6", () => {
    const filter = new DatagramCopies(100);
    const identification = -1;
    expect(copies(filter, { identification }, { identification, ttl: 63 }, { identification, atMs: 101 })).toEqual([
      false,
      true,
      false,
    ]);
  });

  it("goes with the clock when it jumps back, and knows copies of packets handed over in turns", () => {
    const filter = new DatagramCopies(100);
    expect(copies(filter, { atMs: 0 }, { atMs: -90, interfaceIndex: 1 })).toEqual([false, true]);
    expect(copies(filter, { atMs: -3_600_000 }, { atMs: -3_600_000 })).toEqual([false, true]);
  });

  it("keeps everything in when the window is 0", () => {
    const filter = new DatagramCopies(0);
    expect(copies(filter, {}, {}, {})).toEqual([false, false, false]);
  });

  it("forgets the oldest at its limit, counts it, and still knows the newest", () => {
    const filter = new DatagramCopies(100, 16);
    const flood = Array.from({ length: 1000 }, (_, i) => ({ text: `INVITE ${i}`, atMs: i / 100 }));
    expect(copies(filter, ...flood).some((isCopy) => isCopy)).toBe(false);
    expect(filter.forgotten).toBeGreaterThan(900);
    expect(filter.forgotten).toBeLessThanOrEqual(1000 - 16);
    expect(copies(filter, { text: "INVITE 999", atMs: 12 }, { text: "INVITE 0", atMs: 12 })).toEqual([true, false]);
  });

  it("knows every copy within the window and none beyond it, at any rate", () => {
    const filter = new DatagramCopies(100);
    for (let i = 0; i < 3000; i++) {
      const text = `message ${i}`;
      expect(copies(filter, { text, atMs: i * 3 })).toEqual([false]);
      if (i >= 33) expect(copies(filter, { text: `message ${i - 33}`, atMs: i * 3 })).toEqual([true]);
    }
    expect(filter.forgotten).toBe(0);
  });
});
