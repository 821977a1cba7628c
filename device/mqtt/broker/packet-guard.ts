// Follows the packets in a client's bytes, to tell one that is longer than the broker takes by its head, before anybody
// gathers it. Knows MQTT's fixed header (MQTT 3.1.1 §2.2) and nothing else.

const LENGTH_BITS = 0x7f;
const LENGTH_GOES_ON = 0x80;
const MAX_LENGTH_BYTES = 4;

export class PacketGuard {
  private readonly maxBytes: number;
  /** Of the packet that has begun: what is still to come after its head. */
  private left = 0;
  /** Bytes of the head that were seen; 0 = between packets, or within one's body. */
  private headBytes = 0;
  private length = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** The next bytes. False: a packet in them is too long, or its length is no length (§2.2.3); ask no further then. */
  takes(bytes: Uint8Array): boolean {
    let at = 0;
    while (at < bytes.length) {
      if (this.left > 0) {
        const part = Math.min(this.left, bytes.length - at);
        this.left -= part;
        at += part;
        continue;
      }
      if (!this.takesHead(bytes[at]!)) return false;
      at++;
    }
    return true;
  }

  private takesHead(byte: number): boolean {
    if (this.headBytes++ === 0) return true;
    this.length += (byte & LENGTH_BITS) * 2 ** (7 * (this.headBytes - 2));
    if ((byte & LENGTH_GOES_ON) !== 0) return this.headBytes <= MAX_LENGTH_BYTES;
    this.left = this.length;
    this.headBytes = 0;
    this.length = 0;
    return this.left <= this.maxBytes;
  }
}
