// Hostile connections: pieces of SIP, HTTP, WebSocket, compression and TLS, cut, repeated, damaged and put together anyhow,
// with gaps. Nothing throws, memory keeps its bounds at every step, and none is left when it is over.
import { deflateRawSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { configSchema } from "../../device/contract/config.js";
import { SignallingPath } from "../../device/signalling.js";
import { makeRandom, randomInteger } from "../fakes/random.js";
import { clientHello } from "../fakes/tls-hello.js";
import { upgradeRequest, upgradeResponse, WebSocketWriter, webSocketFrame } from "../fakes/websocket-bytes.js";
import { FIN, RST, SYN, segment } from "../unit/net/tcp-segments.js";
import { invite, SDP } from "../unit/sip/sip-text.js";

const MASK = [9, 0x81, 0xc1, 0x7e];
const ROUNDS = 6000;
const MAX_BYTES = 64 * 1024 * 1024;

function material(hello: Buffer, random: () => number): (() => Buffer)[] {
  const message = Buffer.from(invite({}, ["Content-Type: application/sdp", `Content-Length: ${SDP.length}`], SDP));
  const compressing = new WebSocketWriter({ isCompressing: true });
  const endless = Buffer.from(`INVITE sip:a SIP/2.0\r\nContent-Length: 60000\r\n\r\n`);
  return [
    () => message,
    () => new WebSocketWriter().message(message),
    () => new WebSocketWriter().message(message, { mask: MASK, fragments: [randomInteger(random, 200), 3] }),
    () => compressing.message(message, { mask: MASK }),
    () => upgradeRequest({ extensions: "permessage-deflate" }),
    () => upgradeResponse({ extensions: random() < 0.5 ? "permessage-deflate" : "" }),
    () => hello,
    () => Buffer.from([23, 3, 3, 0, 50, 1, 2, 3, 4, 5]),
    () => endless,
    () => Buffer.from("X: y\r\n".repeat(randomInteger(random, 100))),
    () => Buffer.from("\r\n\r\n"),
    () => webSocketFrame(deflateRawSync(Buffer.alloc(1_000_000)), { isCompressed: true }),
    () => webSocketFrame(message, { isFinal: false, mask: MASK }),
    () => webSocketFrame(Buffer.alloc(randomInteger(random, 70_000)), { opcode: 0, isFinal: random() < 0.1 }),
    () => webSocketFrame(Buffer.alloc(randomInteger(random, 120)), { opcode: 8 + randomInteger(random, 3) }),
    () => Buffer.from(Array.from({ length: randomInteger(random, 300) }, () => randomInteger(random, 256))),
  ];
}

function damaged(bytes: Buffer, random: () => number): Buffer {
  const fate = random();
  if (fate < 0.5 || bytes.length === 0) return bytes;
  if (fate < 0.7) return bytes.subarray(0, randomInteger(random, bytes.length));
  if (fate < 0.8) return bytes.subarray(randomInteger(random, bytes.length));
  const copy = Buffer.from(bytes);
  for (let i = 0; i < 3; i++) copy[randomInteger(random, copy.length)] = randomInteger(random, 256);
  return copy;
}

let hello: Buffer;
beforeAll(async () => {
  hello = await clientHello({ servername: "pbx.example", ALPNProtocols: ["sip"] });
});

describe("signalling streams", () => {
  it("take anything and keep their bounds", () => {
    const random = makeRandom(77);
    const makers = material(hello, random);
    let messages = 0;
    const path = new SignallingPath(configSchema.parse({ net: { maxTcpConnections: 16 } }), () => messages++);
    const push = path.segmentSink();
    const sequences = new Map<string, number>();
    let atMs = 0;
    for (let round = 0; round < ROUNDS; round++) {
      atMs += random() < 0.001 ? 10_000 : 3;
      const client = 1 + randomInteger(random, 20);
      const reverse = random() < 0.5;
      const name = `${client} ${reverse}`;
      const bytes = damaged(makers[randomInteger(random, makers.length)]!(), random);
      let sequence = sequences.get(name) ?? 1;
      if (random() < 0.03) sequence += randomInteger(random, 500);
      let flags = 0x10;
      if (random() < 0.02) flags = [SYN, FIN, RST][randomInteger(random, 3)]!;
      push(segment(sequence, bytes, { client, reverse, atMs, flags }));
      sequences.set(name, sequence + bytes.length + (flags === 0x10 ? 0 : 1));
      const { "sip.buffered-bytes": buffered } = path.exportCounters();
      if (buffered! > MAX_BYTES || buffered! < 0) throw new Error(`${round}: ${buffered} bytes held`);
      if (path.tlsEndpoints().length > 256) throw new Error(`${round}: too many servers`);
    }
    path.finish();
    const counts = path.exportCounters();
    expect(counts["sip.buffered-bytes"]).toBe(0);
    // Not vacuous: every kind of stream was met.
    expect(messages).toBeGreaterThan(100);
    for (const name of [
      "sip.tcp-directions-ignored",
      "sip.tcp-discarded-bytes",
      "sip.websocket-connections",
      "sip.websocket-messages",
      "sip.websocket-undecodable",
      "sip.websocket-lost",
      "sip.websocket-incomplete",
      "sip.tls-connections",
    ]) {
      expect(counts[name], name).toBeGreaterThan(0);
    }
  });
});
