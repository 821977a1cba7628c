// What the two ends of a WebSocket connection write (RFC 6455, RFC 7118, RFC 7692): the handshake, and messages as frames,
// masked or not, in fragments, compressed with or without the window kept. Independent of the reader under test.
import { constants, deflateRawSync } from "node:zlib";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface HandshakeOptions {
  protocol?: string;
  /** Sec-WebSocket-Extensions. */
  extensions?: string;
  /** Further lines of the head. */
  further?: readonly string[];
}

/** The client's request (RFC 6455 §4.1). */
export function upgradeRequest(options: HandshakeOptions = {}): Buffer {
  return head("GET /ws HTTP/1.1", options, [
    "Host: pbx.example",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
  ]);
}

/** The server's 101 (RFC 6455 §4.2.2). */
export function upgradeResponse(options: HandshakeOptions = {}): Buffer {
  return head("HTTP/1.1 101 Switching Protocols", options, ["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
}

function head(startLine: string, options: HandshakeOptions, lines: readonly string[]): Buffer {
  const { protocol = "sip", extensions = "", further = [] } = options;
  const all = [
    startLine,
    "Upgrade: websocket",
    "Connection: Upgrade",
    ...lines,
    ...(protocol === "" ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ...(extensions === "" ? [] : [`Sec-WebSocket-Extensions: ${extensions}`]),
    ...further,
  ];
  return Buffer.from(`${all.join("\r\n")}\r\n\r\n`);
}

export interface FrameOptions {
  opcode?: number;
  isFinal?: boolean;
  /** RSV1. */
  isCompressed?: boolean;
  /** Four bytes; none = not masked. */
  mask?: readonly number[];
  /** Bytes of the extended length field: 0, 2 or 8. Default: as few as will do. */
  lengthBytes?: 0 | 2 | 8;
}

/** One frame (RFC 6455 §5.2). */
export function webSocketFrame(payload: Uint8Array, options: FrameOptions = {}): Buffer {
  const { opcode = OPCODE.text, isFinal = true, isCompressed = false, mask } = options;
  const { length } = payload;
  const lengthBytes = options.lengthBytes ?? (length > 0xffff ? 8 : length > 125 ? 2 : 0);
  const first = (isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode;
  const second = (mask ? 0x80 : 0) | (lengthBytes === 8 ? 127 : lengthBytes === 2 ? 126 : length);
  const extended = Buffer.alloc(lengthBytes);
  if (lengthBytes > 0) extended.writeUIntBE(length, Math.max(0, lengthBytes - 6), Math.min(6, lengthBytes));
  const masked = Buffer.from(payload);
  if (mask) for (let i = 0; i < masked.length; i++) masked[i] = masked[i]! ^ mask[i % 4]!;
  return Buffer.concat([Buffer.of(first, second), extended, Buffer.from(mask ?? []), masked]);
}

export interface MessageOptions {
  opcode?: number;
  mask?: readonly number[];
  /** Sizes of the fragments; what is left is the last one. Default: one frame. */
  fragments?: readonly number[];
  /** Whole frames put between the fragments. */
  between?: readonly Buffer[];
  lengthBytes?: 0 | 2 | 8;
}

/** One end's messages; compressed ones keep the window from one to the next unless told otherwise. */
export class WebSocketWriter {
  readonly #isCompressing: boolean;
  readonly #keepsWindow: boolean;
  #window = Buffer.alloc(0);

  constructor(options: { isCompressing?: boolean; keepsWindow?: boolean } = {}) {
    this.#isCompressing = options.isCompressing ?? false;
    this.#keepsWindow = options.keepsWindow ?? true;
  }

  /** The frames of one message. */
  message(text: Uint8Array, options: MessageOptions = {}): Buffer {
    const { fragments = [], between = [], opcode = OPCODE.text, ...rest } = options;
    const payload = this.#isCompressing ? this.#compress(text) : Buffer.from(text);
    const frames: Buffer[] = [];
    let at = 0;
    for (const size of [...fragments, payload.length]) {
      const isFirst = at === 0 && frames.length === 0;
      const part = payload.subarray(at, at + size);
      at += part.length;
      const isFinal = frames.length === fragments.length;
      frames.push(
        webSocketFrame(part, {
          ...rest,
          opcode: isFirst ? opcode : OPCODE.continuation,
          isCompressed: isFirst && this.#isCompressing,
          isFinal,
        }),
      );
    }
    return Buffer.concat(frames.flatMap((frame, i) => (i < frames.length - 1 ? [frame, ...between] : [frame])));
  }

  /** RFC 7692 §7.2.1: a flushed deflate stream without its last four bytes. */
  #compress(text: Uint8Array): Buffer {
    const flushed = deflateRawSync(text, {
      finishFlush: constants.Z_SYNC_FLUSH,
      ...(this.#window.length === 0 ? {} : { dictionary: this.#window }),
    });
    if (this.#keepsWindow) this.#window = Buffer.concat([this.#window, text]).subarray(-32768);
    return flushed.subarray(0, -4);
  }
}
