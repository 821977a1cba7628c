// `sidetoned verify`: what was asked for, as a value, and what was found, in words for a person, one line a finding, and as data
// for a program. What is checked is store/verify/'s.
import { systemClock } from "../base/clock.js";
import { EXIT, type ExitCode } from "../base/errors.js";
import { readAnchorFile, readAuthorities } from "../store/verify/anchors.js";
import { chooseKey } from "../store/verify/key-choice.js";
import { type Verification, verifyDataFolder } from "../store/verify/verify.js";
import { COMMON_FLAGS, type CommonFlags, commonFlags, given, readFlags, refuseArgument } from "./command-flags.js";
import { Progress, type Terminal } from "./progress.js";
import { plainLine } from "./table.js";

export interface VerifyCommand extends CommonFlags {
  /** The box's public key where it is not to be taken from the data folder. */
  keyFile?: string;
  /** Statements of the chains' heads that were kept elsewhere. */
  anchorFiles: string[];
  /** Certificates of who vouches for time stamps. */
  authorityFile?: string;
}

/** For --help: every line ends with a newline. */
export const VERIFY_USAGE = `Usage: sidetoned verify [--public-key FILE] [--anchor FILE]... [--tsa-ca FILE]
                        [--json] [--data DIR] [--config FILE]
`;

/** `argv` is what follows `verify`. Throws SidetoneError usage with one line. */
export function parseVerifyCommand(argv: readonly string[]): VerifyCommand {
  const forms = { ...COMMON_FLAGS, "public-key": "FILE", anchor: "FILE", "tsa-ca": "FILE" };
  const { values, positionals } = readFlags(argv, forms, { command: "verify", repeatable: ["anchor"] });
  refuseArgument(positionals[0], "verify");
  const files = given(values, { keyFile: "public-key", authorityFile: "tsa-ca" });
  return { ...files, anchorFiles: values.get("anchor") ?? [], ...commonFlags(values) };
}

/** EXIT.ok = nothing found, EXIT.unproved = something. Throws SidetoneError usage when a file that is named, or any key, is none. */
export function runVerifyCommand(
  { keyFile, anchorFiles, authorityFile, json }: VerifyCommand,
  dataFolder: string,
  write: (text: string) => void,
  terminal: Terminal,
): ExitCode {
  const progress = new Progress(terminal, systemClock);
  const found = verifyDataFolder({
    dataFolder,
    publicKey: chooseKey(dataFolder, keyFile),
    anchors: anchorFiles.flatMap(readAnchorFile),
    authorities: authorityFile === undefined ? undefined : readAuthorities(authorityFile),
    onProgress: (_, bytes) => progress.update(bytes, 0),
  });
  progress.clear();
  write(json ? `${JSON.stringify(found)}\n` : formatVerification(found));
  return found.isWhole ? EXIT.ok : EXIT.unproved;
}

/** For a terminal: one line a finding; ends with a newline. */
export function formatVerification(found: Verification): string {
  const { recordings, audioBytes, tombstones, auditEntries, stamps, anchors } = found.figures;
  const proofs = `${stamps > 0 ? `, ${stamps} time stamps` : ""}${anchors > 0 ? `, ${anchors} statements` : ""}`;
  const lines = [
    `${recordings} recordings with ${audioBytes} bytes of audio, ${tombstones} tombstones, ${auditEntries} audit entries${proofs}`,
    ...found.findings.map(({ kind, file, what, since }) =>
      plainLine(`  ${kind.toUpperCase()}  ${file}: ${what}${since === "" ? "" : `; ${since}`}`),
    ),
  ];
  if (found.findingCount > found.findings.length)
    lines.push(`  and ${found.findingCount - found.findings.length} more findings`);
  lines.push(...found.notes.map((note) => plainLine(`  note: ${note}`)));
  if (found.noteCount > found.notes.length) lines.push(`  and ${found.noteCount - found.notes.length} more notes`);
  lines.push(
    found.isWhole ? "Everything is as it was signed." : `NOT as it was signed: ${found.findingCount} findings.`,
  );
  return `${lines.join("\n")}\n`;
}
