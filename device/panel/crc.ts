// The checksum of the front panel's packets: CRC-16/X-25 (reflected polynomial 0x8408, initial value and final XOR 0xFFFF).
// Bit by bit: a packet has 24 bytes at most.
const POLYNOMIAL = 0x8408;

/** Of bytes `from` (included) to `to` (excluded). */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0xffff;
  for (let at = from; at < to; at++) {
    crc ^= bytes[at]!;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  }
  return crc ^ 0xffff;
}
