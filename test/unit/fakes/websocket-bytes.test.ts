// Synthesised TCP and WebSocket traffic as an independent reader sees it.
import { describe, expect, it } from "vitest";
import { CaptureFile } from "../../fakes/capture-file.js";
import { TcpConversation, tcpFrame } from "../../fakes/tcp-frames.js";
import {
  OPCODE,
  upgradeRequest,
  upgradeResponse,
  WebSocketWriter,
  webSocketFrame,
} from "../../fakes/websocket-bytes.js";
import { hasTshark, tshark, tsharkFields } from "./tshark.js";

const ENDS = { client: "192.0.2.1:40000", server: "192.0.2.9:80" };
const MASK = [0x37, 0xfa, 0x21, 0x3d];

function capture(frames: Buffer[]): Buffer {
  const file = new CaptureFile();
  frames.forEach((frame, i) => {
    file.add(frame, 1e15 + i * 1000);
  });
  return file.bytes();
}

describe("WebSocket frames", () => {
  it("are those of RFC 6455 §5.7", () => {
    expect(webSocketFrame(Buffer.from("Hello")).toString("hex")).toBe("810548656c6c6f");
    expect(webSocketFrame(Buffer.from("Hello"), { mask: MASK }).toString("hex")).toBe("818537fa213d7f9f4d5158");
    const fragments = new WebSocketWriter().message(Buffer.from("Hello"), { fragments: [3] });
    expect(fragments.toString("hex")).toBe("010348656c80026c6f");
    expect(webSocketFrame(Buffer.from("Hello"), { opcode: OPCODE.ping }).toString("hex")).toBe("890548656c6c6f");
    expect(webSocketFrame(Buffer.alloc(256), { opcode: 2 }).toString("hex", 0, 4)).toBe("827e0100");
    expect(webSocketFrame(Buffer.alloc(65536), { opcode: 2 }).toString("hex", 0, 10)).toBe("827f0000000000010000");
  });

  it("are those of RFC 7692 §7.2.3", () => {
    const writer = new WebSocketWriter({ isCompressing: true });
    expect(writer.message(Buffer.from("Hello")).toString("hex")).toBe("c107f248cdc9c90700");
    expect(writer.message(Buffer.from("Hello")).toString("hex")).toBe("c105f200110000");
  });
});

describe("TCP segments", () => {
  it("count on through the wrap", () => {
    const one = new TcpConversation({ ...ENDS, clientSequence: 0xffffffff, linkType: 101 });
    const frames = [...one.open(), ...one.send("client", Buffer.from("abcdef"), [1, 2]), ...one.close()];
    expect(frames.map((frame) => frame.readUInt32BE(24))).toEqual([
      0xffffffff, 0x7fffff00, 0, 0, 1, 3, 5, 6, 0x7fffff01, 7,
    ]);
    expect(frames.slice(3, 7).map((frame) => frame.toString("latin1", 40))).toEqual(["a", "bc", "de", "f"]);
  });
});

describe.skipIf(!hasTshark)("as tshark reads it", () => {
  it("segments have correct checksums in both families", () => {
    const v6 = { source: "[2001:db8::1]:4000", destination: "[2001:db8::2]:5060" };
    const frames = [
      tcpFrame({ source: ENDS.client, destination: ENDS.server, sequence: 1, payload: Buffer.from("odd") }),
      tcpFrame({ ...v6, sequence: 1, payload: Buffer.from("even") }),
    ];
    const options = ["-o", "tcp.check_checksum:TRUE", "-T", "fields", "-e", "tcp.checksum.status", "-e", "tcp.len"];
    expect(tshark(capture(frames), ...options)).toEqual(["1\t3", "1\t4"]);
  });

  it("a connection upgrades and carries every message, compressed ones too", () => {
    const tcp = new TcpConversation(ENDS);
    const extensions = "permessage-deflate";
    const client = new WebSocketWriter({ isCompressing: true });
    const server = new WebSocketWriter({ isCompressing: true });
    const ping = webSocketFrame(Buffer.from("?"), { opcode: OPCODE.ping });
    const texts = ["first message, first message", "first message again", "first message, and once more"];
    const frames = [
      ...tcp.open(),
      ...tcp.send("client", upgradeRequest({ protocol: "chat", extensions })),
      ...tcp.send("server", upgradeResponse({ protocol: "chat", extensions })),
      ...texts.flatMap((text) => tcp.send("client", client.message(Buffer.from(text), { mask: MASK }))),
      ...texts.flatMap((text) => tcp.send("server", server.message(Buffer.from(text), { between: [ping] }))),
    ];
    const fields = tsharkFields(capture(frames), "websocket.opcode == 1", "tcp.srcport", "websocket.payload.text");
    const seen = fields.map(([port, text]) => `${port} ${text}`);
    expect(seen).toEqual([...texts.map((text) => `40000 ${text}`), ...texts.map((text) => `80 ${text}`)]);
  });
});
