// SIP over TCP and WebSocket from segments to messages: whatever the cuts, the order, the copies and the overlaps, exactly
// the messages that were sent; joined midway or with losses, every message that is there as a whole.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { configSchema } from "../../device/contract/config.js";
import { SignallingPath } from "../../device/signalling.js";
import { upgradeRequest, WebSocketWriter, webSocketFrame } from "../fakes/websocket-bytes.js";
import { SYN, segment } from "../unit/net/tcp-segments.js";

interface Message {
  isRequest: boolean;
  bodyLines: number;
  isCompact: boolean;
  isFolded: boolean;
  keepAlives: number;
}

const message = fc.record<Message>({
  isRequest: fc.boolean(),
  bodyLines: fc.oneof(fc.constant(0), fc.nat(40)),
  isCompact: fc.boolean(),
  isFolded: fc.boolean(),
  keepAlives: fc.nat(2),
});

function textOf(one: Message, callId: string): string {
  const body = "a=sendrecv\r\n".repeat(one.bodyLines);
  const method = one.isRequest ? "MESSAGE" : "OPTIONS";
  const fold = one.isFolded ? "\r\n\t" : "";
  return [
    one.isRequest ? `${method} sip:bob@example.com SIP/2.0` : "SIP/2.0 200 OK",
    "Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK776asdhds",
    `From: ${fold}<sip:alice@example.com>;tag=1`,
    "To: <sip:bob@example.com>",
    `${one.isCompact ? "i" : "Call-ID"}: ${fold}${callId}`,
    `CSeq: 1 ${method}`,
    "Content-Type: text/plain",
    `${one.isCompact ? "l" : "Content-Length"}:${fold} ${body.length}`,
    "",
    body,
  ].join("\r\n");
}

/** Messages as they leave the path: by Call-ID, marked when they are not whole. */
class Listener {
  readonly heard: string[] = [];
  readonly path: SignallingPath;

  constructor() {
    this.path = new SignallingPath(configSchema.parse({}), ({ callId, bodyFault }) =>
      this.heard.push(bodyFault === "truncated" ? `${callId} cut` : callId),
    );
  }

  /** Bytes `start` to `end` of a stream that begins with sequence number `first`. */
  push(stream: Buffer, start: number, end: number, first: number): void {
    this.path.segmentSink()(segment(first + start, stream.subarray(start, end)));
  }
}

const FIRST = 0xfffff000;

/** Cuts, with copies and overlaps, in an order in which nothing is missing for long. */
const plan = fc.record({
  cuts: fc.array(fc.nat(3000), { minLength: 1, maxLength: 40 }),
  extra: fc.array(fc.record({ at: fc.nat(20_000), length: fc.integer({ min: 1, max: 2000 }) }), { maxLength: 15 }),
  swaps: fc.array(fc.nat(6), { minLength: 40, maxLength: 60 }),
});
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

function pieces(length: number, { cuts, extra, swaps }: Plan): [number, number][] {
  const steps: [number, number][] = [];
  for (let at = 0, i = 0; at < length; i++) {
    const size = 1 + cuts[i % cuts.length]!;
    steps.push([at, Math.min(length, at + size)]);
    at += size;
  }
  for (const one of extra) {
    if (one.at >= length) continue;
    const index = steps.findIndex(([, end]) => end > one.at);
    steps.splice(index, 0, [one.at, Math.min(length, one.at + one.length)]);
  }
  for (let i = 0; i < steps.length; i++) {
    const j = Math.min(steps.length - 1, i + swaps[i % swaps.length]!);
    [steps[i], steps[j]] = [steps[j]!, steps[i]!];
  }
  return steps;
}

