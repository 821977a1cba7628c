// What a proof consists of: checks with what they measured and what they found wrong. Values only.
import type { CallId } from "../base/ids.js";

export const PROOF_SCHEMA = "sidetone.proof/1";

export type CheckName =
  | "signature"
  | "audio"
  | "previous"
  | "next"
  | "audit-recorded"
  | "audit-head"
  | "audit-consent"
  | "audit-pauses"
  | "streams"
  | "packets"
  | "silence"
  | "extents"
  | "pauses"
  | "consent"
  | "spans"
  /** Of a deleted recording these alone. */
  | "tombstone"
  | "certificate"
  | "gone";

export type Figures = Readonly<Record<string, string | number>>;

export interface ProofCheck {
  name: CheckName;
  /** What it is about where there are several of the name: a party, a channel; else "". */
  subject: string;
  passed: boolean;
  figures: Figures;
  /** What is wrong, the first ones; empty when it passed. */
  faults: string[];
  /** It asks for audio that is encrypted, and no key was given: it did not pass, nor was anything found wrong. */
  needsKey?: true;
}

export interface Proof {
  schema: typeof PROOF_SCHEMA;
  id: CallId;
  proved: boolean;
  checks: ProofCheck[];
}

const MAX_FAULTS = 8;

/** The check cannot be made without a recipient's key. */
export function needKey(name: CheckName, figures: Figures, subject = ""): ProofCheck {
  const faults = ["the recording is encrypted: give a recipient's secret key with --identity FILE"];
  return { name, subject, passed: false, figures, faults, needsKey: true };
}

/** Gathers the faults of one check. */
export class Faults {
  readonly list: string[] = [];
  #count = 0;

  add(fault: string): void {
    this.#count++;
    if (this.list.length < MAX_FAULTS) this.list.push(fault);
  }

  expect(isTrue: boolean, fault: string): void {
    if (!isTrue) this.add(fault);
  }

  toCheck(name: CheckName, figures: Figures, subject = ""): ProofCheck {
    const more = this.#count - this.list.length;
    const faults = more > 0 ? [...this.list, `and ${more} more`] : this.list;
    return { name, subject, passed: this.#count === 0, figures, faults };
  }
}

/** A check of a manifest that may be anything, since somebody may have changed it: what cannot be read does not pass. */
export function attempt(name: CheckName, check: () => ProofCheck): ProofCheck {
  try {
    return check();
  } catch (error) {
    if (isFileSystemError(error)) throw error;
    const faults = [
      `the manifest does not say what this needs: ${error instanceof Error ? error.message : String(error)}`,
    ];
    return { name, subject: "", passed: false, figures: {}, faults };
  }
}

/** The same for what is taken out of such a manifest. */
export function attemptOr<Value>(fallback: Value, take: () => Value): Value {
  try {
    return take();
  } catch (error) {
    if (isFileSystemError(error)) throw error;
    return fallback;
  }
}

function isFileSystemError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).syscall !== undefined;
}
