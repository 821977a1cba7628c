// G.711 A-law and µ-law to 16-bit linear (ITU-T G.711; RFC 3551 §4.5.14): one byte is one sample at 8 kHz.
import { ALAW_SAMPLES, MULAW_SAMPLES } from "../rtp/g711-samples.js";
import type { AudioCodec } from "./codec.js";

const SAMPLE_RATE_HZ = 8000;

class G711Codec implements AudioCodec {
  readonly clockRateHz = SAMPLE_RATE_HZ;
  readonly sampleRateHz = SAMPLE_RATE_HZ;
  readonly name: string;
  readonly samplesByCode: Int16Array;

  constructor(name: string, samplesByCode: Int16Array) {
    this.name = name;
    this.samplesByCode = samplesByCode;
  }

  samplesOf(_data: Buffer, start: number, end: number): number {
    return end - start;
  }

  decode(data: Buffer, start: number, end: number, into: Int16Array, at: number, step: number): number {
    const samples = this.samplesByCode;
    for (let from = start, to = at; from < end; from++, to += step) into[to] = samples[data[from]!]!;
    return end - start;
  }
}

export const pcma: AudioCodec = new G711Codec("PCMA", ALAW_SAMPLES);
export const pcmu: AudioCodec = new G711Codec("PCMU", MULAW_SAMPLES);
