// A call whose signalling goes over a connection instead of UDP: takes the frames of `makeCall` and sends the same messages
// at the same times over TCP (RFC 3261 §18) or WebSocket (RFC 7118). The caller is the client. RTP stays as it is.
import { makeRandom, randomInteger } from "./random.js";
import { TcpConversation, type TcpEnd } from "./tcp-frames.js";
import { mergeCalls, type TimedFrame } from "./timed-frames.js";
import {
  type MessageOptions,
  upgradeRequest,
  upgradeResponse,
  WebSocketWriter,
  webSocketFrame,
} from "./websocket-bytes.js";

/** Ethernet, IPv4 and UDP without options or tags. */
const UDP_PAYLOAD_AT = 42;
const HANDSHAKE_US = 50_000;
const CLIENT = "198.51.100.20:49152";
const KEEP_ALIVE = Buffer.from("\r\n\r\n");
const MASK = [0x1f, 0x81, 0x0a, 0xc2];
const PING = 9;

export interface StreamOptions {
  /** "address:port" of the server. */
  server?: string;
  /** Segment sizes, used in turn; default one segment per message. */
  segmentSizes?: readonly number[];
  /** Neighbouring segments change places, some come twice. */
  isDisordered?: boolean;
  /** The capture begins when the connection is there: no handshake is seen. */
  isMidway?: boolean;
  seed?: number;
}

export interface WebSocketOptions extends StreamOptions {
  /** "window": compressed, each message in view of the ones before; "message": each on its own. */
  compression?: "none" | "window" | "message";
  isFragmented?: boolean;
  opcode?: number;
  lengthBytes?: 0 | 2 | 8;
}

/** The call's signalling over one TCP connection, with keep-alives between. */
export function overTcp(frames: readonly TimedFrame[], options: StreamOptions = {}): TimedFrame[] {
  const stream = new SignallingConnection(frames, options);
  if (options.isMidway !== true) stream.handshake([]);
  stream.sendAll((text, from) => [KEEP_ALIVE, Buffer.from(withTransport(text, "TCP", from))]);
  return stream.frames();
}

/** The call's signalling over one WebSocket connection. */
export function overWebSocket(frames: readonly TimedFrame[], options: WebSocketOptions = {}): TimedFrame[] {
  const { compression = "none", opcode, lengthBytes } = options;
  const stream = new SignallingConnection(frames, options);
  const extensions = compression === "none" ? "" : "permessage-deflate";
  if (options.isMidway !== true) stream.handshake([upgradeRequest({ extensions }), upgradeResponse({ extensions })]);
  const writerOptions = { isCompressing: compression !== "none", keepsWindow: compression === "window" };
  const writers = { client: new WebSocketWriter(writerOptions), server: new WebSocketWriter(writerOptions) };
  stream.sendAll((text, from) => {
    const mask = from === "client" ? { mask: MASK } : {};
    const ping = webSocketFrame(Buffer.from("alive"), { opcode: PING, ...mask });
    const message: MessageOptions = {
      ...mask,
      ...(opcode === undefined ? {} : { opcode }),
      ...(lengthBytes === undefined ? {} : { lengthBytes }),
      ...(options.isFragmented ? { fragments: [40, 0, 7], between: [ping] } : {}),
    };
    return [ping, writers[from].message(Buffer.from(withTransport(text, "WS", from)), message)];
  });
  return stream.frames();
}

class SignallingConnection {
  readonly #messages: readonly TimedFrame[];
  readonly #others: readonly TimedFrame[];
  readonly #options: StreamOptions;
  readonly #tcp: TcpConversation;
  readonly #random: () => number;
  readonly #sent: TimedFrame[] = [];
  #sizeIndex = 0;

  constructor(frames: readonly TimedFrame[], options: StreamOptions) {
    this.#messages = frames.filter((one) => one.kind === "sip");
    this.#others = frames.filter((one) => one.kind !== "sip");
    this.#options = options;
    this.#tcp = new TcpConversation({ client: CLIENT, server: options.server ?? "10.0.0.7:5060" });
    this.#random = makeRandom(options.seed ?? 1);
  }

  /** Opens the connection before the first message: what the client says, then what the server says. */
  handshake(lines: readonly Buffer[]): void {
    const first = this.#messages[0]!;
    let atUs = first.atUs - HANDSHAKE_US;
    const ends: TcpEnd[] = ["client", "server"];
    const frames = [...this.#tcp.open(), ...lines.flatMap((bytes, i) => this.#tcp.send(ends[i]!, bytes))];
    for (const frame of frames) this.#sent.push({ ...first, label: "", frame, atUs: atUs++ });
  }

  /** Sends every message at its time: as the pieces that `write` makes of it, cut into segments. */
  sendAll(write: (text: string, from: TcpEnd) => Buffer[]): void {
    for (const message of this.#messages) {
      const end: TcpEnd = message.from === "caller" ? "client" : "server";
      const bytes = Buffer.concat(write(message.frame.toString("utf8", UDP_PAYLOAD_AT), end));
      this.#disorder(this.#tcp.send(end, bytes, this.#sizes())).forEach((frame, i) => {
        this.#sent.push({ ...message, frame, atUs: message.atUs + i });
      });
    }
  }

  frames(): TimedFrame[] {
    return mergeCalls([...this.#others], this.#sent);
  }

  /** The sizes for one message, beginning where the last one ended. */
  #sizes(): number[] {
    const sizes = this.#options.segmentSizes ?? [1460];
    const turned = [...sizes.slice(this.#sizeIndex), ...sizes.slice(0, this.#sizeIndex)];
    this.#sizeIndex = (this.#sizeIndex + 1) % sizes.length;
    return Array.from({ length: 200 }, (_, i) => turned[i % turned.length]!);
  }

  #disorder(frames: Buffer[]): Buffer[] {
    if (this.#options.isDisordered !== true) return frames;
    const order = frames.flatMap((frame) => (this.#random() < 0.2 ? [frame, frame] : [frame]));
    for (let i = 0; i + 1 < order.length; i++) {
      const j = Math.min(order.length - 1, i + randomInteger(this.#random, 4));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}

/** The same message as it reads on another transport; a browser does not know its own address (RFC 7118 §5). */
function withTransport(text: string, transport: string, from: TcpEnd): string {
  const head = text.slice(0, text.indexOf("\r\n\r\n"));
  const body = text.slice(head.length);
  const via = head.replaceAll("SIP/2.0/UDP ", `SIP/2.0/${transport} `);
  if (transport === "TCP" || from === "server") return via + body;
  return (
    via
      .replace(/(Via: SIP\/2\.0\/WS )[^;]+/, "$1df7jal23ls0d.invalid")
      .replace(/(Contact: <sip:[^@]+@)[^>]+/, "$1df7jal23ls0d.invalid;transport=ws") + body
  );
}
