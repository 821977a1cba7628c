// Noise and damaged frames: whatever comes, the decoder neither throws nor hands on bytes from outside the frame, and
// accounts for every frame.
import { describe, expect, it } from "vitest";
import { NetDecoder } from "../../device/net/decoder.js";
import { LINKTYPE } from "../../device/net/link-layer.js";
import { makeRandom, randomInteger } from "../fakes/random.js";
import { PORT } from "../fakes/tunnels.js";
import { ENCAPSULATIONS } from "../unit/net/encapsulations.js";
import { fragmentsOf } from "../unit/net/fragment-packets.js";
import {
  ethernet,
  frameOf,
  ipv4,
  ipv6,
  join,
  pattern,
  START_US,
  tcp,
  udp,
  uint16,
  uint32,
} from "../unit/net/packets.js";

const LIMITS = { maxFragmentedDatagrams: 32, maxFragmentMegabytes: 1, fragmentTimeoutMs: 5000 };
const SEEDS = [
  ...ENCAPSULATIONS,
  ...fragmentsOf(4, pattern(200), [64, 128]).map((content) => ({ linkType: 228, content })),
  ...fragmentsOf(6, pattern(200), [64, 128]).map((content) => ({ linkType: 229, content })),
  { linkType: 228, content: ipv4(tcp(pattern(50)), { protocol: 6 }) },
  { linkType: 229, content: ipv6(tcp(pattern(50)), { next: 6 }) },
];

/** Starts of tunnels, behind which noise is put. */
const TUNNEL_HEADS: { protocol: number; head: Buffer }[] = [
  { protocol: 4, head: Buffer.from([0x45]) },
  { protocol: 41, head: Buffer.from([0x60]) },
  { protocol: 47, head: Buffer.alloc(0) },
  ...[0x0800, 0x86dd, 0x6558, 0x8847, 0x880b, 0x88be, 0x88e7, 0x8100, 0x8864].map((type) => ({
    protocol: 47,
    head: join(uint16(0), uint16(type)),
  })),
  { protocol: 47, head: join(uint16(0x1000), uint16(0x88be), uint32(1), Buffer.from([0x10])) },
  { protocol: 47, head: join(uint16(0x1000), uint16(0x22eb), uint32(1), Buffer.from([0x20])) },
  { protocol: 47, head: join(uint16(0x2001), uint16(0x880b), uint32(1)) },
];
const UDP_TUNNEL_HEADS: { port: number; head: Buffer }[] = [
  { port: PORT.vxlan, head: join(uint32(0x08000000), uint32(0x100)) },
  ...[1, 2, 3, 5].map((next) => ({ port: PORT.vxlanGpe, head: join(uint32(0x0c000000 | next), uint32(0x100)) })),
  { port: PORT.geneve, head: join(uint32(0x02006558), uint32(0x100)) },
  { port: PORT.tzsp, head: uint32(0x01000001) },
  { port: PORT.gtpU, head: uint32(0x34ff0010) },
  ...Object.values(PORT).map((port) => ({ port, head: Buffer.alloc(0) })),
];

/** Decodes frames and checks each delivery against the frame it came from. */
class Checked {
  delivered = 0;
  #counted = 0;
  #frame = frameOf(Buffer.alloc(0));
  readonly decoder = new NetDecoder(
    LIMITS,
    ({ data, start, end, truncated }) => this.#check(data, start, end, truncated),
    ({ data, start, end, wireBytes }) => this.#check(data, start, end, wireBytes > end - start),
  );

