// The command line of `sidetoned register`: what was asked for, as a value. Refuses what is unknown or does not go
// together in one line. Opens nothing.
import { parseArgs } from "node:util";
import { SidetoneError } from "../base/errors.js";
import { nearest, suggestion } from "../config/nearest.js";
import { plainLine } from "./table.js";

/** `dataFolder`, `configFile`: --data and --config, for whoever finds both. */
export type RegisterCommand = { dataFolder?: string; configFile?: string } & (ConsentAction | AgentsAction);

/** FILE "-" is standard input or output; without `subject` every entry is listed. */
type FileAction<Register> =
  | { register: Register; verb: "import"; file: string }
  | { register: Register; verb: "export"; file: string }
  | { register: Register; verb: "list"; subject?: string };

export interface GrantAction {
  register: "consent";
  verb: "grant";
  number: string;
  purpose: string;
  source: string;
  from?: string;
  to?: string;
  /** Ends the refusals that would beat it. */
  lifts: boolean;
}

/** Without `purpose` for every purpose. */
export interface RevokeAction {
  register: "consent";
  verb: "revoke";
  number: string;
  purpose?: string;
  source: string;
}

export type ConsentAction = FileAction<"consent"> | GrantAction | RevokeAction;
export type AgentsAction =
  | FileAction<"agents">
  | { register: "agents"; verb: "agree"; agent: string; to: string }
  | { register: "agents"; verb: "revoke"; agent: string };

/** For --help: every line ends with a newline. */
export const REGISTER_USAGE = `Usage: sidetoned register consent import FILE|-
       sidetoned register consent export [FILE]
       sidetoned register consent list [NUMBER]
       sidetoned register consent grant NUMBER --purpose P --source TEXT [--from DATE] [--to DATE] [--lift]
       sidetoned register consent revoke NUMBER [--purpose P] --source TEXT
       sidetoned register agents import FILE|-
       sidetoned register agents export [FILE]
       sidetoned register agents list [AGENT]
       sidetoned register agents agree AGENT --to TEXT
       sidetoned register agents revoke AGENT
       each with [--data DIR] [--config FILE]
`;

interface VerbForm {
  /** What its argument is called; in brackets when it may be left out. */
  argument: string;
  /** Flags that it must have, that it may have, and that take no value. */
  required: readonly string[];
  optional: readonly string[];
  switches: readonly string[];
}

const COMMON_FLAGS = ["data", "config"];
const VERBS: Readonly<Record<"consent" | "agents", Readonly<Record<string, VerbForm>>>> = {
  consent: {
    import: form("FILE"),
    export: form("[FILE]"),
    list: form("[NUMBER]"),
    grant: form("NUMBER", ["purpose", "source"], ["from", "to"], ["lift"]),
    revoke: form("NUMBER", ["source"], ["purpose"]),
  },
  agents: {
    import: form("FILE"),
    export: form("[FILE]"),
    list: form("[AGENT]"),
    agree: form("AGENT", ["to"]),
    revoke: form("AGENT"),
  },
};

/** `args`: what follows `register` on the command line. Throws SidetoneError usage with one line. */
export function parseRegisterCommand(args: readonly string[]): RegisterCommand {
  const { positionals, values } = readTokens(args);
  const [name = "", verb = "", argument, extra] = positionals;
  if (name !== "consent" && name !== "agents") throw usage(unknown("register", name, Object.keys(VERBS)));
  const found = Object.hasOwn(VERBS[name], verb) ? VERBS[name][verb] : undefined;
  if (found === undefined) throw usage(unknown(`register ${name}`, verb, Object.keys(VERBS[name])));
  const where = `register ${name} ${verb}`;
  if (extra !== undefined) throw usage(`${printable(extra)}: unexpected argument after ${where} ${found.argument}`);
  const needsArgument = !found.argument.startsWith("[");
  if (needsArgument && (argument ?? "") === "") throw usage(`${where} needs ${found.argument}`);
  checkFlags(where, found, values);

  const common = {
    ...(values.has("data") && { dataFolder: values.get("data")! }),
    ...(values.has("config") && { configFile: values.get("config")! }),
  };
  return { ...common, ...readAction(name, verb, argument, values) };
}

