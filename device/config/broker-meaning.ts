// What the schema cannot say about `mqtt.broker`: settings that would let others in unasked, send passwords for everybody
// to read, contradict each other or do nothing.
import { parseAddress } from "../base/address.js";
import type { Config } from "../contract/config.js";
import type { BrokerUser } from "../contract/config-broker.js";
import { isLoopback } from "./api-meaning.js";
import type { MeaningFault } from "./meaning.js";

/** Of a password in clear that other machines may guess at. */
const SHORTEST_PASSWORD = 8;
/** A hash takes the box's time at every login: about a second of it. */
const MAX_ITERATIONS = 1_000_000;
/** As mosquitto_passwd writes it: PBKDF2 with SHA-512, iterations, salt and key in Base64. */
export const PASSWORD_HASH = /^\$7\$([1-9]\d{0,7})\$([A-Za-z0-9+/]{8,128}={0,2})\$([A-Za-z0-9+/]{43,128}={0,2})$/;
const HASH_BEGIN = /^\$\d+\$/;

const path = (...keys: PropertyKey[]): PropertyKey[] => ["mqtt", "broker", ...keys];

export function findBrokerFaults({ mqtt }: { mqtt: Config["mqtt"] }): MeaningFault[] {
  const { broker, url } = mqtt;
  if (!broker.enabled) return [];
  if (url === "") return [...hostFaults(broker), ...portFaults(broker), ...tlsFaults(broker), ...userFaults(broker)];
  if (broker.users.length === 0) return [];
  return [{ path: path("users"), related: ["mqtt", "url"], text: "has no effect: mqtt.url names another broker" }];
}

function hostFaults({ host, users, certFile, allowPlain }: Config["mqtt"]["broker"]): MeaningFault[] {
  if (host !== "localhost" && parseAddress(host) === undefined)
    return [{ path: path("host"), text: "is no IP address of this box; 0.0.0.0 or :: stands for all of them" }];
  if (isLoopback(host)) return [];
  if (users.length === 0) {
    const text = "is reachable from other machines and nobody has to log in: name users in mqtt.broker.users";
    return [{ path: path("host"), related: path("users"), text }];
  }
  if (certFile !== "" || allowPlain) return [];
  const text =
    "is reachable from other machines and there is no TLS: give mqtt.broker.certFile and keyFile, or set allowPlain";
  return [{ path: path("host"), related: path("allowPlain"), text }];
}

function portFaults({ port, webSocketPort }: Config["mqtt"]["broker"]): MeaningFault[] {
  if (webSocketPort === 0 || port !== webSocketPort) return [];
  return [{ path: path("webSocketPort"), related: path("port"), text: "is mqtt.broker.port too: choose another one" }];
}

function tlsFaults({ certFile, keyFile }: Config["mqtt"]["broker"]): MeaningFault[] {
  if (certFile === "" && keyFile !== "")
    return [{ path: path("keyFile"), text: "has no effect without mqtt.broker.certFile" }];
  if (certFile !== "" && keyFile === "")
    return [{ path: path("certFile"), text: "needs its private key in mqtt.broker.keyFile" }];
  return [];
}

function userFaults({ users, host }: Config["mqtt"]["broker"]): MeaningFault[] {
  const faults: MeaningFault[] = [];
  const names = new Set<string>();
  for (const [index, { name, password }] of users.entries()) {
    if (name === "") faults.push({ path: path("users", index, "name"), text: "is missing" });
    else if (names.has(name)) faults.push({ path: path("users", index, "name"), text: "is another user's name too" });
    names.add(name);
    const text = passwordFault(password, isLoopback(host));
    if (text !== "") faults.push({ path: path("users", index, "password"), text, hidesValue: true });
  }
  return faults;
}

/** Why it cannot be one, or "". */
function passwordFault(password: BrokerUser["password"], isLocal: boolean): string {
  if (HASH_BEGIN.test(password)) {
    const iterations = Number(PASSWORD_HASH.exec(password)?.[1]);
    if (Number.isNaN(iterations))
      return "is no hash that can be checked: make it with mosquitto_passwd (it begins $7$)";
    return iterations > MAX_ITERATIONS
      ? `takes more than ${MAX_ITERATIONS} iterations: the box would be busy with it`
      : "";
  }
  if (isLocal || [...password].length >= SHORTEST_PASSWORD) return "";
  return `is shorter than ${SHORTEST_PASSWORD} characters, and other machines can guess at it`;
}
