// Signalling evidence that two dialogs are halves of one call behind a PBX: equal values of a configured header, a header
// that names the other's Call-ID, or the same numbers next to the same PBX. Finds the dialog that a newly answered one
// belongs to, of equals by number none. Owns an index of live dialogs; joins nothing itself.
import { formatAddress } from "../base/address.js";
import type { SipArrival } from "../sip/arrival.js";
import type { SipMessage } from "../sip/message.js";
import type { Dialog } from "./dialog.js";
import { isTaken, type JoinEvidence, obstacleTo, type RelayPair } from "./halves.js";

export interface CorrelationOptions {
  /** Lower-case names of headers whose equal values, or whose value naming a Call-ID, tie two dialogs together. */
  headers: readonly string[];
  byNumber: boolean;
  /** The form in which numbers are compared; "" when the user part is no telephone number. */
  normalize: (user: string) => string;
}

/** A half that is ringing or waiting may find its other half this long after its own start by numbers alone. */
const NUMBER_WINDOW_US = 3_600_000_000;
/** An outgoing call leaves the PBX within this time after it came in. */
const FORWARD_WINDOW_US = 30_000_000;
/** A half from which nothing came for so long may have ended without a BYE that was seen. */
const HEARD_WITHIN_US = 2_000_000;
const MAX_VALUES = 8;
const MAX_VALUE_LENGTH = 256;
const MAX_HOPS = 4;
/** Live dialogs that may share a number or a header's value: what more of them share tells nobody from anybody. */
const MAX_SHARING = 64;

/** What the index keeps of a dialog. */
interface Traces {
  values: Set<string>;
  caller: string;
  called: string;
  /** Where its first INVITE went from and to. */
  froms: Set<string>;
  tos: Set<string>;
}

export interface HalfFound {
  pair: RelayPair;
  evidence: JoinEvidence;
}

export class Correlation {
  private readonly options: CorrelationOptions;
  private readonly traces = new Map<Dialog, Traces>();
  private readonly byValue = new Map<string, Set<Dialog>>();
  private readonly byNumber = new Map<string, Set<Dialog>>();
  ambiguous = 0;

  constructor(options: CorrelationOptions) {
    this.options = options;
  }

  /** Takes an initial INVITE of the dialog at one of its hops. */
  note(dialog: Dialog, message: SipMessage, arrival: SipArrival): void {
    const traces = this.tracesOf(dialog, message);
    addBounded(traces.froms, formatAddress(arrival.source), MAX_HOPS);
    addBounded(traces.tos, formatAddress(arrival.destination), MAX_HOPS);
    for (const header of this.options.headers) {
      for (const value of message.headers.get(header) ?? []) this.noteValue(dialog, traces, value);
    }
  }

  /** The dialog is over. */
  forget(dialog: Dialog): void {
    const traces = this.traces.get(dialog);
    if (!traces) return;
    this.traces.delete(dialog);
    for (const value of [...traces.values, dialog.sipCallId]) removeFrom(this.byValue, value, dialog);
    for (const number of [traces.caller, traces.called]) removeFrom(this.byNumber, number, dialog);
  }

  /**
   * The halves that `dialog`, answered now, may belong to. Headers name them, be they several or taken by others: which of
   * them prevails is for join-claims.ts. Numbers and time name one that is free, or, when there is none, one that is taken.
   */
  halvesOf(dialog: Dialog): HalfFound[] {
    const named = this.headerCandidates(dialog);
    if (named.size > 1) this.ambiguous++;
    if (named.size > 0) return [...named].map(([other, value]) => found(dialog, other, "header", value));
    const numbered = this.options.byNumber ? this.byNumbers(dialog) : undefined;
    return numbered ? [numbered] : [];
  }

  private byNumbers(dialog: Dialog): HalfFound | undefined {
    const all = [...this.numberCandidates(dialog)];
    const free = all.filter(([other]) => !isTaken(pairOf(dialog, other)));
    const fitting = free.length > 0 ? free : all.filter(([other]) => isHeardNow(dialog, other));
    const [only] = fitting;
    if (only === undefined) return undefined;
    const [other, value] = only;
    const isItsOnlyOne = [...this.numberCandidates(other).keys()].every((one) => {
      return one === dialog || isTaken(pairOf(other, one));
    });
    if (fitting.length > 1 || !isItsOnlyOne) {
      this.ambiguous++;
      return undefined;
    }
    return found(dialog, other, "number", value);
  }

  /** Did one dialog's INVITE go where the other's came from? */
  meet(a: Dialog, b: Dialog): boolean {
    const [first, second] = inOrder(a, b);
    const froms = this.traces.get(second)?.froms;
    return froms !== undefined && [...(this.traces.get(first)?.tos ?? [])].some((address) => froms.has(address));
  }

