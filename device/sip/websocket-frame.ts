// The header of a WebSocket frame (RFC 6455 §5.2) and the mask on its payload (§5.3). Reads one header, keeps nothing.
//
//   |F|R|R|R| opcode |M| length (7) | extended length (0, 16 or 64) | masking key (0 or 32) | payload …
//   |I|S|S|S|  (4)   |A|            |                               |                       |
//   |N|V|V|V|        |S|            |                               |                       |
//   | |1|2|3|        |K|            |                               |                       |

export const OPCODE_CONTINUATION = 0;
export const OPCODE_TEXT = 1;
export const OPCODE_BINARY = 2;
const FIRST_CONTROL_OPCODE = 8;
const LAST_CONTROL_OPCODE = 10;

const FINAL_BIT = 0x80;
/** RSV1: the message is compressed (RFC 7692 §6). */
const COMPRESSED_BIT = 0x40;
const RESERVED_BITS = 0x30;
const MASK_BIT = 0x80;
const LENGTH_16_BITS = 126;
const LENGTH_64_BITS = 127;
const MAX_CONTROL_BYTES = 125;
/** No SIP entity sends more in one frame: a header that says so is none. */
const MAX_FRAME_BYTES = 1 << 20;

/** `readFrameHeader` needs more bytes. */
export const HEADER_INCOMPLETE = 0;
/** There is no frame here. */
export const HEADER_INVALID = -1;

/** What a header says; filled by `readFrameHeader`. */
export class FrameHeader {
  isFinal = false;
  isCompressed = false;
  opcode = 0;
  isMasked = false;
  /** Zeros when the payload is not masked. */
  readonly mask = new Uint8Array(4);
  payloadBytes = 0;

  get isControl(): boolean {
    return this.opcode >= FIRST_CONTROL_OPCODE;
  }
}

/**
 * Reads the header at `data[at]`; returns its length, HEADER_INCOMPLETE or HEADER_INVALID. Lengths in a longer form than
 * needed are accepted, as deployed stacks send them.
 */
export function readFrameHeader(data: Buffer, at: number, end: number, header: FrameHeader): number {
  if (end - at < 1) return HEADER_INCOMPLETE;
  const first = data[at]!;
  if (!isFirstByte(first)) return HEADER_INVALID;
  if (end - at < 2) return HEADER_INCOMPLETE;
  const second = data[at + 1]!;
  const shortLength = second & ~MASK_BIT;
  header.isFinal = (first & FINAL_BIT) !== 0;
  header.isCompressed = (first & COMPRESSED_BIT) !== 0;
  header.opcode = first & 0x0f;
  header.isMasked = (second & MASK_BIT) !== 0;
  if (header.isControl && shortLength > MAX_CONTROL_BYTES) return HEADER_INVALID;
  const maskAt = 2 + (shortLength === LENGTH_64_BITS ? 8 : shortLength === LENGTH_16_BITS ? 2 : 0);
  const headerBytes = maskAt + (header.isMasked ? 4 : 0);
  if (end - at < headerBytes) return HEADER_INCOMPLETE;
  header.payloadBytes = readLength(data, at, shortLength);
  if (header.payloadBytes > MAX_FRAME_BYTES) return HEADER_INVALID;
  for (let i = 0; i < 4; i++) header.mask[i] = header.isMasked ? data[at + maskAt + i]! : 0;
  return headerBytes;
}

/** RFC 6455 §5.2, §5.5; RFC 7692 §6: only the first frame of a data message is marked as compressed. */
function isFirstByte(first: number): boolean {
  if ((first & RESERVED_BITS) !== 0) return false;
  const opcode = first & 0x0f;
  if (opcode === OPCODE_TEXT || opcode === OPCODE_BINARY) return true;
  if ((first & COMPRESSED_BIT) !== 0) return false;
  if (opcode === OPCODE_CONTINUATION) return true;
  return (first & FINAL_BIT) !== 0 && opcode >= FIRST_CONTROL_OPCODE && opcode <= LAST_CONTROL_OPCODE;
}

function readLength(data: Buffer, at: number, shortLength: number): number {
  if (shortLength === LENGTH_16_BITS) return data.readUInt16BE(at + 2);
  if (shortLength < LENGTH_16_BITS) return shortLength;
  return data.readUInt32BE(at + 2) * 2 ** 32 + data.readUInt32BE(at + 6);
}

/** Takes the mask off `data[start..end)` in place; `data[start]` is byte `offset` of the payload. */
export function unmask(data: Buffer, start: number, end: number, mask: Uint8Array, offset: number): void {
  for (let i = start; i < end; i++) data[i] = data[i]! ^ mask[(offset + i - start) & 3]!;
}
