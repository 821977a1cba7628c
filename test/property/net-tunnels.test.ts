// Random stacks of tunnels, with random fragments inside and around: what went in comes out, under the name of its layers,
// and what is cut off or damaged never comes out as anything else.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_LAYERS } from "../../device/net/layer.js";
import {
  erspan1,
  erspan2,
  erspan3,
  geneve,
  gre,
  greEthernet,
  gtpU,
  macInMac,
  mpls,
  PORT,
  pppoe,
  tzsp,
  vxlan,
  vxlanGpe,
} from "../fakes/tunnels.js";
import {
  bytes,
  ethernet,
  IPV4_TYPE,
  ipv4,
  join,
  pattern,
  Recorded,
  tag,
  udp,
  uint16,
  uint32,
} from "../unit/net/packets.js";

const PAYLOAD = pattern(60);

/** An IPv4 packet put into one more encapsulation that ends in an IPv4 packet, or in a frame, again. */
interface Step {
  layers: string[];
  wrap: (packet: Buffer, id: number) => Buffer;
}
const frame = (packet: Buffer): Buffer => ethernet(IPV4_TYPE, packet);
const tagged = (packet: Buffer): Buffer => ethernet(0x8100, tag(7, IPV4_TYPE, packet));
const inIp = (protocol: number, payload: Buffer, id: number): Buffer =>
  ipv4(payload, { source: [172, 16, id >> 8, id & 255], destination: [172, 31, 0, 1], protocol, identification: id });
const inUdp = (port: number, payload: Buffer, id: number): Buffer => inIp(17, udp(payload, { destination: port }), id);

const STEPS: Step[] = [
  { layers: ["ip-in-ip"], wrap: (packet, id) => inIp(4, packet, id) },
  { layers: ["gre"], wrap: (packet, id) => inIp(47, gre(IPV4_TYPE, packet, { key: id }), id) },
  { layers: ["gre", "ethernet"], wrap: (packet, id) => inIp(47, greEthernet(frame(packet)), id) },
  { layers: ["gre", "erspan1", "ethernet"], wrap: (packet, id) => inIp(47, erspan1(frame(packet)), id) },
  { layers: ["gre", "erspan2", "ethernet", "vlan"], wrap: (packet, id) => inIp(47, erspan2(tagged(packet)), id) },
  { layers: ["gre", "erspan3", "ethernet"], wrap: (packet, id) => inIp(47, erspan3(frame(packet)), id) },
  { layers: ["vxlan", "ethernet"], wrap: (packet, id) => inUdp(PORT.vxlan, vxlan(frame(packet), id), id) },
  { layers: ["vxlan-gpe"], wrap: (packet, id) => inUdp(PORT.vxlanGpe, vxlanGpe(1, packet), id) },
  { layers: ["geneve", "ethernet"], wrap: (packet, id) => inUdp(PORT.geneve, geneve(0x6558, frame(packet)), id) },
  { layers: ["tzsp", "ethernet"], wrap: (packet, id) => inUdp(PORT.tzsp, tzsp(frame(packet)), id) },
  { layers: ["gtp-u"], wrap: (packet, id) => inUdp(PORT.gtpU, gtpU(packet, { sequence: id }), id) },
  { layers: ["gre", "mpls"], wrap: (packet, id) => inIp(47, gre(0x8847, mpls([16, 17], packet)), id) },
  {
    layers: ["gre", "mpls", "ethernet"],
    wrap: (packet, id) => inIp(47, gre(0x8847, mpls([16], join(uint32(0), frame(packet)))), id),
  },
  {
    layers: ["gre", "ethernet", "mac-in-mac", "ethernet"],
    wrap: (packet, id) => inIp(47, greEthernet(ethernet(0x88e7, macInMac(frame(packet)))), id),
  },
  {
    layers: ["gre", "ethernet", "pppoe"],
    wrap: (packet, id) => inIp(47, greEthernet(ethernet(0x8864, pppoe(join(uint16(0x0021), packet)))), id),
  },
  {
    layers: ["gre", "ppp"],
    wrap: (packet, id) => inIp(47, gre(0x880b, join(bytes(0xff, 3, 0x21), packet)), id),
  },
];
const steps = fc
  .array(fc.nat(STEPS.length - 1), { minLength: 1, maxLength: 8 })
  .map((picks) => picks.map((i) => STEPS[i]!));

/** The packet as fragments with its own identification, at multiples of 8 in its payload; whole when there is no cut. */
function fragments(packet: Buffer, cuts: number[], id: number): Buffer[] {
  const payload = packet.subarray(20);
  const starts = [0, ...new Set(cuts.map((cut) => cut * 8).filter((cut) => cut > 0 && cut < payload.length))];
  starts.sort((a, b) => a - b);
  return starts.map((offset, i) => {
    const copy = Buffer.concat([packet.subarray(0, 20), payload.subarray(offset, starts[i + 1])]);
    copy.writeUInt16BE(copy.length, 2);
    copy.writeUInt16BE(id, 4);
    copy.writeUInt16BE((i < starts.length - 1 ? 0x2000 : 0) | (offset >> 3), 6);
    return copy;
  });
}

describe("tunnels in tunnels", () => {
  it("are opened up to the bound, under their layers' names", () => {
    fc.assert(
      fc.property(steps, (stack) => {
        const layers = stack.toReversed().flatMap((step) => step.layers);
        const packet = stack.reduce((inner, step, i) => step.wrap(inner, 100 + i), ipv4(udp(PAYLOAD)));
        const seen = new Recorded().decode(packet, { linkType: 228 });
        if (layers.length > MAX_LAYERS) {
          expect(seen.datagrams).toEqual([]);
          expect(seen.counts).toEqual({ "too-deep": 1 });
          return;
        }
        expect(seen.payloads).toEqual([PAYLOAD.toString("hex")]);
        expect(seen.counts).toEqual({ udp: 1 });
        const outer = `172.16.0.${100 + stack.length - 1} → 172.31.0.1`;
        expect(seen.decoder.encapsulations()).toMatchObject([{ layers: layers.join("/"), outer, frames: 1 }]);
      }),
      { seed: 30, numRuns: 400 },
    );
  });

  it("come out whole however every level is fragmented and in whatever order the fragments come", () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 2 });
    const level = fc.record({ pick: fc.nat(STEPS.length - 1), cuts });
    fc.assert(
      fc.property(
        cuts,
        fc.array(level, { minLength: 1, maxLength: 3 }),
        fc.infiniteStream(fc.nat()),
        (own, levels, order) => {
          let packets = fragments(ipv4(udp(PAYLOAD)), own, 7);
          let id = 1000;
          for (const { pick, cuts: places } of levels) {
            // One level's packets have one pair of ends, but each an identification of its own.
            packets = packets.flatMap((packet) => fragments(STEPS[pick]!.wrap(packet, 500), places, id++));
          }
          const shuffled = packets
            .map((packet) => ({ packet, key: order.next().value as number }))
            .sort((a, b) => a.key - b.key);
          const seen = new Recorded();
          for (const { packet } of shuffled) seen.decode(packet, { linkType: 228 });
          expect(seen.payloads).toEqual([PAYLOAD.toString("hex")]);
          expect(seen.decoder.fragments).toMatchObject({ size: 0, bytes: 0 });
        },
      ),
      { seed: 31, numRuns: 300 },
    );
  });
});
