// SIP over WebSocket: RFC 6455, RFC 7118, RFC 7692. Whole, several at once, split at every byte, joined midway, gaps,
// hostile compression, endless noise.
import { constants, createDeflateRaw, deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { ByteBudget } from "../../../device/sip/byte-budget.js";
import { InflateWindows } from "../../../device/sip/websocket-inflater.js";
import { WebSocketCounters, WebSocketReader } from "../../../device/sip/websocket-reader.js";
import { makeRandom, randomInteger } from "../../fakes/random.js";
import { type MessageOptions, OPCODE, WebSocketWriter, webSocketFrame } from "../../fakes/websocket-bytes.js";
import { invite, LIMITS, messageText, SDP } from "./sip-text.js";

const MASK = [0x37, 0xfa, 0x21, 0x3d];
const INVITE = invite({}, ["Content-Type: application/sdp", `Content-Length: ${SDP.length}`], SDP);
const BYE = messageText("BYE sip:a SIP/2.0", ["Via: SIP/2.0/WS h.invalid", "Call-ID: 1"]);
const OK = messageText("SIP/2.0 200 OK", ["Via: SIP/2.0/WS h.invalid"], "abc");
const PING = webSocketFrame(Buffer.from("are you there"), { opcode: OPCODE.ping });

function collect({ limits = LIMITS, windowBytes = 1_000_000, isBegun = true, seeksCompressed = true } = {}) {
  const messages: string[] = [];
  const counters = new WebSocketCounters();
  const budget = new ByteBudget(1_000_000);
  const windows = new InflateWindows(windowBytes);
  const reader = new WebSocketReader({ limits, budget, windows, counters }, (data, start, end, truncated) =>
    messages.push(`${data.toString("utf8", start, end)}${truncated ? "<cut" : ""}`),
  );
  reader.seeksCompressed = seeksCompressed;
  if (isBegun) reader.begin();
  const push = (...pieces: Buffer[]) => {
    const data = Buffer.concat([Buffer.from("??"), ...pieces, Buffer.from("??")]);
    const before = Buffer.from(data);
    reader.push(data, 2, data.length - 2);
    expect(data.equals(before)).toBe(true);
  };
  return { reader, messages, counters, budget, windows, push };
}

const written = (text: string, options: MessageOptions = {}) =>
  new WebSocketWriter().message(Buffer.from(text), options);

const FORMS: [string, MessageOptions][] = [
  ["unmasked", {}],
  ["masked", { mask: MASK }],
  ["binary", { opcode: OPCODE.binary, mask: MASK }],
  ["with a 16-bit length", { lengthBytes: 2 }],
  ["with a 64-bit length", { lengthBytes: 8, mask: MASK }],
  ["in fragments", { fragments: [1, 0, 30], mask: MASK }],
  ["in fragments with control frames between", { fragments: [5, 100], between: [PING, PING] }],
];

describe("messages", () => {
  test.each(FORMS)("%s", (_name, options) => {
    const { messages, push, counters, budget } = collect();
    push(written(INVITE, options), PING, written(BYE, options), written(OK, options));
    expect(messages).toEqual([INVITE, BYE, OK]);
    expect(counters).toEqual({ messages: 3, tooLong: 0, undecodable: 0, lost: 0, incomplete: 0 });
    expect(budget.usedBytes).toBe(0);
  });

  test.each(FORMS)("%s, split at every byte, and byte by byte", (_name, options) => {
    const stream = Buffer.concat([written(INVITE, options), PING, written(OK, options)]);
    for (let at = 0; at <= stream.length; at++) {
      const { messages, push } = collect();
      push(stream.subarray(0, at));
      push(stream.subarray(at));
      expect(messages).toEqual([INVITE, OK]);
    }
    const { messages, push } = collect();
    for (const octet of stream) push(Buffer.of(octet));
    expect(messages).toEqual([INVITE, OK]);
  });

  test("keep-alives and empty messages are passed over", () => {
    const { messages, push, counters } = collect();
    push(written("\r\n\r\n"), written(""), written("\r\n", { fragments: [1] }), written(BYE));
    expect(messages).toEqual([BYE]);
    expect(counters.messages).toBe(1);
  });

  test("longer than the limit, whole or in fragments, are given up and the next is read", () => {
    const limits = { maxMessageBytes: 2000, maxLineBytes: 300, maxHeaderLines: 20 };
    const { messages, push, counters, budget } = collect({ limits });
    const long = messageText("MESSAGE sip:a SIP/2.0", [], "x".repeat(3000));
    push(written(long), written(BYE), written(long, { fragments: [900, 900], mask: MASK }), written(OK));
    expect(messages).toEqual([BYE, OK]);
    expect(counters.tooLong).toBe(2);
    expect(budget.usedBytes).toBe(0);
  });

  test("for which there is no memory cost themselves only", () => {
    const { messages, push, counters, budget } = collect();
    budget.take(budget.maxBytes - 4096);
    push(written(messageText("MESSAGE sip:a SIP/2.0", [], "x".repeat(9000))), written(BYE));
    expect(messages).toEqual([BYE]);
    expect(counters.tooLong).toBe(1);
    expect(budget.refusals).toBe(1);
  });

  test("that never end give way to the next", () => {
    const { messages, push, counters } = collect();
    push(webSocketFrame(Buffer.from(INVITE), { isFinal: false }), written(BYE), written(OK));
    expect(messages).toEqual([BYE, OK]);
    expect(counters.incomplete).toBe(1);
  });
});

describe("compression", () => {
  test.each([
    ["with the window kept", true],
    ["message by message", false],
  ])("%s, masked, in fragments, split at every byte", (_name, keepsWindow) => {
    const writer = new WebSocketWriter({ isCompressing: true, keepsWindow });
    const options = { mask: MASK, fragments: [3, 20], between: [PING] };
    const texts = [INVITE, BYE, INVITE, OK];
    const stream = Buffer.concat(texts.map((text) => writer.message(Buffer.from(text), options)));
    for (let at = 0; at <= stream.length; at++) {
      const { messages, push, counters } = collect();
      push(stream.subarray(0, at));
      push(stream.subarray(at));
      expect(messages).toEqual(texts);
      expect(counters).toMatchObject({ undecodable: 0, lost: 0, incomplete: 0 });
    }
  });

  test("with the window kept over far more than it holds", () => {
    const writer = new WebSocketWriter({ isCompressing: true });
    const { messages, push, windows } = collect();
    const texts = Array.from({ length: 100 }, (_, i) => INVITE.replace("a84b4c76e66710", `call-${i % 7}-${i}`));
    for (const text of texts) push(writer.message(Buffer.from(text)));
    expect(messages).toEqual(texts);
    expect(windows.bytes).toBe(32768);
  });

  test.each([15, 9])("as a deflater writes that runs on, with a window of 2^%i", async (windowBits) => {
    const deflater = createDeflateRaw({ windowBits });
    const { messages, push, counters } = collect();
    const texts = Array.from({ length: 150 }, (_, i) => INVITE.replace("a84b4c76e66710", `call-${i % 7}-${i}`));
    for (const text of texts) {
      const parts: Buffer[] = [];
      deflater.on("data", (part: Buffer) => parts.push(part));
      deflater.write(text);
      await new Promise<void>((resolve) => deflater.flush(constants.Z_SYNC_FLUSH, resolve));
      deflater.removeAllListeners("data");
      const payload = Buffer.concat(parts).subarray(0, -4);
      push(webSocketFrame(payload, { isCompressed: true, mask: MASK }));
    }
    deflater.close();
    expect(messages).toEqual(texts);
    expect(counters.undecodable).toBe(0);
  });

  test("blocks that end with BFINAL, one or several in a message (RFC 7692 §7.2.3.4)", () => {
    const frame = (payload: Buffer) => webSocketFrame(payload, { isCompressed: true });
    const { messages, push } = collect();
    push(frame(Buffer.from("f348cdc9c9070000", "hex")));
    const blocks = [INVITE.slice(0, 99), INVITE.slice(99, 120), INVITE.slice(120)].map((part) => deflateRawSync(part));
    push(frame(Buffer.concat([...blocks, Buffer.of(0)])));
    const writer = new WebSocketWriter({ isCompressing: true });
    writer.message(Buffer.from(`Hello${INVITE}`));
    push(writer.message(Buffer.from(INVITE)));
    expect(messages).toEqual(["Hello", INVITE, INVITE]);
  });

  test("uncompressed messages between compressed ones are no part of the window", () => {
    const writer = new WebSocketWriter({ isCompressing: true });
    const { messages, push } = collect();
    push(writer.message(Buffer.from(INVITE)), written(OK), writer.message(Buffer.from(INVITE)), written(BYE));
    expect(messages).toEqual([INVITE, OK, INVITE, BYE]);
  });

  test("that refers to what was not seen is counted, never read wrongly, and ends with a message that does not", () => {
    const writer = new WebSocketWriter({ isCompressing: true });
    writer.message(Buffer.from(INVITE));
    const { messages, push, counters } = collect();
    push(writer.message(Buffer.from(INVITE)), writer.message(Buffer.from(BYE)));
    expect(messages).toEqual([]);
    expect(counters.undecodable).toBe(2);
    const anew = new WebSocketWriter({ isCompressing: true });
    push(anew.message(Buffer.from(INVITE)), anew.message(Buffer.from(INVITE)));
    expect(messages).toEqual([INVITE, INVITE]);
  });

  test("of a bomb costs no more than the limit", () => {
    const writer = new WebSocketWriter({ isCompressing: true, keepsWindow: false });
    const { messages, push, counters, windows } = collect();
    push(writer.message(Buffer.alloc(50_000_000)), writer.message(Buffer.from(BYE)));
    expect(messages).toEqual([BYE]);
    expect(counters.undecodable).toBe(1);
    expect(windows.bytes).toBeLessThan(1000);
    const blocks = Buffer.concat(Array.from({ length: 2000 }, () => deflateRawSync("")));
    push(webSocketFrame(blocks, { isCompressed: true }), writer.message(Buffer.from(OK)));
    expect(messages).toEqual([BYE, OK]);
    expect(counters.undecodable).toBe(2);
  });

  test("of a message that is given up leaves no window: what refers to it is not read wrongly", () => {
    const random = makeRandom(5);
    const noise = Buffer.from(Array.from({ length: 3000 }, () => randomInteger(random, 256)));
    const givenUp: [string, Buffer, (text: Buffer) => Buffer][] = [
      ["too long once read", Buffer.alloc(3000, "x"), (written) => written],
      ["too long as it is", noise, (written) => written],
      ["no deflate stream", Buffer.from(BYE), () => webSocketFrame(Buffer.of(6, 1, 2), { isCompressed: true })],
      ["not ended", Buffer.from(OK), (written) => Buffer.concat([Buffer.of(0x41), written.subarray(1)])],
    ];
    for (const [name, text, change] of givenUp) {
      const writer = new WebSocketWriter({ isCompressing: true });
      const { messages, push, counters } = collect({ limits: { ...LIMITS, maxMessageBytes: 2000 } });
      for (let i = 0; i < 12; i++) push(writer.message(Buffer.from(INVITE)));
      messages.length = 0;
      push(change(writer.message(text)));
      // What is now written refers to them, over a distance that lies elsewhere for who does not have it all.
      push(writer.message(Buffer.from(INVITE)), writer.message(Buffer.from(INVITE)));
      expect(messages, name).toEqual([]);
      expect(counters.undecodable + counters.tooLong + counters.incomplete, name).toBe(3);
    }
  });

  test("that was not agreed on is no frame", () => {
    const { reader, messages, push, counters } = collect();
    reader.isCompressionPossible = false;
    push(new WebSocketWriter({ isCompressing: true }).message(Buffer.from(INVITE)));
    expect(messages).toEqual([]);
    expect(counters.lost).toBe(1);
    push(written(BYE));
    expect(messages).toEqual([BYE]);
  });

  test("keeps windows within their limit, giving up the one longest unused", () => {
    const windows = new InflateWindows(100);
    const [a, b, c] = [{}, {}, {}];
    windows.set(a, Buffer.alloc(40));
    windows.set(b, Buffer.alloc(40));
    windows.set(a, Buffer.alloc(50));
    windows.set(c, Buffer.alloc(30));
    expect([a, b, c].map((owner) => windows.get(owner)?.length)).toEqual([50, undefined, 30]);
    expect(windows).toMatchObject({ bytes: 80, evicted: 1 });
    for (const owner of [a, b, c]) windows.delete(owner);
    expect(windows.bytes).toBe(0);
  });

  test("gives its window back at the end", () => {
    const { reader, push, windows } = collect();
    push(new WebSocketWriter({ isCompressing: true }).message(Buffer.from(INVITE)));
    expect(windows.bytes).toBe(INVITE.length);
    reader.close();
    expect(windows.bytes).toBe(0);
  });
});

describe("finding frames", () => {
  test("a continuation of what was not begun is nothing, and the next message is read", () => {
    const { messages, push, counters } = collect();
    push(webSocketFrame(Buffer.from(INVITE), { opcode: OPCODE.continuation, isFinal: false }), PING);
    push(webSocketFrame(Buffer.from(INVITE), { opcode: OPCODE.continuation }), written(BYE));
    expect(messages).toEqual([BYE]);
    expect(counters).toMatchObject({ incomplete: 1, lost: 0 });
  });

  test.each(FORMS.filter(([, { fragments }]) => fragments === undefined))(
    "joined at any byte: everything from the next message on, %s",
    (_name, options) => {
      const all = [INVITE, OK, BYE, INVITE];
      const frames = all.map((text) => written(text, options));
      const stream = Buffer.concat(frames);
      let begun = 0;
      let next = 0;
      for (let from = 0; from <= stream.length - frames.at(-1)!.length; from++) {
        while (begun < from) begun += frames[next++]!.length;
        const { messages, push } = collect({ isBegun: false });
        push(stream.subarray(from));
        expect(messages).toEqual(all.slice(next));
      }
    },
  );

  test("in the middle of segments of any size", () => {
    const stream = Buffer.concat([written(INVITE).subarray(100), PING, written(OK), written(BYE, { mask: MASK })]);
    for (let size = 1; size < 90; size++) {
      const { messages, push } = collect({ isBegun: false });
      for (let at = 0; at < stream.length; at += size) push(stream.subarray(at, at + size));
      expect(messages).toEqual([OK, BYE]);
    }
  });

  test("a message in fragments, from its first one", () => {
    const { messages, push, counters } = collect({ isBegun: false });
    push(written(INVITE, { fragments: [60, 60], between: [PING] }), written(BYE));
    expect(messages).toEqual([INVITE, BYE]);
    expect(counters.incomplete).toBe(0);
  });

  test("a compressed message where a segment begins, behind control frames too", () => {
    const writer = new WebSocketWriter({ isCompressing: true, keepsWindow: false });
    const compressed = writer.message(Buffer.from(INVITE), { mask: MASK });
    for (const before of [[], [PING], [PING, PING]]) {
      const { messages, push, reader } = collect({ isBegun: false });
      push(compressed.subarray(50));
      expect(reader.isSynchronised).toBe(false);
      push(...before, compressed);
      push(compressed);
      expect(messages).toEqual([INVITE, INVITE]);
    }
  });

  test("by decompressing only where that is wanted", () => {
    const compressed = new WebSocketWriter({ isCompressing: true, keepsWindow: false }).message(Buffer.from(INVITE));
    const { messages, push, reader } = collect({ isBegun: false, seeksCompressed: false });
    push(compressed);
    expect(reader.isSynchronised).toBe(false);
    push(written(BYE), compressed);
    expect(messages).toEqual([BYE, INVITE]);
  });

  test("after a gap anywhere: what was begun as cut, then the next message", () => {
    const frame = written(INVITE, { mask: MASK });
    for (let cut = 0; cut < frame.length; cut++) {
      const { reader, messages, push, counters } = collect();
      push(written(OK), frame.subarray(0, cut));
      reader.gap();
      push(frame.subarray(cut + 3), written(BYE, { mask: MASK }));
      const payload = cut - (frame.length - INVITE.length);
      const begun = payload > 0 ? [`${INVITE.slice(0, payload)}<cut`] : [];
      expect(messages).toEqual([OK, ...begun, BYE]);
      expect(counters.lost).toBe(1);
    }
  });

  test("after a gap in a compressed message nothing of it, and no window", () => {
    const writer = new WebSocketWriter({ isCompressing: true });
    const { reader, messages, push, counters, windows } = collect();
    push(writer.message(Buffer.from(OK)), writer.message(Buffer.from(INVITE)).subarray(0, 90));
    reader.gap();
    expect(messages).toEqual([OK]);
    expect(windows.bytes).toBe(0);
    expect(counters.incomplete).toBe(1);
    push(new WebSocketWriter({ isCompressing: true }).message(Buffer.from(BYE)));
    expect(messages).toEqual([OK, BYE]);
  });

  test("after bytes that are no frame", () => {
    const { messages, push, counters } = collect();
    push(written(OK), Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"), written(BYE));
    expect(messages).toEqual([OK, BYE]);
    expect(counters.lost).toBe(1);
  });

  test("is not fooled by frames that carry something else", () => {
    const { reader, messages, push } = collect({ isBegun: false });
    for (const text of ["GET / HTTP/1.1\r\n", "{}", "SIP/2.1 200 OK", "INVITE http://a SIP/2.0", "invite", "x ", ""]) {
      push(written(text.padEnd(60)), written(text.padEnd(60), { mask: MASK }));
    }
    expect(reader.isSynchronised).toBe(false);
    expect(messages).toEqual([]);
  });
});

test("endless noise leaves nothing behind", () => {
  const random = makeRandom(7);
  const noise = Buffer.alloc(200_000);
  for (let i = 0; i < noise.length; i++) noise[i] = randomInteger(random, 256);
  const units = [
    Buffer.from("a"),
    Buffer.of(0x81),
    Buffer.of(0x81, 0xfe),
    Buffer.of(0x01, 0x05),
    Buffer.of(0x80, 0x00),
    Buffer.from("\x81\x1eINVITE s", "latin1"),
    Buffer.of(0xc1, 0x7e, 0x03, 0xe8),
    noise,
  ];
  for (const unit of units) {
    for (const isBegun of [true, false]) {
      const { reader, messages, push, budget } = collect({ isBegun });
      const all = Buffer.concat(Array.from({ length: Math.ceil(200_000 / unit.length) }, () => unit));
      for (let at = 0; at < all.length; at += 1400) push(all.subarray(at, at + 1400));
      expect(budget.usedBytes).toBeLessThanOrEqual(LIMITS.maxMessageBytes);
      reader.gap();
      expect(budget.usedBytes).toBe(0);
      messages.length = 0;
      push(written(INVITE, { mask: MASK }));
      expect(messages).toEqual([INVITE]);
    }
  }
});
