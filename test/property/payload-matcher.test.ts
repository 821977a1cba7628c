// What the payload matcher finds is there, and what is there it finds, whatever the network does to the packets.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSampled } from "../../device/call/payload-fingerprint.js";
import { PayloadMatcher } from "../../device/call/payload-matcher.js";
import { makeRandom } from "../fakes/random.js";
import { speechPayloads } from "../fakes/speech.js";
import { inOrder, Mirror, type Passing, passing } from "../unit/call/payload-scene.js";

const SECOND = 50;
/** Speech is slow to make: properties take pieces of these. */
const VOICES = Array.from({ length: 6 }, (_, i) => speechPayloads({ seed: 900 + i, noise: 10 + 10 * i }, 16 * SECOND));

const network = fc.record({
  seed: fc.integer(),
  delayUs: fc.integer({ min: 100, max: 150_000 }),
  jitterUs: fc.integer({ min: 0, max: 25_000 }),
  lossRate: fc.constantFrom(0, 0.02, 0.3),
  relayLossRate: fc.constantFrom(0, 0.02, 0.3),
  copyRate: fc.constantFrom(0, 0.1, 1),
  voice: fc.nat(5),
  firstPacket: fc.nat(200),
});

describe("the payload matcher", () => {
  it("finds a relayed stream among others through delay, jitter, loss and copies, and nothing else", () => {
    fc.assert(
      fc.property(network, (plan) => {
        const random = makeRandom(plan.seed);
        const payloads = VOICES[plan.voice]!.slice(plan.firstPacket);
        const copyAfterUs = (): number => (random() < plan.copyRate ? 10 + random() * 5000 : 0);
        const onWay = payloads.map(() => random() * plan.jitterUs);
        const streams = [
          passing("a1", payloads, { delayUs: (i) => onWay[i]!, isLost: () => random() < plan.lossRate, copyAfterUs }),
          passing("a2", payloads, {
            delayUs: (i) => onWay[i]! + plan.delayUs + random() * plan.jitterUs,
            isLost: () => random() < plan.relayLossRate,
            copyAfterUs,
          }),
          passing("b", VOICES[(plan.voice + 1) % 6]!),
          passing("c", VOICES[(plan.voice + 2) % 6]!, { startUs: 777 }),
        ];
        const mirror = new Mirror().pass(inOrder(...streams)).finish();
        expect(mirror.pairs).toEqual(["a1>a2"]);
        const { delayUs } = mirror.found[0]!;
        expect(delayUs).toBeGreaterThanOrEqual(plan.delayUs);
        expect(delayUs).toBeLessThanOrEqual(plan.delayUs + plan.jitterUs);
      }),
      { seed: 71, numRuns: 40 },
    );
  });

  // Streams carry their own voice or another's, changing every two seconds: only those that were alone with their
  // audio, two of them, for at least one of these spans may be a pair.
  const STREAMS = 5;
  const SPAN = 2 * SECOND;
  const SPANS = 7;
  const plans = fc.array(fc.array(fc.nat(STREAMS - 1), { minLength: STREAMS, maxLength: STREAMS }), {
    minLength: 1,
    maxLength: SPANS,
  });

  it("never pairs streams that were not alone with their audio", () => {
    let pairs = 0;
    fc.assert(
      fc.property(plans, fc.nat(20), (spans, lagMs) => {
        const allowed = new Set<string>();
        const streams: Passing[] = [];
        for (const [span, voices] of spans.entries()) {
          for (let stream = 0; stream < STREAMS; stream++) {
            const voice = voices[stream]!;
            const others = voices.flatMap((each, i) => (each === voice && i !== stream ? [i] : []));
            if (others.length === 1 && others[0]! > stream) allowed.add(`${stream}>${others[0]}`);
            const payloads = VOICES[voice]!.slice(span * SPAN, (span + 1) * SPAN);
            const startUs = span * SPAN * 20_000 + stream * (lagMs + 1) * 1000;
            streams.push(...passing(String(stream), payloads, { startUs }));
          }
        }
        const mirror = new Mirror({ matchesNeeded: 6 }).pass(inOrder(streams)).finish();
        pairs += mirror.found.length;
        for (const { pair } of mirror.found) expect([...allowed]).toContain(pair);
      }),
      { seed: 72, numRuns: 60 },
    );
    expect(pairs).toBeGreaterThan(5);
  });

  it("stays within its bounds and consistent for any traffic at any times, streams closed and forgotten in between", () => {
    const pool = VOICES.flat().filter((payload) => isSampled(payload, 0, payload.length));
    const step = fc.record({
      stream: fc.nat(3),
      ahead: fc.nat(2),
      afterUs: fc.oneof(
        { weight: 20, arbitrary: fc.nat(60_000) },
        { weight: 1, arbitrary: fc.constantFrom(-1e6, -1e15, 1e15, 400_000, Number.NaN) },
      ),
      action: fc.oneof(
        { weight: 30, arbitrary: fc.constant("offer" as const) },
        { weight: 1, arbitrary: fc.constantFrom("close" as const, "forget" as const, "settle" as const) },
      ),
    });
    let pairs = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 500 }), (steps) => {
        const matcher = new PayloadMatcher<number>({ maxStreams: 3, maxEntries: 12, matchesNeeded: 2 }, (pair) => {
          pairs++;
          expect(pair.original).not.toBe(pair.relayed);
          expect(pair.original.isOpen && pair.relayed.isOpen).toBe(true);
          expect(pair.original.isSpare || pair.relayed.isSpare).toBe(false);
          expect(pair.delayUs).toBeGreaterThanOrEqual(1);
          expect(pair.delayUs).toBeLessThanOrEqual(300_000);
        });
        const tokens = Array.from({ length: 4 }, (_, i) => matcher.open(i));
        let nowUs = 0;
        for (const [index, { stream, ahead, afterUs, action }] of steps.entries()) {
          const token = tokens[stream]!;
          // Each payload is current for a while, so that streams have it one after another.
          const data = pool[(index >> 1) + (ahead >> 1)]!;
          const atUs = nowUs + afterUs;
          if (Number.isFinite(atUs)) nowUs = atUs;
          if (action === "offer") {
            // As if most packets had said nothing: matches are soon far enough apart.
            token.packets += 200;
            matcher.offer(token, data, 0, data.length, atUs);
          } else if (action === "settle") {
            matcher.settle(atUs);
          } else if (action === "forget") {
            matcher.forget(token);
          } else {
            matcher.close(token);
            tokens[stream] = matcher.open(stream);
          }
          expect(matcher.pending).toBeLessThanOrEqual(12);
          expect(matcher.streams).toBeLessThanOrEqual(3);
          expect(tokens.every((each) => each.partner === undefined || each.partner.partner === each)).toBe(true);
        }
      }),
      { seed: 73, numRuns: 60 },
    );
    expect(pairs).toBeGreaterThan(15);
  });
});
