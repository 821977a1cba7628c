// What the mirror port shows of a script's packets: late, out of order, more than once, in other VLANs, behind routers, or
// not at all. Seeded; every frame keeps the packet that it came of.

import { parseEndpoint, udpFrame } from "./frames.js";
import { copyOf, type MirrorKind } from "./mirror.js";
import type { Reach, Step } from "./office-model-effects.js";
import { makeRandom } from "./random.js";
import { mergeCalls, type TimedFrame } from "./timed-frames.js";

export interface WireFaults {
  seed: number;
  /** Shares of the packets, 0…1. */
  delayed: number;
  lost: number;
  duplicated: number;
  mirrored: number;
  /** Of the SIP messages, sent again after T1 or at once. */
  resent: number;
  /** Of SIP messages that are delayed. */
  sipDelayed: number;
}

/** One frame as captured. */
export interface Sighting extends TimedFrame {
  step: Step;
  /** No frame of the packet came before. */
  isFirst: boolean;
}

const RTP_DELAY_US = 200_000;
/** What is recognised by its bytes must come about as it was sent. */
const CALM_DELAY_US = 10_000;
const SIP_DELAY_US = 100_000;
const MIRROR_DELAY_US = 80_000;
const DUPLICATE_DELAY_US = 20_000;
const T1_US = 500_000;
const MIRROR_KINDS: readonly MirrorKind[] = ["same", "vlan", "ttl"];

/** Frames in the order of capture. */
export function onTheWire(steps: readonly Step[], faults: WireFaults, reach: Reach): Sighting[] {
  const random = makeRandom(faults.seed);
  const frames = mergeCalls(steps.flatMap((step, i) => framesOf(step, i, faults, reach, random))) as Sighting[];
  const known = new Set<Step>();
  for (const frame of frames) {
    frame.isFirst = !known.has(frame.step);
    known.add(frame.step);
  }
  return frames;
}

function framesOf(step: Step, index: number, faults: WireFaults, reach: Reach, random: () => number): Sighting[] {
  const isRtp = step.kind === "rtp";
  const chance = (share: number): boolean => random() < share;
  const upTo = (us: number): number => Math.floor(random() * us);
  if (chance(faults.lost) && isRtp) return [];
  const delayUs = isRtp ? (step.dialog.conversation.relays === "bytes" ? CALM_DELAY_US : RTP_DELAY_US) : SIP_DELAY_US;
  // Which conversation a dialog goes on with, only these tell: they are seen before what answers them.
  const isPrompt = !isRtp && (step.label === "REFER" || (step.label === "INVITE" && step.dialog.isFurther));
  const isDelayed = chance(isRtp ? faults.delayed : faults.sipDelayed) && !isPrompt;
  const atUs = step.atUs + (isDelayed ? upTo(delayUs) : 0);
  const sendings = [frameOf(step, atUs, 2 * index)];
  if (isRtp && chance(faults.duplicated)) sendings.push(frameOf(step, atUs + upTo(DUPLICATE_DELAY_US), 2 * index + 1));
  const mayBeResent = !isRtp && (reach.resentSayings || !step.effects.some(({ type }) => type === "said"));
  if (chance(faults.resent) && mayBeResent)
    sendings.push(frameOf(step, atUs + (chance(0.5) ? T1_US : 0) + upTo(SIP_DELAY_US), 2 * index + 1));
  const copies = sendings
    .filter(() => chance(faults.mirrored))
    .map((one) => copyOf(one, MIRROR_KINDS[upTo(3)]!, upTo(MIRROR_DELAY_US)) as Sighting);
  return [...sendings, ...copies];
}

function frameOf(step: Step, atUs: number, identification: number): Sighting {
  const { kind, payload } = step;
  const [source, destination] = [parseEndpoint(step.source), parseEndpoint(step.destination)];
  const frame = udpFrame({ source, destination, payload, identification, checksum: "zero" });
  const label = kind === "sip" ? `${step.label} ${step.dialog.callId}` : "";
  return { atUs, frame, kind, from: "caller", label, step, isFirst: false };
}
