// `sidetoned audit verify | list`: what was asked for, as a value, and its carrying out. What makes a chain whole is
// store/audit-verify.ts's. Never writes to the chain.
import { join } from "node:path";
import { EXIT, type ExitCode } from "../base/errors.js";
import { type CallId, isCallId } from "../base/ids.js";
import { AUDIT_KINDS, type AuditEntry, type AuditKind } from "../contract/audit.js";
import { auditFolder, listAuditFiles, parseEntry, readLines } from "../store/audit-files.js";
import { AUDIT_PROBLEM_TEXT, type AuditProblem, type AuditVerdict, verifyAudit } from "../store/audit-verify.js";
import { readPublicKey } from "../store/public-key.js";
import {
  COMMON_FLAGS,
  type CommonFlags,
  commonFlags,
  given,
  oneOf,
  printable,
  readFlags,
  refuseArgument,
  unknownVerb,
  usage,
} from "./command-flags.js";
import { plainLine } from "./table.js";

export const AUDIT_VERDICT_SCHEMA = "sidetone.audit-verdict/1";

export type AuditCommand = CommonFlags &
  (
    | { verb: "verify"; keyFile?: string }
    /** `since`: ISO 8601, as much of it as was given. */
    | { verb: "list"; since?: string; kind?: AuditKind; call?: CallId }
  );

/** For --help: every line ends with a newline. */
export const AUDIT_USAGE = `Usage: sidetoned audit verify [--key FILE]
       sidetoned audit list [--since TIME] [--kind KIND] [--call ID]
       each with [--json] [--data DIR] [--config FILE]
`;

const FLAGS = {
  verify: { ...COMMON_FLAGS, key: "FILE" },
  list: { ...COMMON_FLAGS, since: "TIME", kind: "KIND", call: "ID" },
};
const SINCE_PATTERN = /^\d{4}-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?)?Z?$/;

/** `argv` is what follows `audit`. Throws SidetoneError usage with one line. */
export function parseAuditCommand(argv: readonly string[]): AuditCommand {
  const verbs = Object.keys(FLAGS) as (keyof typeof FLAGS)[];
  const verb = verbs.find((known) => known === argv[0]);
  if (verb === undefined) throw unknownVerb("audit", argv[0] ?? "", verbs);
  const { values, positionals } = readFlags(argv.slice(1), FLAGS[verb], { command: `audit ${verb}` });
  refuseArgument(positionals[0], `audit ${verb}`);
  const common = commonFlags(values);
  if (verb === "verify") return { ...common, verb, ...given(values, { keyFile: "key" }) };
  const { since, kind, call } = given(values, { since: "since", kind: "kind", call: "call" });
  return {
    ...common,
    verb,
    ...(since !== undefined && { since: readSince(since) }),
    ...(kind !== undefined && { kind: oneOf("--kind ", kind, Object.keys(AUDIT_KINDS) as AuditKind[]) }),
    ...(call !== undefined && { call: readCall(call) }),
  };
}

/** EXIT.unproved when the chain is not whole, or there is none. Throws SidetoneError usage when the key cannot be read. */
export function runAuditCommand(command: AuditCommand, dataFolder: string, write: (text: string) => void): ExitCode {
  if (command.verb === "list") {
    list(command, dataFolder, write);
    return EXIT.ok;
  }
  const verdict = verifyAudit(dataFolder, readPublicKey(dataFolder, command.keyFile));
  const isWhole = verdict.problemCount === 0 && verdict.entries > 0;
  write(
    command.json
      ? `${JSON.stringify({ schema: AUDIT_VERDICT_SCHEMA, isWhole, ...verdict })}\n`
      : formatVerdict(verdict),
  );
  return isWhole ? EXIT.ok : EXIT.unproved;
}

function readSince(text: string): string {
  if (!SINCE_PATTERN.test(text))
    throw usage(`--since ${printable(text)}: a time is 2026-11-21 or 2026-11-21T09:00 (UTC)`);
  return text.replace(/Z$/, "");
}

function readCall(text: string): CallId {
  const id = text.toUpperCase();
  if (!isCallId(id)) throw usage(`--call ${printable(text)}: not the id of a call (26 characters)`);
  return id;
}

function list(
  { since = "", kind, call, json }: Extract<AuditCommand, { verb: "list" }>,
  dataFolder: string,
  write: (text: string) => void,
): void {
  for (const file of listAuditFiles(dataFolder)) {
    // A file has the month of its name and, after a clock was set back, earlier times.
    if (file.slice(0, 7) < since.slice(0, 7)) continue;
    for (const { bytes, isTooLong } of readLines(join(auditFolder(dataFolder), file))) {
      const entry = isTooLong ? undefined : parseEntry(bytes);
      if (entry === undefined || entry.at < since) continue;
      if ((kind !== undefined && entry.kind !== kind) || (call !== undefined && entry.call !== call)) continue;
      write(json ? `${bytes.toString("utf8")}\n` : `${formatEntry(entry)}\n`);
    }
  }
}

function formatEntry({ seq, at, packetAt, kind, actor, call, detail }: AuditEntry): string {
  const facts = Object.entries({ ...(packetAt && { packetAt }), ...detail })
    .filter(([, value]) => value !== "")
    .map(
      ([name, value]) =>
        ` ${name}=${typeof value === "string" && !/[\s"]/.test(value) ? value : JSON.stringify(value)}`,
    );
  return plainLine(
    `${seq}  ${at}  ${kind}  ${actor}${call === undefined ? "" : `  ${call}`} ${facts.join("")}`.trimEnd(),
  );
}

function formatVerdict({ entries, files, end, problems, problemCount, tornBytes }: AuditVerdict): string {
  if (entries === 0 && problemCount === 0) return "There is no audit chain.\n";
  const lines = [`${entries} entries in ${files} files, the last is ${end.seq} (${end.sha256})`];
  if (tornBytes > 0) lines.push(`${tornBytes} bytes behind it are no whole entry: torn off, or being written just now`);
  lines.push(...problems.map(formatProblem));
  if (problemCount > problems.length) lines.push(`and ${problemCount - problems.length} more`);
  lines.push(
    problemCount === 0 ? "The audit chain is whole." : `The audit chain is NOT whole: ${problemCount} problems.`,
  );
  return `${lines.join("\n")}\n`;
}

function formatProblem({ kind, seq, toSeq, place }: AuditProblem): string {
  const entry = seq === toSeq ? `entry ${seq}` : `entries ${seq} to ${toSeq}`;
  const text = kind === "head" ? AUDIT_PROBLEM_TEXT.head : `${entry}: ${AUDIT_PROBLEM_TEXT[kind]}`;
  return `  ${text} (${plainLine(place)})`;
}
