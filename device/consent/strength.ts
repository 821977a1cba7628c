// Which source of consent outweighs which: the one place where the order is written down. Pure.
//
//   strongest   what the office has forbidden: consent.numbers.never, a rule with consent: refused
//               what is said in the call itself: keys, SIP headers, a=recordpref, commands (API, MQTT, panel)
//               the consent register
//   weakest     what was agreed to once for all: consent.numbers.always, a rule with consent: granted
//
// A refusal from any source beats a grant from a weaker one, and on equal terms the refusal wins. Of one source the
// newest statement counts.
import type { EvidenceSource } from "../contract/call-record.js";

export type ConsentEffect = "granted" | "refused" | "withdrawn";

const STANDING = 0;
const ON_FILE = 1;
const SAID_IN_CALL = 2;
const FORBIDDEN = 3;

/** Said in the call itself, and not looked up. */
export function isSaidInCall(source: EvidenceSource): boolean {
  return strengthOf(source, "granted") === SAID_IN_CALL;
}

/** The larger, the stronger. */
export function strengthOf(source: EvidenceSource, effect: ConsentEffect): number {
  switch (source) {
    case "number-list":
    case "rule":
    case "default":
      return effect === "granted" ? STANDING : FORBIDDEN;
    case "register":
      return ON_FILE;
    default:
      return SAID_IN_CALL;
  }
}
