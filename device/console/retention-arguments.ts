// `sidetoned retention | delete | erase | export | hold`: what was asked for, as a value. Refuses in one line what is unknown or lacks.
import { type CallId, isCallId } from "../base/ids.js";
import {
  COMMON_FLAGS,
  type CommonFlags,
  commonFlags,
  type FlagValues,
  given,
  printable,
  readFlags,
  readTime,
  refuseArgument,
  unknownVerb,
  usage,
} from "./command-flags.js";

export type HoldCoverArgument = { call: CallId } | { number: string } | { from: string; to: string };

export type RetentionCommand = CommonFlags &
  (
    | { verb: "retention"; showsAll: boolean }
    | { verb: "delete"; call: CallId; reason: string; overridesMinimum: boolean }
    | {
        verb: "erase";
        number: string;
        reason: string;
        isDryRun: boolean;
        isConfirmed: boolean;
        overridesMinimum: boolean;
        forgetsRefusals: boolean;
      }
    | { verb: "export"; number: string; reason: string; file: string; isDryRun: boolean }
    | { verb: "hold add"; covers: HoldCoverArgument; reason: string }
    | { verb: "hold remove"; id: CallId; reason: string }
    | { verb: "hold list" }
  );

/** For --help: every line ends with a newline. */
export const RETENTION_USAGE = `Usage: sidetoned retention [--dry-run] [--all]: what would go, and why the rest stays; it deletes nothing
       sidetoned delete ID --reason TEXT [--override-minimum]
       sidetoned erase --number NUMBER --reason TEXT [--dry-run] [--yes] [--override-minimum] [--forget-refusals]
       sidetoned export --number NUMBER --reason TEXT --out FILE.tar [--dry-run]: all that is there about a number
       sidetoned hold add (--call ID | --number NUMBER | --from TIME --to TIME) --reason TEXT
       sidetoned hold remove HOLD --reason TEXT
       sidetoned hold list
       each with [--json] [--data DIR] [--config FILE]
`;

const OVERRIDE = "override-minimum";
const HOLD_VERBS = ["add", "remove", "list"] as const;
const MAX_REASON_CHARACTERS = 256;

export function isRetentionCommand(word: string | undefined): boolean {
  return ["retention", "delete", "erase", "export", "hold"].includes(word ?? "");
}

/** `argv` begins with the command's own word. Throws SidetoneError usage with one line. */
export function parseRetentionCommand(argv: readonly string[]): RetentionCommand {
  const [word, ...rest] = argv;
  switch (word) {
    case "retention":
      return parseRetention(rest);
    case "delete":
      return parseDelete(rest);
    case "erase":
      return parseErase(rest);
    case "export":
      return parseExport(rest);
    default:
      return parseHold(rest);
  }
}

function parseRetention(argv: readonly string[]): RetentionCommand {
  const flags = { ...COMMON_FLAGS, "dry-run": "", all: "" };
  const { values, positionals } = readFlags(argv, flags, { command: "retention" });
  refuseArgument(positionals[0], "retention");
  return { ...commonFlags(values), verb: "retention", showsAll: values.has("all") };
}

function parseDelete(argv: readonly string[]): RetentionCommand {
  const flags = { ...COMMON_FLAGS, reason: "TEXT", [OVERRIDE]: "" };
  const { values, positionals } = readFlags(argv, flags, { command: "delete" });
  const [id, extra] = positionals;
  if (id === undefined) throw usage("delete needs the id of a recording: sidetoned delete ID --reason TEXT");
  refuseArgument(extra, "delete ID");
  const reason = readReason(values, "delete ID");
  return { ...commonFlags(values), verb: "delete", call: readId(id), reason, overridesMinimum: values.has(OVERRIDE) };
}

