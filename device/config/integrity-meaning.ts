// What the schema cannot say about `integrity`: settings that would silently have no effect.
import type { Config } from "../contract/config.js";
import type { MeaningFault } from "./meaning.js";

const MAX_PORT = 65535;

export function findIntegrityFaults({ integrity, mqtt }: Pick<Config, "integrity" | "mqtt">): MeaningFault[] {
  const { anchor, timestamp } = integrity;
  const faults: MeaningFault[] = [];
  if (anchor === "mqtt" && mqtt.url === "")
    faults.push({ path: ["integrity", "anchor"], related: ["mqtt", "url"], text: "needs a broker in mqtt.url" });
  if (timestamp.url === "" && timestamp.caFile !== "")
    faults.push({ path: ["integrity", "timestamp", "caFile"], text: "has no effect without integrity.timestamp.url" });
  const port = /^[a-z]+:\/\/(?:\[[^\]]*\]|[^:/]*):(\d+)/.exec(timestamp.url)?.[1];
  if (port !== undefined && (Number(port) < 1 || Number(port) > MAX_PORT))
    faults.push({ path: ["integrity", "timestamp", "url"], text: `has a port that is not within 1 to ${MAX_PORT}` });
  return faults;
}
