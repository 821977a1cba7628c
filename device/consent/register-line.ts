// An entry of the consent register or the agents' register: what its fields may hold, its line in the file (JSON), the
// form in which its number is compared, and the id by which evidence names it. Entries keep dates and numbers as they
// were written. Pure; reads and writes no file.
import type { TimeUs } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import { comparableNumber, type NumberRules } from "../call/numbers.js";
import { isAnonymousForm } from "../sip/identity.js";
import { readMoment } from "./register-moment.js";

/** Below the data folder. */
export const REGISTERS_FOLDER = "registers";

/** "Every purpose": of a refusal. A grant names its purpose (GDPR article 6(1)(a): "for one or more specific purposes"). */
export const EVERY_PURPOSE = "*";

/** Of an entry's id: 48 bits. */
export const ID_HEX_DIGITS = 12;

/** What is on file of a caller's consent. */
export interface ConsentEntry {
  /** Telephone number, extension or name, as written. */
  number: string;
  purpose: string;
  effect: "granted" | "refused";
  /** ISO 8601 date or date-time. */
  validFrom: string;
  /** A date alone is the last day on which it is valid. */
  validTo?: string;
  /** What proves it: "signed form 2026-03", "web". */
  source: string;
  /** Since when a grant is withdrawn, or a refusal lifted. */
  revokedAt?: string;
}

/** What an agent has agreed to. */
export interface AgentEntry {
  /** User or number, as written. */
  agent: string;
  agreedAt: string;
  /** "works agreement 2026-01" */
  to: string;
  revokedAt?: string;
}

/** An entry's moments: in force from `fromUs` on, before `toUs` and before `revokedUs` (Infinity when it has none). */
export interface EntryTimes {
  fromUs: TimeUs;
  toUs: TimeUs;
  revokedUs: TimeUs;
}

/** An entry that was found to be in order. */
export interface Statement<Entry> {
  entry: Entry;
  times: EntryTimes;
}

/** `problem`: one line, "validTo 2026-02-30 is no date"; never holds a number or name. */
export type Checked<Entry> = { ok: true; statement: Statement<Entry> } | { ok: false; problem: string };

export type RegisterFields = Readonly<Record<string, string | undefined>>;

/** What tells one register from the other. */
export interface RegisterFormat<Entry extends object> {
  readonly name: "consent" | "agents";
  readonly fileName: string;
  readonly schema: string;
  /** The fields in the order in which they are written. */
  readonly columns: readonly { name: string; isRequired: boolean }[];
  check(fields: RegisterFields): Checked<Entry>;
  /** Whom the entry is about, as written. */
  subjectOf(entry: Entry): string;
}

export const CONSENT_REGISTER: RegisterFormat<ConsentEntry> = {
  name: "consent",
  fileName: "consent.jsonl",
  schema: "sidetone.consent-register/1",
  columns: [
    { name: "number", isRequired: true },
    { name: "purpose", isRequired: true },
    { name: "effect", isRequired: true },
    { name: "validFrom", isRequired: true },
    { name: "validTo", isRequired: false },
    { name: "source", isRequired: true },
    { name: "revokedAt", isRequired: false },
  ],
  check: checkConsent,
  subjectOf: (entry) => entry.number,
};

export const AGENTS_REGISTER: RegisterFormat<AgentEntry> = {
  name: "agents",
  fileName: "agents.jsonl",
  schema: "sidetone.agents-register/1",
  columns: [
    { name: "agent", isRequired: true },
    { name: "agreedAt", isRequired: true },
    { name: "to", isRequired: true },
    { name: "revokedAt", isRequired: false },
  ],
  check: checkAgent,
  subjectOf: (entry) => entry.agent,
};

const MAX_NAME_CHARACTERS = 64;
const MAX_TEXT_CHARACTERS = 256;
const MAX_SHOWN_CHARACTERS = 40;
/** Most texts, for which the slower questions about all of Unicode need not be asked. */
const PLAIN = /^[\x20-\x7e]*$/;
const PURPOSE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Reads a line of the file. What it does not know (another schema, another member) is a problem, not ignored. */
export function parseLine<Entry extends object>(format: RegisterFormat<Entry>, line: string): Checked<Entry> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { ok: false, problem: "not JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { ok: false, problem: "no object" };
  const members = value as Record<string, unknown>;
  if (members.schema !== format.schema) return { ok: false, problem: `the schema is not ${format.schema}` };
  let texts = 0;
  for (const { name } of format.columns) if (typeof members[name] === "string") texts++;
  // A misspelt validTo must not make a grant unlimited.
  if (texts + 1 !== Object.keys(members).length) return { ok: false, problem: "a member is unknown or no text" };
  return format.check(members as RegisterFields);
}

/** The line of the file, without its newline. */
export function formatLine<Entry extends object>(format: RegisterFormat<Entry>, entry: Entry): string {
  const fields = entry as RegisterFields;
  const members = format.columns.map(({ name }) => [name, fields[name]] as const);
  return JSON.stringify({ schema: format.schema, ...Object.fromEntries(members) });
}

/** Equal for entries that differ at most in `revokedAt`: they are one statement and what became of it. */
export function identityOf<Entry extends object>(format: RegisterFormat<Entry>, entry: Entry): string {
  const fields = entry as RegisterFields;
  let text = format.name;
  // No field can hold a NUL.
  for (const { name } of format.columns) if (name !== "revokedAt") text += `\0${fields[name] ?? ""}`;
  return text;
}

/** Names the entry in evidence: 12 hexadecimal digits of SHA-256, the same before and after a revocation. */
export function entryId<Entry extends object>(format: RegisterFormat<Entry>, entry: Entry): string {
  return sha256Of(identityOf(format, entry)).slice(0, ID_HEX_DIGITS);
}

