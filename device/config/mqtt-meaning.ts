// What the schema cannot say about `mqtt`: settings that contradict each other or would silently have no effect.
import type { Config } from "../contract/config.js";
import { MQTT_ROOT } from "../contract/mqtt.js";
import type { MeaningFault } from "./meaning.js";

const MAX_PORT = 65535;

export function findMqttFaults({ mqtt }: { mqtt: Config["mqtt"] }): MeaningFault[] {
  if (mqtt.url === "") return homesFaults(mqtt);
  return [...portFaults(mqtt), ...tlsFaults(mqtt), ...nameFaults(mqtt), ...homesFaults(mqtt)];
}

/** Below `sidetone/` are the boxes' own topics, whose meaning is fixed. */
function homesFaults({ homeAssistant, homie }: Config["mqtt"]): MeaningFault[] {
  const topics = [
    { path: ["mqtt", "homeAssistant", "prefix"], topic: homeAssistant.prefix },
    { path: ["mqtt", "homeAssistant", "birthTopic"], topic: homeAssistant.birthTopic },
    { path: ["mqtt", "homie", "domain"], topic: homie.domain },
  ];
  const own = topics.filter(({ topic }) => topic.split("/", 1)[0] === MQTT_ROOT);
  return own.map(({ path }) => ({ path, text: `cannot begin with ${MQTT_ROOT}: those are the boxes' own topics` }));
}

function portFaults({ url }: Config["mqtt"]): MeaningFault[] {
  const port = /^[a-z]+:\/\/(?:\[[^\]]*\]|[^:/]*):(\d+)/.exec(url)?.[1];
  if (port === undefined || (Number(port) >= 1 && Number(port) <= MAX_PORT)) return [];
  return [{ path: ["mqtt", "url"], text: `has a port that is not within 1 to ${MAX_PORT}` }];
}

function tlsFaults(mqtt: Config["mqtt"]): MeaningFault[] {
  const files = ["caFile", "certFile", "keyFile"] as const;
  const isPlain = /^(?:mqtt|ws):/.test(mqtt.url);
  const idle = files.filter((name) => isPlain && mqtt[name] !== "");
  if (idle.length > 0) {
    const text = "has no effect without TLS: begin mqtt.url with mqtts:// or wss://";
    return idle.map((name) => ({ path: ["mqtt", name], related: ["mqtt", "url"], text }));
  }
  if (mqtt.certFile !== "" && mqtt.keyFile === "")
    return [{ path: ["mqtt", "certFile"], text: "needs its private key in mqtt.keyFile" }];
  if (mqtt.certFile === "" && mqtt.keyFile !== "")
    return [{ path: ["mqtt", "keyFile"], text: "has no effect without mqtt.certFile" }];
  return [];
}

/** MQTT 3.1.1 §3.1.2.9 has no password without a user name; MQTT 5 has. */
function nameFaults({ version, username, password }: Config["mqtt"]): MeaningFault[] {
  if (version !== 4 || username !== "" || password === "") return [];
  return [
    { path: ["mqtt", "version"], related: ["mqtt", "password"], text: "4 has no password without mqtt.username" },
  ];
}
