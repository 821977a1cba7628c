// The command line of `sidetoned`: what was asked for, as a value, and the text of --help. Refuses what is unknown or
// contradicts itself in one line. Opens nothing and reads no configuration.
import type { ConfigOverrides } from "../config/load.js";
import { POLICIES } from "../contract/call-record.js";
import { ALARMS_USAGE, type AlarmsCommand, parseAlarmsCommand } from "./alarms-command.js";
import { AUDIT_USAGE, type AuditCommand, parseAuditCommand } from "./audit-command.js";
import { type PolicyCommand, parsePolicyCommand } from "./call-description.js";
import {
  CALLS_USAGE,
  type CallsCommand,
  parseCallsCommand,
  parseReindexCommand,
  parseTagCommand,
  type ReindexCommand,
  type TagCommand,
} from "./calls-arguments.js";
import { CERTIFICATE_USAGE, type CertificateCommand, parseCertificateCommand } from "./certificate-command.js";
import {
  type FlagValues,
  given,
  oneOf,
  printable,
  readAgents,
  readFlags,
  refuseArgument,
  refuseOtherFlags,
  usage,
} from "./command-flags.js";
import { COMPLETENESS_USAGE, type CompletenessCommand, parseCompletenessCommand } from "./completeness-command.js";
import { DOCTOR_USAGE, type DoctorCommand, parseDoctorCommand } from "./doctor-command.js";
import { JOURNAL_USAGE, type JournalCommand, parseJournalCommand } from "./journal-command.js";
import { MQTT_USAGE, type MqttCommand, parseMqttCommand } from "./mqtt-command.js";
import { PROVE_USAGE, type ProveCommand, parseProveCommand } from "./prove-report.js";
import { parseRegisterCommand, REGISTER_USAGE, type RegisterCommand } from "./register-arguments.js";
import {
  isRetentionCommand,
  parseRetentionCommand,
  RETENTION_USAGE,
  type RetentionCommand,
} from "./retention-arguments.js";
import { exitCodesText } from "./text.js";
import { parseTokenCommand, TOKEN_USAGE, type TokenCommand } from "./token-command.js";
import { parseVerifyCommand, VERIFY_USAGE, type VerifyCommand } from "./verify-command.js";

export type Command =
  | { kind: "help" }
  | { kind: "version" }
  | { kind: "explain-config"; json: boolean }
  | { kind: "check-config"; configFile?: string }
  | (PolicyCommand & { overrides: ConfigOverrides })
  | { kind: "alarms"; command: AlarmsCommand }
  | { kind: "mqtt"; command: MqttCommand }
  | { kind: "audit"; command: AuditCommand }
  | { kind: "certificate"; command: CertificateCommand }
  | { kind: "completeness"; command: CompletenessCommand }
  | { kind: "doctor"; command: DoctorCommand }
  | { kind: "calls"; command: CallsCommand }
  | { kind: "reindex"; command: ReindexCommand }
  | { kind: "tag"; command: TagCommand }
  | { kind: "journal"; command: JournalCommand }
  | { kind: "prove"; command: ProveCommand }
  | { kind: "verify"; command: VerifyCommand }
  | { kind: "register"; command: RegisterCommand }
  | { kind: "retention"; command: RetentionCommand }
  | { kind: "token"; command: TokenCommand }
  | {
      kind: "run";
      /** Captures to replay in this order, "-" is stdin; empty = live. */
      readPaths: string[];
      configFile?: string;
      json: boolean;
      overrides: ConfigOverrides;
    };

interface Flag {
  name: string;
  /** What its value is called, "" when it takes none. */
  value: string;
  isRepeatable: boolean;
  meaning: string;
}

const FLAGS: readonly Flag[] = [
  flag("interface", "NAME", "capture live on this interface; else the configured ones, else all that are up", true),
  flag("read", "FILE", "replay a pcap or pcapng file (- is stdin), store its calls, print a summary, end", true),
  flag("data", "DIR", "data folder (default /var/lib/sidetone when writable, else ./data)"),
  flag("config", "FILE", "configuration (default /etc/sidetone/sidetone.yaml if it exists)"),
  flag("policy", "NAME", `what is recorded: ${POLICIES.join(", ")}`),
  flag("agents", "LIST", "who the agents are: networks, numbers or patterns, with commas between"),
  flag("json", "", "summary and log lines as JSON"),
  flag("call", "TEXT", "for policy test: a call, as in from=0301234567,to=21,agent=21", true),
  flag("help", "", "print this"),
  flag("version", "", "print the version"),
];

const USAGE = `Usage: sidetoned [flags]
       sidetoned config explain [--json]
       sidetoned config check [--config FILE]
       sidetoned policy test --call TEXT [--json]
       sidetoned calls, tag, reindex, register, token, certificate, audit, prove, verify, journal, retention,
       delete, erase, export, hold, completeness, doctor, alarms, mqtt: see below

Records SIP calls off a mirror port, or out of capture files.
`;

