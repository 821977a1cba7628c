// The words behind `sidetone COMMAND` as values, and what is wrong with them in one line. Knows commands by their table only.
import { parseArgs } from "node:util";
import { nearest, suggestion } from "../device/base/nearest.js";
import { type FlagSpec, flagsOf, type Given, type HostCommand } from "./command.js";
import { usageError } from "./errors.js";
import { flagWord, usageLine } from "./help.js";
import { safeText } from "./safe-text.js";

const SHOWN_CHARACTERS = 200;

/** Throws HostError usage. `--help` is taken with whatever else there is. */
export function parseCommandLine(command: HostCommand, argv: readonly string[]): Given {
  const flags = flagsOf(command);
  // Not `strict`: its errors name neither the nearest flag nor the values. The tokens tell all that it knows.
  const { tokens, positionals } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(Object.entries(flags).map(([name, spec]) => [name, optionOf(name, spec)])),
  });
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const spec = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined;
    if (spec === undefined) throw unknownFlag(command, token.rawName, Object.keys(flags));
    const earlier = values.get(token.name) ?? [];
    values.set(token.name, earlier);
    const value = readValue(token.name, spec, token.value, token.inlineValue === true);
    if (value === undefined) continue;
    if (earlier.length > 0 && !spec.isRepeatable) throw usageError(`--${token.name} is given twice`);
    earlier.push(value);
  }
  if (!values.has("help")) {
    checkArguments(command, positionals);
    for (const [name, spec] of Object.entries(flags))
      if (spec.isRequired && !values.has(name)) throw missing(command, flagWord(name, spec));
  }
  return {
    arguments: positionals,
    has: (flag) => values.has(flag),
    text: (flag) => values.get(flag)?.[0],
    texts: (flag) => values.get(flag) ?? [],
  };
}

/** Whole numbers within bounds. Throws HostError usage. */
export function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || value < least || value > most)
    throw usageError(`--${flag} ${shown(text)}: a whole number from ${least} to ${most}`);
  return value;
}

export function unknownCommand(word: string, names: readonly string[]): Error {
  const hint = suggestion(nearest(word, names)) || "; sidetone help lists all";
  return usageError(`${shown(word)}: unknown command${hint}`);
}

function optionOf(name: string, { value }: FlagSpec): { type: "boolean" | "string"; short?: string } {
  return { type: value === undefined ? "boolean" : "string", ...(name === "help" && { short: "h" }) };
}

function readValue(name: string, spec: FlagSpec, value: string | undefined, isInline: boolean): string | undefined {
  if (spec.value === undefined) {
    if (value !== undefined) throw usageError(`--${name} takes no value`);
    return undefined;
  }
  if (!value || (!isInline && /^--/.test(value))) throw usageError(`--${name} needs a value: --${name} ${spec.value}`);
  if (spec.choices && !spec.choices.includes(value)) throw notOneOf(`--${name} `, value, spec.choices);
  return value;
}

function checkArguments(command: HostCommand, given: readonly string[]): void {
  const specs = command.arguments ?? [];
  for (const [i, spec] of specs.entries()) {
    const values = spec.isRepeatable ? given.slice(i) : given.slice(i, i + 1);
    if (values.length === 0 && !spec.isOptional) throw missing(command, spec.name);
    for (const value of values)
      if (spec.choices && !spec.choices.includes(value)) throw notOneOf("", value, spec.choices);
  }
  const extra = specs.at(-1)?.isRepeatable ? undefined : given[specs.length];
  if (extra !== undefined) throw usageError(`${shown(extra)}: unexpected argument; usage: ${usageLine(command)}`);
}

function missing(command: HostCommand, what: string): Error {
  return usageError(`${what} is missing; usage: ${usageLine(command)}`);
}

function notOneOf(where: string, value: string, choices: readonly string[]): Error {
  return usageError(`${where}${shown(value)}: not one of ${choices.join(", ")}${suggestion(nearest(value, choices))}`);
}

function unknownFlag(command: HostCommand, rawName: string, names: readonly string[]): Error {
  const near = nearest(rawName.replace(/^-+/, ""), names);
  const hint = near === undefined ? `; sidetone help ${command.name} lists all` : suggestion(`--${near}`);
  return usageError(`${shown(rawName)}: unknown flag of ${command.name}${hint}`);
}

function shown(text: string): string {
  return safeText(text, SHOWN_CHARACTERS);
}
