// Unsigned integers of either byte order out of a capture file. By hand instead of Buffer's methods, whose checks are
// half the cost of reading a record; the caller has checked the bounds.

export function readUint16(data: Buffer, at: number, isLittleEndian: boolean): number {
  return isLittleEndian ? data[at]! | (data[at + 1]! << 8) : (data[at]! << 8) | data[at + 1]!;
}

export function readUint32(data: Buffer, at: number, isLittleEndian: boolean): number {
  const word = isLittleEndian
    ? data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)
    : (data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8) | data[at + 3]!;
  return word >>> 0;
}
