// The weaker signs of an agent's phone: what it calls itself, the MAC address and the VLAN of its frames. Everything seen
// of a side must fit: a side that also shows something else is not surely that phone. Pure.
import { macHasPrefix, parseMacPrefix } from "../base/mac.js";
import type { Config } from "../contract/config.js";
import { shorten } from "../sip/text.js";
import { compileUserPattern, type SideFacts, type UserPattern } from "./agents.js";

const MAX_FACT_CHARACTERS = 64;

interface MacRule {
  prefix: string;
  text: string;
}

export class LinkEvidence {
  readonly #userAgents: UserPattern[];
  readonly #macs: MacRule[];
  readonly #vlans: ReadonlySet<number>;

  constructor({ userAgents, macs, vlans }: Pick<Config["agents"], "userAgents" | "macs" | "vlans">) {
    this.#userAgents = userAgents.map((text) => compileUserPattern(text.toLowerCase()));
    this.#macs = macs.flatMap((text) => {
      const prefix = parseMacPrefix(text);
      return prefix === undefined ? [] : [{ prefix, text }];
    });
    this.#vlans = new Set(vlans);
  }

  /** What speaks for an agent's phone, in words; empty when nothing does. */
  find(side: SideFacts): string[] {
    return [this.#userAgent(side), this.#mac(side), this.#vlan(side)].filter((text) => text !== "");
  }

  /** The far end writes this header itself, so it counts only where it is known from where the message came. */
  #userAgent({ userAgents = [], signallingAddresses = [] }: SideFacts): string {
    if (signallingAddresses.length === 0) return "";
    const rule = ruleForAll(userAgents, (name) =>
      this.#userAgents.find((pattern) => pattern.matches(name.toLowerCase())),
    );
    return rule ? `agents.userAgents ${rule.text} on ${shorten(userAgents[0]!, MAX_FACT_CHARACTERS)}` : "";
  }

  #mac({ macs = [] }: SideFacts): string {
    const rule = ruleForAll(macs, (mac) => this.#macs.find(({ prefix }) => macHasPrefix(mac, prefix)));
    return rule ? `agents.macs ${rule.text} on ${macs[0]!}` : "";
  }

  #vlan({ vlans = [] }: SideFacts): string {
    const isFitting = vlans.length > 0 && vlans.every((vlan) => this.#vlans.has(vlan));
    return isFitting ? `agents.vlans ${vlans[0]!} on VLAN ${vlans[0]!}` : "";
  }
}

/** The rule for the first value, provided that there is one for every value. */
function ruleForAll<Value, Rule>(values: readonly Value[], find: (value: Value) => Rule | undefined): Rule | undefined {
  const rules = values.map(find);
  return rules.every((rule) => rule !== undefined) ? rules[0] : undefined;
}
