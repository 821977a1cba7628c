// The consent register as the engine reads it: what is on file of a number's consent, for one purpose, at one moment.
// An image of the file at the time of reading; never writes (store/register-file.ts does), never keeps a line's text.
//
// What counts at a moment, for a number and a purpose:
//   1. A refusal in force, for the purpose or for every purpose, beats every grant.
//   2. A grant that was revoked refuses as well, for its purpose, and every grant that had begun by then with it: what
//      the person took back is not revived by an older form. It does so until a grant that began later is in force.
//   3. Otherwise the newest grant in force grants.
// Nothing on file, or a grant that is not yet or no longer valid, says nothing.
import { isUtf8 } from "node:buffer";
import { join } from "node:path";
import type { TimeUs } from "../base/ids.js";
import type { NumberRules } from "../call/numbers.js";
import { collapseWhiteSpace } from "../sip/text.js";
import {
  CONSENT_REGISTER,
  type ConsentEntry,
  EVERY_PURPOSE,
  entryId,
  ID_HEX_DIGITS,
  parseLine,
  registerKey,
  registerKeys,
  type Statement,
} from "./register-line.js";
import { readRegisterLines } from "./register-reader.js";

export interface RegisterFinding {
  effect: "granted" | "refused";
  /** On one line. */
  source: string;
  /** Id of the entry that decides, register-line.ts's entryId. */
  entry: string;
  /** When that entry ends. */
  validTo?: TimeUs;
}

/** Who is looked up: a party's user part as signalled, and its number ("" when there is none). */
export interface RegisterIdentity {
  user: string;
  number: string;
}

const NONE = -1;

/** Entries as columns of numbers, linked by number: a fifth of what objects would take. */
class EntryColumns {
  readonly newest = new Map<string, number>();
  readonly older: number[] = [];
  readonly fromUs: number[] = [];
  readonly toUs: number[] = [];
  readonly revokedUs: number[] = [];
  readonly isGrant: boolean[] = [];
  readonly purpose: number[] = [];
  readonly source: number[] = [];
  /** 48 bits. */
  readonly id: number[] = [];
  readonly texts: string[] = [];
  private readonly textIndex = new Map<string, number>();

  add(key: string, { entry, times }: Statement<ConsentEntry>): void {
    this.older.push(this.newest.get(key) ?? NONE);
    this.newest.set(key, this.older.length - 1);
    this.fromUs.push(times.fromUs);
    this.toUs.push(times.toUs);
    this.revokedUs.push(times.revokedUs);
    this.isGrant.push(entry.effect === "granted");
    this.purpose.push(this.intern(entry.purpose));
    this.source.push(this.intern(entry.source));
    this.id.push(Number.parseInt(entryId(CONSENT_REGISTER, entry), 16));
  }

  /** Entries of the number for the purpose or for every purpose, the newest line first. */
  *of(keys: readonly string[], purpose: string): Generator<number> {
    const [own, every] = [this.textIndex.get(purpose), this.textIndex.get(EVERY_PURPOSE)];
    for (const key of keys) {
      for (let at = this.newest.get(key) ?? NONE; at !== NONE; at = this.older[at]!) {
        if (this.purpose[at] === own || this.purpose[at] === every) yield at;
      }
    }
  }

  isInForce(at: number, atUs: TimeUs): boolean {
    return this.fromUs[at]! <= atUs && atUs < this.toUs[at]! && atUs < this.revokedUs[at]!;
  }

  private intern(text: string): number {
    const known = this.textIndex.get(text);
    if (known !== undefined) return known;
    this.textIndex.set(text, this.texts.length);
    this.texts.push(text);
    return this.texts.length - 1;
  }
}

export class ConsentRegister {
  /** Lines that are no entry: they say nothing. */
  readonly badLines: number;
  /** Why the file cannot be used, on one line; "" when it can. Then nothing is granted and nothing refused. */
  readonly fault: string;
  private readonly entries: EntryColumns;
  private readonly numbers: NumberRules | undefined;

  private constructor(entries: EntryColumns, numbers: NumberRules | undefined, badLines: number, fault: string) {
    this.entries = entries;
    this.numbers = numbers;
    this.badLines = badLines;
    this.fault = fault;
  }

