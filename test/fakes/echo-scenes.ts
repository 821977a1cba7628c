// Calls as the echo finder hears them: two people at their ends, what each of their microphones picks up besides, and the
// packets that carry it past the mirror, with their losses, their jitter and the clocks they were sent by.
import type { EchoFinder, EchoVerdict } from "../../device/consent/echo-finder.js";
import { ALAW_SAMPLES, MULAW_SAMPLES } from "../../device/rtp/g711-samples.js";
import { makeRandom } from "./random.js";
import { makeSpeaker, type SpeechOptions } from "./speech.js";
import { encodeG711, type G711Codec } from "./tone.js";

export const START_US = 1_800_000_000_000_000;
const RATE_HZ = 8000;

/** Full-scale sine is +3.14 dBm0 in A-law: root mean square in 16-bit sample values. */
export function rmsOf(dbm0: number): number {
  return (32_768 / Math.SQRT2) * 10 ** ((dbm0 - 3.14) / 20);
}

export function silence(seconds: number): Float64Array {
  return new Float64Array(Math.round(seconds * RATE_HZ));
}

/** `talks`: share of the time in turns of 0.6 to 2.4 s. */
export function speech(seconds: number, options: SpeechOptions, talks = 1): Float64Array {
  const samples = Float64Array.from(makeSpeaker({ noise: 0, ...options })(Math.round(seconds * RATE_HZ)));
  if (talks >= 1) return samples;
  const random = makeRandom(options.seed ^ 0x5bd1e995);
  for (let at = 0; at < samples.length; ) {
    const end = at + Math.round((0.6 + 1.8 * random()) * RATE_HZ);
    if (random() >= talks) samples.fill(0, at, end);
    at = end;
  }
  return samples;
}

export function noise(seconds: number, rms: number, seed: number): Float64Array {
  // As a speaker who says nothing: whole numbers, so made loud and scaled down.
  return scaled(speech(seconds, { seed, peak: 0, noise: 4000 }), rms / 4000);
}

/** Sines that are on for `onS` of every `everyS` seconds. */
export function tones(seconds: number, frequenciesHz: readonly number[], rms: number, onS = 1, everyS = 1) {
  const amplitude = rms * Math.sqrt(2 / frequenciesHz.length);
  return silence(seconds).map((_, i) => {
    if ((i / RATE_HZ) % everyS >= onS) return 0;
    return frequenciesHz.reduce((sum, hz) => sum + amplitude * Math.sin((2 * Math.PI * hz * i) / RATE_HZ), 0);
  });
}

export function scaled(samples: Float64Array, factor: number): Float64Array {
  const into = new Float64Array(samples.length);
  for (let i = 0; i < samples.length; i++) into[i] = samples[i]! * factor;
  return into;
}

export function mixed(...parts: Float64Array[]): Float64Array {
  const sum = parts[0]!.slice();
  for (const part of parts.slice(1)) for (let i = 0; i < sum.length; i++) sum[i]! += part[i] ?? 0;
  return sum;
}

/** `levelDb` over the original. */
export function delayed(samples: Float64Array, delayMs: number, levelDb = 0): Float64Array {
  const into = new Float64Array(samples.length);
  addDelayed(into, samples, delayMs, 10 ** (levelDb / 20));
  return into;
}

/** The same through a room: reflections that die away, `levelDb` over the original in all. */
export function reverberated(samples: Float64Array, delayMs: number, levelDb: number, seed: number): Float64Array {
  const random = makeRandom(seed);
  const taps = Array.from({ length: 24 }, (_, i) => ({
    afterMs: i === 0 ? 0 : 40 * random(),
    gain: (i === 0 ? 1 : 0.6 * (2 * random() - 1)) * Math.exp(-i / 10),
  }));
  const factor = 10 ** (levelDb / 20) / Math.sqrt(taps.reduce((sum, { gain }) => sum + gain * gain, 0));
  const into = new Float64Array(samples.length);
  for (const { afterMs, gain } of taps) addDelayed(into, samples, delayMs + afterMs, gain * factor);
  return into;
}

/** What lies between two samples is on a straight line. `delayMs` >= 0. */
function addDelayed(into: Float64Array, samples: Float64Array, delayMs: number, factor: number): void {
  const by = (delayMs * RATE_HZ) / 1000;
  const whole = Math.ceil(by);
  const rest = whole - by;
  for (let i = whole; i < into.length; i++) {
    const next = i - whole + 1 < samples.length ? samples[i - whole + 1]! : 0;
    into[i]! += factor * ((1 - rest) * samples[i - whole]! + rest * next);
  }
}

