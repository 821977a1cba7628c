// Random histories of one call for the consent engine, and what the mirror port shows of them: statements from every source
// and both sides, sent again and out of order, new SSRCs, re-INVITEs, parties that take each other's place, a transfer to
// a stranger, pauses, an engine that is killed. Makes frames; knows nothing of what may be recorded.
import fc from "fast-check";
import { DEFAULT_START_US, type MidCallRequest } from "./call-options.js";
import { makeCall } from "./office-call.js";
import { rtpStream } from "./rtp-stream.js";
import { mergeCalls, shuffleArrivals, type TimedFrame } from "./timed-frames.js";

const SLOT_MS = 20;
const SLOTS = 200;
const ANSWER_US = DEFAULT_START_US + 1_000_000;

export type Who = "caller" | "callee";
export type Effect = "granted" | "refused" | "withdrawn";
export const KEY_OF: Record<Effect, string> = { granted: "1", refused: "2", withdrawn: "9" };

export type Operation =
  | { kind: "header"; from: Who; effect: Effect; repeats: boolean }
  | { kind: "key"; from: Who; effect: Effect }
  | { kind: "info-key"; from: Who; effect: Effect; repeats: boolean }
  | { kind: "recordpref"; from: Who; preference: "on" | "off" | "pause" | "nopreference" }
  | { kind: "command"; source: "api" | "mqtt"; effect: Effect }
  | { kind: "pause" | "resume" }
  | { kind: "ssrc"; from: Who }
  | { kind: "re-invite"; from: Who }
  | { kind: "successor" }
  /** The caller sends the agent on to a stranger. */
  | { kind: "transfer" }
  | { kind: "crash" };

export interface History {
  operations: (Operation & { slot: number })[];
  list: "none" | "always" | "never";
  erases: boolean;
  shuffleSeed: number;
}

const effect = fc.constantFrom<Effect>("granted", "granted", "refused", "withdrawn");
const who = fc.constantFrom<Who>("caller", "callee");
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("header" as const), from: who, effect, repeats: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("key" as const), from: who, effect }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("info-key" as const), from: who, effect, repeats: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("recordpref" as const),
      from: who,
      preference: fc.constantFrom("on" as const, "off" as const, "pause" as const, "nopreference" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("command" as const),
      source: fc.constantFrom("api" as const, "mqtt" as const),
      effect,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("pause" as const, "resume" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("ssrc" as const), from: who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("re-invite" as const), from: who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("successor" as const) }) },
);
/** Operations at least 200 ms apart: a transaction ends before the next one begins. */
const STEP_SLOTS = 10;

/** A place among the operations, once in `rarity` + 1 histories. */
const sometimes = (rarity: number): fc.Arbitrary<number | undefined> =>
  fc.oneof({ weight: rarity, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(15) });

export const history: fc.Arbitrary<History> = fc
  .record({
    operations: fc.array(operation, { maxLength: 16 }),
    crashAt: sometimes(4),
    transferAt: sometimes(2),
    list: fc.constantFrom("none" as const, "none" as const, "always" as const, "never" as const),
    erases: fc.boolean(),
    shuffleSeed: fc.nat(1000),
  })
  .map(({ operations, crashAt, transferAt, ...rest }) => {
    const all: Operation[] = [...operations];
    if (transferAt !== undefined) all.splice(Math.min(transferAt, all.length), 0, { kind: "transfer" });
    if (crashAt !== undefined) all.splice(Math.min(crashAt, all.length), 0, { kind: "crash" });
    return { ...rest, operations: all.map((one, i) => ({ ...one, slot: STEP_SLOTS * (i + 1) })) };
  });

export const atUs = (slot: number): number => ANSWER_US + slot * SLOT_MS * 1000;

export interface Scene {
  frames: TimedFrame[];
  /** Retransmissions of a request with an operation, by frame: they must change nothing. */
  operationAt: Map<TimedFrame, Operation & { slot: number }>;
}

const NEXT_ADDRESS = (n: number): string => `203.0.113.${10 + n}`;

