// What a script hands to the wire and to the model: every packet that is sent, with who says what in it, and what each
// SIP message changes when it is first seen. Values only.
import type { ScriptedDialog } from "./office-model-dialog.js";
import type { Person, ScriptedLeg } from "./office-model-leg.js";

/** What must end up as one record. */
export interface Conversation {
  readonly name: string;
  readonly callIds: Set<string>;
  /** Seen on both sides of a PBX: the leg of the one who is outside, whose consent all statements are about. */
  outsideLeg: ScriptedLeg | undefined;
  /** What the PBX passes on: the very bytes, by which alone its halves are recognised, or the same audio in others. */
  relays: "bytes" | "audio" | undefined;
  /** From then on the halves are known to be one; Infinity = they may stay two records. */
  joinedAtUs: number;
}

export type Effect =
  | { type: "answered" | "ended"; dialog: ScriptedDialog }
  /** A statement about someone's consent. */
  | { type: "said"; conversation: Conversation; about: Person; isGrant: boolean }
  | { type: "speaks"; leg: ScriptedLeg; person: Person }
  | { type: "described"; leg: ScriptedLeg; isHolding: boolean; isNowhere: boolean; address: string };

/** What a day may contain: each of these is left out while the product is known not to hold to the model there. */
export interface Reach {
  /** SIP messages that say something about consent are seen again, retransmitted. */
  resentSayings: boolean;
  /** Phones outside that ring but do not answer play something before the answer. */
  outsideForks: boolean;
  /** Agents among themselves say something about consent. */
  sayingsAmongAgents: boolean;
  /** The PBX shows the same word in place of several callers' numbers. */
  namelessCallers: boolean;
  /** An agent behind the PBX transfers the call. */
  transfersBehindPbx: boolean;
}

interface Sent {
  atUs: number;
  source: string;
  destination: string;
  payload: Buffer;
  dialog: ScriptedDialog;
}

export interface SipStep extends Sent {
  kind: "sip";
  label: string;
  effects: readonly Effect[];
  /** The request that it responds to: what both agree on is known when both were seen. */
  answers: SipStep | undefined;
}

export interface RtpStep extends Sent {
  kind: "rtp";
  leg: ScriptedLeg;
  /** Whose voice it is. */
  person: Person;
  /** Number of the piece of speech; a PBX passes on the same one. */
  speech: number;
  isRelay: boolean;
}

export type Step = SipStep | RtpStep;

export interface Trace {
  steps: readonly Step[];
  conversations: readonly Conversation[];
}
