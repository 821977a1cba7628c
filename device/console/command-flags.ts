// Flags and arguments of a command beside the service, as values. Refuses what is unknown in one line. Opens nothing.
import { parseArgs } from "node:util";
import { SidetoneError } from "../base/errors.js";
import { nearest, suggestion } from "../config/nearest.js";
import { plainLine } from "./table.js";

export interface CommandWords {
  /** Values by flag name; that of a flag which takes none is "". */
  values: Map<string, string>;
  positionals: string[];
}

/** `flags`: what its value is called by each flag's name, "" for none. Throws SidetoneError usage. */
export function readCommandWords(argv: readonly string[], flags: Readonly<Record<string, string>>): CommandWords {
  const { tokens, positionals } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(flags).map(([name, value]) => [name, { type: value === "" ? "boolean" : "string" } as const]),
    ),
  });
  const values = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const value = flags[token.name];
    if (value === undefined) throw usage(unknownFlag(token.rawName, Object.keys(flags)));
    if (values.has(token.name)) throw usage(`--${token.name} is given twice`);
    values.set(token.name, value === "" ? withoutValue(token) : withValue(token, value));
  }
  return { values, positionals };
}

export function usage(message: string): SidetoneError {
  return new SidetoneError("usage", message);
}

/** As it may stand in a message: short and on one line. */
export function printable(text: string): string {
  return plainLine(text.slice(0, 200));
}

interface OptionToken {
  name: string;
  value?: string | undefined;
  inlineValue?: boolean | undefined;
}

function withoutValue({ name, value }: OptionToken): string {
  if (value !== undefined) throw usage(`--${name} takes no value`);
  return "";
}

function withValue({ name, value, inlineValue }: OptionToken, what: string): string {
  const isNextFlag = value?.startsWith("-") === true && inlineValue !== true;
  if (value === undefined || value === "" || isNextFlag) throw usage(`--${name} needs a value: --${name} ${what}`);
  return value;
}

function unknownFlag(rawName: string, names: readonly string[]): string {
  const near = nearest(rawName.replace(/^-+/, ""), names);
  return `${printable(rawName)}: unknown flag${suggestion(near && `--${near}`)}`;
}
