// Finds packets in the bytes that a serial port delivers, however they are cut. What is no packet is dropped byte by byte
// until one begins, and counted. Keeps one packet's bytes at most, whatever comes.
import { crc16 } from "./crc.js";
import { kindOf, MAX_DATA_BYTES, MAX_PACKET_BYTES, OVERHEAD_BYTES, type Packet } from "./packet.js";

export class PacketDecoder {
  /** Bytes that belonged to no packet, since the start. */
  discardedBytes = 0;
  private readonly buffer = new Uint8Array(MAX_PACKET_BYTES);
  private length = 0;

  /** The packets that end in these bytes, in order. */
  push(bytes: Uint8Array): Packet[] {
    const packets: Packet[] = [];
    for (const byte of bytes) {
      this.buffer[this.length++] = byte;
      let packet = this.take();
      while (packet !== undefined) {
        packets.push(packet);
        packet = this.take();
      }
    }
    return packets;
  }

  /**
   * Nothing has come for so long that what is there will not be completed: a length byte that was noise must not hold
   * back what follows.
   */
  expire(): Packet[] {
    const packets: Packet[] = [];
    while (this.length > 0) {
      const packet = this.take();
      if (packet !== undefined) packets.push(packet);
      else if (this.length > 0) this.drop(1, true);
    }
    return packets;
  }

  private take(): Packet | undefined {
    while (this.length >= 2) {
      const dataBytes = this.buffer[1]!;
      const packetBytes = dataBytes + OVERHEAD_BYTES;
      if (dataBytes <= MAX_DATA_BYTES) {
        if (this.length < packetBytes) return undefined;
        if (this.isSound(dataBytes)) {
          const type = this.buffer[0]!;
          const packet = { kind: kindOf(type), code: type & 0x3f, data: this.buffer.slice(2, 2 + dataBytes) };
          this.drop(packetBytes, false);
          return packet;
        }
      }
      this.drop(1, true);
    }
    return undefined;
  }

  private isSound(dataBytes: number): boolean {
    const crc = this.buffer[dataBytes + 2]! | (this.buffer[dataBytes + 3]! << 8);
    return crc === crc16(this.buffer, 0, dataBytes + 2);
  }

  private drop(count: number, isDiscarded: boolean): void {
    this.buffer.copyWithin(0, count, this.length);
    this.length -= count;
    if (isDiscarded) this.discardedBytes += count;
  }
}
