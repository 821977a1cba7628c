// The audio files of a SIPp party: raw G.711 for rtp_stream, and captures for play_pcap_audio, which can have any packet
// time and goes to whatever port was described.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CaptureFile } from "./capture-file.js";
import { seedOf } from "./random.js";
import { rtpStream } from "./rtp-stream.js";
import { type G711Codec, toneSource } from "./tone.js";

const STREAM_SAMPLES = 8000;
const SAMPLES_PER_MS = 8;
/** SIPp puts the real addresses in its place. */
const ANY_ENDPOINT = "192.0.2.1:4000";

export interface PlayedTone {
  durationMs: number;
  ptimeMs?: number;
}

export class SippAudio {
  private readonly name: string;
  private readonly toneHz: number;
  /** What its streams speak. */
  private readonly tonesHz = new Set<number>();
  /** One RTP stream throughout. */
  private readonly captures: CaptureFile[] = [];
  private packets = 0;
  private samples = 0;

  constructor(name: string, toneHz: number) {
    this.name = name;
    this.toneHz = toneHz;
  }

  /** File of one second of its tone or another, to be repeated. */
  streamName(codec: G711Codec, toneHz = this.toneHz): string {
    this.tonesHz.add(toneHz);
    return `${this.name}-${toneHz}-${codec}.raw`;
  }

  /** Adds a capture that goes on where the one before ended; returns its file. */
  addCapture({ durationMs, ptimeMs = 20 }: PlayedTone): string {
    const tone = toneSource(this.toneHz);
    const packets = durationMs / ptimeMs;
    const firstSample = this.samples;
    const frames = rtpStream({
      source: ANY_ENDPOINT,
      destination: ANY_ENDPOINT,
      from: "caller",
      startUs: 0,
      packets,
      ptimeMs,
      ssrc: seedOf(this.name),
      payload: (sample, count, codec) => tone(firstSample + sample, count, codec),
      firstSequence: this.packets,
      firstTimestamp: firstSample,
    });
    this.packets += packets;
    this.samples += durationMs * SAMPLES_PER_MS;
    this.captures.push(new CaptureFile().addAll(frames));
    return this.captureName(this.captures.length - 1);
  }

  write(folder: string): void {
    for (const codec of ["PCMA", "PCMU"] as const) {
      for (const toneHz of this.tonesHz)
        writeFileSync(join(folder, this.streamName(codec, toneHz)), toneSource(toneHz)(0, STREAM_SAMPLES, codec));
    }
    for (const [index, capture] of this.captures.entries()) capture.write(join(folder, this.captureName(index)));
  }

  private captureName(index: number): string {
    return `${this.name}-${index}.pcap`;
  }
}
