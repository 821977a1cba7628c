// A second opinion on what may be recorded, independent of the product: follows the sightings of a scripted office in the
// order of capture and says of every RTP packet whether it may be admitted (never more than that), and whether it must
// (nothing changed lately and nothing speaks against it). Knows the script's truth and no rule of the product but README's.
import type { Policy } from "../../device/contract/call-record.js";
import type { ScriptedDialog } from "./office-model-dialog.js";
import type { Conversation, Effect, RtpStep, SipStep } from "./office-model-effects.js";
import type { Person, ScriptedLeg } from "./office-model-leg.js";
import type { Sighting } from "./office-model-wire.js";

/** `call.preAnswerMs`. */
const BEFORE_ANSWER_US = 200_000;
/** `call.tailMs`, and what the recorder may take to notice that it is over. */
const TAIL_US = 520_000;
/** Around each change nothing is demanded. */
const TOLERANCE_US = 100_000;

export interface Verdict {
  sighting: Sighting;
  step: RtpStep;
  may: boolean;
  must: boolean;
}

/** Verdicts on all RTP sightings, in the order of capture. */
export function judgeSightings(sightings: readonly Sighting[], policy: Policy): Verdict[] {
  const model = new OfficeModel(sightings, policy);
  return sightings.flatMap((sighting) => model.take(sighting));
}

class OfficeModel {
  private readonly policy: Policy;
  private readonly answeredAtUs = new Map<ScriptedDialog, number>();
  private readonly endedAtUs = new Map<ScriptedDialog, number>();
  private readonly seen = new Set<SipStep>();
  /** Responses whose requests were not seen yet. */
  private readonly unsettled = new Set<SipStep>();
  private readonly dialogs = new Set<ScriptedDialog>();
  /** Times at which a message of the conversation was seen or sent, ascending. */
  private readonly changes = new Map<Conversation, number[]>();
  private readonly granted = new Map<Conversation, Set<Person>>();
  /** Dialogs in which consent was given last. */
  private readonly grantedIn = new Set<ScriptedDialog>();
  /** Refusals in one half before it was known which it is may outweigh what the other half says. */
  private readonly contested = new Set<Conversation>();
  private readonly speakers = new Map<ScriptedLeg, Person>();
  private readonly addresses = new Map<ScriptedLeg, string>();
  private readonly holding = new Set<ScriptedLeg>();
  private readonly nowhere = new Set<ScriptedLeg>();

  constructor(sightings: readonly Sighting[], policy: Policy) {
    this.policy = policy;
    for (const { step, atUs, isFirst } of sightings) {
      this.dialogs.add(step.dialog);
      if (step.kind === "rtp") continue;
      const { conversation } = step.dialog;
      const times = this.changes.get(conversation) ?? [];
      times.push(step.atUs, atUs);
      this.changes.set(conversation, times);
      if (!isFirst) continue;
      for (const effect of step.effects) {
        if (effect.type === "answered") this.answeredAtUs.set(effect.dialog, atUs);
        if (effect.type === "ended") this.endedAtUs.set(effect.dialog, atUs);
      }
    }
  }

  take(sighting: Sighting): Verdict[] {
    const { step, atUs, isFirst } = sighting;
    if (step.kind === "rtp") {
      const may = this.may(step, atUs);
      return [{ sighting, step, may, must: may && isFirst && this.must(step, atUs) }];
    }
    // A message that is sent again says nothing again.
    if (isFirst) this.read(step, atUs);
    return [];
  }

  private read(step: SipStep, atUs: number): void {
    this.seen.add(step);
    for (const effect of step.effects) if (effect.type === "said") this.apply(step.dialog, effect, atUs);
    this.unsettled.add(step);
    for (const one of this.unsettled) {
      if (one.answers && !this.seen.has(one.answers)) continue;
      this.unsettled.delete(one);
      for (const effect of one.effects) if (effect.type !== "said") this.apply(one.dialog, effect, atUs);
    }
  }

  private apply(dialog: ScriptedDialog, effect: Effect, atUs: number): void {
    if (effect.type === "said") {
      setOrDelete(this.grantedIn, dialog, effect.isGrant);
      const { conversation, about, isGrant } = effect;
      const granted = this.granted.get(conversation) ?? new Set();
      this.granted.set(conversation, granted);
      setOrDelete(granted, about, isGrant);
      const isJoined = conversation.joinedAtUs <= atUs && this.hasAgentOnPhone(conversation, atUs);
      if (isJoined === isGrant)
        setOrDelete(this.contested, conversation, !isGrant && conversation.outsideLeg !== undefined);
    } else if (effect.type === "speaks") {
      this.speakers.set(effect.leg, effect.person);
    } else if (effect.type === "described") {
      this.addresses.set(effect.leg, effect.address);
      setOrDelete(this.holding, effect.leg, effect.isHolding);
      setOrDelete(this.nowhere, effect.leg, effect.isNowhere);
    }
  }

  /** The upper bound: admitted although this is false would be a breach. */
  private may({ dialog, person }: RtpStep, atUs: number): boolean {
    const answeredAtUs = this.answeredAtUs.get(dialog) ?? Number.POSITIVE_INFINITY;
    const endedAtUs = this.endedAtUs.get(dialog) ?? Number.POSITIVE_INFINITY;
    if (this.policy === "none" || atUs < answeredAtUs - BEFORE_ANSWER_US || atUs > endedAtUs + TAIL_US) return false;
    if (this.policy === "both-parties") return true;
    if (person.kind === "nobody" || !hasAgent(dialog)) return false;
    // Of a half that is not known as such the other half's news cannot be known.
    if (atUs < dialog.conversation.joinedAtUs && this.grantedIn.has(dialog)) return true;
    if (person.kind === "outside") return this.hasGranted(dialog, person);
    if (this.isSurelyMixed(dialog, person, atUs)) return false;
    if (isAmongAgents(dialog)) return true;
    return this.policy === "agent-only" || this.outsidersOf(dialog).some((caller) => this.hasGranted(dialog, caller));
  }

