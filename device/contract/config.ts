// The configuration: one schema out of which come types, defaults, validation and `sidetoned config explain`, in the order
// in which it is explained. Every field carries description, default, bounds and unit in its section's file and nowhere else.
import { z } from "zod";
import { consentSection } from "./config-consent.js";
import { facesSections } from "./config-faces.js";
import { section } from "./config-fields.js";
import { integritySection } from "./config-integrity.js";
import { selfTestSection } from "./config-self-test.js";
import { storageSections } from "./config-storage.js";
import { trafficSections } from "./config-traffic.js";

export const configSchema = z.strictObject({
  device: section(
    { id: z.string().max(64).default("").describe("name of this box in manifests and topics; empty = host name") },
    "This box",
  ),
  data: storageSections.data,
  disk: storageSections.disk,
  capture: trafficSections.capture,
  engine: trafficSections.engine,
  net: trafficSections.net,
  sip: trafficSections.sip,
  rtp: trafficSections.rtp,
  call: trafficSections.call,
  agents: trafficSections.agents,
  trunks: trafficSections.trunks,
  numbers: trafficSections.numbers,
  correlation: trafficSections.correlation,
  consent: consentSection,
  recording: storageSections.recording,
  retention: storageSections.retention,
  journal: storageSections.journal,
  seal: storageSections.seal,
  encryption: storageSections.encryption,
  integrity: integritySection,
  selfTest: selfTestSection,
  log: facesSections.log,
  health: facesSections.health,
  syslog: facesSections.syslog,
  api: facesSections.api,
  mqtt: facesSections.mqtt,
  panel: facesSections.panel,
});
export type Config = z.output<typeof configSchema>;

/** Whether any setting can make a side the agent's. */
export function namesAgents({ agents, trunks }: Config): boolean {
  const lists = [agents.match, agents.userAgents, agents.macs, agents.vlans];
  return lists.some((list) => list.length > 0) || agents.registeredPhonesAreAgents || trunks.otherSideIsAgent;
}