export interface SenderOptions {
  codec?: G711Codec;
  ptimeMs?: number;
  /** Share of packets that never come. */
  loss?: number;
  /** Packets come up to so much later, each by itself; they may overtake each other. */
  jitterMs?: number;
  /** How fast the sender's clock runs. */
  skewPpm?: number;
  /** Until when nothing is sent. */
  startMs?: number;
  seed?: number;
}

export interface ScenePacket {
  isCaller: boolean;
  samplesOfCode: Int16Array;
  data: Buffer;
  timestamp: number;
  atUs: number;
}

export function packetsOf(isCaller: boolean, samples: Float64Array, options: SenderOptions = {}): ScenePacket[] {
  const { codec = "PCMA", ptimeMs = 20, loss = 0, jitterMs = 0, skewPpm = 0, startMs = 0, seed = 1 } = options;
  const random = makeRandom(seed + (isCaller ? 0x1000 : 0x2000));
  const rate = 1 + skewPpm / 1e6;
  const sent = skewPpm === 0 ? samples : samples.map((_, i) => between(samples, i / rate));
  const perPacket = ptimeMs * (RATE_HZ / 1000);
  const firstTimestamp = Math.floor(random() * 2 ** 32);
  const packets: ScenePacket[] = [];
  for (let at = startMs * (RATE_HZ / 1000); at + perPacket <= sent.length; at += perPacket) {
    const delayMs = jitterMs * random();
    if (random() < loss) continue;
    const pcm = new Int16Array(perPacket);
    for (let i = 0; i < perPacket; i++) pcm[i] = Math.max(-32_768, Math.min(32_767, Math.round(sent[at + i]!)));
    packets.push({
      isCaller,
      samplesOfCode: codec === "PCMA" ? ALAW_SAMPLES : MULAW_SAMPLES,
      data: encodeG711(pcm, codec),
      timestamp: (firstTimestamp + at) >>> 0,
      atUs: START_US + Math.round(((at + perPacket) / rate / RATE_HZ) * 1e6 + delayMs * 1000),
    });
  }
  return packets;
}

function between(samples: Float64Array, at: number): number {
  const low = Math.floor(at);
  return samples[low]! + (at - low) * ((samples[low + 1] ?? samples[low]!) - samples[low]!);
}

export function inOrder(...streams: ScenePacket[][]): ScenePacket[] {
  return streams.flat().sort((a, b) => a.atUs - b.atUs);
}

/** Lets the finder hear the packets, and returns its verdicts with the time after START_US at which each fell. */
export function listen(finder: EchoFinder, packets: readonly ScenePacket[]): (EchoVerdict & { atMs: number })[] {
  const verdicts: (EchoVerdict & { atMs: number })[] = [];
  for (const packet of packets) {
    hand(finder, packet);
    const verdict = finder.take();
    if (verdict) verdicts.push({ ...verdict, atMs: (packet.atUs - START_US) / 1000 });
  }
  return verdicts;
}

export function hand(finder: EchoFinder, { isCaller, samplesOfCode, data, timestamp, atUs }: ScenePacket): void {
  if (isCaller) finder.caller(samplesOfCode, data, 0, data.length, timestamp, atUs);
  else finder.agent(samplesOfCode, data, 0, data.length, timestamp, atUs);
}

export interface Scene {
  caller: Float64Array;
  agent: Float64Array;
  callerSends?: SenderOptions;
  agentSends?: SenderOptions;
}

export function packetsOfScene({ caller, agent, callerSends, agentSends }: Scene): ScenePacket[] {
  return inOrder(packetsOf(true, caller, callerSends), packetsOf(false, agent, agentSends));
}

/** What the agent's microphone picks up besides the echo. */
export const AGENT_ENDS = {
  silent: (seconds: number) => silence(seconds),
  noise: (seconds: number, seed: number) => noise(seconds, rmsOf(-50), seed),
  /** Background noise, and the agent talks over more than half of the time. */
  talk: (seconds: number, seed: number) =>
    mixed(noise(seconds, rmsOf(-50), seed), speech(seconds, { seed: seed + 1 }, 0.55)),
} as const;
export type AgentEnd = keyof typeof AGENT_ENDS;

