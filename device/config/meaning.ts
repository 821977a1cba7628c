// What the schema cannot say about a configuration: entries that look right and would silently match nothing. Works on
// a configuration that the schema has accepted.
import type { Config } from "../contract/config.js";
import { findAgentFaults } from "./agent-meaning.js";
import { findApiFaults } from "./api-meaning.js";
import { findBrokerFaults } from "./broker-meaning.js";
import { findEncryptionFaults } from "./encryption-meaning.js";
import { findIntegrityFaults } from "./integrity-meaning.js";
import { findKeyFaults } from "./keys-meaning.js";
import { findMqttFaults } from "./mqtt-meaning.js";
import { findPanelFaults } from "./panel-meaning.js";
import { findRetentionFaults } from "./retention-meaning.js";
import { findRuleFaults } from "./rule-meaning.js";

export interface MeaningFault {
  /** Keys and indexes that lead to the value at fault. */
  path: PropertyKey[];
  /** The other value that it clashes with, if there is one: where to look when `path` is a default. */
  related?: PropertyKey[];
  text: string;
  /** The value must not be shown: it may be a secret in the wrong place. */
  hidesValue?: true;
}

export function findMeaningFaults(config: Config): MeaningFault[] {
  return [
    ...findAgentFaults(config),
    ...findApiFaults(config),
    ...findEncryptionFaults(config),
    ...findIntegrityFaults(config),
    ...findKeyFaults(config),
    ...findMqttFaults(config),
    ...findPanelFaults(config),
    ...findBrokerFaults(config),
    ...findRuleFaults(config),
    ...findRetentionFaults(config),
    ...headerFaults(config),
  ];
}

function headerFaults(config: Config): MeaningFault[] {
  const faults: MeaningFault[] = [];
  const owners = new Map<string, { list: string; index: number }>();
  for (const list of ["granted", "refused", "withdrawn"] as const) {
    for (const [index, value] of config.consent.header[list].entries()) {
      const plain = value.trim().toLowerCase();
      const owner = owners.get(plain);
      if (!owner) owners.set(plain, { list, index });
      if (!owner || owner.list === list) continue;
      faults.push({
        path: ["consent", "header", list, index],
        related: ["consent", "header", owner.list, owner.index],
        text: `is also in consent.header.${owner.list}; a value can mean one thing only`,
      });
    }
  }
  return faults;
}
