// `sidetone help`: made from the table of commands.
import { BOX_FLAGS, COMMON_FLAGS, type FlagSpec, type HostCommand } from "./command.js";
import { HOST_EXIT, HOST_EXIT_TEXT } from "./errors.js";

const WIDTH = 28;

/** "sidetone verify FOLDER --public-key FILE [--json]": optional flags in brackets, those of every command left out. */
export function usageLine({ name, arguments: specs = [], flags = {}, isRemote }: HostCommand): string {
  const words = specs.map((spec) => {
    const word = (spec.choices?.join("|") ?? spec.name) + (spec.isRepeatable ? "..." : "");
    return spec.isOptional ? `[${word}]` : word;
  });
  const options = Object.entries(flags).map(([flag, spec]) => {
    const word = spec.isRequired ? flagWord(flag, spec) : `[${flagWord(flag, spec)}]`;
    return spec.isRepeatable ? `${word}...` : word;
  });
  return ["sidetone", name, ...words, ...options, ...(isRemote ? ["[--box NAME]"] : []), "[--json]"].join(" ");
}

/** Lines for the whole tool. */
export function toolHelp(commands: readonly HostCommand[]): string[] {
  return [
    "sidetone: installs, watches and empties Sidetone boxes from another computer.",
    "",
    "usage: sidetone COMMAND ...",
    "",
    ...commands.map(({ name, summary }) => row(name, summary)),
    "",
    "sidetone help COMMAND tells more. --version: of the tool. Every command takes --json.",
    "",
    "exit codes:",
    ...exitNames().map((name) => `  ${String(HOST_EXIT[name]).padStart(3)}  ${HOST_EXIT_TEXT[name]}`),
  ];
}

export function commandHelp(command: HostCommand): string[] {
  const { summary, flags = {}, details = [], isRemote } = command;
  return [
    `usage: ${usageLine(command)}`,
    "",
    `${summary[0]!.toUpperCase()}${summary.slice(1)}.`,
    ...section(flags),
    ...section(COMMON_FLAGS),
    ...(isRemote ? ["", "Which box (else the one that login stored last, or the only one):"] : []),
    ...(isRemote ? flagRows(BOX_FLAGS) : []),
    ...(details.length > 0 ? ["", ...details] : []),
  ];
}

function exitNames(): (keyof typeof HOST_EXIT)[] {
  return Object.keys(HOST_EXIT) as (keyof typeof HOST_EXIT)[];
}

function section(flags: Readonly<Record<string, FlagSpec>>): string[] {
  const rows = flagRows(flags);
  return rows.length === 0 ? [] : ["", ...rows];
}

function flagRows(flags: Readonly<Record<string, FlagSpec>>): string[] {
  return Object.entries(flags).map(([flag, spec]) => {
    const choices = spec.choices ? ` (${spec.choices.join(", ")})` : "";
    return row(flagWord(flag, spec), `${spec.summary}${choices}${spec.isRepeatable ? "; repeatable" : ""}`);
  });
}

/** "--public-key FILE" */
export function flagWord(flag: string, { value }: FlagSpec): string {
  return value === undefined ? `--${flag}` : `--${flag} ${value}`;
}

function row(head: string, text: string): string {
  return `  ${head.padEnd(WIDTH - 2)}${head.length > WIDTH - 4 ? "  " : ""}${text}`;
}