/** The text of --help: plain ASCII, ends with a newline. */
export function helpText(): string {
  const head = (entry: Flag): string => `--${entry.name}${entry.value === "" ? "" : ` ${entry.value}`}`;
  const width = Math.max(...FLAGS.map((entry) => head(entry).length));
  const lines = FLAGS.map((entry) => {
    const again = entry.isRepeatable ? " (may be repeated)" : "";
    return `  ${head(entry).padEnd(width)}  ${entry.meaning}${again}`;
  });
  const exits = `Exit codes: ${exitCodesText()}`;
  return `${USAGE}\n${lines.join("\n")}\n\n${CALLS_USAGE}\nUsage: ${TOKEN_USAGE}\n${CERTIFICATE_USAGE}\n\n${REGISTER_USAGE}\n${AUDIT_USAGE}\n${PROVE_USAGE}${VERIFY_USAGE}\n${RETENTION_USAGE}\n${JOURNAL_USAGE}\n${DOCTOR_USAGE}\n${COMPLETENESS_USAGE}\n${ALARMS_USAGE}\n${MQTT_USAGE}\n"config explain" lists every setting. Through npm, flags follow --: npm start -- --read FILE\n${exits}\n`;
}

/** Throws SidetoneError usage with one line. `argv` is without the program's name. */
export function parseArguments(argv: readonly string[]): Command {
  const [first, ...rest] = argv;
  if (first === "token") return { kind: "token", command: parseTokenCommand(rest) };
  if (first === "certificate") return { kind: "certificate", command: parseCertificateCommand(rest) };
  if (first === "calls") return { kind: "calls", command: parseCallsCommand(rest) };
  if (first === "tag") return { kind: "tag", command: parseTagCommand(rest) };
  if (first === "reindex") return { kind: "reindex", command: parseReindexCommand(rest) };
  if (first === "mqtt") return { kind: "mqtt", command: parseMqttCommand(rest) };
  if (first === "alarms") return { kind: "alarms", command: parseAlarmsCommand(rest) };
  if (isRetentionCommand(first)) return { kind: "retention", command: parseRetentionCommand(argv) };
  if (first === "audit") return { kind: "audit", command: parseAuditCommand(rest) };
  if (first === "completeness") return { kind: "completeness", command: parseCompletenessCommand(rest, Date.now()) };
  if (first === "doctor") return { kind: "doctor", command: parseDoctorCommand(rest) };
  if (first === "journal") return { kind: "journal", command: parseJournalCommand(rest) };
  if (first === "verify") return { kind: "verify", command: parseVerifyCommand(rest) };
  if (first === "prove") return { kind: "prove", command: parseProveCommand(rest) };
  if (first === "register") return { kind: "register", command: parseRegisterCommand(rest) };
  const { values, positionals } = readFlags(argv, Object.fromEntries(FLAGS.map(({ name, value }) => [name, value])), {
    repeatable: FLAGS.filter(({ value, isRepeatable }) => isRepeatable || value === "").map(({ name }) => name),
    // A lone - is standard input.
    nextFlag: /^-./s,
  });
  if (values.has("help")) return { kind: "help" };
  if (values.has("version")) return { kind: "version" };
  if (positionals[0] === "config") return parseConfigCommand(values, positionals);
  if (positionals[0] === "policy")
    return { ...parsePolicyCommand(values, positionals), overrides: readOverrides(values) };
  if (values.has("call")) throw usage("--call goes with policy test");
  if (positionals[0] !== undefined) throw usage(unexpected(positionals[0], values.has("read")));

  const readPaths = values.get("read") ?? [];
  const interfaces = values.get("interface");
  if (readPaths.length > 0 && interfaces) throw usage("--read and --interface contradict each other: give one of them");
  if (readPaths.filter((path) => path === "-").length > 1) throw usage("--read: - (stdin) can be read only once");
  return {
    kind: "run",
    readPaths,
    ...given(values, { configFile: "config" }),
    json: values.has("json"),
    overrides: readOverrides(values),
  };
}

function flag(name: string, value: string, meaning: string, isRepeatable = false): Flag {
  return { name, value, isRepeatable, meaning };
}

function unexpected(argument: string, hasRead: boolean): string {
  const shown = printable(argument);
  if (hasRead) return `${shown}: unexpected argument; to read several files repeat --read`;
  return `${shown}: unexpected argument; through npm, flags follow --: npm start -- --read FILE`;
}

function parseConfigCommand(values: FlagValues, positionals: readonly string[]): Command {
  const [, verb, extra] = positionals;
  if (verb === "check") {
    refuseArgument(extra, "config check");
    refuseOtherFlags(values, ["config"], "config check");
    return { kind: "check-config", ...given(values, { configFile: "config" }) };
  }
  if (verb !== "explain") throw usage(`config ${printable(verb ?? "")}: the commands are config explain, config check`);
  refuseArgument(extra, "config explain");
  refuseOtherFlags(values, ["json"], "config explain");
  return { kind: "explain-config", json: values.has("json") };
}

function readOverrides(values: FlagValues): ConfigOverrides {
  const { policy, agents, folder } = given(values, { policy: "policy", agents: "agents", folder: "data" });
  const interfaces = values.get("interface");
  return {
    ...(policy !== undefined && { consent: { policy: oneOf("--policy ", policy, POLICIES) } }),
    ...(agents !== undefined && { agents: { match: readAgents(agents) } }),
    ...(folder !== undefined && { data: { folder } }),
    ...(interfaces && { capture: { interfaces: [...new Set(interfaces)] } }),
  };
}
