// What may be recorded of a history: a model of consent that is written from the order in the README and knows nothing of the
// device. Walks over the frames in the order in which they are seen.
import { atUs, type Effect, type History, KEY_OF, nameOf, type Operation, type Scene } from "./consent-history.js";
import { EVENT_PAYLOAD_TYPE } from "./rtp-stream.js";

/** In a frame: Ethernet, IPv4, UDP, RTP. */
const RTP_AT = 14 + 20 + 8;
const PAYLOAD_AT = RTP_AT + 12;
const KEYS = "0123456789*#";

type Source = "header" | "dtmf" | "recordpref" | "api" | "mqtt" | "list";

/** Consent of the one who is there, as the README has it: what the office forbids, what is said in the call, lists. */
class Model {
  private readonly said = new Map<Source, Effect>();
  private current = "unknown";
  isPaused = false;
  isErased = false;
  private readonly list: History["list"];

  constructor(list: History["list"]) {
    this.list = list;
    this.settle();
  }

  /** Somebody else is there now. */
  newParty(): void {
    this.said.clear();
    this.current = "unknown";
    this.settle();
  }

  say(source: Source, statement: Effect): void {
    const before = this.said.get(source);
    if (before !== undefined && (before === "granted") === (statement === "granted")) return;
    this.said.set(source, statement);
    this.settle();
  }

  /** Another engine: it is told what closes, and knows of no grant. */
  forgetGrants(): void {
    for (const [source, statement] of this.said) if (statement === "granted") this.said.delete(source);
    this.current = "unknown";
    this.settle();
  }

  lift(source: Source): void {
    this.said.delete(source);
    this.settle();
  }

  get mayTake(): boolean {
    return this.current === "granted" && !this.isPaused;
  }

  private settle(): void {
    const inCall = [...this.said.values()];
    const before = this.current;
    const closed = before === "granted" || before === "withdrawn" ? "withdrawn" : "refused";
    if (this.list === "never") this.current = closed;
    else if (inCall.some((one) => one !== "granted")) this.current = closed;
    else if (inCall.length > 0 || this.list === "always") this.current = "granted";
    else this.current = "unknown";
    this.isErased = before === "granted" && this.current === "withdrawn";
  }
}

/** A press that comes in two ways is one: whoever has come in between has pressed nothing. */
class SameKey {
  private last: { meant: Effect | undefined; how: string; atUs: number } | undefined;
  private isOther = false;

  isPressedBefore(meant: Effect | undefined, how: string, when: number): boolean {
    const before = this.last;
    const isSame = before?.meant === meant && before?.how !== how && when - before!.atUs < 500_000;
    if (!isSame || this.isOther) this.last = { meant, how, atUs: when };
    this.isOther = false;
    return isSame;
  }

  /** Somebody else is there, on the same phone line. */
  newParty(): void {
    this.isOther = true;
  }

  forget(): void {
    this.last = undefined;
  }
}

export interface Expectation {
  /** Packets of callers that may be on the disk: "speaker first-sample". */
  allowed: Set<string>;
  /** Of them, those that were taken back. */
  erased: Set<string>;
  agent: Set<string>;
}

/** `refused`: commands that the box said it could not carry out (after a crash it may not know the call yet). */
export function expectationOf(
  scene: Scene,
  { list, erases, operations }: History,
  refused: ReadonlySet<Operation>,
): Expectation {
  const model = new Model(list);
  const allowed = new Set<string>();
  const erased = new Set<string>();
  const agent = new Set<string>();
  const presses = new Set<string>();
  const sameKey = new SameKey();
  let ofParty: string[] = [];
  let isSucceeding = false;
  let isTransferring = false;
  /** How many have taken the caller's place: packets of the one before that are still on their way are nobody's. */
  let successions = 0;
  let hasCrashed = false;
  /** A new engine hears keys once it knows where the call's media goes: what nobody heard closes nothing. */
  let isHearing = true;
  const outside = operations.filter(({ kind }) => ["command", "pause", "resume", "crash"].includes(kind));
  const takeBack = (): void => {
    if (model.isErased && erases) for (const packet of ofParty) erased.add(packet);
    if (model.isErased) ofParty = [];
    model.isErased = false;
  };
  const press = (meant: Effect | undefined, how: "event" | "info", when: number): void => {
    if (model.isPaused) {
      sameKey.forget();
      return;
    }
    const isSame = sameKey.isPressedBefore(meant, how, when);
    if (meant === undefined) return;
    if (!isSame || meant !== "granted") model.say("dtmf", meant);
  };
  const act = (one: Operation & { slot: number }): void => {
    if (one.kind === "header") model.say("header", one.effect);
    if (one.kind === "info-key" && one.from === "caller") press(one.effect, "info", atUs(one.slot));
    if (one.kind === "recordpref" && one.from === "caller") {
      if (one.preference === "on") model.say("recordpref", "granted");
      else if (one.preference === "nopreference") model.lift("recordpref");
      else model.say("recordpref", "refused");
    }
    if (one.kind === "command" && !refused.has(one)) model.say(one.source, one.effect);
    if (one.kind === "pause" || one.kind === "resume") model.isPaused = one.kind === "pause";
    if (one.kind === "successor") isSucceeding = true;
    if (one.kind === "transfer") isTransferring = true;
    if (one.kind === "crash") {
      model.forgetGrants();
      sameKey.forget();
      ofParty = [];
      isHearing = false;
      hasCrashed = true;
    }
    takeBack();
  };
  for (const frame of scene.frames) {
    while (outside[0] && frame.atUs >= atUs(outside[0].slot)) act(outside.shift()!);
    const operationHere = scene.operationAt.get(frame);
    if (operationHere) act(operationHere);
    // A successor is who has described itself when the agent agrees; a stranger is there when it answers.
    const isAnswer = frame.label === "200 INVITE" && frame.from === (isTransferring ? "caller" : "callee");
    if ((isSucceeding || isTransferring) && isAnswer) {
      if (isTransferring) sameKey.forget();
      else {
        sameKey.newParty();
        successions++;
      }
      isSucceeding = false;
      isTransferring = false;
      model.newParty();
      ofParty = [];
      model.isErased = false;
    }
    if (frame.label === "200 INVITE" || frame.label === "200 UPDATE") isHearing = true;
    if (frame.kind !== "rtp") continue;
    if ((frame.frame[RTP_AT + 1]! & 0x7f) === EVENT_PAYLOAD_TYPE) {
      const name = `${frame.frame.readUInt32BE(RTP_AT + 8)} ${frame.frame.readUInt32BE(RTP_AT + 4)}`;
      const pressed = KEYS[frame.frame[PAYLOAD_AT]!];
      if (frame.from === "caller" && !presses.has(name)) {
        const meant = (Object.keys(KEY_OF) as Effect[]).find((one) => KEY_OF[one] === pressed);
        if (isHearing || meant === "granted") press(meant, "event", frame.atUs);
        takeBack();
      }
      presses.add(name);
      continue;
    }
    const name = nameOf(frame.frame.subarray(PAYLOAD_AT));
    if (frame.from === "callee") {
      if (!model.isPaused) agent.add(name);
    } else if (model.mayTake && (hasCrashed || !isOfFormer(name, successions))) {
      allowed.add(name);
      ofParty.push(name);
    }
  }
  return { allowed, erased, agent };
}

/** A packet of somebody whose place another has taken on the first dialog. */
function isOfFormer(name: string, successions: number): boolean {
  return Number(name.split(" ")[0]) < successions;
}
