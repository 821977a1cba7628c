// What is on file of a party, whatever is said in the call: number lists, the rule that applies, the consent register; and of
// agents the agents' register. Looked up whenever a call is judged; what is no longer so is lifted. Enters through
// call-consent.ts, reads no file.
import type { TimeUs } from "../base/ids.js";
import { compileUserPattern, type UserPattern } from "../call/agents.js";
import { type NumberRules, normalizeNumber } from "../call/numbers.js";
import type { Party, PartyIdentity } from "../call/party.js";
import type { EvidenceRecord, EvidenceSource } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import type { AgentsRegister } from "./agents-register.js";
import type { CallConsent } from "./call-consent.js";
import type { ConsentRegister } from "./register.js";

export interface Registers {
  consent: ConsentRegister;
  agents: AgentsRegister;
}

/** What a source on file says of somebody. */
interface Finding {
  effect: "granted" | "refused";
  by: string;
  detail: EvidenceRecord["detail"];
  /** undefined = every purpose. */
  purpose?: string | undefined;
}

const SOURCES: readonly EvidenceSource[] = ["number-list", "rule", "register"];
const SHOWN_CHARACTERS = 64;

export class OnFile {
  private readonly registers: () => Registers;
  private readonly usesRegister: boolean;
  private readonly needsAgreement: boolean;
  private readonly never: NumberList;
  private readonly always: NumberList;

  constructor({ consent, agents, numbers }: Config, registers: () => Registers) {
    this.registers = registers;
    this.usesRegister = consent.register.enabled;
    this.needsAgreement = agents.register === "required";
    this.never = new NumberList(consent.numbers.never, numbers);
    this.always = new NumberList(consent.numbers.always, numbers);
  }

  /** Entries of the registers may begin or end during a call. */
  get changesWithTime(): boolean {
    return (this.usesRegister && this.registers().consent.size > 0) || this.needsAgreement;
  }

  /** Enters what is on file of a caller, as far as it is news. */
  lookUp(own: CallConsent, party: Party, atUs: TimeUs): void {
    const entered = own.onFile.get(party);
    for (const source of SOURCES) {
      const found = this.find(own, party, source, atUs);
      const purpose = found?.purpose ?? own.terms.purpose;
      const key = found ? `${found.effect} ${found.by} ${purpose}` : "";
      const before = entered?.get(source) ?? "";
      if (key === before) continue;
      // A refusal in the place of a grant is a withdrawal, which a lifted grant would hide.
      const takesBack = found?.effect === "refused" && before.startsWith("granted ") && before.endsWith(` ${purpose}`);
      if (before !== "" && !takesBack) own.lift(party, source, atUs, "no longer on file");
      if (found) own.enter([party], atUs, { source, ...found });
      if (entered) entered.set(source, key);
      else own.onFile.set(party, new Map([...(own.onFile.get(party) ?? []), [source, key]]));
    }
  }

  /** The agents' register is in use and says of nobody, or not of this agent, that they agreed. */
  isUnregistered(agent: Party | undefined, atUs: TimeUs): boolean {
    return this.needsAgreement && (agent === undefined || this.agreementOf(agent, atUs) === undefined);
  }

  /** What the agent agreed to; undefined when nothing is known of it, or the register is not in use. */
  agreementOf(agent: Party, atUs: TimeUs): ReturnType<AgentsRegister["lookUp"]> {
    return this.needsAgreement ? this.registers().agents.lookUp(agent.identity, atUs) : undefined;
  }

  private find(own: CallConsent, { identity }: Party, source: EvidenceSource, atUs: TimeUs): Finding | undefined {
    switch (source) {
      case "number-list":
        return this.inLists(identity);
      case "rule": {
        const { consent, consentRule } = own.terms;
        return consent && { effect: consent, by: `rule ${consentRule}`, detail: { rule: consentRule } };
      }
      default:
        return this.inRegister(identity, own.terms.purpose, atUs);
    }
  }

  private inLists(identity: PartyIdentity): Finding | undefined {
    const never = this.never.entryFor(identity);
    if (never !== undefined)
      return { effect: "refused", by: "consent.numbers.never", detail: { list: "never", entry: never } };
    const always = this.always.entryFor(identity);
    if (always === undefined) return undefined;
    return { effect: "granted", by: "consent.numbers.always", detail: { list: "always", entry: always } };
  }

  private inRegister(identity: PartyIdentity, purpose: string, atUs: TimeUs): Finding | undefined {
    if (!this.usesRegister) return undefined;
    const found = this.registers().consent.lookUp(identity, purpose, atUs);
    if (!found) return undefined;
    const { effect, source, entry } = found;
    return {
      effect,
      by: `register entry ${entry}`,
      detail: { entry, source: source.slice(0, SHOWN_CHARACTERS), purpose },
      purpose,
    };
  }
}

/** Numbers and patterns, compared as signalled and as E.164. */
class NumberList {
  private readonly exact = new Map<string, string>();
  private readonly patterns: UserPattern[] = [];

  constructor(entries: readonly string[], numbers: NumberRules) {
    for (const entry of entries) {
      if (/[*?]/.test(entry)) this.patterns.push(compileUserPattern(entry));
      else for (const form of [entry, normalizeNumber(entry, numbers)]) this.exact.set(form, entry);
    }
  }

  /** The entry that names whoever it is. */
  entryFor({ user, number }: PartyIdentity): string | undefined {
    if (user === "" && number === "") return undefined;
    return (
      this.exact.get(user) ??
      this.exact.get(number) ??
      this.patterns.find((pattern) => pattern.matches(user) || pattern.matches(number))?.text
    );
  }
}
