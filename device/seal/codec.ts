// What sealing needs of an audio codec. A codec turns one RTP payload into samples and keeps no state between packets;
// it never sees headers, clocks or files.

export interface AudioCodec {
  /** Upper-case encoding name of SDP or RFC 3551. */
  readonly name: string;
  /** RTP timestamp ticks per second. */
  readonly clockRateHz: number;
  /** Samples per second that `decode` makes. */
  readonly sampleRateHz: number;
  /** The 256 samples by code of a codec that makes one of each payload byte, whatever stands beside it; else undefined. */
  readonly samplesByCode?: Int16Array;
  /** Samples that `decode` would make of the payload data[start, end); 0 when it holds no audio. */
  samplesOf(data: Buffer, start: number, end: number): number;
  /**
   * Writes the payload's 16-bit samples to into[at], into[at + step], …, which has room for `samplesOf`; returns their
   * number.
   */
  decode(data: Buffer, start: number, end: number, into: Int16Array, at: number, step: number): number;
}
