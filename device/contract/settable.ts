// Which settings a command may change (`configuration`), and which of those that it shows hold numbers of people. A setting that is
// not named here is not changed from afar until somebody has decided that it may be.

/**
 * They change how well the box works, or how it is told about, and neither what is recorded and how long it stays, nor who gets at
 * it, nor what is proved. A section stands for all that is in it.
 */
const HARMLESS = [
  "disk.earlyDays",
  "disk.lateDays",
  "disk.lateMegabytes",
  "capture.bufferMegabytes",
  "capture.timeoutMs",
  "net",
  "call.setupTimeoutMs",
  "call.idleTimeoutMs",
  "call.holdTimeoutMs",
  "call.transferMs",
  "call.tailMs",
  "journal",
  "seal",
  "retention.sweepMinutes",
  "log",
  "health",
  "syslog.facility",
  "api.requestsPerMinute",
  "api.requestTimeoutMs",
  "api.maxConnections",
  "api.maxAudioStreams",
  "api.maxConversions",
  "mqtt.username",
  "mqtt.password",
  "mqtt.clientId",
  "mqtt.version",
  "mqtt.queueMegabytes",
] as const;

/** They say who may change settings, or command: whoever changes them is at the box. */
const AT_THE_BOX_ONLY = ["mqtt.allow", "mqtt.configure", "mqtt.broker.users"];

/** `configure`: mqtt.configure. */
export function isSettable(path: string, configure: "harmless" | "all"): boolean {
  if (AT_THE_BOX_ONLY.includes(path)) return false;
  return configure === "all" || HARMLESS.some((known) => path === known || path.startsWith(`${known}.`));
}

/** Their texts are numbers, or patterns of numbers, unless they are addresses. */
export const NUMBER_SETTINGS: readonly string[] = [
  "agents.match",
  "trunks.match",
  "consent.numbers.always",
  "consent.numbers.never",
];
/** Of the entries of consent.rules. */
export const NUMBER_MEMBERS: readonly string[] = ["agents", "trunks", "numbers"];
