// Who is asserted to be on each side, and where each side is to be reached: what setting up the session told of it, and
// later changes, told apart from the forms that the same value takes on other hops. Pure functions on SessionState;
// whom to believe is the call table's. RFC 3325, RFC 5876 (asserted identity within a dialog); draft-ietf-sip-privacy-04
// (Remote-Party-ID); RFC 4916 (From within a dialog); RFC 3261 §12.2 (target refresh).
import type { Side } from "../base/ids.js";
import { parameterOf, splitAddresses, splitUri } from "./address.js";
import type { SipAddress, SipMessage } from "./message.js";
import type { SessionEvent } from "./session-events.js";
import {
  dialogTag,
  type EarlyParty,
  findTransaction,
  isDialogInForce,
  isOpen,
  MAX_DIALOG_TAGS,
  type PartySighting,
  type SessionState,
  type Sighting,
  type Step,
  senderOf,
  withSide,
} from "./session-state.js";
import { shorten } from "./text.js";

/** Forms of one identity or contact that are told apart. */
const MAX_FORMS = 8;
const MAX_VALUES = 4;
const MAX_CHARACTERS = 256;
const MAX_URI_CHARACTERS = 1024;
const UNJUDGED: Sighting = { isBased: false, values: [], setBy: "", judgedCseq: [-1, -1] };

export const UNSEEN: PartySighting = { identity: UNJUDGED, target: UNJUDGED };

/** Takes a message after its other consequences; `before` is the state that it met. */
export function takeParties(before: SessionState, step: Step, message: SipMessage, requester: Side): Step {
  const { state } = step;
  const isAnswered = state.phase === "answered";
  const isAnswer = isAnswered && before.phase !== "answered";
  if ((!isTelling(message) && !isAnswer) || (!isAnswered && !isOpen(state))) return step;
  const told = readTold(message, senderOf(message, requester), isSettingUp(before, message, requester), state);
  if (!isAnswered) return { ...step, state: noteEarly(state, told, message, requester) };
  const answered = isAnswer ? settleAnswerer(before, state, told, message, requester) : state;
  // A ringing seen late tells who rang, not who answered.
  const isLate = told.isSetup && !isAnswer && message.kind === "response" && message.status < 200;
  if (isLate || !isDialogInForce(answered, dialogTag(message, requester))) return { ...step, state: answered };
  const next = judge(answered, told, message, requester);
  return { state: next.state, events: [...step.events, ...next.events] };
}

/** INFO tells no contact; the others refresh the target (RFC 3311 §5.2). */
function isTelling({ kind, method, status }: SipMessage): boolean {
  if (method !== "INVITE" && method !== "UPDATE" && method !== "INFO") return false;
  return kind === "request" || (status > 100 && status < 300);
}

/** Part of what set the session up, whenever it is seen: other hops' copies are forms of the same, not changes. */
function isSettingUp(before: SessionState, message: SipMessage, requester: Side): boolean {
  if (before.phase !== "answered") return true;
  return message.method === "INVITE" && findTransaction(before, requester, "INVITE", message.cseq)?.initial === true;
}

interface Told {
  side: Side;
  isSetup: boolean;
  identity: SipAddress | undefined;
  /** By which identities and targets are compared. */
  identityForms: readonly string[];
  targetForms: readonly string[];
  target: string;
}

function readTold(message: SipMessage, side: Side, isSetup: boolean, state: SessionState): Told {
  const identities = isTelling(message) ? readIdentities(message, side, isSetup, state) : [];
  const isRefresh = isTelling(message) && message.method !== "INFO";
  const target = isRefresh ? shorten(message.contact, MAX_URI_CHARACTERS) : "";
  return {
    side,
    isSetup,
    identity: identities[0],
    identityForms: identities.map(({ user, uri }) => shorten(user || uri, MAX_CHARACTERS).toLowerCase()),
    targetForms: target === "" || target === "*" ? [] : [targetForm(target)],
    target,
  };
}

/**
 * What is asserted of the sender. Within a dialog party= of Remote-Party-ID says nothing: makers mean the dialog's
 * parties, the transaction's, or always write the same, and all mean the sender.
 */
function readIdentities(message: SipMessage, side: Side, isSetup: boolean, state: SessionState): SipAddress[] {
  const asserted = splitAddresses(message.headers.get("p-asserted-identity") ?? [], MAX_VALUES);
  if (asserted.length > 0) return asserted.map(({ name, uri }) => toAddress(name, uri));
  const own = side === 0 ? "calling" : "called";
  const remote = splitAddresses(message.headers.get("remote-party-id") ?? [], MAX_VALUES).filter(({ parameters }) => {
    const party = (parameterOf(parameters, "party") ?? own).toLowerCase();
    return isSetup ? party === own : party === "calling" || party === "called";
  });
  if (remote.length > 0) return remote.map(({ name, uri }) => toAddress(name, uri));
  return isSetup ? [] : changedFrom(message, side === 0 ? state.originator : state.answerer);
}

/** RFC 4916: a user agent that announces it may give itself another From within the dialog. */
function changedFrom(message: SipMessage, known: SipAddress): SipAddress[] {
  const isAnnounced = message.headers
    .get("supported")
    ?.some((value) => /(?:^|[\s,])from-change(?:[\s,]|$)/i.test(value));
  if (message.kind !== "request" || !isAnnounced || message.from.user === known.user) return [];
  return [{ ...message.from, tag: "" }];
}

