// The command line of `sidetoned register`: what was asked for, as a value. Refuses what is unknown or does not go
// together in one line. Opens nothing.
import { nearest, suggestion } from "../base/nearest.js";
import {
  type FlagValues,
  given,
  printable,
  readFlags,
  refuseArgument,
  refuseOtherFlags,
  SETTINGS_FLAGS,
  type SettingsFlags,
  settingsFlags,
  usage,
} from "./command-flags.js";

export type RegisterCommand = SettingsFlags & (ConsentAction | AgentsAction);

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
  /** Flags that it must have, and that it may have. */
  required: readonly string[];
  optional: readonly string[];
}

const FLAGS = { ...SETTINGS_FLAGS, purpose: "P", source: "TEXT", from: "DATE", to: "DATE|TEXT", lift: "" };
const VERBS: Readonly<Record<"consent" | "agents", Readonly<Record<string, VerbForm>>>> = {
  consent: {
    import: form("FILE"),
    export: form("[FILE]"),
    list: form("[NUMBER]"),
    grant: form("NUMBER", ["purpose", "source"], ["from", "to", "lift"]),
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
  const { positionals, values } = readFlags(args, FLAGS, {
    command: "register",
    // A text may begin with a dash.
    nextFlag: /^--/,
  });
  const [name = "", verb = "", argument, extra] = positionals;
  if (name !== "consent" && name !== "agents") throw usage(unknown("register", name, Object.keys(VERBS)));
  const found = Object.hasOwn(VERBS[name], verb) ? VERBS[name][verb] : undefined;
  if (found === undefined) throw usage(unknown(`register ${name}`, verb, Object.keys(VERBS[name])));
  const where = `register ${name} ${verb}`;
  refuseArgument(extra, `${where} ${found.argument}`);
  const needsArgument = !found.argument.startsWith("[");
  if (needsArgument && (argument ?? "") === "") throw usage(`${where} needs ${found.argument}`);
  checkFlags(where, found, values);
  return { ...settingsFlags(values), ...readAction(name, verb, argument, values) };
}

function form(argument: string, required: readonly string[] = [], optional: readonly string[] = []): VerbForm {
  return { argument, required, optional };
}

function unknown(where: string, word: string, words: readonly string[]): string {
  const shown = word === "" ? "" : `${printable(word)}: not one of them${suggestion(nearest(word, words))}; `;
  return `${shown}${where} takes ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function checkFlags(where: string, found: VerbForm, values: FlagValues): void {
  refuseOtherFlags(values, [...Object.keys(SETTINGS_FLAGS), ...found.required, ...found.optional], where);
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
      return { register: "agents", verb, agent: subject, to: required(values, "to") };
    case "grant":
      return { register: "consent", verb, ...readGrant(subject, values) };
    default:
      if (register === "agents") return { register, verb: "revoke", agent: subject };
      return {
        register,
        verb: "revoke",
        number: subject,
        source: required(values, "source"),
        ...given(values, { purpose: "purpose" }),
      };
  }
}

function readGrant(number: string, values: FlagValues): Omit<GrantAction, "register" | "verb"> {
  const [purpose, source] = [required(values, "purpose"), required(values, "source")];
  return { number, purpose, source, ...given(values, { from: "from", to: "to" }), lifts: values.has("lift") };
}

/** The value of a flag that checkFlags did not miss. */
function required(values: FlagValues, name: string): string {
  return values.get(name)![0]!;
}
