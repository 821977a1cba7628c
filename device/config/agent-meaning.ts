// What the schema cannot say about `agents`, `trunks` and `numbers`: entries that look right and would match nothing, or
// that another setting leaves without effect.
import { type Cidr, cidrContains, parseCidr } from "../base/address.js";
import { parseMacPrefix } from "../base/mac.js";
import type { Config } from "../contract/config.js";
import type { MeaningFault } from "./meaning.js";
import { covers } from "./pattern-cover.js";

/** Trunk patterns with wildcards that agents' entries are compared with; enough for people, bounded for machines. */
const MAXIMUM_TRUNK_PATTERNS = 64;

export function findAgentFaults(config: Config): MeaningFault[] {
  const { agents, trunks } = config;
  return [
    ...listFaults(["agents", "match"], agents.match, matchFault),
    ...listFaults(["agents", "macs"], agents.macs, macFault),
    ...listFaults(["trunks", "match"], trunks.match, matchFault),
    ...overlapFaults(config),
    ...switchFaults(config),
    ...numberFaults(config),
  ];
}

function listFaults(
  path: readonly string[],
  entries: readonly string[],
  find: (entry: string) => string,
): MeaningFault[] {
  return entries.flatMap((entry, index) => {
    const text = find(entry);
    return text === "" ? [] : [{ path: [...path, index], text }];
  });
}

/** Why an entry of a match list can match nothing, or "". */
export function matchFault(entry: string): string {
  return addressFault(entry) || userPartFault(entry);
}

/** Why an entry that is meant as a network is none, or "". */
function addressFault(entry: string): string {
  const isMeantAsAddress =
    entry.includes("/") || /^\d{1,3}(\.[\d*?]{1,3}){2,}/.test(entry) || /^[0-9a-f]*:[0-9a-f.]*:/i.test(entry);
  if (!isMeantAsAddress || parseCidr(entry)) return "";
  if (parseMacPrefix(entry) !== undefined) return "looks like a MAC address; those belong in agents.macs";
  const hint = /[*?-]/.test(entry)
    ? "; wildcards and ranges work on numbers only, write a network like 10.0.0.0/24"
    : "";
  return `looks like an address but is neither an address nor a CIDR network${hint}`;
}

/** Why an entry can match no user part, or "". */
export function userPartFault(entry: string): string {
  const user = /^(?:sips?:|tel:)?([^@]*)(?:@.*)?$/i.exec(entry)?.[1] ?? "";
  if (user === entry) return "";
  return `matches the user part only, so write it without scheme and host${user === "" ? "" : `: ${user.slice(0, 64)}`}`;
}

function macFault(entry: string): string {
  if (parseMacPrefix(entry) !== undefined) return "";
  if (/[*?xX]/.test(entry)) return "needs no wildcard: write the first 3 to 5 octets only, as in 00:11:22";
  const first = Number.parseInt(/^\s*([0-9a-f]{2})/i.exec(entry)?.[1] ?? "0", 16);
  if ((first & 1) === 1) return "is a group address, from which nothing is ever sent";
  return "is no MAC address and no prefix of one; write 00:11:22:aa:bb:cc or 00:11:22";
}

/** Agents' entries that a trunk takes whole can never make anybody the agent. */
function overlapFaults({ agents, trunks }: Config): MeaningFault[] {
  const networks = trunks.match.flatMap((entry) => parseCidr(entry) ?? []);
  const exact = new Set(trunks.match);
  const patterns = trunks.match.filter((entry) => /[*?]/.test(entry)).slice(0, MAXIMUM_TRUNK_PATTERNS);
  return agents.match.flatMap((entry, index) => {
    const own = parseCidr(entry);
    const taker = own
      ? networks.find((network) => contains(network, own))?.text
      : exact.has(entry)
        ? entry
        : patterns.find((pattern) => covers(pattern, entry));
    if (taker === undefined) return [];
    const text = `can make nobody the agent: ${taker.slice(0, 64)} in trunks.match says that it is outside`;
    return [{ path: ["agents", "match", index], related: ["trunks", "match"], text }];
  });
}

function contains(wide: Cidr, narrow: Cidr): boolean {
  return wide.prefixBits <= narrow.prefixBits && cidrContains(wide, narrow.words);
}

/** Switches that do nothing without another setting. */
function switchFaults({ agents, trunks }: Config): MeaningFault[] {
  const faults: MeaningFault[] = [];
  if (trunks.otherSideIsAgent && trunks.match.length === 0)
    faults.push({ path: ["trunks", "otherSideIsAgent"], text: "has no effect without trunks.match" });
  if (agents.registeredPhonesAreAgents && !agents.learnFromRegistrations)
    faults.push({
      path: ["agents", "registeredPhonesAreAgents"],
      related: ["agents", "learnFromRegistrations"],
      text: "has no effect while agents.learnFromRegistrations is false",
    });
  return faults;
}

function numberFaults({ numbers }: Config): MeaningFault[] {
  const faults: MeaningFault[] = [];
  const add = (key: keyof Config["numbers"], text: string) => faults.push({ path: ["numbers", key], text });
  const { countryCode, areaCode, outsideLinePrefix, nationalPrefix, internationalPrefix } = numbers;
  if (countryCode === "") {
    for (const key of ["areaCode", "outsideLinePrefix"] as const)
      if (numbers[key] !== "") add(key, "has no effect without numbers.countryCode");
    return faults;
  }
  if (nationalPrefix !== "" && areaCode.startsWith(nationalPrefix))
    add("areaCode", `begins with the national prefix; write it without: ${areaCode.slice(nationalPrefix.length)}`);
  if (internationalPrefix !== "" && internationalPrefix === nationalPrefix)
    add("internationalPrefix", "is the national prefix as well; a dialled number could mean both");
  if (outsideLinePrefix !== "" && outsideLinePrefix === internationalPrefix)
    add("outsideLinePrefix", "is the international prefix as well; a dialled number could mean both");
  return faults;
}