function toAddress(name: string, uri: string): SipAddress {
  const { user, host } = splitUri(uri);
  return {
    name,
    uri: shorten(uri, MAX_URI_CHARACTERS),
    user: shorten(user, MAX_CHARACTERS),
    host: shorten(host, MAX_CHARACTERS),
    tag: "",
  };
}

/** Scheme, user, host and port: parameters vary without meaning, and 5060 may be left out. */
function targetForm(uri: string): string {
  const end = uri.search(/[;?]/);
  const place = (end < 0 ? uri : uri.slice(0, end)).toLowerCase();
  return shorten(place.endsWith(":5060") ? place.slice(0, -5) : place, MAX_CHARACTERS);
}

/** Before the answer: the originator's first, and of each early dialog the last. */
function noteEarly(state: SessionState, told: Told, message: SipMessage, requester: Side): SessionState {
  if (told.side === 0) {
    const based = withSighting(state, 0, base(state.parties[0], told, message, requester));
    return told.identity && !state.assertedIdentity ? { ...based, assertedIdentity: told.identity } : based;
  }
  if (!told.identity) return state;
  const { identity } = told;
  const tag = dialogTag(message, requester);
  const others = state.earlyParties.filter((early) => early.tag !== tag);
  const earlyParties = others.length < MAX_DIALOG_TAGS ? [...others, { tag, identity }] : others;
  return { ...state, earlyParties, connectedIdentity: state.connectedIdentity ?? identity };
}

/** The answerer is who answered: what other forks asserted says nothing of it. */
function settleAnswerer(
  before: SessionState,
  state: SessionState,
  told: Told,
  message: SipMessage,
  requester: Side,
): SessionState {
  const tag = state.answerer.tag;
  const early: EarlyParty | undefined = before.earlyParties.find((party) => party.tag === tag);
  const isOwn = told.side === 1 && dialogTag(message, requester) === tag;
  const identity = (isOwn ? told.identity : undefined) ?? early?.identity;
  const { connectedIdentity: _, ...rest } = state;
  const forms = identity ? [shorten(identity.user || identity.uri, MAX_CHARACTERS).toLowerCase()] : [];
  const sighting: Sighting = { ...UNJUDGED, isBased: isOwn || early !== undefined, values: forms };
  const settled: SessionState = {
    ...rest,
    parties: [state.parties[0], { identity: sighting, target: UNJUDGED }],
    earlyParties: [],
  };
  return identity ? { ...settled, connectedIdentity: identity } : settled;
}

function judge(state: SessionState, told: Told, message: SipMessage, requester: Side): Step {
  const { side } = told;
  const known = state.parties[side];
  if (told.isSetup) {
    const based = withSighting(state, side, base(known, told, message, requester));
    if (side === 1 || !told.identity || state.assertedIdentity) return { state: based, events: [] };
    return { state: { ...based, assertedIdentity: told.identity }, events: [] };
  }
  const party = side === 0 ? state.originator : state.answerer;
  const own = party.user === "" ? [] : [party.user.toLowerCase()];
  const identity = compare(known.identity, told.identityForms, own, message, requester);
  const target = compare(known.target, told.targetForms, [], message, requester);
  const events: SessionEvent[] = [];
  if (identity.isChanged) events.push({ type: "identity", side, identity: told.identity! });
  if (target.isChanged) events.push({ type: "target", side, uri: told.target });
  return { state: withSighting(state, side, { identity: identity.sighting, target: target.sighting }), events };
}

/** What sets the session up is where changes are told from, in all forms in which it is seen. */
function base(known: PartySighting, told: Told, message: SipMessage, requester: Side): PartySighting {
  const { cseq } = message;
  return {
    identity: based(known.identity, told.identityForms, cseq, requester),
    target: based(known.target, told.targetForms, cseq, requester),
  };
}

function based(sighting: Sighting, forms: readonly string[], cseq: number, requester: Side): Sighting {
  const judged = Math.max(sighting.judgedCseq[requester], cseq);
  return {
    ...sighting,
    isBased: true,
    values: withForms(sighting.values, forms),
    judgedCseq: withSide(sighting.judgedCseq, requester, judged),
  };
}

/**
 * `own` stands in for what was never asserted. Another copy of a message judged already brings at most further forms of
 * what that message brought; one that is older than those judged brings nothing.
 */
function compare(
  sighting: Sighting,
  forms: readonly string[],
  own: readonly string[],
  message: SipMessage,
  requester: Side,
): { sighting: Sighting; isChanged: boolean } {
  const judged = sighting.judgedCseq[requester];
  const { cseq } = message;
  if (!sighting.isBased) return { sighting: based(sighting, forms, cseq, requester), isChanged: false };
  if (forms.length === 0 || cseq < judged) return { sighting, isChanged: false };
  const name = `${requester} ${cseq}`;
  const known = sighting.values.length > 0 ? sighting.values : own;
  const isSame = known.length === 0 || sighting.setBy === name || forms.some((form) => known.includes(form));
  if (isSame) return { sighting: based(sighting, forms, cseq, requester), isChanged: false };
  if (cseq === judged) return { sighting, isChanged: false };
  const judgedCseq = withSide(sighting.judgedCseq, requester, cseq);
  return { sighting: { isBased: true, values: forms, setBy: name, judgedCseq }, isChanged: true };
}

function withForms(known: readonly string[], forms: readonly string[]): readonly string[] {
  return [...new Set([...known, ...forms])].slice(0, MAX_FORMS);
}

function withSighting(state: SessionState, side: Side, sighting: PartySighting): SessionState {
  return { ...state, parties: withSide(state.parties, side, sighting) };
}
