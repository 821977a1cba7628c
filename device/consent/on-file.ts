// What is on file of a party, whatever is said in the call: number lists, the rule that applies, the consent register; and of
// agents the agents' register. Looked up whenever a call is judged; what is no longer so is lifted. Enters through
// call-consent.ts, reads no file.
import type { TimeUs } from "../base/ids.js";
import type { Party, PartyIdentity } from "../call/party.js";
import type { EvidenceRecord, EvidenceSource } from "../contract/call-record.js";
import type { Config } from "../contract/config.js";
import type { AgentsRegister } from "./agents-register.js";
import type { CallConsent, Terms } from "./call-consent.js";
import { NumberList } from "./number-list.js";
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
  /** The call's. */
  purpose: string;
  /** It names no purpose. */
  isGeneral: boolean;
}

/** What a look-up hung on, and what it led to. */
interface Looked {
  identity: PartyIdentity;
  terms: Terms;
  register: ConsentRegister;
  atUs: TimeUs;
  /** An entry of the register begins or ends then. */
  untilUs: TimeUs;
  entered: Map<EvidenceSource, Finding>;
}

const SOURCES: readonly EvidenceSource[] = ["number-list", "rule", "register"];
const SHOWN_CHARACTERS = 64;

export class OnFile {
  private readonly registers: () => Registers;
  private readonly usesRegister: boolean;
  private readonly needsAgreement: boolean;
  private readonly never: NumberList;
  private readonly always: NumberList;
  private readonly looked = new WeakMap<Party, Looked>();

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

  /** Enters what is on file of a caller, as far as it is news. Cheap while nothing has changed that it depends on. */
  lookUp(own: CallConsent, party: Party, atUs: TimeUs): void {
    const { consent } = this.registers();
    const known = this.looked.get(party);
    const { identity } = party;
    const { terms } = own;
    const isSame = known && known.identity === identity && known.terms === terms && known.register === consent;
    if (isSame && atUs >= known.atUs && atUs < known.untilUs) return;
    const entered = known?.entered ?? new Map<EvidenceSource, Finding>();
    for (const source of SOURCES) this.enterNews(own, party, source, entered, atUs);
    const nextUs = this.usesRegister ? consent.nextChangeUs(identity, terms.purpose, atUs) : undefined;
    const untilUs = nextUs ?? Number.POSITIVE_INFINITY;
    this.looked.set(party, { identity, terms, register: consent, atUs, untilUs, entered });
  }

  private enterNews(
    own: CallConsent,
    party: Party,
    source: EvidenceSource,
    entered: Map<EvidenceSource, Finding>,
    atUs: TimeUs,
  ): void {
    const before = entered.get(source);
    const found = this.find(own, party, source, atUs);
    if (found?.effect === before?.effect && found?.by === before?.by && found?.purpose === before?.purpose) return;
    // A refusal in the place of a grant is a withdrawal, which a lifted grant would hide.
    const takesBack = found?.effect === "refused" && before?.effect === "granted" && found.purpose === before.purpose;
    if (before && !takesBack) own.lift(party, source, atUs, "no longer on file");
    if (found) {
      const { purpose, isGeneral, ...statement } = found;
      own.enter([party], atUs, { source, ...statement, ...(!isGeneral && { purpose }) });
      entered.set(source, found);
    } else entered.delete(source);
  }

  /** What was entered of the party does not count any more: it is looked up anew. */
  forget(party: Party): void {
    this.looked.delete(party);
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
    const { consent, consentRule, purpose } = own.terms;
    switch (source) {
      case "number-list":
        return this.inLists(identity, purpose);
      case "rule":
        return (
          consent && {
            effect: consent,
            by: `rule ${consentRule}`,
            detail: { rule: consentRule },
            purpose,
            isGeneral: true,
          }
        );
      default:
        return this.inRegister(identity, purpose, atUs);
    }
  }

  private inLists(identity: PartyIdentity, purpose: string): Finding | undefined {
    const general = { purpose, isGeneral: true };
    const never = entryFor(this.never, identity);
    if (never !== undefined)
      return { effect: "refused", by: "consent.numbers.never", detail: { list: "never", entry: never }, ...general };
    const always = entryFor(this.always, identity);
    if (always === undefined) return undefined;
    return { effect: "granted", by: "consent.numbers.always", detail: { list: "always", entry: always }, ...general };
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
      isGeneral: false,
    };
  }
}

/** The entry that names whoever it is, as signalled or as E.164. */
function entryFor(list: NumberList, { user, number }: PartyIdentity): string | undefined {
  if (user === "" && number === "") return undefined;
  return list.find(user) ?? list.find(number);
}