function midCallOf({ slot, ...one }: Operation & { slot: number }, successors: number): MidCallRequest | undefined {
  const atMs = slot * SLOT_MS;
  const here = successors === 0 ? {} : { address: NEXT_ADDRESS(successors), sessionId: 100 + successors };
  switch (one.kind) {
    case "header":
      return { atMs, from: one.from, method: "INFO", headers: [["X-Recording-Consent", one.effect]] };
    case "info-key":
      return { atMs, from: one.from, method: "INFO", body: { type: "application/dtmf", text: KEY_OF[one.effect] } };
    case "recordpref":
      return {
        atMs,
        from: one.from,
        method: "UPDATE",
        sdp: { mediaLines: [`a=recordpref:${one.preference}`], ...(one.from === "caller" ? here : {}) },
        answerSdp: one.from === "caller" ? {} : here,
      };
    case "re-invite":
      return {
        atMs,
        from: one.from,
        method: "INVITE",
        sdp: one.from === "caller" ? here : {},
        answerSdp: one.from === "caller" ? {} : here,
      };
    case "successor":
      return { atMs, from: "caller", method: "INVITE", sdp: here };
    case "transfer":
      return {
        atMs,
        from: "caller",
        method: "REFER",
        headers: [["Refer-To", `<sip:${STRANGER.user}@10.0.0.1>`]],
        status: 202,
      };
    default:
      return undefined;
  }
}

/** Payload of a packet: who speaks, then its number; found again in the journal. */
const numbered =
  (speaker: number) =>
  (first: number, count: number): Buffer => {
    const payload = Buffer.alloc(count, 0xd5);
    payload.writeUInt8(0xc0 + speaker, 0);
    payload.writeUInt32BE(first, 1);
    return payload;
  };

export function makeScene({ operations, shuffleSeed }: History): Scene {
  const transfer = operations.find(({ kind }) => kind === "transfer");
  const isLater = (one: { slot: number }): boolean => transfer !== undefined && one.slot > transfer.slot;
  const first = operations.filter((one) => !isLater(one));
  const later = operations.filter(isLater).filter(({ kind }) => kind !== "successor");
  const signalling = [...signallingOf(first, transfer), ...(transfer ? strangersSignalling(later, transfer) : [])];
  const operationAt = new Map<TimedFrame, Operation & { slot: number }>();
  const again: TimedFrame[] = [];
  for (const one of [...first, ...later]) {
    const request = midCallOf(one, 1);
    if (!request) continue;
    const frame = signalling.find(
      (f) => f.atUs === atUs(one.slot) && f.label === request.method && f.from === request.from,
    )!;
    operationAt.set(frame, one);
    // After more than the mirror's window, and after the next operations.
    if ("repeats" in one && one.repeats) again.push({ ...frame, atUs: frame.atUs + 500_000 });
  }
  const media = [
    ...(["caller", "callee"] as const).flatMap((who) => streamsOf(who, first, 0, transfer ? transfer.slot + 6 : SLOTS)),
    ...(transfer ? strangersMedia(later, transfer.slot + TALKS_AFTER) : []),
  ];
  const shuffled = shuffleArrivals(mergeCalls(...media), { windowMs: 50, seed: shuffleSeed, share: 0.2 });
  return { frames: mergeCalls(signalling, again, shuffled), operationAt };
}

const MUTE = { isMute: true };

/** The first dialog; where the agent is sent on, it lasts until the stranger has answered. */
function signallingOf(operations: History["operations"], transfer: { slot: number } | undefined): TimedFrame[] {
  let successors = 0;
  const midCall: MidCallRequest[] = [];
  for (const one of operations) {
    if (one.kind === "successor") successors++;
    const request = midCallOf(one, successors);
    if (request) midCall.push(request);
  }
  return makeCall({
    hasEvents: true,
    durationMs: (transfer ? transfer.slot + TALKS_AFTER : SLOTS) * SLOT_MS,
    byeBy: transfer ? "callee" : "caller",
    caller: MUTE,
    callee: MUTE,
    midCall,
  });
}

/** Packet times from the REFER to the stranger's answer, and to when both are heard. */
const ANSWERS_AFTER = 7;
const TALKS_AFTER = 8;
const STRANGER = { user: "0309876543", address: "203.0.113.99", rtpPort: 44_000 };
const AGENT_WITH_STRANGER = { user: "21", address: "10.0.0.7", rtpPort: 40_002 };
export const STRANGERS_SPEAKER = 8;