  /** The lower bound, for packets that may be admitted. */
  private must({ dialog, leg, person, isRelay, atUs: sentAtUs }: RtpStep, atUs: number): boolean {
    const { conversation } = dialog;
    if (isRelay || person.kind === "nobody" || this.speakerOn(leg) !== person) return false;
    if (!dialog.legs.includes(leg) || !this.isTalking(dialog, atUs)) return false;
    if (sentAtUs < conversation.joinedAtUs || !this.isQuiet(dialog, sentAtUs, atUs)) return false;
    if (conversation.outsideLeg && !this.hasAgentOnPhone(conversation, atUs)) return false;
    if (this.contested.has(conversation) && this.policy !== "both-parties") return false;
    if (this.policy === "both-parties") return true;
    if (!hasOwnAgent(dialog) && conversation.outsideLeg === undefined) return false;
    if (this.isAgentNowhere(conversation)) return false;
    return person.kind === "outside" || !this.isElsewhere(dialog, person, atUs);
  }

  private isTalking(dialog: ScriptedDialog, atUs: number): boolean {
    const answeredAtUs = this.answeredAtUs.get(dialog) ?? Number.POSITIVE_INFINITY;
    return atUs >= answeredAtUs && atUs < (this.endedAtUs.get(dialog) ?? Number.POSITIVE_INFINITY);
  }

  private isHeld({ legs }: ScriptedDialog): boolean {
    return legs.some((leg) => this.holding.has(leg));
  }

  /** No message of the conversation was sent or seen from shortly before to shortly after. */
  private isQuiet(dialog: ScriptedDialog, sentAtUs: number, atUs: number): boolean {
    const times = this.changes.get(dialog.conversation) ?? [];
    return !times.some((us) => us > sentAtUs - TOLERANCE_US && us < atUs + TOLERANCE_US);
  }

  private hasAgentOnPhone(conversation: Conversation, atUs: number): boolean {
    return [...this.dialogs].some(
      (dialog) => dialog.conversation === conversation && hasOwnAgent(dialog) && this.isTalking(dialog, atUs),
    );
  }

  /** Who holds with 0.0.0.0 has no address by which to be known as an agent. */
  private isAgentNowhere(conversation: Conversation): boolean {
    const isAgent = ({ phone }: ScriptedLeg): boolean => phone.person.kind === "agent";
    return [...this.dialogs].some(
      (dialog) =>
        dialog.conversation === conversation && dialog.legs.some((leg) => isAgent(leg) && this.nowhere.has(leg)),
    );
  }

  private hasGranted({ conversation }: ScriptedDialog, person: Person): boolean {
    return this.granted.get(conversation)?.has(person) ?? false;
  }

  private outsidersOf({ legs, conversation }: ScriptedDialog): Person[] {
    if (conversation.outsideLeg) return [this.speakerOn(conversation.outsideLeg)];
    return legs.map((leg) => this.speakerOn(leg)).filter(({ kind }) => kind === "outside");
  }

  private speakerOn(leg: ScriptedLeg): Person {
    return this.speakers.get(leg) ?? leg.firstPerson;
  }

  private addressOf({ legs }: ScriptedDialog, agent: Person): string | undefined {
    const leg = legs.find((one) => one.phone.person === agent);
    return leg && (this.addresses.get(leg) ?? leg.phone.address);
  }

  /** Conversations in which the agent talks besides this one. */
  private others({ conversation }: ScriptedDialog, agent: Person): ScriptedDialog[] {
    return [...this.dialogs].filter(
      (other) => other.conversation !== conversation && other.legs.some(({ phone }) => phone.person === agent),
    );
  }

  /** May the agent have joined two calls in the phone? */
  private isElsewhere(dialog: ScriptedDialog, agent: Person, atUs: number): boolean {
    return this.others(dialog, agent).some((other) => {
      const isTogether = this.isTalking(other, atUs) && !this.isHeld(other) && !this.isHeld(dialog);
      return isTogether || !this.isQuiet(other, atUs, atUs);
    });
  }

  private isSurelyMixed(dialog: ScriptedDialog, agent: Person, atUs: number): boolean {
    if (this.isHeld(dialog) || !this.isQuiet(dialog, atUs, atUs) || !this.isTalking(dialog, atUs)) return false;
    return this.others(dialog, agent).some(
      (other) =>
        this.isTalking(other, atUs) &&
        hasOwnAgent(other) &&
        !this.isHeld(other) &&
        this.isQuiet(other, atUs, atUs) &&
        // One number at two addresses may be two telephones.
        this.addressOf(other, agent) === this.addressOf(dialog, agent),
    );
  }
}

/** Exactly one side is an agent's. */
function hasOwnAgent({ legs }: ScriptedDialog): boolean {
  return legs.filter(({ phone }) => phone.person.kind === "agent").length === 1;
}

/** While only one of them has described itself it is the agent: a moment of their talk may be recorded. */
function isAmongAgents({ legs }: ScriptedDialog): boolean {
  return legs.every(({ phone }) => phone.person.kind === "agent");
}

function hasAgent({ legs, conversation }: ScriptedDialog): boolean {
  return conversation.outsideLeg !== undefined || legs.some(({ phone }) => phone.person.kind === "agent");
}

function setOrDelete<T>(set: Set<T>, value: T, isIn: boolean): void {
  if (isIn) set.add(value);
  else set.delete(value);
}