/** Senders with other packet times, clocks, losses and jitter than usual. */
export function roughSenders(random: () => number): Pick<Scene, "callerSends" | "agentSends"> {
  const sender = (): SenderOptions => ({
    codec: random() < 0.5 ? "PCMA" : "PCMU",
    ptimeMs: [10, 20, 30, 60][Math.floor(4 * random())]!,
    loss: 0.03 * random(),
    jitterMs: 50 * random(),
    skewPpm: 200 * random() - 100,
    seed: Math.floor(1e6 * random()),
  });
  return { callerSends: sender(), agentSends: sender() };
}

/** The caller speaks for `seconds`, and is heard. */
export function echoScene(seed: number, levelDb: number, delayMs: number, end: AgentEnd, seconds = 10): Scene {
  const caller = mixed(speech(seconds, { seed }), noise(seconds, 12, seed + 2));
  return { caller, agent: mixed(delayed(caller, delayMs, levelDb), AGENT_ENDS[end](seconds, seed + 3)) };
}

/** Two streams that have something to do with each other, or look alike, without the caller being heard in the agent's. */
export const CLEAN_SCENES: Record<string, (seed: number, seconds: number) => Scene> = {
  "two speakers at once": (seed, s) => ({
    caller: mixed(speech(s, { seed }), noise(s, 40, seed + 1)),
    agent: mixed(speech(s, { seed: seed + 2 }), noise(s, 40, seed + 3)),
  }),
  "two speakers in turns": (seed, s) => ({
    caller: mixed(speech(s, { seed }, 0.6), noise(s, 20, seed + 1)),
    agent: mixed(speech(s, { seed: seed + 2 }, 0.5), noise(s, 20, seed + 3)),
  }),
  "the same speaker at another time": (seed, s) => {
    const both = speech(2 * s, { seed });
    return { caller: both.slice(0, both.length / 2), agent: both.slice(both.length / 2) };
  },
  "a silent agent": (seed, s) => ({ caller: speech(s, { seed }), agent: silence(s) }),
  "an agent in background noise": (seed, s) => ({
    caller: mixed(speech(s, { seed }), noise(s, 50, seed + 1)),
    agent: noise(s, rmsOf(-50), seed + 2),
  }),
  "the agent as an echo at the caller's": (seed, s) => {
    const random = makeRandom(seed);
    const agent = mixed(speech(s, { seed: seed + 1 }, 0.6), noise(s, 20, seed + 2));
    const echo = reverberated(agent, 10 + 200 * random(), -6 - 20 * random(), seed + 3);
    return { caller: mixed(speech(s, { seed: seed + 4 }, 0.6), echo), agent };
  },
  "the agent as a loud echo close to the caller": (seed, s) => {
    const random = makeRandom(seed);
    const agent = mixed(speech(s, { seed: seed + 1 }, 0.7), noise(s, 20, seed + 2));
    const echo = reverberated(agent, 10 + 10 * random(), -1 - 8 * random(), seed + 3);
    return { caller: mixed(speech(s, { seed: seed + 4, peak: 3000 }, 0.4), echo), agent };
  },
  "ring-back at both": (seed, s) => tonesAtBoth(seed, s, [425], 1, 5),
  "two-tone ring-back at both": (seed, s) => tonesAtBoth(seed, s, [440, 480], 2, 6),
  "busy tone at both": (seed, s) => tonesAtBoth(seed, s, [425], 0.5, 1),
  "keys at both": (seed, s) => tonesAtBoth(seed, s, [770, 1336], 0.1, 0.2),
  "a beep at both while they speak": (seed, s) => {
    const { caller, agent } = tonesAtBoth(seed, s, [1400], 0.4, 1.5);
    return {
      caller: mixed(scaled(caller, 0.5), speech(s, { seed: seed + 1 })),
      agent: mixed(agent, speech(s, { seed: seed + 2 }, 0.4)),
    };
  },
  "hum at both": (seed, s) => {
    const hum = tones(s, [50, 100, 150, 200, 250, 300, 350, 400, 450, 550], 150);
    return {
      caller: mixed(hum, speech(s, { seed })),
      agent: mixed(scaled(hum, 1.5), noise(s, 20, seed + 1)),
    };
  },
  "the same radio behind both": (seed, s) => {
    const radio = speech(s, { seed, peak: 400 });
    return {
      caller: mixed(speech(s, { seed: seed + 1 }), radio),
      agent: mixed(delayed(radio, 400 * makeRandom(seed)()), noise(s, 20, seed + 2)),
    };
  },
};

function tonesAtBoth(seed: number, seconds: number, hz: readonly number[], onS: number, everyS: number): Scene {
  const caller = tones(seconds, hz, 2000, onS, everyS);
  return { caller, agent: delayed(caller, 500 * makeRandom(seed)(), -6) };
}
