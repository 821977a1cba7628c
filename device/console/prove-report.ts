// `sidetoned prove`: what was asked for, as a value, and what was found, in words for a person and as data for a program. What
// is checked, and how, is store/prove.ts's.
import { readIdentities } from "../age/keys.js";
import { EXIT, type ExitCode } from "../base/errors.js";
import { type CallId, isCallId } from "../base/ids.js";
import { proveRecording } from "../store/prove.js";
import type { CheckName, Figures, Proof, ProofCheck } from "../store/prove-check.js";
import { readPublicKey } from "../store/public-key.js";
import {
  COMMON_FLAGS,
  type CommonFlags,
  commonFlags,
  given,
  printable,
  readFlags,
  refuseArgument,
  usage,
} from "./command-flags.js";
import { plainLine } from "./table.js";

export interface ProveCommand extends CommonFlags {
  id: CallId;
  /** The box's public key where it is not to be taken from the data folder. */
  keyFile?: string;
  /** Opens an encrypted recording, in memory. */
  identityFile?: string;
}

/** For --help: every line ends with a newline. */
export const PROVE_USAGE = `Usage: sidetoned prove ID [--key FILE] [--identity FILE] [--json] [--data DIR] [--config FILE]
`;

/** `argv` is what follows `prove`. Throws SidetoneError usage with one line. */
export function parseProveCommand(argv: readonly string[]): ProveCommand {
  const { values, positionals } = readFlags(
    argv,
    { ...COMMON_FLAGS, key: "FILE", identity: "FILE" },
    { command: "prove" },
  );
  const [id, extra] = positionals;
  if (id === undefined) throw usage("prove needs the id of a recording: sidetoned prove ID");
  refuseArgument(extra, "prove ID");
  const upper = id.toUpperCase();
  if (!isCallId(upper)) throw usage(`${printable(id)}: not the id of a recording (26 characters)`);
  return { id: upper, ...given(values, { keyFile: "key", identityFile: "identity" }), ...commonFlags(values) };
}

/** EXIT.ok = proved, EXIT.unproved = not. Throws SidetoneError usage for an unknown id or a key that cannot be read. */
export function runProveCommand(command: ProveCommand, dataFolder: string, write: (text: string) => void): ExitCode {
  const publicKey = readPublicKey(dataFolder, command.keyFile);
  const identities = command.identityFile === undefined ? [] : readIdentities(command.identityFile);
  const proof = proveRecording(dataFolder, command.id, publicKey, identities);
  if (proof === undefined) throw usage(`there is no recording ${command.id} in ${printable(dataFolder)}`);
  write(command.json ? `${JSON.stringify(proof)}\n` : formatProof(proof));
  return proof.proved ? EXIT.ok : EXIT.unproved;
}

/** For a terminal: one line a check, its faults below it; ends with a newline. */
export function formatProof({ id, proved, checks }: Proof): string {
  const titles = checks.map(titleOf);
  const width = Math.max(...titles.map((title) => title.length));
  const lines = checks.flatMap((check, i) => {
    const head = `  ${check.passed ? "ok  " : check.needsKey ? "key " : "FAIL"}  ${titles[i]!.padEnd(width)}  ${FIGURES[check.name](check.figures)}`;
    return [head.trimEnd(), ...check.faults.map((fault) => `          ${plainLine(fault)}`)];
  });
  const failed = checks.filter(({ passed }) => !passed).length;
  const locked = checks.filter(({ needsKey }) => needsKey).length;
  const verdict = proved
    ? `Proved: all ${checks.length} checks hold.`
    : failed > locked
      ? `NOT PROVED: ${failed - locked} of ${checks.length} checks fail.`
      : `NOT PROVED WITHOUT A KEY: ${checks.length - locked} of ${checks.length} checks hold, ${locked} need --identity FILE.`;
  return `Recording ${id}\n${lines.join("\n")}\n${verdict}\n`;
}

/** What each check says when it holds. */
const TITLES: Readonly<Record<CheckName, string>> = {
  signature: "the manifest is signed by this box",
  audio: "the audio is the one that was signed",
  previous: "the manifest that it follows is there",
  next: "a manifest, or the chain's head, follows it",
  "audit-recorded": "the audit chain says that it was published",
  "audit-head": "the audit chain is the one that it names",
  "audit-consent": "the audit chain has every change of consent",
  "audit-pauses": "every pause that the audit chain has is marked",
  streams: "every packet seen is accounted for",
  packets: "spans and streams count the same packets",
  silence: "digital silence outside open spans",
  extents: "audio stands within its open span",
  pauses: "nothing of anybody in pauses",
  consent: "each consent is what its ledger made it",
  spans: "nothing was recorded without its evidence",
  tombstone: "it was deleted: the tombstone is signed by this box",
  certificate: "the audit chain has the intent and the certificate",
  gone: "nothing else of it is there",
};

function titleOf({ name, subject }: ProofCheck): string {
  return subject === "" ? TITLES[name] : `${TITLES[name]}, ${plainLine(subject)}`;
}

const FIGURES: Readonly<Record<CheckName, (figures: Figures) => string>> = {
  signature: ({ bytes }) => `${bytes} bytes`,
  audio: ({ bytes, seconds }) => `${bytes} bytes, ${seconds} s`,
  previous: ({ id, deleted }) => (id === "" ? "it is the first" : `${id}${deleted ? ", deleted since" : ""}`),
  next: ({ id, deleted, head }) => (head ? "it is the newest" : `${id ?? ""}${deleted ? ", deleted since" : ""}`),
  "audit-recorded": ({ seq, entries }) => (seq === 0 ? `${entries} entries` : `entry ${seq} of ${entries}`),
  "audit-head": ({ seq }) => (seq === 0 ? "it names no entry" : `entry ${seq}`),
  "audit-consent": ({ changes, entries }) => `${entries} of ${changes}`,
  "audit-pauses": ({ pauses, entries }) => `${entries} entries, ${pauses} marks`,
  streams: ({ streams, seen, recorded, discarded, duplicate, undecoded }) =>
    `${streams} streams: ${seen} seen = ${recorded} recorded + ${discarded} discarded + ${duplicate} duplicate + ${undecoded} undecoded`,
  packets: ({ spans, open, closedSpans, shut }) =>
    `${open} in ${spans} open spans, ${shut} in ${closedSpans} closed ones`,
  silence: ({ samples, audible }) => `${samples} samples, ${audible} audible`,
  extents: ({ extents, furthestMs }) => `${extents} stretches of audio, ${furthestMs} ms beyond a span at most`,
  pauses: ({ pauses, samples }) => `${pauses} pauses, ${samples} samples`,
  consent: ({ changes, policy }) => `${changes} changes, policy ${policy}`,
  tombstone: ({ at, reason, by, text, class: name, recordedOn }) =>
    `${reason}, ${at} by ${by}${text ? `: ${text}` : ""}${name ? `; class ${name}` : ""}; recorded on ${recordedOn}`,
  certificate: ({ intent, seq }) => (seq === 0 ? "none" : `entries ${intent} and ${seq}`),
  gone: ({ files }) => `${files} other files`,
  spans: ({ spans, formerAgents, policy }) =>
    `${spans} open spans, policy ${policy}${formerAgents ? `; ${formerAgents} of who was held for the agent then` : ""}`,
};
