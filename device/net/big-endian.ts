// Network-order integers out of a buffer, without the bounds checks that the layers have already made.

/** Unsigned 16 bits at `at`. The caller has checked that both bytes are there. */
export function readUint16(data: Buffer, at: number): number {
  return (data[at]! << 8) | data[at + 1]!;
}

/** Signed 32 bits at `at`. The caller has checked that all four bytes are there. */
export function readInt32(data: Buffer, at: number): number {
  return (data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8) | data[at + 3]!;
}
