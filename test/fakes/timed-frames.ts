// Frames with their times: what every generator here returns, and how traffic is merged, delayed and put out of order.
// Pure and seeded; never changes the frames it is given.
import { makeRandom } from "./random.js";

export interface TimedFrame {
  atUs: number;
  frame: Buffer;
  kind: "sip" | "rtp";
  /** Who sent it. */
  from: "caller" | "callee";
  /** SIP: "INVITE", "200 INVITE", …; RTP: "". Every fragment of a message carries its label. */
  label: string;
  /** Of the recorder, on which it was captured; default 0. */
  interfaceIndex?: number;
}

/** All frames in the order of their times; equal times keep the order of the arguments. */
export function mergeCalls(...calls: readonly (readonly TimedFrame[])[]): TimedFrame[] {
  return calls.flat().sort((a, b) => a.atUs - b.atUs);
}

export interface ReorderOptions {
  windowMs: number;
  seed: number;
  /** Share of the packets that are moved, 0…1. Default 0.3. */
  share?: number;
  /** Default: RTP only, the signalling stays where it is. */
  kinds?: readonly TimedFrame["kind"][];
}

/** Delays random packets by up to the window: they arrive later, at new times. */
export function reorderWithin(frames: readonly TimedFrame[], options: ReorderOptions): TimedFrame[] {
  const delayUs = delays(options);
  return mergeCalls(frames.map((one) => ({ ...one, atUs: one.atUs + delayUs(one) })));
}

/**
 * Exchanges packets among the arrival times that are there: the capture's timestamps stay as they are, and no packet
 * moves by more than the window in either direction.
 */
export function shuffleArrivals(frames: readonly TimedFrame[], options: ReorderOptions): TimedFrame[] {
  const kinds = options.kinds ?? ["rtp"];
  const delayUs = delays(options);
  const movable = frames.filter((one) => kinds.includes(one.kind));
  const slots = movable.map((one) => one.atUs).sort((a, b) => a - b);
  const order = movable.map((one) => ({ one, keyUs: one.atUs + delayUs(one) })).sort((a, b) => a.keyUs - b.keyUs);
  const moved = order.map(({ one }, i) => ({ ...one, atUs: slots[i]! }));
  return mergeCalls(
    frames.filter((one) => !kinds.includes(one.kind)),
    moved,
  );
}

function delays(options: ReorderOptions): (one: TimedFrame) => number {
  const random = makeRandom(options.seed);
  const share = options.share ?? 0.3;
  const kinds = options.kinds ?? ["rtp"];
  return (one) => {
    // Two numbers are drawn for every frame, so that one frame's fate does not hang on another's kind.
    const isMoved = random() < share;
    const delayUs = Math.floor(random() * options.windowMs * 1000);
    return isMoved && kinds.includes(one.kind) ? delayUs : 0;
  };
}
