// What the commands about the box answer, as a face shows it: numbers in full, masked or not at all, everything else as it is. An
// address is no number, though it looks like one.
import { parseAddress, parseCidr } from "../base/address.js";
import type { StandingAlarm } from "./alarms.js";
import type { BoxAnswers } from "./box-answers.js";
import type { BoxResult, BoxVerb } from "./box-commands.js";
import { maskNumber, NUMBER_MASK } from "./number-mask.js";
import { NUMBER_MEMBERS, NUMBER_SETTINGS } from "./settable.js";
import { type NumberDisplay, showNumber, withoutNumbers } from "./shown-numbers.js";

/** Digits in a row, as no address has them. */
const DIGITS = /\+?\d{5,}/g;

export function showBoxData(result: BoxResult & { ok: true }, display: NumberDisplay): BoxAnswers[BoxVerb] {
  switch (result.verb) {
    case "recordings":
      return showRecordings(result.data, display);
    case "span":
      return display === "full" ? result.data : showSpan(result.data);
    case "alarms":
      return display === "full" ? result.data : { ...result.data, standing: result.data.standing.map(retainedAlarm) };
    case "configuration":
      return display === "full" || result.data.action === "set"
        ? result.data
        : { ...result.data, settings: showSettings(result.data.settings, display) };
    default:
      return result.data;
  }
}

/** Whoever acknowledged it chose his name himself. */
export function retainedAlarm(alarm: StandingAlarm): StandingAlarm {
  const { acknowledged } = alarm;
  return acknowledged ? { ...alarm, acknowledged: { ...acknowledged, by: withoutNumbers(acknowledged.by) } } : alarm;
}

function showRecordings({ recordings, next }: BoxAnswers["recordings"], display: NumberDisplay) {
  const shown = recordings.map((recording) => ({
    ...recording,
    parties: recording.parties.map(({ number, ...party }) => {
      const seen = showNumber(number ?? "", display);
      return { ...party, ...(seen !== undefined && { number: seen }) };
    }),
  }));
  return { recordings: shown, next };
}

/** Why an address counts as an agent's may be his number. */
function showSpan(report: BoxAnswers["span"]): BoxAnswers["span"] {
  const endpoints = report.endpoints.map((one) => ({ ...one, evidence: one.evidence.replace(DIGITS, maskNumber) }));
  return { ...report, endpoints };
}

type Settings = Extract<BoxAnswers["configuration"], { action: "get" }>["settings"];

function showSettings(settings: Settings, display: NumberDisplay): Settings {
  return Object.fromEntries(
    Object.entries(settings).map(([path, setting]) => [
      path,
      { ...setting, value: showSetting(setting.value, NUMBER_SETTINGS.includes(path), display) },
    ]),
  );
}

/** Of lists only: what a single text can be, its setting says. */
function showSetting(value: unknown, isNumber: boolean, display: NumberDisplay): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((item: unknown) => showItem(item, isNumber, display));
}

function showItem(item: unknown, isNumber: boolean, display: NumberDisplay): unknown {
  if (typeof item === "string") return isAddress(item) ? item : showText(item, isNumber, display);
  if (typeof item !== "object" || item === null) return item;
  return Object.fromEntries(
    Object.entries(item).map(([name, member]: [string, unknown]) => {
      const isOfNumbers = NUMBER_MEMBERS.includes(name);
      if (typeof member === "string") return [name, showText(member, isOfNumbers, display)];
      return [name, showSetting(member, isOfNumbers, display)];
    }),
  );
}

function showText(text: string, isNumber: boolean, display: NumberDisplay): string {
  return isNumber ? (showNumber(text, display) ?? NUMBER_MASK) : withoutNumbers(text);
}

function isAddress(text: string): boolean {
  return parseAddress(text) !== undefined || parseCidr(text) !== undefined;
}
