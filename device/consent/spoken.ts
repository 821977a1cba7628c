// What a SIP message says about consent and pauses: the configured headers, and SIPREC's recording preference in session
// descriptions (RFC 7866 §6.2). Reads only; who is the caller and what follows is decided elsewhere.
import type { Call } from "../call/call.js";
import { audioOf } from "../call/call.js";
import type { Leg } from "../call/leg.js";
import type { EvidenceRecord, EvidenceSource } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import type { SipMessage } from "../sip/message.js";
import type { Statement } from "./call-consent.js";
import type { ConsentEffect } from "./strength.js";

export type Said =
  /** `mustBe`: it counts only if that side turns out to be the caller. */
  | { kind: "statement"; mustBe: Leg | undefined; statement: Statement }
  /** What the source said before no longer applies; said by the side `mustBe`. */
  | { kind: "lift"; mustBe: Leg; source: "recordpref"; by: string }
  | { kind: "noted"; source: EvidenceSource; detail: EvidenceRecord["detail"] }
  | { kind: "pause"; isPause: boolean; by: string };

/** Takes something back, or stops something. */
export function isClosing(said: Said): boolean {
  return said.kind === "statement" ? said.statement.effect !== "granted" : said.kind === "pause" && said.isPause;
}

/** What is said, without who says it. */
export function inWords(said: Said): string {
  switch (said.kind) {
    case "statement":
      return `${said.statement.source} ${said.statement.effect}`;
    case "pause":
      return said.isPause ? "pause" : "resume";
    case "noted":
      return JSON.stringify(said.detail);
    default:
      return `${said.kind} ${said.source}`;
  }
}

/** Values of one header that are read. */
const MAX_VALUES = 8;
const SHOWN_CHARACTERS = 64;

/** The configured words, compared without case; made once. */
export class SpokenWords {
  readonly consentHeader: string;
  readonly pauseHeader: string;
  readonly effects = new Map<string, ConsentEffect>();
  readonly pauses = new Map<string, boolean>();

  constructor({ consent: { header, pause } }: Config) {
    this.consentHeader = header.enabled ? header.name.toLowerCase() : "";
    this.pauseHeader = pause.header.toLowerCase();
    for (const effect of ["granted", "refused", "withdrawn"] as const) {
      for (const value of header[effect]) this.effects.set(value.toLowerCase(), effect);
    }
    for (const value of pause.pauseValues) this.pauses.set(value.toLowerCase(), true);
    for (const value of pause.resumeValues) this.pauses.set(value.toLowerCase(), false);
  }
}

/** `speaker`: the side that sent the message, undefined when it is not known. Unknown values become a warning of the call. */
export function readStatements(
  message: SipMessage,
  speaker: Leg | undefined,
  words: SpokenWords,
  config: Config,
  call: Call,
): Said[] {
  return [
    // Before the header: a grant in the same message does not count for a moment, and what follows is no withdrawal.
    ...readPreference(message, speaker, config),
    ...readConsentHeader(message, speaker, words, config, call),
    ...readPauseHeader(message, speaker, words, call),
  ];
}

function* readConsentHeader(
  message: SipMessage,
  speaker: Leg | undefined,
  words: SpokenWords,
  { consent: { header } }: Config,
  call: Call,
): Iterable<Said> {
  for (const value of valuesOf(message, words.consentHeader)) {
    const effect = words.effects.get(value.trim().toLowerCase());
    const detail = { header: header.name, value: value.slice(0, SHOWN_CHARACTERS), from: nameOfSide(speaker) };
    if (!effect) {
      call.warn("consent-header-value-unknown", detail);
      continue;
    }
    // Whoever refuses does so for everybody.
    const isOfCaller = header.from === "not-agent" && effect === "granted";
    // Nobody knows that it was not the agent.
    if (isOfCaller && speaker === undefined) continue;
    const statement: Statement = {
      source: "sip-header",
      effect,
      by: whoSent(message, speaker),
      detail: { ...detail, in: nameOf(message) },
    };
    yield { kind: "statement", mustBe: isOfCaller ? speaker : undefined, statement };
  }
}

/** The preference of a side about itself: a device that says off or pause refuses for its user. */
function* readPreference(message: SipMessage, speaker: Leg | undefined, { consent }: Config): Iterable<Said> {
  const audio = message.sdp && audioOf(message.sdp);
  if (!audio || !speaker) return;
  const by = whoSent(message, speaker);
  if (audio.recordState !== undefined) {
    const detail = { record: audio.recordState, from: nameOfSide(speaker), in: nameOf(message) };
    yield { kind: "noted", source: "recordpref", detail };
  }
  const preference = audio.recordPreference;
  if (preference === undefined || !consent.recordpref.enabled) return;
  const detail = { recordpref: preference, from: nameOfSide(speaker), in: nameOf(message) };
  if (preference === "off" || preference === "pause") {
    yield { kind: "statement", mustBe: speaker, statement: { source: "recordpref", effect: "refused", by, detail } };
  } else if (preference === "on" && consent.recordpref.grants) {
    yield { kind: "statement", mustBe: speaker, statement: { source: "recordpref", effect: "granted", by, detail } };
  } else {
    yield { kind: "lift", mustBe: speaker, source: "recordpref", by };
  }
}

function* readPauseHeader(
  message: SipMessage,
  speaker: Leg | undefined,
  words: SpokenWords,
  call: Call,
): Iterable<Said> {
  for (const value of valuesOf(message, words.pauseHeader)) {
    const isPause = words.pauses.get(value.trim().toLowerCase());
    if (isPause !== undefined) yield { kind: "pause", isPause, by: whoSent(message, speaker) };
    else call.warn("pause-header-value-unknown", { value: value.slice(0, SHOWN_CHARACTERS) });
  }
}

function valuesOf(message: SipMessage, header: string): readonly string[] {
  return header === "" ? [] : (message.headers.get(header)?.slice(0, MAX_VALUES) ?? []);
}

/** "originator's INVITE", "answerer's 200 (INVITE)" */
function whoSent(message: SipMessage, speaker: Leg | undefined): string {
  return `${nameOfSide(speaker)}'s ${nameOf(message)}`;
}

function nameOfSide(speaker: Leg | undefined): string {
  if (speaker === undefined) return "unknown";
  return speaker.sessionSide === 0 ? "originator" : "answerer";
}

function nameOf(message: SipMessage): string {
  return message.kind === "request"
    ? message.method.slice(0, SHOWN_CHARACTERS)
    : `${message.status} (${message.method.slice(0, SHOWN_CHARACTERS)})`;
}
