// The terms that a call is recorded on, chosen by the rules from what is known of it: gathers the facts that rules ask for
// out of the call table's state. Which rule wins is rule-book.ts's.
import type { AddressWords } from "../base/address.js";
import type { Dialog } from "../call/dialog.js";
import type { Leg } from "../call/leg.js";
import { normalizeNumber } from "../call/numbers.js";
import type { Config } from "../contract/config.js";
import type { SipMessage } from "../sip/message.js";
import { agentLegOf, type CallConsent, callerLegOf, type Terms } from "./call-consent.js";
import { directionOf } from "./call-direction.js";
import { type CallFacts, type FactPerson, type FactSide, RuleBook, type RuleChoice } from "./rule-book.js";

const NOBODY_KNOWN: FactSide = { users: [], addresses: [] };

export class TermsBook {
  /** Of a call of which nothing is known. */
  readonly initial: Terms;
  private readonly config: Config;
  private readonly rules: RuleBook;
  /** What each call's terms were chosen on last. */
  private readonly grounds = new WeakMap<CallConsent, readonly unknown[]>();

  constructor(config: Config) {
    this.config = config;
    this.rules = new RuleBook(config);
    this.initial = termsOf(
      this.rules.choose({
        direction: undefined,
        sides: [NOBODY_KNOWN, NOBODY_KNOWN],
        agent: undefined,
        caller: undefined,
        startedAtUs: Number.NaN,
        headers: undefined,
      }),
    );
  }

  /** The first INVITE's headers that rules ask for. */
  keepHeaders(own: CallConsent, message: SipMessage): void {
    if (own.headers || message.kind !== "request" || message.method !== "INVITE" || message.to.tag !== "") return;
    own.headers = this.rules.keepHeaders(message.headers);
  }

  /** Chooses the call's terms anew if anything has changed on which they depend. */
  choose(own: CallConsent): void {
    if (this.rules.isEmpty) return;
    const dialog = own.call.foremost;
    const grounds = groundsOf(own, dialog);
    const known = this.grounds.get(own);
    if (known && grounds.every((ground, i) => ground === known[i])) return;
    this.grounds.set(own, grounds);
    own.terms = termsOf(this.rules.choose(this.factsOf(own, dialog)));
  }

  private factsOf(own: CallConsent, dialog: Dialog): CallFacts {
    const sides = ([0, 1] as const).map((side) => this.sideOf(dialog.legOf(side)));
    const { agent, evidence, outside } = dialog.agent;
    const users = [sides[0]!.users, sides[1]!.users] as const;
    return {
      direction: directionOf({ agent, evidence, outside, users }, this.config),
      sides,
      agent: personOn(agentLegOf(dialog)),
      caller: personOn(callerLegOf(dialog)),
      startedAtUs: own.call.startedAtUs,
      headers: own.headers,
    };
  }

  private sideOf(leg: Leg): FactSide {
    const { dialog, sessionSide, party } = leg.nearest;
    const { identity } = party;
    const sight = dialog.sights[sessionSide];
    const asserted = dialog.asserted(sessionSide)?.user ?? "";
    const signalled = [dialog.address(sessionSide).user, asserted, identity.user, ...sight.users];
    const users = new Set(signalled.flatMap((user) => [user, normalizeNumber(user, this.config.numbers)]));
    users.delete("");
    const addresses: AddressWords[] = [...leg.nearest.audioAddresses, ...sight.addresses];
    return { users: [...users], addresses };
  }
}

function termsOf(choice: RuleChoice): Terms {
  const { rule, isSettled, policy, policyRule, purpose, retention, consent, consentRule } = choice;
  return { policy, policyRule, purpose, retention, rule: rule?.name ?? "", isSettled, consent, consentRule };
}

function personOn(leg: Leg | undefined): FactPerson | undefined {
  if (!leg) return undefined;
  const { user, number } = leg.party.identity;
  return { user, number };
}

/** Everything that a choice depends on, by reference or value. */
function groundsOf(own: CallConsent, dialog: Dialog): unknown[] {
  const grounds: unknown[] = [dialog, dialog.agent, own.headers, own.call.startedAtUs];
  for (const leg of dialog.legs) {
    const { nearest } = leg;
    grounds.push(
      nearest,
      nearest.party,
      nearest.party.identity,
      nearest.audio,
      nearest.dialog.sights[nearest.sessionSide].version,
    );
  }
  return grounds;
}
