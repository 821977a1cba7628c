// Who passed a call on before it came here: Diversion (RFC 5806) and History-Info (RFC 7044, RFC 4244), read into one
// list. Decides nothing. Mapping of causes to reasons: RFC 7544 §4; cause of a retargeting: RFC 4458.
import { type AddressParts, parameterOf, splitAddresses, splitUri, uriHeader, uriParameter } from "./address.js";
import type { SipMessage } from "./message.js";
import { shorten } from "./text.js";

/** Diversions kept of one message; of more, the ones nearest to the target. */
export const MAX_DIVERSIONS = 16;
const MAX_HISTORY_ENTRIES = 32;
const MAX_URI_CHARACTERS = 1024;
const MAX_USER_CHARACTERS = 256;
const MAX_REASON_CHARACTERS = 64;
const MAX_INDEX_CHARACTERS = 64;

export interface Diversion {
  /** Display name of the diverting party, "" when none. */
  name: string;
  uri: string;
  user: string;
  host: string;
  /** "unconditional", "user-busy", "no-answer", "deflection", "unavailable", … as in RFC 5806; "unknown" when not said. */
  reason: string;
  source: "diversion" | "history-info";
}

/**
 * The diverting parties, the first one called first. Where both fields are there (RFC 7544 §5), the one that names more
 * parties counts: elements that know only one of them pass the other on as it was.
 */
export function readDiversions(message: SipMessage): Diversion[] {
  const diversions = readDiversionField(message.headers.get("diversion") ?? []);
  const history = readHistory(message.headers.get("history-info") ?? []);
  return (history.length > diversions.length ? history : diversions).slice(-MAX_DIVERSIONS);
}

/** The topmost value is the latest diversion (RFC 5806 §4.3). */
function readDiversionField(values: readonly string[]): Diversion[] {
  const found = splitAddresses(values, MAX_DIVERSIONS).map((parts) =>
    toDiversion(parts, reasonText(parameterOf(parts.parameters, "reason") ?? ""), "diversion"),
  );
  return found.reverse();
}

function reasonText(reason: string): string {
  const word = shorten(reason.trim().toLowerCase(), MAX_REASON_CHARACTERS);
  return /^[a-z0-9-]+$/.test(word) ? word : "unknown";
}

interface HistoryEntry {
  parts: AddressParts;
  /** "1.2.1" as numbers; empty when malformed. */
  index: readonly number[];
  /** Index of the entry that this one came out of, where the entry says so (RFC 7044 §10.2). */
  cameFrom: string;
  /** RFC 4458: why the previous target was left for this one; 0 when not said. */
  cause: number;
  /** Embedded Reason (RFC 3326): how this target failed; 0 when not said. */
  failure: number;
}

function readHistory(values: readonly string[]): Diversion[] {
  const entries = splitAddresses(values, MAX_HISTORY_ENTRIES).map(toEntry);
  const isOrdered = entries.every(({ index }) => index.length > 0);
  if (isOrdered) entries.sort((a, b) => compareIndexes(a.index, b.index));
  const diverting = new Map<HistoryEntry, number>();
  for (const [at, entry] of entries.entries()) {
    const next = entries[at + 1];
    if (entry.cause > 0) {
      const from = originOf(entries, at);
      if (from) diverting.set(from, entry.cause);
    }
    // A target that failed diverted the call only if another user was tried after it.
    if (entry.failure > 0 && next && userOf(next) !== userOf(entry) && !diverting.has(entry))
      diverting.set(entry, entry.failure);
  }
  return entries
    .filter((entry) => diverting.has(entry))
    .map((entry) => toDiversion(entry.parts, reasonOfCause(diverting.get(entry)!), "history-info"));
}

function toEntry(parts: AddressParts): HistoryEntry {
  const parameter = (name: string): string => parameterOf(parts.parameters, name) ?? "";
  const reason = /^\s*SIP\s*;(?:.*;)?\s*cause\s*=\s*"?(\d{3})\b/i.exec(uriHeader(parts.uri, "reason") ?? "");
  return {
    parts,
    index: readIndex(parameter("index")),
    cameFrom: readIndex(parameter("mp") || parameter("rc") || parameter("np")).join("."),
    cause: readCause(uriParameter(parts.uri, "cause")),
    failure: readCause(reason?.[1]),
  };
}

/** 300–699: what makes an element try another target. */
function readCause(text: string | undefined): number {
  return text !== undefined && /^[3-6]\d\d$/.test(text) ? Number(text) : 0;
}

/** "1.2.1" as numbers; empty when it is no index. */
function readIndex(text: string): number[] {
  if (text.length > MAX_INDEX_CHARACTERS || !/^\d{1,6}(?:\.\d{1,6})*$/.test(text)) return [];
  return text.split(".").map(Number);
}

function compareIndexes(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}

/** The entry out of which the one at `at` came: as it says, else its parent (RFC 4244 §4.3.3.1.3), else the one before. */
function originOf(entries: readonly HistoryEntry[], at: number): HistoryEntry | undefined {
  const entry = entries[at]!;
  const named = (index: string): HistoryEntry | undefined =>
    index === "" ? undefined : entries.find((other) => other !== entry && other.index.join(".") === index);
  return named(entry.cameFrom) ?? named(entry.index.slice(0, -1).join(".")) ?? entries[at - 1];
}

function userOf(entry: HistoryEntry): string {
  return splitUri(entry.parts.uri).user;
}

function reasonOfCause(cause: number): string {
  switch (cause) {
    case 302:
      return "unconditional";
    case 486:
    case 600:
      return "user-busy";
    case 408:
      return "no-answer";
    case 480:
    case 487:
      return "deflection";
    case 503:
      return "unavailable";
    default:
      return "unknown";
  }
}

function toDiversion(parts: AddressParts, reason: string, source: Diversion["source"]): Diversion {
  const { user, host } = splitUri(parts.uri);
  return {
    name: parts.name,
    uri: shorten(parts.uri, MAX_URI_CHARACTERS),
    user: user.length > MAX_USER_CHARACTERS ? "" : user,
    host: shorten(host, MAX_USER_CHARACTERS),
    reason,
    source,
  };
}