  private headerCandidates(dialog: Dialog): Map<Dialog, string> {
    const found = new Map<Dialog, string>();
    for (const value of [...(this.traces.get(dialog)?.values ?? []), dialog.sipCallId]) {
      for (const other of this.sharing(this.byValue, value)) {
        if (other !== dialog && mayJoin(dialog, other)) found.set(other, value);
      }
    }
    return found;
  }

  /**
   * The caller's number came in at the PBX from which the other half goes out (a queue, a ring group), or the number
   * that was dialled is dialled on at once (an outgoing call).
   */
  private numberCandidates(dialog: Dialog): Map<Dialog, string> {
    const found = new Map<Dialog, string>();
    const own = this.traces.get(dialog);
    for (const number of own ? [own.caller, own.called] : []) {
      for (const other of this.sharing(this.byNumber, number)) {
        if (other === dialog || !mayJoin(dialog, other)) continue;
        const why = this.sameNumbers(...inOrder(dialog, other));
        if (why !== undefined) found.set(other, why);
      }
    }
    return found;
  }

  private sharing(index: ReadonlyMap<string, ReadonlySet<Dialog>>, key: string): Iterable<Dialog> {
    const dialogs = index.get(key);
    if (dialogs === undefined) return [];
    if (dialogs.size <= MAX_SHARING) return dialogs;
    this.ambiguous++;
    return [];
  }

  private sameNumbers(first: Dialog, second: Dialog): string | undefined {
    const [a, b] = [this.traces.get(first)!, this.traces.get(second)!];
    const apartUs = second.startedAtUs - first.startedAtUs;
    if (!this.meet(first, second)) return undefined;
    if (a.caller !== "" && a.caller === b.caller && apartUs <= NUMBER_WINDOW_US) return "caller";
    if (a.called !== "" && a.called === b.called && apartUs <= FORWARD_WINDOW_US) return "called";
    return undefined;
  }

  private tracesOf(dialog: Dialog, message: SipMessage): Traces {
    const known = this.traces.get(dialog);
    if (known) return known;
    const { normalize } = this.options;
    const asserted = message.assertedIdentity?.user;
    const traces: Traces = {
      values: new Set(),
      caller: normalize(asserted || message.from.user),
      called: normalize(message.to.user),
      froms: new Set(),
      tos: new Set(),
    };
    this.traces.set(dialog, traces);
    addTo(this.byValue, dialog.sipCallId, dialog);
    for (const number of [traces.caller, traces.called]) if (number !== "") addTo(this.byNumber, number, dialog);
    return traces;
  }

  private noteValue(dialog: Dialog, traces: Traces, text: string): void {
    // Parameters (RFC 7989 ;remote=) differ from half to half.
    const value = text.split(";", 1)[0]!.trim();
    if (value === "" || value.length > MAX_VALUE_LENGTH || traces.values.size >= MAX_VALUES) return;
    if (/^0+$/.test(value)) return; // RFC 7989 §5: the nil UUID identifies nobody
    traces.values.add(value);
    addTo(this.byValue, value, dialog);
  }
}

function found(dialog: Dialog, other: Dialog, by: JoinEvidence["by"], value: string): HalfFound {
  return { pair: pairOf(dialog, other), evidence: { by, detail: { value: value.slice(0, 64) } } };
}

/** Is somebody talking in the halves that `other` is joined with? One that only failed to end is no rival. */
function isHeardNow(dialog: Dialog, other: Dialog): boolean {
  return [...other.halves].some(
    (half) => half.isLive && dialog.lastActivityUs - half.lastActivityUs <= HEARD_WITHIN_US,
  );
}

/** Both are live, in different calls, and the younger one is answered: a phone that only rings is no half yet. */
function mayJoin(dialog: Dialog, other: Dialog): boolean {
  if (!dialog.isLive || !other.isLive || dialog.call === other.call) return false;
  const [, younger] = inOrder(dialog, other);
  if (younger.answeredAtUs === undefined) return false;
  const pair = pairOf(dialog, other);
  return isTaken(pair) || obstacleTo(pair) === undefined;
}

function inOrder(a: Dialog, b: Dialog): [Dialog, Dialog] {
  return a.startedAtUs <= b.startedAtUs ? [a, b] : [b, a];
}

/** The call came in by the first dialog and goes on by the second: its originator is nearest in the first. */
function pairOf(dialog: Dialog, other: Dialog): RelayPair {
  const [first, second] = inOrder(dialog, other);
  return { edge: first.legs[0], relay: second.legs[0] };
}

function addBounded(set: Set<string>, value: string, limit: number): void {
  if (set.size < limit) set.add(value);
}

function addTo(index: Map<string, Set<Dialog>>, key: string, dialog: Dialog): void {
  const known = index.get(key);
  if (known) known.add(dialog);
  else index.set(key, new Set([dialog]));
}

function removeFrom(index: Map<string, Set<Dialog>>, key: string, dialog: Dialog): void {
  const known = index.get(key);
  known?.delete(dialog);
  if (known?.size === 0) index.delete(key);
}
