// What the panel's four LEDs mean: one table of which the page in hardware/PANEL.md is made, and the rules that choose the
// colours.
import type { AlarmCode } from "../contract/alarms.js";
import { PANEL_KEYS, type PanelKey } from "../contract/panel.js";
import type { LedColour } from "./frame.js";
import type { PanelSnapshot } from "./snapshot.js";

export const LEDS = ["health", "capture", "recording", "alarm"] as const;
export type LedName = (typeof LEDS)[number];

/** Top to bottom. All of them off: the box is off, or the service is not running. */
export const LED_MEANINGS: Readonly<Record<LedName, Readonly<Record<Exclude<LedColour, "off">, string>>>> = {
  health: {
    green: "the service runs and its capture process reports",
    amber: "the service is starting, waits for the disk, or is about to end",
    red: "the capture process does not report",
  },
  capture: {
    green: "every check of the mirror port passes",
    amber: "a check warns, or has not seen enough yet",
    red: "a check fails: calls, or sides of calls, are not seen",
  },
  recording: {
    green: "what policy and consent allow is recorded",
    amber: "all recording is paused, or nobody is known as an agent",
    red: "nothing new can be recorded",
  },
  alarm: {
    green: "no alarm stands",
    amber: "an alarm stands that is a warning, or that somebody has acknowledged",
    red: "an alarm stands that nobody has acknowledged",
  },
};

export const KEY_MEANINGS: Readonly<Record<PanelKey, string>> = {
  left: "the screen before",
  right: "the next screen",
  up: "scroll up; at the top, on a panel without left and right, the screen before",
  down: "scroll down; at the end, on a panel without left and right, the next screen",
  enter: "what the screen offers: acknowledge an alarm, show the first token",
  exit: "back to the first screen; leaves a question unanswered",
};

/** While one of these stands nothing new is recorded. */
const STOPS_RECORDING: readonly AlarmCode[] = [
  "disk-full",
  "disk-read-only",
  "disk-failing",
  "encryption-failed",
  "engine-lost",
];

export type RecordingState = "starting" | "on" | "paused" | "off" | "stopping";

export function recordingState({ engine, alarms, isPaused }: PanelSnapshot): RecordingState {
  if (engine === "stopping") return "stopping";
  if (engine === "silent" || alarms.some(({ code }) => STOPS_RECORDING.includes(code))) return "off";
  if (engine === "starting") return "starting";
  return isPaused ? "paused" : "on";
}

export function ledsOf(snapshot: PanelSnapshot): LedColour[] {
  return [healthLed(snapshot), captureLed(snapshot), recordingLed(snapshot), alarmLed(snapshot)];
}

function healthLed({ engine }: PanelSnapshot): LedColour {
  if (engine === "silent") return "red";
  return engine === "reporting" ? "green" : "amber";
}

function captureLed({ span, engine }: PanelSnapshot): LedColour {
  if (engine === "silent" || span?.state === "fail") return "red";
  return span?.state === "pass" ? "green" : "amber";
}

function recordingLed(snapshot: PanelSnapshot): LedColour {
  const state = recordingState(snapshot);
  if (state === "off" || state === "stopping") return "red";
  return state === "on" && !snapshot.alarms.some(({ code }) => code === "no-agents") ? "green" : "amber";
}

function alarmLed({ alarms }: PanelSnapshot): LedColour {
  if (alarms.length === 0) return "green";
  return alarms.some(({ severity, acknowledged }) => severity !== "warning" && acknowledged === undefined)
    ? "red"
    : "amber";
}

/** The tables of hardware/PANEL.md, which holds exactly this; a test compares. */
export function panelMarkdown(): string {
  const leds = LEDS.map((led) => {
    const { green, amber, red } = LED_MEANINGS[led];
    return `| ${led} | ${green} | ${amber} | ${red} |`;
  });
  const keys = PANEL_KEYS.map((key) => `| ${key} | ${KEY_MEANINGS[key]} |`);
  return [
    ["| LED, top to bottom | green | amber | red |", "|---|---|---|---|", ...leds].join("\n"),
    ["| key | what it does |", "|---|---|", ...keys].join("\n"),
  ].join("\n\n");
}
