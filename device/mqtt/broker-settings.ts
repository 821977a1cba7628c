// The configuration as the MQTT library takes it: address, TLS material out of its files, last will. Refuses what cannot
// work before anything is connected. Never logs: the result holds the password and the key.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IClientOptions } from "mqtt";
import { SidetoneError } from "../base/errors.js";
import type { Config } from "../contract/config.js";
import type { BoxState } from "../contract/mqtt.js";
import { safeLevel, type Topics } from "./topics.js";

/** A lost box shows as offline after one and a half times this. */
const KEEP_ALIVE_S = 30;
const CONNECT_TIMEOUT_MS = 20_000;
/** Holds the longest request with all that MQTT 5 allows here beside it; a broker keeps longer ones (MQTT 5 §3.1.2.11.4). */
const MAX_PACKET_BYTES = 128 * 1024;

type MqttConfig = Config["mqtt"];
type TlsFile = "caFile" | "certFile" | "keyFile";

/** Throws SidetoneError config-invalid: a file cannot be read, or holds no certificate or key that fits. */
export function brokerSettings(config: MqttConfig, device: string, topics: Topics): IClientOptions {
  const { protocol, host, port, path } = parseUrl(config.url);
  const offline: BoxState = { state: "offline" };
  return {
    protocol,
    host,
    ...(port !== undefined && { port }),
    ...(path !== undefined && { path }),
    ...(config.username !== "" && { username: config.username }),
    ...(config.password !== "" && { password: config.password }),
    ...readTls(config),
    clientId: config.clientId === "" ? `sidetone-${safeLevel(device)}` : config.clientId,
    protocolVersion: config.version as 4 | 5,
    // No session outlives its connection: a command that waited at the broker while the box was away would meet another
    // call than the one it was meant for.
    clean: true,
    ...(config.version === 5 && { properties: { sessionExpiryInterval: 0, maximumPacketSize: MAX_PACKET_BYTES } }),
    will: { topic: topics.state, payload: Buffer.from(JSON.stringify(offline)), qos: 1, retain: true },
    keepalive: KEEP_ALIVE_S,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectOnConnackError: true,
    resubscribe: false,
  };
}

/** Whether the password can be read on the way to another machine. */
export function sendsPlainPassword({ url, password }: MqttConfig): boolean {
  const { protocol, host } = parseUrl(url);
  const isLocal = host === "localhost" || /^\[?::1\]?$/.test(host) || /^127(?:\.\d{1,3}){3}$/.test(host);
  return password !== "" && (protocol === "mqtt" || protocol === "ws") && !isLocal;
}

function parseUrl(text: string): {
  protocol: "mqtt" | "mqtts" | "ws" | "wss";
  host: string;
  port?: number;
  path?: string;
} {
  const [, protocol, authority, path] = /^(mqtts?|wss?):\/\/([^/]+)(\/.*)?$/.exec(text) ?? [];
  const [, host, port] = /^(\[.+\]|[^:]+)(?::(\d+))?$/.exec(authority ?? "") ?? [];
  if (protocol === undefined || host === undefined) throw new Error("mqtt.url was not checked");
  const isWebSocket = protocol.startsWith("ws");
  return {
    protocol: protocol as "mqtt" | "mqtts" | "ws" | "wss",
    // Sockets take an IPv6 address without brackets, URLs with them.
    host: isWebSocket ? host : host.replace(/^\[(.*)\]$/, "$1"),
    ...(port !== undefined && { port: Number(port) }),
    ...(isWebSocket && path !== undefined && { path }),
  };
}

function readTls(config: MqttConfig): Pick<IClientOptions, "ca" | "cert" | "key"> {
  const ca = readPem(config, "caFile");
  const cert = readPem(config, "certFile");
  const key = readPem(config, "keyFile");
  if (ca) parsePem("caFile", config.caFile, "no certificate", () => new X509Certificate(ca));
  const own = cert && parsePem("certFile", config.certFile, "no certificate", () => new X509Certificate(cert));
  const secret = "no private key that can be read without a passphrase";
  const ownKey = key && parsePem("keyFile", config.keyFile, secret, () => createPrivateKey(key));
  if (own && ownKey && !own.checkPrivateKey(ownKey))
    throw new SidetoneError("config-invalid", `mqtt.keyFile: ${config.keyFile} is not the key of ${config.certFile}`);
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

function readPem(config: MqttConfig, name: TlsFile): Buffer | undefined {
  const path = config[name];
  if (path === "") return undefined;
  try {
    const content = readFileSync(path);
    if (content.includes("-----BEGIN ")) return content;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const cause = code === "ENOENT" ? "does not exist" : `cannot be read (${code})`;
    throw new SidetoneError("config-invalid", `mqtt.${name}: ${path} ${cause}`, { cause: error });
  }
  throw new SidetoneError("config-invalid", `mqtt.${name}: ${path} is not a PEM file (no -----BEGIN line)`);
}

function parsePem<T>(name: TlsFile, path: string, lack: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new SidetoneError("config-invalid", `mqtt.${name}: ${path} holds ${lack}`, { cause: error });
  }
}
