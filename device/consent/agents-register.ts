// The agents' register as the engine reads it: who has agreed to being recorded, and to what. With agents.register
// "required" an agent's leg is recorded only while an entry is in force; a register that cannot be read knows nobody. An
// image of the file at the time of reading; never writes.
import { isUtf8 } from "node:buffer";
import { join } from "node:path";
import type { TimeUs } from "../base/ids.js";
import type { NumberRules } from "../call/numbers.js";
import { collapseWhiteSpace } from "../sip/text.js";
import type { RegisterIdentity } from "./register.js";
import {
  AGENTS_REGISTER,
  type EntryTimes,
  entryId,
  isInForce,
  parseLine,
  registerKey,
  registerKeys,
} from "./register-line.js";
import { readRegisterLines } from "./register-reader.js";

export interface Agreement {
  /** On one line. */
  agreedTo: string;
  /** Id of the entry, register-line.ts's entryId. */
  entry: string;
}

interface KnownAgreement extends Agreement {
  times: EntryTimes;
}

export class AgentsRegister {
  readonly size: number;
  /** Lines that are no entry: they say nothing. */
  readonly badLines: number;
  /** Why the file cannot be used, on one line; "" when it can. Then nobody is registered. */
  readonly fault: string;
  private readonly agreements: ReadonlyMap<string, KnownAgreement[]>;
  private readonly numbers: NumberRules | undefined;

  private constructor(
    agreements: ReadonlyMap<string, KnownAgreement[]>,
    numbers: NumberRules | undefined,
    counts: { size: number; badLines: number },
    fault: string,
  ) {
    this.agreements = agreements;
    this.numbers = numbers;
    this.size = counts.size;
    this.badLines = counts.badLines;
    this.fault = fault;
  }

  /** Reads `folder`/agents.jsonl. A missing file is an empty register. */
  static read(folder: string, numbers: NumberRules, limits: { maxEntries: number }): AgentsRegister {
    const agreements = new Map<string, KnownAgreement[]>();
    const counts = { size: 0, badLines: 0 };
    const path = join(folder, AGENTS_REGISTER.fileName);
    const fault = readRegisterLines(path, limits.maxEntries, (line) => {
      const checked = line && isUtf8(line) ? parseLine(AGENTS_REGISTER, line.toString("utf8")) : undefined;
      const key = checked?.ok ? registerKey(checked.statement.entry.agent, numbers) : "";
      if (!checked?.ok || key === "") {
        counts.badLines++;
        return;
      }
      const { entry, times } = checked.statement;
      const agreement = { agreedTo: collapseWhiteSpace(entry.to), entry: entryId(AGENTS_REGISTER, entry), times };
      const known = agreements.get(key);
      if (known) known.push(agreement);
      else agreements.set(key, [agreement]);
      counts.size++;
    });
    if (fault !== "") return new AgentsRegister(new Map(), undefined, { size: 0, badLines: 0 }, fault);
    return new AgentsRegister(agreements, numbers, counts, "");
  }

  static empty(): AgentsRegister {
    return new AgentsRegister(new Map(), undefined, { size: 0, badLines: 0 }, "");
  }

  /** The newest agreement in force at the moment; undefined when there is none. */
  lookUp(identity: RegisterIdentity, atUs: TimeUs): Agreement | undefined {
    let newest: KnownAgreement | undefined;
    for (const agreement of this.of(identity)) {
      if (!isInForce(agreement.times, atUs)) continue;
      if (newest === undefined || agreement.times.fromUs >= newest.times.fromUs) newest = agreement;
    }
    return newest && { agreedTo: newest.agreedTo, entry: newest.entry };
  }

  /** The next moment after `atUs` at which an agreement begins or is revoked, when `lookUp` is to be asked again. */
  nextChangeUs(identity: RegisterIdentity, atUs: TimeUs): TimeUs | undefined {
    const edges = this.of(identity).flatMap(({ times }) => [times.fromUs, times.revokedUs]);
    const nextUs = Math.min(...edges.filter((edgeUs) => edgeUs > atUs));
    return nextUs === Number.POSITIVE_INFINITY ? undefined : nextUs;
  }

  private of(identity: RegisterIdentity): KnownAgreement[] {
    if (!this.numbers) return [];
    return registerKeys(identity, this.numbers).flatMap((key) => this.agreements.get(key) ?? []);
  }
}