describe("SIP over TCP", () => {
  const stream = (messages: readonly Message[]): Buffer =>
    Buffer.from(messages.map((one, i) => "\r\n".repeat(one.keepAlives) + textOf(one, `call-${i}`)).join(""));

  it("gives exactly the messages for any cuts, order, copies and overlaps", () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 20 }), plan, (messages, how) => {
        const bytes = stream(messages);
        const listener = new Listener();
        listener.path.segmentSink()(segment(FIRST - 1, "", { flags: SYN }));
        for (const [start, end] of pieces(bytes.length, how)) listener.push(bytes, start, end, FIRST);
        expect(listener.heard).toEqual(messages.map((_, i) => `call-${i}`));
      }),
      { seed: 41, numRuns: 200 },
    );
  });

  it("joined midway gives every message from the next beginning on", () => {
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 2, maxLength: 12 }),
        plan,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (messages, how, where) => {
          const bytes = stream(messages);
          const from = Math.floor(where * (bytes.length - 1));
          const begins = messages.map((_, i) => stream(messages.slice(0, i)).length + messages[i]!.keepAlives * 2);
          const listener = new Listener();
          // The first segment seen is where the stream begins for a listener: it comes first.
          const [first, ...rest] = pieces(bytes.length - from, { ...how, extra: [], swaps: [0] });
          for (const [start, end] of [first!, ...rest]) listener.push(bytes, from + start, from + end, FIRST);
          // A cut inside a method leaves another method, which its CSeq gives away.
          expect(listener.heard).toEqual(messages.flatMap((_, i) => (begins[i]! >= from ? [`call-${i}`] : [])));
        },
      ),
      { seed: 42, numRuns: 200 },
    );
  });

  it("with losses gives every message that is whole, in order, and marks those that are not", () => {
    const lost = fc.array(fc.boolean(), { minLength: 30, maxLength: 30 });
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 12 }), plan, lost, (messages, how, isLost) => {
        const bytes = stream(messages);
        const listener = new Listener();
        listener.path.segmentSink()(segment(FIRST - 1, "", { flags: SYN }));
        const missing: [number, number][] = [];
        pieces(bytes.length, { ...how, extra: [], swaps: [0] }).forEach(([start, end], i) => {
          if (isLost[i % isLost.length]) missing.push([start, end]);
          else listener.push(bytes, start, end, FIRST);
        });
        listener.path.finish();
        const whole = messages.flatMap((one, i) => {
          const end = stream(messages.slice(0, i + 1)).length;
          const begin = end - textOf(one, `call-${i}`).length;
          return missing.some(([from, to]) => from < end && to > begin) ? [] : [`call-${i}`];
        });
        const heard = listener.heard.filter((name) => !name.endsWith(" cut"));
        expect(heard.filter((name) => whole.includes(name))).toEqual(whole);
        // What is heard besides was cut behind its head, where nothing of it is missing that is looked at.
        for (const name of heard) expect(messages[Number(name.slice(5))]).toBeDefined();
        expect(new Set(listener.heard).size).toBe(listener.heard.length);
      }),
      { seed: 43, numRuns: 200 },
    );
  });
});

describe("SIP over WebSocket", () => {
  interface Form {
    isMasked: boolean;
    mask: number[];
    compression: "none" | "window" | "message";
    fragments: number[];
    lengthBytes: 0 | 2 | 8;
  }
  const form = fc.record<Form>({
    isMasked: fc.boolean(),
    mask: fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }),
    compression: fc.constantFrom("none", "window", "message"),
    fragments: fc.array(fc.nat(300), { maxLength: 4 }),
    lengthBytes: fc.constantFrom(2, 8),
  });

  function frames(
    messages: readonly Message[],
    { compression, isMasked, mask, fragments, lengthBytes }: Form,
  ): Buffer[] {
    const writer = new WebSocketWriter({
      isCompressing: compression !== "none",
      keepsWindow: compression === "window",
    });
    const masking = isMasked ? { mask } : {};
    const ping = webSocketFrame(Buffer.from("\x81\x05hello", "latin1"), { opcode: 9, ...masking });
    return messages.map((one, i) =>
      Buffer.concat([
        ...Array.from({ length: one.keepAlives }, () => ping),
        writer.message(Buffer.from(textOf(one, `call-${i}`)), { ...masking, fragments, lengthBytes, between: [ping] }),
      ]),
    );
  }

  it("gives exactly the messages for any frames, cuts, order, copies and overlaps", () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 20 }), form, plan, (messages, how, cuts) => {
        const bytes = Buffer.concat([upgradeRequest(), ...frames(messages, how)]);
        const listener = new Listener();
        listener.path.segmentSink()(segment(FIRST - 1, "", { flags: SYN }));
        for (const [start, end] of pieces(bytes.length, cuts)) listener.push(bytes, start, end, FIRST);
        expect(listener.heard).toEqual(messages.map((_, i) => `call-${i}`));
      }),
      { seed: 44, numRuns: 200 },
    );
  });

  it("joined midway gives every uncompressed message from the next beginning on", () => {
    const plain = form.map((one) => ({ ...one, compression: "none" as const, fragments: [] }));
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 2, maxLength: 12 }),
        plain,
        plan,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (messages, how, cuts, where) => {
          const written = frames(messages, how);
          const bytes = Buffer.concat(written);
          const from = Math.floor(where * (bytes.length - 1));
          const listener = new Listener();
          const all = pieces(bytes.length - from, { ...cuts, extra: [], swaps: [0] });
          for (const [start, end] of all) listener.push(bytes, from + start, from + end, FIRST);
          const expected = messages.flatMap((one, i) => {
            const end = Buffer.concat(written.slice(0, i + 1)).length;
            const header = (how.lengthBytes === 8 ? 10 : 4) + (how.isMasked ? 4 : 0);
            return end - textOf(one, `call-${i}`).length - header >= from ? [`call-${i}`] : [];
          });
          expect(listener.heard).toEqual(expected);
        },
      ),
      { seed: 45, numRuns: 200 },
    );
  });
});