/**
 * The form in which numbers, extensions and names are equal when they mean the same line; "" for what names nobody
 * (withheld numbers).
 */
export function registerKey(text: string, numbers: NumberRules): string {
  const written = text.trim();
  return isNobody(written) ? "" : comparableNumber(written, numbers) || written;
}

/** The forms under which a party may stand in a register; none when it is nobody. */
export function registerKeys(identity: { user: string; number: string }, numbers: NumberRules): string[] {
  const keys = [registerKey(identity.user, numbers), registerKey(identity.number, numbers)];
  return [...new Set(keys)].filter((key) => key !== "");
}

export function isInForce({ fromUs, toUs, revokedUs }: EntryTimes, atUs: TimeUs): boolean {
  return fromUs <= atUs && atUs < toUs && atUs < revokedUs;
}

function checkConsent(fields: RegisterFields): Checked<ConsentEntry> {
  const number = trimmed(fields.number);
  const purpose = trimmed(fields.purpose);
  const effect = trimmed(fields.effect);
  const validFrom = trimmed(fields.validFrom);
  const validTo = trimmed(fields.validTo);
  const source = fields.source ?? "";
  const revokedAt = trimmed(fields.revokedAt);
  const problem = nameProblem("number", number) ?? consentProblem(purpose, effect) ?? textProblem("source", source);
  if (problem !== undefined) return { ok: false, problem };
  const times = readTimes("validFrom", validFrom, "validTo", validTo, revokedAt);
  if (typeof times === "string") return { ok: false, problem: times };
  // Not spread: hundreds of thousands are read at once.
  const entry: ConsentEntry = { number, purpose, effect: effect as ConsentEntry["effect"], validFrom, source };
  if (validTo !== "") entry.validTo = validTo;
  if (revokedAt !== "") entry.revokedAt = revokedAt;
  return { ok: true, statement: { entry, times } };
}

function checkAgent(fields: RegisterFields): Checked<AgentEntry> {
  const agent = trimmed(fields.agent);
  const agreedAt = trimmed(fields.agreedAt);
  const to = fields.to ?? "";
  const revokedAt = trimmed(fields.revokedAt);
  const problem = nameProblem("agent", agent) ?? textProblem("to", to);
  if (problem !== undefined) return { ok: false, problem };
  const times = readTimes("agreedAt", agreedAt, "", "", revokedAt);
  if (typeof times === "string") return { ok: false, problem: times };
  const entry: AgentEntry = { agent, agreedAt, to };
  if (revokedAt !== "") entry.revokedAt = revokedAt;
  return { ok: true, statement: { entry, times } };
}

function trimmed(text: string | undefined): string {
  return text === undefined ? "" : text.trim();
}

function isNobody(text: string): boolean {
  // Gateways write nothing but zeros where a number is withheld; a single one is somebody's extension.
  return text === "" || isAnonymousForm(text) || /^0{2,}$/.test(text);
}

function nameProblem(column: string, text: string): string | undefined {
  if (text === "") return `${column} is empty`;
  if (text.length > MAX_NAME_CHARACTERS) return `${column} is longer than ${MAX_NAME_CHARACTERS} characters`;
  if (!PLAIN.test(text) && /[\p{Cc}\p{Cs}\u2028\u2029]/u.test(text)) return `${column} holds control characters`;
  return isNobody(text) ? `${column} names nobody: it stands for withheld numbers` : undefined;
}

function consentProblem(purpose: string, effect: string): string | undefined {
  if (effect !== "granted" && effect !== "refused") return `effect ${shown(effect)} is neither granted nor refused`;
  if (purpose === EVERY_PURPOSE)
    return effect === "refused" ? undefined : "purpose * is for refusals: a grant names its purpose";
  if (PURPOSE.test(purpose)) return undefined;
  return `purpose ${shown(purpose)} is none: letters, digits, dots, hyphens and underscores, at most 64`;
}

/** Line breaks and tabs may be in it, as in a cell of a spreadsheet. */
function textProblem(column: string, text: string): string | undefined {
  if (text.trim() === "") return `${column} is empty`;
  if (text.length > MAX_TEXT_CHARACTERS) return `${column} is longer than ${MAX_TEXT_CHARACTERS} characters`;
  const isClean = PLAIN.test(text) || !/[\p{Cc}\p{Cs}]/u.test(text.replaceAll(/[\t\n\r]/g, ""));
  return isClean ? undefined : `${column} holds control characters`;
}

/** The times, or what is wrong with them. A date alone revokes from its first moment on: the cautious side. */
function readTimes(fromName: string, from: string, toName: string, to: string, revoked: string): EntryTimes | string {
  const fromUs = readMoment(from, "start");
  if (fromUs === undefined) return dateProblem(fromName, from);
  const toUs = to === "" ? Number.POSITIVE_INFINITY : readMoment(to, "end");
  if (toUs === undefined) return dateProblem(toName, to);
  if (toUs <= fromUs) return `${toName} ${shown(to)} is not after ${fromName} ${shown(from)}`;
  const revokedUs = revoked === "" ? Number.POSITIVE_INFINITY : readMoment(revoked, "start");
  return revokedUs === undefined ? dateProblem("revokedAt", revoked) : { fromUs, toUs, revokedUs };
}

function dateProblem(column: string, text: string): string {
  return text === "" ? `${column} is empty` : `${column} ${shown(text)} is no date`;
}

/** What somebody wrote, as it may stand in a message. */
function shown(text: string): string {
  const short = text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
  return short === "" ? '""' : short.replaceAll(/[\p{C}\u2028\u2029]/gu, "?");
}
