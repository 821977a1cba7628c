// Decompresses WebSocket messages (RFC 7692 §7.2.2) one at a time, with the sliding window that a sender may keep across
// messages. A window whose beginning was not seen is as good as a known one: a reference beyond it is an error, never
// wrong bytes. Output, number of blocks and the memory of all windows are bounded. What was negotiated does not matter:
// a larger window than the sender's reads the same.
import { constants, inflateRawSync, type ZlibOptions } from "node:zlib";

/** RFC 7692 §7.2.2: the sender took these off. */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const WINDOW_BYTES = 32 * 1024;
/** Senders that end blocks with BFINAL (RFC 7692 §7.2.3.4) write few in one message. */
const MAX_BLOCKS = 8;

/** The windows of all directions; the one longest unused goes first. */
export class InflateWindows {
  readonly #maxBytes: number;
  readonly #windows = new Map<object, Buffer>();
  #bytes = 0;
  /** Windows given up for want of room. */
  evicted = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(owner: object): Buffer | undefined {
    return this.#windows.get(owner);
  }

  set(owner: object, window: Buffer): void {
    this.delete(owner);
    this.#windows.set(owner, window);
    this.#bytes += window.length;
    for (const oldest of this.#windows.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.evicted++;
      this.delete(oldest);
    }
  }

  delete(owner: object): void {
    this.#bytes -= this.#windows.get(owner)?.length ?? 0;
    this.#windows.delete(owner);
  }
}

export class MessageInflater {
  readonly #windows: InflateWindows;
  readonly #maxBytes: number;

  /** `maxBytes`: longest message after decompression. */
  constructor(windows: InflateWindows, maxBytes: number) {
    this.#windows = windows;
    this.#maxBytes = maxBytes;
  }

  /** The message; undefined when it cannot be decompressed, and then the window is unknown from here on. */
  inflate(compressed: Buffer): Buffer | undefined {
    const message = this.#inflateBlocks(Buffer.concat([compressed, TAIL]));
    if (message === undefined) this.forget();
    else this.#windows.set(this, this.#windowAfter(message));
    return message;
  }

  /** What the beginning of a compressed message says, as far as it goes; keeps nothing. */
  peek(beginning: Buffer): Buffer | undefined {
    return this.#inflateOnce(beginning, this.#windows.get(this), this.#maxBytes)?.buffer;
  }

  /** Messages were missed, or this was the last: the window is of no use any more. */
  forget(): void {
    this.#windows.delete(this);
  }

  /** A block with BFINAL ends a deflate stream but not the message: what follows is another, with the same window. */
  #inflateBlocks(compressed: Buffer): Buffer | undefined {
    const parts: Buffer[] = [];
    let dictionary = this.#windows.get(this);
    let room = this.#maxBytes;
    let at = 0;
    for (let blocks = 0; at < compressed.length; blocks++) {
      if (blocks === MAX_BLOCKS) return undefined;
      const result = this.#inflateOnce(compressed.subarray(at), dictionary, room);
      if (result === undefined || result.consumedBytes === 0) return undefined;
      parts.push(result.buffer);
      room -= result.buffer.length;
      at += result.consumedBytes;
      if (at < compressed.length) dictionary = lastBytes(dictionary, result.buffer);
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  #inflateOnce(
    compressed: Buffer,
    dictionary: Buffer | undefined,
    room: number,
  ): { buffer: Buffer; consumedBytes: number } | undefined {
    const options: ZlibOptions = {
      info: true,
      // Zero is refused by zlib: a full message is one byte short of an error either way.
      maxOutputLength: Math.max(1, room),
      finishFlush: constants.Z_SYNC_FLUSH,
      ...(dictionary === undefined || dictionary.length === 0 ? {} : { dictionary }),
    };
    try {
      const result = inflateRawSync(compressed, options) as unknown as {
        buffer: Buffer;
        engine: { bytesWritten: number };
      };
      return { buffer: result.buffer, consumedBytes: result.engine.bytesWritten };
    } catch {
      return undefined;
    }
  }

  #windowAfter(message: Buffer): Buffer {
    // A copy: the message's own buffer may be larger than what is kept of it.
    return Buffer.from(lastBytes(this.#windows.get(this), message));
  }
}

function lastBytes(before: Buffer | undefined, added: Buffer): Buffer {
  if (added.length >= WINDOW_BYTES || before === undefined) return added.subarray(-WINDOW_BYTES);
  const kept = Math.min(before.length, WINDOW_BYTES - added.length);
  return Buffer.concat([before.subarray(before.length - kept), added]);
}
