// The panel's end of the wire: packets of the Crystalfontz CFA635 family as the module reads and writes them. Written from the
// data sheet and apart from device/panel, so that neither can be wrong in the same way unseen: the CRC by table, the
// packets out of one growing buffer.

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value % 2 === 1 ? 0x8408 ^ Math.floor(value / 2) : Math.floor(value / 2);
  return value;
});
const LONGEST_DATA = 22;

export interface HostPacket {
  type: number;
  data: number[];
}

function crcOf(bytes: readonly number[]): number {
  return 0xffff - bytes.reduce((crc, byte) => (crc >> 8) ^ CRC_TABLE[(crc ^ byte) % 256]!, 0xffff);
}

export function toWire(type: number, data: readonly number[]): Buffer {
  const head = [type, data.length, ...data];
  const crc = crcOf(head);
  return Buffer.from([...head, crc % 256, Math.floor(crc / 256)]);
}

/** Takes bytes, gives packets; junk goes byte by byte. */
export class WireReader {
  junkBytes = 0;
  private pending: number[] = [];

  read(bytes: Uint8Array): HostPacket[] {
    const packets: HostPacket[] = [];
    for (const byte of bytes) {
      this.pending.push(byte);
      for (let packet = this.first(); packet !== undefined; packet = this.first()) packets.push(packet);
    }
    return packets;
  }

  private first(): HostPacket | undefined {
    while (this.pending.length > 1) {
      const [type, length] = this.pending as [number, number];
      if (length <= LONGEST_DATA && this.pending.length < length + 4) return undefined;
      const crc = crcOf(this.pending.slice(0, length + 2));
      if (length <= LONGEST_DATA && this.pending[length + 2]! + 256 * this.pending[length + 3]! === crc) {
        const [, , ...rest] = this.pending.splice(0, length + 4);
        return { type, data: rest.slice(0, length) };
      }
      this.pending.shift();
      this.junkBytes++;
    }
    return undefined;
  }
}
