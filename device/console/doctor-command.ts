// `sidetoned doctor`: what was asked for, as a value, and the doctor's report in words for an installer or as data. Opens nothing.
import { EXIT, type ExitCode } from "../base/errors.js";
import { SPAN_CHECKS, SPAN_FAULTS, type SpanCheck, type SpanFaultCode, type SpanReport } from "../contract/span.js";
import {
  COMMON_FLAGS,
  type CommonFlags,
  commonFlags,
  given,
  readAgents,
  readFlags,
  refuseArgument,
  usage,
} from "./command-flags.js";
import { formatTable, plainLine } from "./table.js";

export const DOCTOR_SCHEMA = "sidetone.span/1";
const DEFAULT_SECONDS = 60;
const MAX_SECONDS = 3600;

export type DoctorCommand = CommonFlags &
  (
    | { verb: "ask" }
    /** Looks itself, beside a service or without one; records nothing. */
    | { verb: "look"; interfaces: string[]; seconds: number; agents?: string[] }
    | { verb: "read"; paths: string[]; agents?: string[] }
  );

/** For --help: every line ends with a newline. */
export const DOCTOR_USAGE = `Usage: sidetoned doctor                                   what the running service sees on its mirror port
       sidetoned doctor --interface NAME [--for SECONDS]  looks itself, and records nothing
       sidetoned doctor --read FILE                       the same with a capture
       each with [--json] [--data DIR] [--config FILE], the last two with [--agents LIST]
`;

const FLAGS = { ...COMMON_FLAGS, interface: "NAME", read: "FILE", for: "SECONDS", agents: "LIST" };

/** `argv` is what follows `doctor`. Throws SidetoneError usage with one line. */
export function parseDoctorCommand(argv: readonly string[]): DoctorCommand {
  const { values, positionals } = readFlags(argv, FLAGS, { command: "doctor", repeatable: ["interface", "read"] });
  refuseArgument(positionals[0], "doctor");
  const common = commonFlags(values);
  const { seconds, agents } = given(values, { seconds: "for", agents: "agents" });
  const [interfaces, paths] = [values.get("interface"), values.get("read")];
  if (interfaces && paths) throw usage("--read and --interface contradict each other: give one of them");
  if (seconds !== undefined && !interfaces) throw usage("--for goes with --interface");
  const own = { ...common, ...(agents !== undefined && { agents: readAgents(agents) }) };
  if (paths) return { ...own, verb: "read", paths };
  if (interfaces) return { ...own, verb: "look", interfaces, seconds: readSeconds(seconds) };
  if (agents !== undefined) throw usage("--agents goes with --interface or --read: the service has its own");
  return { ...common, verb: "ask" };
}

function readSeconds(text: string | undefined): number {
  if (text === undefined) return DEFAULT_SECONDS;
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_SECONDS)
    throw usage(`--for takes whole seconds from 1 to ${MAX_SECONDS}`);
  return seconds;
}

/** 0 unless a check fails. */
export function doctorExit(report: SpanReport): ExitCode {
  return report.state === "fail" ? EXIT.unproved : EXIT.ok;
}

/** Ends with a newline. */
export function formatDoctor(report: SpanReport, isJson: boolean): string {
  if (isJson) return `${JSON.stringify({ schema: DOCTOR_SCHEMA, ...report })}\n`;
  const checks = report.checks.flatMap(checkLines);
  const count = (state: SpanCheck["state"]): number => report.checks.filter((check) => check.state === state).length;
  const sum = `${count("pass")} pass, ${count("warn")} warn, ${count("fail")} fail, ${count("not-seen")} not seen yet`;
  return `${[...checks, "", sum, ...endpointLines(report)].map(plainLine).join("\n")}\n`;
}

function checkLines({ id, state, figure, findings }: SpanCheck): string[] {
  const head = `${state.toUpperCase().replace("-", " ").padEnd(8)}  ${SPAN_CHECKS[id]}: ${figure}`;
  return [
    head,
    ...findings.flatMap((one) => [
      ...(one.figure === figure ? [] : [`          ${one.figure}`]),
      `          > ${one.remedy}`,
    ]),
  ];
}

function endpointLines({ endpoints }: SpanReport): string[] {
  if (endpoints.length === 0) return [];
  const columns = ["address", "kind", "calls", "SIP peers", "because"].map(
    (title, index) => ({ title, align: index === 2 || index === 3 ? "right" : "left" }) as const,
  );
  const rows = endpoints.map(({ address, kind, calls, sipPeers, evidence }) => [
    address,
    kind,
    String(calls),
    String(sipPeers),
    evidence,
  ]);
  return ["", ...formatTable(columns, rows)];
}

/** The README's table of what the doctor can find; a test compares. */
export function doctorMarkdown(): string {
  const rows = (Object.keys(SPAN_FAULTS) as SpanFaultCode[]).map((code) => {
    const { check, state, remedy } = SPAN_FAULTS[code];
    return `| \`${code}\` | ${SPAN_CHECKS[check]} | ${state} | ${remedy} |`;
  });
  return ["| code | check | state | what to do |", "|---|---|---|---|", ...rows].join("\n");
}
