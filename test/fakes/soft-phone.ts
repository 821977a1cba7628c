// What tests ask of a real phone program in the office: registered at the proxy, it speaks a tone of its own in G.711
// A-law. Every verb returns when the phone itself shows that the state is reached.
import { writeFileSync } from "node:fs";
import wavefile from "wavefile";
import { sine } from "../../host/caller/tone.js";

export interface PhonePlace {
  /** User part of its address of record. */
  user: string;
  /** Host of the office. */
  host: string;
  address: string;
  toneHz: number;
  transport: "udp" | "tcp";
  /** Answers by itself. */
  answers: boolean;
}

export interface SoftPhone {
  readonly place: PhonePlace;
  /** Returns when it is registered. */
  start(): Promise<void>;
  /** Calls and returns when both are connected. */
  call(user: string): Promise<void>;
  /** Returns when it is in as many calls, counted from its start. */
  connected(calls: number): Promise<void>;
  hold(): Promise<void>;
  resume(): Promise<void>;
  /** Sends its caller or callee to another number (REFER without Replaces). */
  transfer(user: string): Promise<void>;
  hangUp(): Promise<void>;
  /** Returns when as many of its calls ended, counted from its start. */
  disconnected(calls: number): Promise<void>;
}

const TONE_SECONDS = 60;
const SAMPLE_RATE_HZ = 8000;
/** Of full scale, at the phone's microphone. */
const AMPLITUDE = 0.5;

/** A WAV that outlasts every call. */
export function writeToneFile(path: string, frequencyHz: number): void {
  const wav = new wavefile.WaveFile();
  const samples = sine(frequencyHz, AMPLITUDE, SAMPLE_RATE_HZ)(0, TONE_SECONDS * SAMPLE_RATE_HZ);
  wav.fromScratch(1, SAMPLE_RATE_HZ, "16", samples);
  writeFileSync(path, wav.toBuffer());
}