/** The agent calls the stranger; told like the first dialog, in which the agent was the one who was called. */
function strangersSignalling(operations: History["operations"], { slot }: { slot: number }): TimedFrame[] {
  const swap = (who: Who): Who => (who === "caller" ? "callee" : "caller");
  const midCall = operations.flatMap((one) => {
    const request = midCallOf(one, 0);
    if (!request) return [];
    return [{ ...request, atMs: request.atMs - (slot + ANSWERS_AFTER) * SLOT_MS, from: swap(request.from) }];
  });
  const frames = makeCall({
    callId: "transferred@office.example",
    startUs: atUs(slot + 1),
    ringMs: (ANSWERS_AFTER - 1) * SLOT_MS,
    durationMs: (SLOTS - slot - ANSWERS_AFTER) * SLOT_MS,
    hasEvents: true,
    caller: { ...AGENT_WITH_STRANGER, ...MUTE },
    callee: { ...STRANGER, ...MUTE },
    midCall,
  });
  return frames.map((frame) => ({ ...frame, from: swap(frame.from) }));
}

function strangersMedia(operations: History["operations"], begin: number): TimedFrame[][] {
  const [stranger, agent] = [STRANGER, AGENT_WITH_STRANGER].map(({ address, rtpPort }) => `${address}:${rtpPort}`);
  return (["caller", "callee"] as const).flatMap((from) =>
    cutStreams(operations, { from, begin, end: SLOTS, ssrc: from === "caller" ? 5000 : 6000 }, () => ({
      source: from === "caller" ? stranger! : agent!,
      destination: from === "caller" ? agent! : stranger!,
      speaker: from === "caller" ? STRANGERS_SPEAKER : AGENTS_SPEAKER,
    })),
  );
}

/** As payloads name the agent. */
export const AGENTS_SPEAKER = 9;
const AGENT_AT = "10.0.0.7:40000";

/** The stream of one side with the caller or whoever takes the caller's place. */
function streamsOf(from: Who, operations: History["operations"], begin: number, end: number): TimedFrame[][] {
  return cutStreams(operations, { from, begin, end, ssrc: from === "caller" ? 1000 : 2000 }, (successors) => {
    const caller = successors === 0 ? "198.51.100.20:30000" : `${NEXT_ADDRESS(successors)}:30000`;
    return {
      source: from === "caller" ? caller : AGENT_AT,
      destination: from === "caller" ? AGENT_AT : caller,
      speaker: from === "caller" ? successors : AGENTS_SPEAKER,
    };
  });
}

interface Stretch {
  from: Who;
  begin: number;
  end: number;
  ssrc: number;
}

/** One side's packets, cut where its SSRC changes and where somebody else takes the caller's place. */
function cutStreams(
  operations: History["operations"],
  { from, begin: first, end: last, ssrc }: Stretch,
  wayOf: (successors: number) => { source: string; destination: string; speaker: number },
): TimedFrame[][] {
  const cuts = operations.filter(
    (one) => (one.kind === "ssrc" && one.from === from) || (one.kind === "successor" && from === "caller"),
  );
  const bounds = [first, ...cuts.map(({ slot, kind }) => (kind === "successor" ? slot + 2 : slot)), last];
  let successors = 0;
  return bounds.slice(0, -1).map((begin, i) => {
    if (cuts[i - 1]?.kind === "successor") successors++;
    const end = bounds[i + 1]!;
    const { speaker, ...way } = wayOf(successors);
    const keys = operations.flatMap((one) =>
      one.kind === "key" && one.from === from && one.slot >= begin && one.slot + 5 < end
        ? [{ key: KEY_OF[one.effect], index: one.slot - begin }]
        : [],
    );
    return rtpStream({
      ...way,
      from,
      startUs: atUs(begin) + 10_000,
      packets: end - begin,
      ssrc: ssrc + i,
      firstSequence: 1000 * (i + 1),
      firstTimestamp: begin * 160,
      payload: (sample, count) => numbered(speaker)(begin * 160 + sample, count),
      keys,
    });
  });
}

/** "speaker first-sample" of a packet's payload. */
export function nameOf(payload: Buffer): string {
  return `${payload[0]! - 0xc0} ${payload.readUInt32BE(1)}`;
}
