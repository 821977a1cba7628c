// The list of encapsulations seen: one entry for each stack between each outer pair, counted, bounded.
import { describe, expect, it } from "vitest";
import { MAX_ENCAPSULATIONS, UNLISTED } from "../../../device/net/encapsulation-table.js";
import { erspan2, PORT, vxlan } from "../../fakes/tunnels.js";
import { ethernet, IPV4_TYPE, ipv4, Recorded, START_US, tag, tcp, udp } from "./packets.js";

const packet = ipv4(udp(Buffer.from("hello")));
const frame = ethernet(IPV4_TYPE, packet);
const mirrored = (from: number[], payload = frame): Buffer =>
  ethernet(IPV4_TYPE, ipv4(erspan2(payload), { source: from, destination: [10, 9, 9, 9], protocol: 47 }));
const encapsulationsOf = (seen: Recorded) => seen.links.map((link) => link.encapsulation);

describe("the list of encapsulations", () => {
  it("numbers them in the order of first sight and tells them apart by layers and outer ends", () => {
    const qinq = ethernet(0x88a8, tag(1, 0x8100, tag(2, IPV4_TYPE, packet)));
    const inVxlan = ethernet(
      IPV4_TYPE,
      ipv4(udp(vxlan(frame), { destination: PORT.vxlan }), { source: [10, 1, 1, 1] }),
    );
    const frames = [
      frame,
      mirrored([10, 1, 1, 1]),
      qinq,
      mirrored([10, 1, 1, 2]),
      inVxlan,
      mirrored([10, 1, 1, 1]),
      qinq,
    ];
    const seen = new Recorded();
    for (const [i, one] of frames.entries()) seen.decode(one, { atUs: START_US + i });
    expect(encapsulationsOf(seen)).toEqual([0, 1, 2, 3, 4, 1, 2]);
    const inner = "10.0.0.1 → 10.0.0.2";
    const at = (first: number, last: number) => ({ firstAtUs: START_US + first, lastAtUs: START_US + last });
    expect(seen.decoder.encapsulations()).toEqual([
      { layers: "gre/erspan2/ethernet", outer: "10.1.1.1 → 10.9.9.9", inner, frames: 2, ...at(1, 5) },
      { layers: "vlan/vlan", outer: "", inner, frames: 2, ...at(2, 6) },
      { layers: "gre/erspan2/ethernet", outer: "10.1.1.2 → 10.9.9.9", inner, frames: 1, ...at(3, 3) },
      { layers: "vxlan/ethernet", outer: "10.1.1.1 → 10.0.0.2", inner, frames: 1, ...at(4, 4) },
    ]);
  });

  it("has no entry for a single VLAN tag, and keeps it as a layer of others", () => {
    const tagged = ethernet(0x8100, tag(5, IPV4_TYPE, packet));
    const seen = new Recorded()
      .decode(tagged)
      .decode(mirrored([10, 1, 1, 1], tagged))
      .decode(tagged);
    expect(encapsulationsOf(seen)).toEqual([0, 1, 0]);
    expect(seen.decoder.encapsulations()).toMatchObject([{ layers: "gre/erspan2/ethernet/vlan", frames: 1 }]);
  });

  it("gives the outermost pair of nested tunnels", () => {
    const inside = ipv4(packet, { source: [10, 2, 2, 2], destination: [10, 2, 2, 3], protocol: 4 });
    const seen = new Recorded().decode(mirrored([10, 1, 1, 1], ethernet(IPV4_TYPE, inside)));
    expect(seen.decoder.encapsulations()).toMatchObject([
      { layers: "gre/erspan2/ethernet/ip-in-ip", outer: "10.1.1.1 → 10.9.9.9", inner: "10.0.0.1 → 10.0.0.2" },
    ]);
  });

  it("counts segments and datagrams, not what was not handed on", () => {
    const seen = new Recorded()
      .decode(mirrored([10, 1, 1, 1], ethernet(0x0806, Buffer.alloc(28))))
      .decode(mirrored([10, 1, 1, 1], ethernet(IPV4_TYPE, ipv4(Buffer.alloc(8), { protocol: 1 }))))
      .decode(
        mirrored([10, 1, 1, 1], ethernet(IPV4_TYPE, ipv4(tcp(Buffer.alloc(0)).subarray(0, 12), { protocol: 6 }))),
      );
    expect(seen.decoder.encapsulations()).toEqual([]);
    seen.decode(mirrored([10, 1, 1, 1], ethernet(IPV4_TYPE, ipv4(tcp(Buffer.alloc(0)), { protocol: 6 }))));
    expect(seen.decoder.encapsulations()).toMatchObject([{ frames: 1 }]);
  });

  it("is bounded: what finds no room is counted and told apart from what is not encapsulated", () => {
    const seen = new Recorded();
    const senders = Array.from({ length: MAX_ENCAPSULATIONS + 36 }, (_, i) => [10, 7, i >> 4, i & 15]);
    for (const sender of senders) seen.decode(mirrored(sender));
    for (const sender of senders.toReversed()) seen.decode(mirrored(sender));
    const numbers = senders.map((_, i) => Math.min(i + 1, UNLISTED));
    expect(encapsulationsOf(seen)).toEqual([...numbers, ...numbers.toReversed()]);
    const list = seen.decoder.encapsulations();
    expect(list).toHaveLength(MAX_ENCAPSULATIONS);
    expect(list.every((entry) => entry.frames === 2)).toBe(true);
    expect(seen.counts).toEqual({ udp: 200, "encapsulation-unlisted": 72 });
    expect(seen.decode(frame).links.at(-1)).toMatchObject({ encapsulation: 0 });
  });

  it("covers the time of all files, in whatever order they are read", () => {
    const seen = new Recorded();
    for (const atUs of [START_US, START_US - 500, START_US + 9, START_US + 1]) {
      seen.decode(mirrored([10, 1, 1, 1]), { atUs });
    }
    expect(seen.decoder.encapsulations()).toMatchObject([{ firstAtUs: START_US - 500, lastAtUs: START_US + 9 }]);
  });
});