  /** Reads `folder`/consent.jsonl. A missing file is an empty register. */
  static read(folder: string, numbers: NumberRules, limits: { maxEntries: number }): ConsentRegister {
    const entries = new EntryColumns();
    let badLines = 0;
    const path = join(folder, CONSENT_REGISTER.fileName);
    const fault = readRegisterLines(path, limits.maxEntries, (line) => {
      const checked = line && isUtf8(line) ? parseLine(CONSENT_REGISTER, line.toString("utf8")) : undefined;
      const key = checked?.ok ? registerKey(checked.statement.entry.number, numbers) : "";
      if (checked?.ok && key !== "") entries.add(key, checked.statement);
      else badLines++;
    });
    if (fault !== "") return new ConsentRegister(new EntryColumns(), undefined, 0, fault);
    return new ConsentRegister(entries, numbers, badLines, "");
  }

  static empty(): ConsentRegister {
    return new ConsentRegister(new EntryColumns(), undefined, 0, "");
  }

  get size(): number {
    return this.entries.older.length;
  }

  /** What is on file for the purpose at the moment; undefined when nothing is. */
  lookUp(identity: RegisterIdentity, purpose: string, atUs: TimeUs): RegisterFinding | undefined {
    const { entries } = this;
    const relevant = this.relevant(identity, purpose);
    const refusal = relevant.find((at) => !entries.isGrant[at] && entries.isInForce(at, atUs));
    if (refusal !== undefined) return this.finding(refusal, "refused", this.endUs(refusal));
    const grants = relevant.filter((at) => entries.isGrant[at]);
    const revoked = newestBy(
      grants.filter((at) => entries.revokedUs[at]! <= atUs),
      entries.revokedUs,
    );
    const sinceUs = revoked === undefined ? Number.NEGATIVE_INFINITY : entries.revokedUs[revoked]!;
    const grant = newestBy(
      grants.filter((at) => entries.isInForce(at, atUs) && entries.fromUs[at]! > sinceUs),
      entries.fromUs,
    );
    if (grant !== undefined) return this.finding(grant, "granted", this.endUs(grant));
    return revoked === undefined ? undefined : this.finding(revoked, "refused", Number.POSITIVE_INFINITY);
  }

  /**
   * The next moment after `atUs` at which an entry for the purpose begins or ends, when `lookUp` is to be asked again;
   * undefined when there is none. The answer may be the same then.
   */
  nextChangeUs(identity: RegisterIdentity, purpose: string, atUs: TimeUs): TimeUs | undefined {
    let nextUs = Number.POSITIVE_INFINITY;
    for (const at of this.relevant(identity, purpose)) {
      for (const column of [this.entries.fromUs, this.entries.toUs, this.entries.revokedUs]) {
        const edgeUs = column[at]!;
        if (edgeUs > atUs && edgeUs < nextUs) nextUs = edgeUs;
      }
    }
    return nextUs === Number.POSITIVE_INFINITY ? undefined : nextUs;
  }

  private relevant(identity: RegisterIdentity, purpose: string): number[] {
    return this.numbers ? [...this.entries.of(registerKeys(identity, this.numbers), purpose)] : [];
  }

  private endUs(at: number): TimeUs {
    return Math.min(this.entries.toUs[at]!, this.entries.revokedUs[at]!);
  }

  private finding(at: number, effect: RegisterFinding["effect"], endUs: TimeUs): RegisterFinding {
    const { entries } = this;
    return {
      effect,
      source: collapseWhiteSpace(entries.texts[entries.source[at]!]!),
      entry: entries.id[at]!.toString(16).padStart(ID_HEX_DIGITS, "0"),
      ...(endUs !== Number.POSITIVE_INFINITY && { validTo: endUs }),
    };
  }
}

/** Of entries, newest line first, the one with the largest value; undefined when there are none. */
function newestBy(entries: readonly number[], values: readonly number[]): number | undefined {
  let best: number | undefined;
  for (const at of entries) if (best === undefined || values[at]! > values[best]!) best = at;
  return best;
}
