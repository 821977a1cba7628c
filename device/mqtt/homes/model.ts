// What home automation sees of a box, once for Home Assistant and Homie: figures, problems and buttons, each read out of a
// retained state or sent as a request. Figures of the box only, nothing of anybody's calls but how many there are.
import { ALARM_CODES, ALARMS, type AlarmCode } from "../../contract/alarms.js";
import type { RequestVerb, RetainedStates } from "../../contract/mqtt.js";
import { SPAN_CHECK_STATES } from "../../contract/span.js";
import type { Reading } from "./reading.js";

export type HomeSource = Exclude<keyof RetainedStates, "anchor">;
/** Homie's nodes, with their names. */
export const HOME_NODES = {
  recorder: "Recorder",
  mirror: "Mirror port",
  disk: "Disk",
  box: "Box",
  commands: "Commands",
} as const;
export type HomeNode = keyof typeof HOME_NODES;

interface Read {
  /** Letters, digits and hyphens: unique among all. */
  id: string;
  name: string;
  node: Exclude<HomeNode, "commands">;
  source: HomeSource;
  reading: Reading;
  /** Of interest when something is to be found out. */
  isDiagnostic?: true;
}

/** A figure, a state out of a list, a text or a moment. */
export interface HomeSensor extends Read {
  kind: "sensor";
  /** By Homie's names. */
  type: "integer" | "float" | "enum" | "string" | "datetime";
  /** Of an enum. */
  values?: readonly string[];
  unit?: string;
  /** Home Assistant's, which restricts the unit. */
  deviceClass?: "data_size" | "duration" | "enum" | "temperature" | "timestamp";
  /** `total`: counts up, from 0 again with each engine. */
  course?: "measurement" | "total";
}

/** True or false. */
export interface HomeFlag extends Read {
  kind: "flag";
  /** `problem`: true is bad. */
  deviceClass: "problem" | "running";
  /** What it says when it is false, and true. */
  labels: readonly [string, string];
  /** A list of the state that is shown with it. */
  details?: string;
  /** Rarely wanted: there, and not shown unless asked for. */
  isHidden?: true;
}

/** Sends a request of this verb with this body. */
export interface HomeButton {
  kind: "button";
  id: string;
  name: string;
  verb: RequestVerb;
  body: Readonly<Record<string, string>>;
  deviceClass?: "restart";
  isDiagnostic?: true;
}

/** While one of these stands, no new call can be recorded. */
const STOPS_RECORDING = [
  "disk-full",
  "disk-read-only",
  "disk-failing",
  "journal-unwritable",
  "encryption-failed",
  "engine-lost",
  "interface-down",
  "no-agents",
] as const satisfies readonly AlarmCode[];

const health = (...path: string[]): Pick<Read, "source" | "reading"> => ({
  source: "health",
  reading: { of: "value", path },
});
const disk = (...path: string[]): Pick<Read, "source" | "reading"> => ({
  source: "disk",
  reading: { of: "value", path },
});

const MILLISECONDS = {
  type: "float",
  unit: "ms",
  deviceClass: "duration",
  course: "measurement",
  isDiagnostic: true,
} as const;