function parseErase(argv: readonly string[]): RetentionCommand {
  const flags = {
    ...COMMON_FLAGS,
    number: "NUMBER",
    reason: "TEXT",
    "dry-run": "",
    yes: "",
    [OVERRIDE]: "",
    "forget-refusals": "",
  };
  const { values, positionals } = readFlags(argv, flags, { command: "erase" });
  refuseArgument(positionals[0], "erase");
  const { number } = given(values, { number: "number" });
  if (number === undefined) throw usage("erase needs a number: sidetoned erase --number NUMBER --reason TEXT");
  const isDryRun = values.has("dry-run");
  return {
    ...commonFlags(values),
    verb: "erase",
    number: readNumber(number),
    reason: isDryRun ? "" : readReason(values, "erase"),
    isDryRun,
    isConfirmed: values.has("yes"),
    overridesMinimum: values.has(OVERRIDE),
    forgetsRefusals: values.has("forget-refusals"),
  };
}

function parseExport(argv: readonly string[]): RetentionCommand {
  const flags = { ...COMMON_FLAGS, number: "NUMBER", reason: "TEXT", out: "FILE", "dry-run": "" };
  const { values, positionals } = readFlags(argv, flags, { command: "export" });
  refuseArgument(positionals[0], "export");
  const { number, out } = given(values, { number: "number", out: "out" });
  const isDryRun = values.has("dry-run");
  if (number === undefined || (out === undefined && !isDryRun)) {
    const what = number === undefined ? "a number" : "a file to write";
    throw usage(`export needs ${what}: sidetoned export --number NUMBER --reason TEXT --out FILE.tar`);
  }
  return {
    ...commonFlags(values),
    verb: "export",
    number: readNumber(number),
    reason: isDryRun ? "" : readReason(values, "export"),
    file: out ?? "",
    isDryRun,
  };
}

function parseHold(argv: readonly string[]): RetentionCommand {
  const verb = HOLD_VERBS.find((known) => known === argv[0]);
  if (verb === undefined) throw unknownVerb("hold", argv[0] ?? "", HOLD_VERBS);
  const flags = {
    add: { ...COMMON_FLAGS, call: "ID", number: "NUMBER", from: "TIME", to: "TIME", reason: "TEXT" },
    remove: { ...COMMON_FLAGS, reason: "TEXT" },
    list: COMMON_FLAGS,
  }[verb];
  const { values, positionals } = readFlags(argv.slice(1), flags, { command: `hold ${verb}` });
  const common = commonFlags(values);
  if (verb === "remove") {
    const [id, extra] = positionals;
    if (id === undefined) throw usage("hold remove needs the id of a hold: sidetoned hold list shows them");
    refuseArgument(extra, "hold remove HOLD");
    return { ...common, verb: "hold remove", id: readId(id), reason: readReason(values, "hold remove") };
  }
  refuseArgument(positionals[0], `hold ${verb}`);
  if (verb === "list") return { ...common, verb: "hold list" };
  return { ...common, verb: "hold add", covers: readCover(values), reason: readReason(values, "hold add") };
}

function readCover(values: FlagValues): HoldCoverArgument {
  const { call, number, from, to } = given(values, { call: "call", number: "number", from: "from", to: "to" });
  const isTime = from !== undefined || to !== undefined;
  if ([call !== undefined, number !== undefined, isTime].filter(Boolean).length !== 1)
    throw usage("hold add needs one of --call ID, --number NUMBER, --from TIME --to TIME");
  if (call !== undefined) return { call: readId(call) };
  if (number !== undefined) return { number: readNumber(number) };
  if (from === undefined || to === undefined)
    throw usage("hold add --from TIME needs --to TIME, and the other way round");
  const times = { from: readTime("--from", from, "start"), to: readTime("--to", to, "end") };
  if (times.from > times.to) throw usage(`--to ${printable(to)} is before --from ${printable(from)}`);
  return times;
}

function readReason(values: FlagValues, command: string): string {
  const reason = given(values, { reason: "reason" }).reason?.trim() ?? "";
  if (reason === "") throw usage(`${command} needs a reason, which the audit chain keeps: --reason TEXT`);
  if (reason.length > MAX_REASON_CHARACTERS) throw usage(`--reason is longer than ${MAX_REASON_CHARACTERS} characters`);
  return reason;
}

function readNumber(text: string): string {
  const number = text.trim();
  if (number === "" || number.length > 64) throw usage("--number: a number has 1 to 64 characters");
  return number;
}

function readId(text: string): CallId {
  const id = text.toUpperCase();
  if (!isCallId(id)) throw usage(`${printable(text)}: not an id (26 characters)`);
  return id;
}
