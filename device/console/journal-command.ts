// `sidetoned journal list | open | remove`: what was asked for, as a value, and what was found, in words or as data. Opens nothing itself.
import {
  COMMON_FLAGS,
  type CommonFlags,
  commonFlags,
  given,
  printable,
  readFlags,
  refuseArgument,
  unknownVerb,
  usage,
} from "./command-flags.js";

export const LOCKED_LIST_SCHEMA = "sidetone.locked-journals/1";
export const OPENED_SCHEMA = "sidetone.opened-journal/1";

export type JournalCommand = CommonFlags &
  (
    | { verb: "list" }
    /** `run`: a run's name, or a run's folder; `out`: the data folder that its recordings go to. */
    | { verb: "open"; run: string; identityFile: string; out: string }
    /** `run`: a run's name; `reason`: why it is not needed any more, for the audit chain. */
    | { verb: "remove"; run: string; reason: string }
  );

/** For --help: every line ends with a newline. */
export const JOURNAL_USAGE = `Usage: sidetoned journal list
       sidetoned journal open RUN|FOLDER --identity FILE --out DIR
       sidetoned journal remove RUN --reason TEXT
       each with [--json] [--data DIR] [--config FILE]
`;

const FLAGS = {
  list: COMMON_FLAGS,
  open: { ...COMMON_FLAGS, identity: "FILE", out: "DIR" },
  remove: { ...COMMON_FLAGS, reason: "TEXT" },
};

/** `argv` is what follows `journal`. Throws SidetoneError usage with one line. */
export function parseJournalCommand(argv: readonly string[]): JournalCommand {
  const verbs = Object.keys(FLAGS) as (keyof typeof FLAGS)[];
  const verb = verbs.find((known) => known === argv[0]);
  if (verb === undefined) throw unknownVerb("journal", argv[0] ?? "", verbs);
  const { values, positionals } = readFlags(argv.slice(1), FLAGS[verb], { command: `journal ${verb}` });
  const common = commonFlags(values);
  const [run, extra] = positionals;
  if (verb === "list") {
    refuseArgument(run, "journal list");
    return { ...common, verb };
  }
  if (verb === "remove") {
    if (run === undefined) throw usage("journal remove needs a run, as journal list shows it");
    refuseArgument(extra, "journal remove RUN");
    const { reason } = given(values, { reason: "reason" });
    if (reason === undefined) throw usage("journal remove needs --reason TEXT: it goes into the audit chain");
    return { ...common, verb, run, reason };
  }
  if (run === undefined) throw usage("journal open needs a run, as journal list shows it, or a run's folder");
  refuseArgument(extra, "journal open RUN");
  const { identityFile, out } = given(values, { identityFile: "identity", out: "out" });
  if (identityFile === undefined) throw usage("journal open needs --identity FILE: a recipient's AGE-SECRET-KEY-1...");
  if (out === undefined) throw usage("journal open needs --out DIR: a data folder for what is in the journal");
  return { ...common, verb, run, identityFile, out };
}

export interface ListedJournal {
  run: string;
  folder: string;
  /** "" when it is not known. */
  lockedAt: string;
  calls: readonly string[];
  bytes: number;
}

export function formatJournals(journals: readonly ListedJournal[], isJson: boolean): string {
  if (isJson) return `${JSON.stringify({ schema: LOCKED_LIST_SCHEMA, journals })}\n`;
  if (journals.length === 0) return "No journal is locked.\n";
  return journals
    .map(({ run, lockedAt, calls, bytes }) => {
      const since = lockedAt === "" ? "" : `  since ${lockedAt.slice(0, 19)}Z`;
      return `${printable(run)}  ${calls.length} calls  ${bytes} bytes${since}\n`;
    })
    .join("");
}

export interface OpenedJournal {
  run: string;
  out: string;
  /** Paths below `out`, and calls that left no audio. */
  recordings: readonly string[];
  withoutAudio: number;
  failed: number;
}

export function formatOpened(opened: OpenedJournal, isJson: boolean): string {
  if (isJson) return `${JSON.stringify({ schema: OPENED_SCHEMA, ...opened })}\n`;
  const { run, out, recordings, withoutAudio, failed } = opened;
  const rest = [
    ...(withoutAudio > 0 ? [`${withoutAudio} calls without audio`] : []),
    ...(failed > 0 ? [`${failed} calls that could not be stored`] : []),
  ];
  const head = [`${recordings.length} recordings`, ...rest].join(", ");
  return `Run ${printable(run)}: ${head}, in ${printable(out)}\n${recordings.map((file) => `  ${file}\n`).join("")}`;
}

/** `isAccepted`: the audit chain has it. */
export function formatRemoved(run: string, isAccepted: boolean, isJson: boolean): string {
  if (isJson) return `${JSON.stringify({ run, isRemoved: isAccepted })}\n`;
  if (isAccepted) return `Run ${printable(run)} is removed\n`;
  return `Run ${printable(run)} is not removed: no service has entered it in the audit chain; try again\n`;
}