  decode(content: Buffer, linkType: number, originalLength: number, atUs: number): void {
    this.#frame = frameOf(content, { linkType, originalLength, atUs });
    this.decoder.decode(this.#frame);
    const { frames, encapsulationUnlisted, ...reasons } = this.decoder.counters;
    const counted = Object.values(reasons).reduce((sum: number, count) => sum + (count as number), 0);
    if (counted === this.#counted) throw new Error(`frame ${frames} was neither delivered nor counted`);
    this.#counted = counted;
  }

  #check(data: Buffer, start: number, end: number, isShort: boolean): void {
    this.delivered++;
    const frame = this.#frame;
    const isReassembled = data !== frame.data;
    const [low, high] = isReassembled ? [0, 65535] : [frame.start, frame.start + frame.capturedLength];
    if (start < low || start > end || end > high) throw new Error(`${start}..${end} is outside ${low}..${high}`);
    if (isShort && isReassembled && end === high) throw new Error("a whole datagram cannot be short");
  }

  /** What was delivered is what was counted, and nothing is held beyond its bounds. */
  expectAccounted(frames: number): void {
    const counts = this.decoder.counters.toRecord();
    expect(counts["net.frames"]).toBe(frames);
    expect(counts["net.udp"]! + counts["net.tcp"]!).toBe(this.delivered);
    expect(this.decoder.fragments.size).toBeLessThanOrEqual(LIMITS.maxFragmentedDatagrams);
    expect(this.decoder.fragments.bytes).toBeLessThanOrEqual(LIMITS.maxFragmentMegabytes * 1024 * 1024);
  }
}

describe("the decoder", () => {
  it.each(Object.entries(LINKTYPE))("survives noise as %s", (_, linkType) => {
    const random = makeRandom(linkType + 1);
    const checked = new Checked();
    const frames = 5000;
    for (let i = 0; i < frames; i++) {
      const content = Buffer.from(Array.from({ length: randomInteger(random, 120) }, () => randomInteger(random, 256)));
      // Every other frame begins like an IP packet, so that the noise gets further than the version.
      const at = Math.min(content.length, linkType === 1 ? 14 : 0);
      if (i % 2 === 0 && at < content.length) content[at] = i % 4 === 0 ? 0x45 : 0x60;
      if (i % 2 === 0 && linkType === 1 && at < content.length)
        content.writeUInt16BE(i % 4 === 0 ? 0x0800 : 0x86dd, 12);
      checked.decode(content, linkType, content.length + randomInteger(random, 50), START_US + i * 1000);
    }
    checked.expectAccounted(frames);
  });

  it("survives noise in every kind of tunnel", () => {
    const random = makeRandom(5);
    const checked = new Checked();
    const frames = 60_000;
    for (let i = 0; i < frames; i++) {
      const noise = Buffer.from(Array.from({ length: randomInteger(random, 90) }, () => randomInteger(random, 256)));
      // Some of the noise is of small numbers, which lengths, counts and reserved fields often are.
      if (i % 3 === 0) for (const [at, value] of noise.entries()) noise[at] = value & 3;
      const { protocol, head } = TUNNEL_HEADS[randomInteger(random, TUNNEL_HEADS.length)]!;
      const { port, head: udpHead } = UDP_TUNNEL_HEADS[randomInteger(random, UDP_TUNNEL_HEADS.length)]!;
      const packet =
        i % 2 === 0 ? ipv4(join(head, noise), { protocol }) : ipv4(udp(join(udpHead, noise), { destination: port }));
      const content = ethernet(0x0800, packet);
      checked.decode(content, 1, content.length + (i % 5), START_US + i * 100);
    }
    checked.expectAccounted(frames);
  });

  it("survives damaged frames of every kind", () => {
    const random = makeRandom(77);
    const checked = new Checked();
    const frames = 100_000;
    for (let i = 0; i < frames; i++) {
      const seed = SEEDS[i % SEEDS.length]!;
      const content = Buffer.from(seed.content);
      for (let flips = randomInteger(random, 4); flips > 0; flips--) {
        content[randomInteger(random, content.length)] = randomInteger(random, 256);
      }
      const length = random() < 0.3 ? randomInteger(random, content.length + 1) : content.length;
      checked.decode(content.subarray(0, length), seed.linkType, content.length, START_US + i * 100);
    }
    checked.expectAccounted(frames);
    expect(checked.delivered).toBeGreaterThan(frames / 4);
  });
});
