// Flags and arguments of the command line as values, and the words in which they are refused, one line each. Knows no
// command and opens nothing.
import { parseArgs } from "node:util";
import { SidetoneError } from "../base/errors.js";
import { nearest, suggestion } from "../base/nearest.js";
import { splitList } from "../config/environment.js";
import { plainLine } from "./table.js";

/** By flag name; a flag that takes no value has []. */
export type FlagValues = ReadonlyMap<string, readonly string[]>;

/** What each flag's value is called, "" for none. */
export type FlagForms = Readonly<Record<string, string>>;

interface FlagRules {
  /** Whose flags they are, where others have more. */
  command?: string;
  repeatable?: readonly string[];
  /** What begins so behind a flag is the next flag; as a value it is written behind "=". */
  nextFlag?: RegExp;
}

/** Of every command beside the service that looks into its data folder. */
export interface SettingsFlags {
  dataFolder?: string;
  configFile?: string;
}
export interface CommonFlags extends SettingsFlags {
  json: boolean;
}
export const SETTINGS_FLAGS = { data: "DIR", config: "FILE" };
const TIME_PATTERN = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?Z?$/;
export const COMMON_FLAGS = { json: "", ...SETTINGS_FLAGS };

/** Throws SidetoneError usage. */
export function readFlags(
  argv: readonly string[],
  flags: FlagForms,
  { command, repeatable = [], nextFlag = /^-/ }: FlagRules = {},
): { values: Map<string, string[]>; positionals: string[] } {
  // Not `strict`: its errors name neither the nearest flag nor our values. The tokens tell all that it knows.
  const { tokens, positionals } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(flags).map(([name, form]) => [
        name,
        { type: form === "" ? "boolean" : "string", ...(name === "help" && { short: "h" }) } as const,
      ]),
    ),
  });
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const { name, value } = token;
    const form = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (form === undefined) throw usage(unknownFlag(token.rawName, flags, command));
    const earlier = values.get(name) ?? [];
    if (values.has(name) && !repeatable.includes(name)) throw usage(`--${name} is given twice`);
    if (form === "" && value !== undefined) throw usage(`--${name} takes no value`);
    const isNextFlag = token.inlineValue !== true && value !== undefined && nextFlag.test(value);
    if (form !== "" && (!value || isNextFlag)) throw usage(`--${name} needs a value: --${name} ${form}`);
    if (value !== undefined) earlier.push(value);
    values.set(name, earlier);
  }
  return { values, positionals };
}

/** By `flagOf` each key the value of its flag; without those that were not given. */
export function given<Key extends string>(
  values: FlagValues,
  flagOf: Readonly<Record<Key, string>>,
): { [K in Key]?: string } {
  const found: { [K in Key]?: string } = {};
  for (const key of Object.keys(flagOf) as Key[]) {
    const value = values.get(flagOf[key])?.[0];
    if (value !== undefined) found[key] = value;
  }
  return found;
}

export function settingsFlags(values: FlagValues): SettingsFlags {
  return given(values, { dataFolder: "data", configFile: "config" });
}

export function commonFlags(values: FlagValues): CommonFlags {
  return { json: values.has("json"), ...settingsFlags(values) };
}

/** The choice that `text` is; `where` stands before it in a refusal. */
export function oneOf<Choice extends string>(where: string, text: string, choices: readonly Choice[]): Choice {
  const known = choices.find((choice) => choice === text);
  if (known !== undefined) return known;
  throw usage(`${where}${printable(text)}: not one of ${choices.join(", ")}${suggestion(nearest(text, choices))}`);
}

/** The list behind --agents. Throws SidetoneError usage. */
export function readAgents(text: string): string[] {
  const list = splitList(text);
  if (list.length === 0) throw usage("--agents needs a value: --agents LIST, for example 10.0.0.0/24,21");
  return list;
}

/** A day alone begins at midnight and ends with its last moment, UTC. ISO 8601. */
export function readTime(flag: string, text: string, edge: "start" | "end"): string {
  const isDay = text.length === "2026-11-21".length;
  const at = Date.parse(
    isDay ? `${text}T${edge === "start" ? "00:00:00.000" : "23:59:59.999"}Z` : `${text.replace(/Z$/, "")}Z`,
  );
  if (!TIME_PATTERN.test(text) || !Number.isFinite(at))
    throw usage(`${flag} ${printable(text)}: a time is 2026-11-21 or 2026-11-21T09:00 (UTC)`);
  return new Date(at).toISOString();
}

export function refuseOtherFlags(values: FlagValues, allowed: readonly string[], command: string): void {
  for (const name of values.keys()) if (!allowed.includes(name)) throw usage(`--${name} does not go with ${command}`);
}

/** `extra`: the argument behind the last one that `command` takes. */
export function refuseArgument(extra: string | undefined, command: string): void {
  if (extra !== undefined) throw usage(`${printable(extra)}: unexpected argument after ${command}`);
}

export function unknownVerb(command: string, word: string, verbs: readonly string[]): SidetoneError {
  const all = verbs.map((verb) => `${command} ${verb}`).join(", ");
  return usage(`${command} ${printable(word)}: the commands are ${all}${suggestion(nearest(word, verbs))}`);
}

export function usage(message: string): SidetoneError {
  return new SidetoneError("usage", message);
}

/** As it may stand in a message: short and on one line. */
export function printable(text: string): string {
  return plainLine(text.slice(0, 200));
}

function unknownFlag(rawName: string, flags: FlagForms, command: string | undefined): string {
  const near = nearest(rawName.replace(/^-+/, ""), Object.keys(flags));
  const whose = command === undefined ? "" : ` of ${command}`;
  const hint = near === undefined && command === undefined ? "; --help lists all" : suggestion(near && `--${near}`);
  return `${printable(rawName)}: unknown flag${whose}${hint}`;
}
