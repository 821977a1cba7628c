// `sidetoned alarms`: the catalogue of alarms, as a table for people or as JSON. Looks into no data folder: what stands on a box
// is told by MQTT and the API.
import { ALARM_CODES, ALARMS, type AlarmMeaning } from "../contract/alarms.js";
import { readFlags, refuseArgument } from "./command-flags.js";

export interface AlarmsCommand {
  json: boolean;
}

export const ALARMS_USAGE = "sidetoned alarms [--json]: every alarm with its meaning and what to do";

/** `argv` is what follows `alarms`. Throws SidetoneError usage with one line. */
export function parseAlarmsCommand(argv: readonly string[]): AlarmsCommand {
  const { values, positionals } = readFlags(argv, { json: "" }, { command: "alarms" });
  refuseArgument(positionals[0], "alarms");
  return { json: values.has("json") };
}

/** Ends with a newline. */
export function alarmsText({ json }: AlarmsCommand): string {
  if (json) return `${JSON.stringify({ alarms: ALARM_CODES.map((code) => ({ code, ...ALARMS[code] })) }, null, 2)}\n`;
  return ALARM_CODES.map((code) => {
    const { severity, title, meaning, remedy, clears }: AlarmMeaning = ALARMS[code];
    return `${code} (${severity}): ${title}\n  ${meaning}\n  ${remedy}\n  Goes away when ${clears}.\n`;
  }).join("\n");
}

/** The README's table; the README holds exactly this, which a test compares. */
export function alarmsMarkdown(): string {
  const rows = ALARM_CODES.map((code) => {
    const { severity, meaning, remedy }: AlarmMeaning = ALARMS[code];
    return `| \`${code}\` | ${severity} | ${meaning} | ${remedy} |`;
  });
  return ["| alarm | severity | meaning | what to do |", "|---|---|---|---|", ...rows].join("\n");
}
