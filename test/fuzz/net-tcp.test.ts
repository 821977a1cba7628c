// Hostile TCP: random sequence numbers, flags, sizes, times and ports. Memory and table keep their bounds at every step,
// and nothing is left when it is over.
import { describe, expect, it } from "vitest";
import { makeRandom, randomInteger } from "../fakes/random.js";
import { Consumer, segment } from "../unit/net/tcp-segments.js";

describe("TCP streams", () => {
  it("keep their bounds under random segments", () => {
    const random = makeRandom(5);
    const limits = { maxConnections: 20, maxBufferedBytesPerConnection: 16_000, maxBufferedBytesTotal: 40_000 };
    const tcp = new Consumer(limits);
    const begun = new Set<number>();
    tcp.onData = (direction) => {
      begun.add(direction.id);
      if (random() < 0.01) direction.ignore();
    };
    let atMs = 0;
    const filler = Buffer.alloc(3000, 0x2e);
    for (let i = 0; i < 15_000; i++) {
      atMs += random() < 0.001 ? randomInteger(random, 200_000) - 100_000 : randomInteger(random, 20);
      const isWild = random() < 0.1;
      const sequence = isWild ? randomInteger(random, 2 ** 32) : randomInteger(random, 20_000);
      const length = random() < 0.8 ? randomInteger(random, 300) : randomInteger(random, filler.length);
      const payload = filler.subarray(0, length);
      tcp.push(
        segment(sequence, payload, {
          flags: random() < 0.1 ? randomInteger(random, 256) : 0x10,
          client: randomInteger(random, 40),
          reverse: random() < 0.5,
          atMs,
          wireBytes: random() < 0.05 ? length + randomInteger(random, 5000) : length,
        }),
      );
      if (tcp.streams.bufferedBytes > limits.maxBufferedBytesTotal) throw new Error(`${i}: too many bytes`);
      if (tcp.streams.connections > limits.maxConnections) throw new Error(`${i}: too many connections`);
    }
    tcp.streams.finish();
    expect(tcp.streams).toMatchObject({ bufferedBytes: 0, connections: 0 });
    // Each direction that delivered was ended, once.
    const ended = new Set(tcp.ended);
    expect(ended.size).toBe(tcp.ended.length);
    expect([...begun].filter((id) => !ended.has(id))).toEqual([]);
    expect(tcp.counts).toMatchObject({ gaps: expect.any(Number), evicted: expect.any(Number) });
  });

  it("keep their bounds under a flood of new connections", () => {
    const tcp = new Consumer({ maxConnections: 1000 });
    for (let client = 0; client < 20_000; client++) tcp.push(segment(0, "", { flags: 2, client }));
    expect(tcp.streams.connections).toBeLessThanOrEqual(1000);
    expect(tcp.counts).toEqual({ connections: 20_000, evicted: 20_000 - tcp.streams.connections });
  });
});