export const HOME_READINGS: readonly (HomeSensor | HomeFlag)[] = [
  {
    kind: "flag",
    id: "alarm",
    name: "Alarm",
    node: "recorder",
    source: "health",
    reading: { of: "holds", path: ["alarms"] },
    deviceClass: "problem",
    labels: ["none", "standing"],
    details: "alarms",
  },
  {
    kind: "flag",
    id: "blocked",
    name: "Recording impossible",
    node: "recorder",
    source: "health",
    reading: { of: "holds", path: ["alarms"], among: STOPS_RECORDING },
    deviceClass: "problem",
    labels: ["possible", "impossible"],
  },
  {
    kind: "sensor",
    id: "calls",
    name: "Calls in progress",
    node: "recorder",
    source: "calls",
    reading: { of: "value", path: ["active"] },
    type: "integer",
    unit: "#",
    course: "measurement",
  },
  {
    kind: "sensor",
    id: "alarms",
    name: "Alarms",
    node: "recorder",
    source: "health",
    reading: { of: "count", path: ["alarms"] },
    type: "integer",
    unit: "#",
    course: "measurement",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "seal-waiting",
    name: "Calls to be stored",
    node: "recorder",
    ...health("sealing", "waiting"),
    type: "integer",
    unit: "#",
    course: "measurement",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "seal-refused",
    name: "Calls that the disk refused",
    node: "recorder",
    ...health("sealing", "refused"),
    type: "integer",
    unit: "#",
    course: "measurement",
    isDiagnostic: true,
  },
  {
    kind: "flag",
    id: "mirror-fault",
    name: "Mirror port",
    node: "mirror",
    source: "span",
    reading: { of: "is", path: ["state"], among: ["fail"] },
    deviceClass: "problem",
    labels: ["usable", "wrong"],
    details: "faults",
  },
  {
    kind: "sensor",
    id: "mirror-state",
    name: "Mirror port checks",
    node: "mirror",
    source: "span",
    reading: { of: "value", path: ["state"] },
    type: "enum",
    values: SPAN_CHECK_STATES,
    deviceClass: "enum",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "mirror-faults",
    name: "Mirror port findings",
    node: "mirror",
    source: "span",
    reading: { of: "count", path: ["faults"] },
    type: "integer",
    unit: "#",
    course: "measurement",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "packets",
    name: "Packets per second",
    node: "mirror",
    ...health("capture", "packetsPerSecond"),
    type: "integer",
    unit: "1/s",
    course: "measurement",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "kernel-drops",
    name: "Packets dropped by the kernel",
    node: "mirror",
    ...health("capture", "kernelDrops"),
    type: "integer",
    unit: "#",
    course: "total",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "interface-drops",
    name: "Packets dropped by the interface",
    node: "mirror",
    ...health("capture", "interfaceDrops"),
    type: "integer",
    unit: "#",
    course: "total",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "disk-level",
    name: "Disk",
    node: "disk",
    ...disk("level"),
    type: "enum",
    values: ["ok", "early", "late", "full"],
    deviceClass: "enum",
  },
  {
    kind: "sensor",
    id: "disk-free",
    name: "Disk space free",
    node: "disk",
    ...disk("freeMegabytes"),
    type: "integer",
    unit: "MiB",
    deviceClass: "data_size",
    course: "measurement",
  },
  {
    kind: "sensor",
    id: "disk-days",
    name: "Disk full in",
    node: "disk",
    ...disk("daysLeft"),
    type: "float",
    unit: "d",
    deviceClass: "duration",
    course: "measurement",
  },
  {
    kind: "sensor",
    id: "disk-growth",
    name: "Disk use per day",
    node: "disk",
    ...disk("megabytesPerDay"),
    type: "integer",
    unit: "MiB/d",
    course: "measurement",
    isDiagnostic: true,
  },
  {
    kind: "flag",
    id: "clock-fault",
    name: "Clock",
    node: "box",
    source: "health",
    reading: { of: "is", path: ["clock", "synchronised"], among: [false] },
    deviceClass: "problem",
    labels: ["usable", "not synchronised"],
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "clock-offset",
    name: "Clock offset",
    node: "box",
    ...health("clock", "offsetMs"),
    ...MILLISECONDS,
  },
  {
    kind: "sensor",
    id: "cpu",
    name: "CPU, of one core",
    node: "box",
    ...health("cpuPercent", "box"),
    type: "float",
    unit: "%",
    course: "measurement",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "cpu-engine",
    name: "CPU of capture, of one core",
    node: "box",
    ...health("cpuPercent", "engine"),
    type: "float",
    unit: "%",
    course: "measurement",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "memory",
    name: "Memory available",
    node: "box",
    ...health("memoryMegabytes", "available"),
    type: "integer",
    unit: "MiB",
    deviceClass: "data_size",
    course: "measurement",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "temperature",
    name: "Temperature",
    node: "box",
    ...health("temperatureC"),
    type: "float",
    unit: "°C",
    deviceClass: "temperature",
    course: "measurement",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "delay-service",
    name: "Event-loop delay of the service",
    node: "box",
    ...health("eventLoopDelayMs", "service"),
    ...MILLISECONDS,
  },
  {
    kind: "sensor",
    id: "delay-engine",
    name: "Event-loop delay of capture",
    node: "box",
    ...health("eventLoopDelayMs", "engine"),
    ...MILLISECONDS,
  },
  {
    kind: "sensor",
    id: "started",
    name: "Started",
    node: "box",
    source: "info",
    reading: { of: "value", path: ["startedAt"] },
    type: "datetime",
    deviceClass: "timestamp",
    isDiagnostic: true,
  },
  {
    kind: "sensor",
    id: "version",
    name: "Version",
    node: "box",
    source: "info",
    reading: { of: "value", path: ["version"] },
    type: "string",
    isDiagnostic: true,
  },
];

/** One per alarm of the catalogue: those of least severity are there for whoever wants them. */
export const HOME_ALARMS: readonly HomeFlag[] = ALARM_CODES.map((code) => ({
  kind: "flag",
  id: `alarm-${code}`,
  name: ALARMS[code].title,
  node: "recorder",
  source: "health",
  reading: { of: "holds", path: ["alarms"], among: [code] },
  deviceClass: "problem",
  labels: ["no", "yes"],
  isDiagnostic: true,
  ...(ALARMS[code].severity === "warning" && { isHidden: true }),
}));

export const HOME_BUTTONS: readonly HomeButton[] = [
  { kind: "button", id: "pause-all", name: "Pause all calls", verb: "pause", body: { call: "all", reason: "home" } },
  { kind: "button", id: "resume-all", name: "Resume all calls", verb: "resume", body: { call: "all", reason: "home" } },
  {
    kind: "button",
    id: "check-mirror",
    name: "Check the mirror port",
    verb: "span",
    body: {},
    isDiagnostic: true,
  },
  {
    kind: "button",
    id: "self-test",
    name: "Self-test",
    verb: "self-test",
    body: {},
    isDiagnostic: true,
  },
  {
    kind: "button",
    id: "restart",
    name: "Restart once no call is in progress",
    verb: "restart",
    body: { when: "idle", reason: "home" },
    deviceClass: "restart",
    isDiagnostic: true,
  },
];
