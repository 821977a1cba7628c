// The configuration of what the box says and is told: log, HTTP API, MQTT, front panel.
import { z } from "zod";
import { brokerSection } from "./config-broker.js";
import { digits, fieldMeta, filePath, integer, section } from "./config-fields.js";
import { homeAssistantSection, homieSection } from "./config-homes.js";
import { DEFAULT_VERBS, REQUEST_VERBS } from "./mqtt.js";
import { PANEL_KEYS, PANEL_MODEL_NAMES } from "./panel.js";

/** Host, port and, for WebSocket, path. A name or password would show wherever the URL does. */
const BROKER_URL =
  /^(?:(?:mqtts?:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?\/?)|(?:wss?:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?(?:\/[!-~]*)?))?$/;

const SYSLOG_URL = /^(?:(?:udp|tcp|tls):\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?\/?)?$/;
export const SYSLOG_FACILITIES = [
  "daemon",
  "local0",
  "local1",
  "local2",
  "local3",
  "local4",
  "local5",
  "local6",
  "local7",
] as const;

export const facesSections = {
  health: section(
    {
      intervalS: integer(5, 3600, 60, "time between two reports of the box's health when nothing changes", "s"),
    },
    "The box's health",
  ),
  syslog: section(
    {
      url: z
        .string()
        .max(512)
        .regex(SYSLOG_URL)
        .default("")
        .describe("server that alarms go to, as in udp://logs.example:514, or tcp, tls; empty = none"),
      facility: z.enum(SYSLOG_FACILITIES).default("daemon").describe("facility of the messages (RFC 5424)"),
      caFile: filePath(
        "PEM file with the authority that signed a tls server's certificate; empty = those the system trusts",
      ),
    },
    "Alarms by syslog (RFC 5424)",
  ),
  log: section(
    { level: z.enum(["debug", "info", "warn", "error"]).default("info").describe("least level that is written") },
    "Log",
  ),
  api: section(
    {
      enabled: z.boolean().default(true).describe("offer the HTTP API"),
      host: z
        .string()
        .max(64)
        .default("127.0.0.1")
        .describe("address to listen on; 0.0.0.0 or :: = all; beyond this box with TLS"),
      port: integer(0, 65535, 8385, "port to listen on; 0 = any that is free"),
      certFile: filePath(
        "PEM file with the certificate and those that lead to its root; empty = beyond this box one that the box makes itself",
      ),
      keyFile: filePath("PEM file with the certificate's private key"),
      allowPlain: z
        .boolean()
        .default(false)
        .describe("listen beyond this box without TLS all the same: tokens and numbers are readable on the way"),
      announce: z
        .boolean()
        .default(true)
        .describe(
          "when it listens beyond this box, say where on the network (multicast DNS, _sidetone._tcp); never on an interface that is captured on",
        ),
      requestsPerMinute: integer(1, 100000, 3000, "requests per token; further ones are refused until there is room"),
      badTokensPerMinute: integer(1, 100, 10, "bad tokens from one address until it is locked out"),
      lockOutS: integer(1, 86400, 60, "time for which an address is locked out", "s"),
      requestTimeoutMs: integer(100, 600000, 10000, "longest time in which a request arrives whole", "ms"),
      maxConnections: integer(1, 4096, 64, "connections at once; further ones are closed"),
      accessReason: z
        .enum(["optional", "required"])
        .default("optional")
        .describe("whether whoever listens to a recording or downloads it has to say why, for the audit chain"),
      maxAudioStreams: integer(1, 1024, 16, "recordings sent at once; who asks for further ones is told to come again"),
      maxConversions: integer(0, 64, 2, "of them, those converted to MP3 or Opus; each takes a processor core"),
    },
    "The HTTP API",
  ),
  mqtt: section(
    {
      url: z
        .string()
        .max(512)
        .regex(BROKER_URL)
        .default("")
        .describe(
          "broker, as in mqtts://broker.example:8883, or mqtt, ws, wss; without password; empty = the box's own (mqtt.broker)",
        ),
      username: z.string().max(256).default("").describe("user name at the broker; empty = none"),
      password: z
        .string()
        .max(1024)
        .default("")
        .describe("password at the broker; empty = none")
        .register(fieldMeta, { secret: true }),
      clientId: digits(/^[^\x00-\x1f]{0,128}$/, "", "client id, of one box only; empty = sidetone- and the box's name"),
      caFile: filePath(
        "PEM file with the authority that signed the broker's certificate; empty = those the system trusts",
      ),
      certFile: filePath("PEM file with this box's own certificate; empty = none"),
      keyFile: filePath("PEM file with that certificate's private key, no passphrase"),
      version: integer(4, 5, 5, "protocol: 5 = MQTT 5, 4 = MQTT 3.1.1"),
      numbers: z
        .enum(["full", "masked", "none"])
        .default("masked")
        .describe("numbers in responses: in full, their last three digits (up to four digits in full), or none"),
      queueMegabytes: integer(
        0,
        1024,
        16,
        "disk space for events that wait for the broker, beyond it the oldest go; 0 = the newest thousand, in memory",
        "MiB",
      ),
      allow: z
        .array(z.enum(REQUEST_VERBS))
        .max(REQUEST_VERBS.length)
        .default([...DEFAULT_VERBS])
        .describe("commands that are taken; for consent see consent.commands.mqtt as well"),
      configure: z
        .enum(["harmless", "all"])
        .default("harmless")
        .describe(
          "settings that the command configuration may change: those that do not decide what is recorded, who gets at it and what is proved, or all but mqtt.allow, mqtt.broker.users and this one",
        ),
      broker: brokerSection,
      homeAssistant: homeAssistantSection,
      homie: homieSection,
    },
    "MQTT",
  ),
  panel: section(
    {
      port: z
        .string()
        .max(256)
        .regex(/^(?:\/[^\x00-\x1f]+)?$/)
        .default("")
        .describe("serial port of the front panel, as in /dev/serial/by-id/usb-...; empty = no panel"),
      model: z.enum(PANEL_MODEL_NAMES).default("cfa635").describe("Crystalfontz module that it is"),
      baudRate: integer(0, 115200, 0, "19200 or 115200; 0 = as the model is delivered", "Bd"),
      brightness: integer(0, 100, 100, "of the backlight", "%"),
      contrast: integer(0, 255, 0, "as the module takes it; 0 = as it is stored there"),
      pauseKeys: z
        .array(z.enum(PANEL_KEYS))
        .max(3)
        .default([])
        .describe("keys that pause all recording when they are held together for a second; empty = none do"),
      allowReset: z
        .boolean()
        .default(false)
        .describe(
          "whoever stands at the panel may revoke every token of the API and is shown a new one with all rights, or reset all settings too",
        ),
      watchdogS: integer(
        0,
        255,
        0,
        "time without a healthy capture process after which the panel resets the box, if it is wired to; 0 = off",
        "s",
      ),
    },
    "The front panel",
  ),
};
