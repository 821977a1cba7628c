// Which dialogs claim to be halves of one call, on what evidence, and which claim prevails where two exclude each other:
// the stronger one; of equally strong ones none. What is decided does not depend on the order in which claims came up.
// Owns the claims of live dialogs; joins and separates nothing itself.
import type { Dialog } from "./dialog.js";
import type { JoinEvidence, RelayPair } from "./halves.js";
import type { Leg } from "./leg.js";

/** Two dialogs that are said to be halves, and why. */
export interface Claim {
  readonly pair: RelayPair;
  /** The strongest so far. */
  evidence: JoinEvidence;
  /** The halves are one call because of it. */
  isJoined: boolean;
}

export interface Ruling {
  claim: Claim;
  /** It prevails over all that exclude it. */
  prevails: boolean;
  /** Joined so far, and no longer to be. */
  undone: Claim[];
  /** The strongest of those that exclude it. */
  rival: Claim | undefined;
}

/** Of whom a claim is made by what was signalled; what relayed bytes show is true of its moment only. */
const STRENGTH: Record<JoinEvidence["by"], number> = { header: 5, replaces: 4, media: 3, payload: 2, number: 1 };
/** Claims kept of one dialog; of further ones nothing follows. */
const MAX_CLAIMS = 32;

export class JoinClaims {
  private readonly byDialog = new Map<Dialog, Claim[]>();

  /** Takes a claim, or further evidence for a known one; undefined when there are too many. */
  enter(pair: RelayPair, evidence: JoinEvidence): Ruling | undefined {
    const claim = this.known(pair) ?? this.add({ pair, evidence, isJoined: false });
    if (claim === undefined) return undefined;
    if (STRENGTH[evidence.by] > STRENGTH[claim.evidence.by]) claim.evidence = evidence;
    const rivals = this.rivalsOf(claim);
    const rival = rivals.reduce<Claim | undefined>(stronger, undefined);
    const prevails = rival === undefined || isStronger(claim, rival);
    const undone = rivals.filter((one) => one.isJoined && excludes(claim, one));
    if (!prevails && rival && excludes(rival, claim) && claim.isJoined) undone.push(claim);
    return { claim, prevails, undone, rival };
  }

  /** The claim turned out not to fit for another reason. */
  drop(claim: Claim): void {
    for (const dialog of dialogsOf(claim)) {
      const claims = this.byDialog.get(dialog)?.filter((one) => one !== claim) ?? [];
      if (claims.length > 0) this.byDialog.set(dialog, claims);
      else this.byDialog.delete(dialog);
    }
  }

  /** The dialog is over. */
  forget(dialog: Dialog): void {
    for (const claim of this.byDialog.get(dialog) ?? []) this.drop(claim);
  }

  private known({ edge, relay }: RelayPair): Claim | undefined {
    return this.byDialog.get(relay.dialog)?.find(({ pair }) => {
      return (pair.edge === edge && pair.relay === relay) || (pair.edge === relay.other && pair.relay === edge.other);
    });
  }

  private add(claim: Claim): Claim | undefined {
    const dialogs = dialogsOf(claim);
    if (dialogs.some((dialog) => (this.byDialog.get(dialog)?.length ?? 0) >= MAX_CLAIMS)) return undefined;
    for (const dialog of dialogs) this.byDialog.set(dialog, [...(this.byDialog.get(dialog) ?? []), claim]);
    return claim;
  }

  /** Claims that cannot hold at the same time: they give one leg two places nearer to the same person. */
  private rivalsOf(claim: Claim): Claim[] {
    const taken = takenBy(claim);
    const rivals = dialogsOf(claim).flatMap((dialog) => this.byDialog.get(dialog) ?? []);
    return [...new Set(rivals)].filter((one) => one !== claim && takenBy(one).some((leg) => taken.includes(leg)));
  }
}

/** In words, for warnings. */
export function describeClaim({ pair, evidence }: Claim): string {
  const details = Object.values(evidence.detail).join(" ");
  const callIds = `${pair.edge.dialog.sipCallId} and ${pair.relay.dialog.sipCallId}`;
  return `${evidence.by}${details && ` ${details}`}: ${callIds}`.slice(0, 256);
}

/** Does the one speak against the other? Of two that relayed bytes show both were true, each at its time. */
function excludes(claim: Claim, other: Claim): boolean {
  const { by } = claim.evidence;
  if (STRENGTH[by] !== STRENGTH[other.evidence.by]) return isStronger(claim, other);
  return by !== "payload" && by !== "media";
}

export function isEquallyStrong(claim: Claim, other: Claim): boolean {
  return STRENGTH[claim.evidence.by] === STRENGTH[other.evidence.by];
}

function isStronger(claim: Claim, other: Claim): boolean {
  return STRENGTH[claim.evidence.by] > STRENGTH[other.evidence.by];
}

function stronger(a: Claim | undefined, b: Claim): Claim {
  return a === undefined || isStronger(b, a) ? b : a;
}

function dialogsOf({ pair }: Claim): Dialog[] {
  return [pair.edge.dialog, pair.relay.dialog];
}

/** The legs that would be known as somebody else's relay. */
function takenBy({ pair }: Claim): Leg[] {
  return [pair.relay, pair.edge.other];
}
