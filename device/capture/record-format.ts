// What the parser of capture files asks of a file format: how long a record is, and to deliver it. The parser owns
// chunks, carry and faults; a format owns the meaning of bytes. Also the bounds and counters they share.

/** Longest frame any format may hold: libpcap's MAXIMUM_SNAPLEN. */
export const MAX_FRAME_BYTES = 262144;

/** Answer of `measure` for a record that cannot be; `broken` then says why. */
export const BROKEN = -1;

export interface RecordFormat {
  /** Bytes from which `measure` and `isWanted` can tell; every record has at least so many. */
  readonly prefixBytes: number;
  /** Why the last `measure` or `consume` failed; completes "…: ". */
  readonly broken: string;
  /** Whole length of the record at `at` in bytes, or BROKEN. */
  measure(data: Buffer, at: number): number;
  /** False when the record may be skipped unread, however long it is. */
  isWanted(data: Buffer, at: number): boolean;
  /** Takes the whole record at `at`: delivers its frame, or keeps what it says. False when it is broken. */
  consume(data: Buffer, at: number, length: number): boolean;
}

/** What a capture file held. All counts; monotonic while the file is read. */
export interface FileCounters {
  /** Frames delivered. */
  frames: number;
  /** Bytes of those frames as captured. */
  bytes: number;
  /** Frames of which the capture kept less than was on the wire. */
  snapped: number;
  /** Frames whose captured length is above their wire length; delivered by captured length. */
  overlong: number;
  /** pcapng blocks of kinds that carry nothing for us. */
  blocksSkipped: number;
  /** pcapng packets that name an interface the section does not describe; not delivered. */
  unknownInterface: number;
  /** pcapng interface descriptions beyond the limit; their packets count as unknownInterface. */
  interfacesRefused: number;
  /** Packets that the capturing machine says it lost, in its kernel and at its interfaces. */
  kernelDrops: number;
  interfaceDrops: number;
}

export function makeFileCounters(): FileCounters {
  return {
    frames: 0,
    bytes: 0,
    snapped: 0,
    overlong: 0,
    blocksSkipped: 0,
    unknownInterface: 0,
    interfacesRefused: 0,
    kernelDrops: 0,
    interfaceDrops: 0,
  };
}
