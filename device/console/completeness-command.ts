// `sidetoned completeness`: what was asked for, as a value, and the report in words or as data.
import { EXIT, type ExitCode } from "../base/errors.js";
import {
  COMPLETENESS_SCHEMA,
  type CompletenessPeriod,
  type CompletenessReport,
  MISSING_KINDS,
  type MissingReason,
} from "../contract/completeness.js";
import { type CompletenessQuestion, countCompleteness } from "../store/completeness.js";
import {
  COMMON_FLAGS,
  type CommonFlags,
  commonFlags,
  given,
  oneOf,
  readFlags,
  readTime,
  refuseArgument,
  usage,
} from "./command-flags.js";
import { formatTable } from "./table.js";
import { NO_AUDIO_TEXT } from "./text.js";

const DEFAULT_DAYS = 7;
const MS_PER_DAY = 86_400_000;
const PERIODS = ["day", "hour"] as const;

export type CompletenessCommand = CommonFlags & CompletenessQuestion;

/** For --help: every line ends with a newline. */
export const COMPLETENESS_USAGE = `Usage: sidetoned completeness [--from TIME] [--to TIME] [--by day|hour] [--json] [--data DIR] [--config FILE]
       calls seen against recordings made, with the reason of each one missing; the last week by default
`;

/** `argv` is what follows `completeness`. Throws SidetoneError usage with one line. */
export function parseCompletenessCommand(argv: readonly string[], nowMs: number): CompletenessCommand {
  const { values, positionals } = readFlags(
    argv,
    { ...COMMON_FLAGS, from: "TIME", to: "TIME", by: "PERIOD" },
    { command: "completeness" },
  );
  refuseArgument(positionals[0], "completeness");
  const { from, to, by = "day" } = given(values, { from: "from", to: "to", by: "by" });
  const weekAgo = new Date(nowMs - (DEFAULT_DAYS - 1) * MS_PER_DAY).toISOString().slice(0, 10);
  const question = {
    from: readTime("--from", from ?? weekAgo, "start"),
    to: to === undefined ? new Date(nowMs + MS_PER_DAY).toISOString() : readTime("--to", to, "end"),
    by: oneOf("--by ", by, PERIODS),
  };
  if (question.from > question.to) throw usage("--from is later than --to");
  return { ...commonFlags(values), ...question };
}

/** 5 while something is missing that somebody has to mend. */
export async function runCompletenessCommand(
  command: CompletenessCommand,
  dataFolder: string,
  write: (text: string) => void,
): Promise<ExitCode> {
  const report = await countCompleteness(dataFolder, command);
  write(formatCompleteness(report, command));
  return report.faults > 0 ? EXIT.unproved : EXIT.ok;
}

/** Ends with a newline. */
export function formatCompleteness(report: CompletenessReport, { json, from, to, by }: CompletenessCommand): string {
  if (json) return `${JSON.stringify({ schema: COMPLETENESS_SCHEMA, from, to, by, ...report })}\n`;
  const { periods, total, faults, badLines } = report;
  if (total.seen === 0) return `No call began from ${from.slice(0, 16)} to ${to.slice(0, 16)} UTC.\n`;
  const columns = [by, "seen", "recorded", "nothing to record", "not wanted", "missing"].map(
    (title, index) => ({ title, align: index === 0 ? "left" : "right" }) as const,
  );
  const rows = [...periods, { period: "all", ...total }].map((one) => [
    one.period,
    ...[one.seen, one.recorded, ofKind(one, "none"), ofKind(one, "wanted"), ofKind(one, "fault")].map(String),
  ]);
  const reasons = (Object.entries(total.missing) as [MissingReason, number][])
    .filter(([reason]) => MISSING_KINDS[reason] === "fault")
    .toSorted(([, a], [, b]) => b - a)
    .map(([reason, calls]) => `${String(calls).padStart(6)}  ${reason}: ${remedyOf(reason)}`);
  const end = faults === 0 ? ["Nothing is missing."] : [`Missing, and why:`, ...reasons];
  const bad = badLines === 0 ? [] : [`${badLines} lines of the call log cannot be read.`];
  return `${[...formatTable(columns, rows), "", ...end, ...bad].join("\n")}\n`;
}

function ofKind({ missing }: Pick<CompletenessPeriod, "missing">, kind: string): number {
  return (Object.entries(missing) as [MissingReason, number][])
    .filter(([reason]) => MISSING_KINDS[reason] === kind)
    .reduce((sum, [, calls]) => sum + calls, 0);
}

function remedyOf(reason: MissingReason): string {
  if (reason === "file-missing")
    return "the recording's file is gone and nobody deleted it here; sidetoned verify says what else is";
  return reason === "deleted" ? "deleted" : NO_AUDIO_TEXT[reason].sentence;
}