function form(
  argument: string,
  required: readonly string[] = [],
  optional: readonly string[] = [],
  switches: readonly string[] = [],
): VerbForm {
  return { argument, required, optional, switches };
}

/** A switch has the value "". */
type FlagValues = ReadonlyMap<string, string>;

function readTokens(args: readonly string[]): { positionals: string[]; values: FlagValues } {
  const forms = Object.values(VERBS).flatMap((verbs) => Object.values(verbs));
  const switches = forms.flatMap((entry) => entry.switches);
  const names = [...COMMON_FLAGS, ...forms.flatMap((entry) => [...entry.required, ...entry.optional]), ...switches];
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      names.map((name) => [name, { type: switches.includes(name) ? "boolean" : "string" } as const]),
    ),
  });
  const values = new Map<string, string>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    if (!names.includes(token.name)) {
      const near = nearest(token.name, names);
      throw usage(`${printable(token.rawName)}: unknown flag of register${suggestion(near && `--${near}`)}`);
    }
    if (values.has(token.name)) throw usage(`--${token.name} is given twice`);
    values.set(token.name, readValue(token, switches.includes(token.name)));
  }
  return { positionals, values };
}

function readValue(
  token: { name: string; value?: string | undefined; inlineValue?: boolean | undefined },
  isSwitch: boolean,
): string {
  const { name, value } = token;
  if (isSwitch) {
    if (value !== undefined) throw usage(`--${name} takes no value`);
    return "";
  }
  const isNextFlag = value?.startsWith("--") && token.inlineValue !== true;
  if (value === undefined || value === "" || isNextFlag) throw usage(`--${name} needs a value`);
  return value;
}

function unknown(where: string, word: string, words: readonly string[]): string {
  const shown = word === "" ? "" : `${printable(word)}: not one of them${suggestion(nearest(word, words))}; `;
  return `${shown}${where} takes ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function checkFlags(where: string, found: VerbForm, values: FlagValues): void {
  const allowed = [...COMMON_FLAGS, ...found.required, ...found.optional, ...found.switches];
  for (const name of values.keys()) if (!allowed.includes(name)) throw usage(`--${name} does not go with ${where}`);
  const missing = found.required.find((name) => !values.has(name));
  if (missing === undefined) return;
  const all = found.required.map((name) => `--${name} …`).join(" ");
  throw usage(`${where} needs --${missing}: ${where} ${found.argument} ${all}`);
}

function readAction(
  register: "consent" | "agents",
  verb: string,
  argument: string | undefined,
  values: FlagValues,
): ConsentAction | AgentsAction {
  const subject = argument ?? "";
  switch (verb) {
    case "import":
      return { register, verb, file: subject };
    case "export":
      return { register, verb, file: argument ?? "-" };
    case "list":
      return { register, verb, ...(argument !== undefined && { subject }) };
    case "agree":
      return { register: "agents", verb, agent: subject, to: values.get("to")! };
    case "grant":
      return { register: "consent", verb, ...readGrant(subject, values) };
    default:
      if (register === "agents") return { register, verb: "revoke", agent: subject };
      return { register, verb: "revoke", number: subject, source: values.get("source")!, ...given(values, "purpose") };
  }
}

function readGrant(number: string, values: FlagValues): Omit<GrantAction, "register" | "verb"> {
  const [purpose, source] = [values.get("purpose")!, values.get("source")!];
  return { number, purpose, source, ...given(values, "from"), ...given(values, "to"), lifts: values.has("lift") };
}

function given<Name extends string>(values: FlagValues, name: Name): { [Key in Name]?: string } {
  return (values.has(name) ? { [name]: values.get(name) } : {}) as { [Key in Name]?: string };
}

function usage(message: string): SidetoneError {
  return new SidetoneError("usage", message);
}

/** As it may stand in a message: short and on one line. */
function printable(text: string): string {
  return plainLine(text.slice(0, 200));
}
