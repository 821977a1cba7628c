// What a command of `sidetone` is: its words, arguments and flags as one value, of which parsing, help and completion are made,
// and the function that carries it out.
import type { HostExit } from "./errors.js";
import type { Output } from "./output.js";

export interface FlagSpec {
  /** What its value is called; absent: it takes none. */
  value?: string;
  summary: string;
  isRequired?: boolean;
  isRepeatable?: boolean;
  choices?: readonly string[];
  /** Completed as the name of a file or folder. */
  names?: "file" | "folder";
}

export interface ArgumentSpec {
  name: string;
  isOptional?: boolean;
  isRepeatable?: boolean;
  choices?: readonly string[];
  names?: "file" | "folder";
}

/** What was typed behind the command. */
export interface Given {
  readonly arguments: readonly string[];
  has(flag: string): boolean;
  /** The first value. */
  text(flag: string): string | undefined;
  texts(flag: string): readonly string[];
}

/** The computer that the command runs on, as far as it is used. */
export interface Host {
  readonly output: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly homeFolder: string;
  readonly input: NodeJS.ReadStream;
  /** The whole table. */
  readonly commands: readonly HostCommand[];
  /** Aborted by SIGINT, SIGTERM or SIGHUP, which end the program at once until this is first asked for. */
  stopSignal(): AbortSignal;
}

export interface HostCommand {
  name: string;
  summary: string;
  arguments?: readonly ArgumentSpec[];
  /** Beside --json and --help, which all have. */
  flags?: Readonly<Record<string, FlagSpec>>;
  /** It speaks to a box: takes the flags that say to which (connection.ts). */
  isRemote?: boolean;
  /** Lines for `sidetone help COMMAND`: what is not said by the flags, what --json prints, examples. */
  details?: readonly string[];
  run(given: Given, host: Host): Promise<HostExit>;
}

export const COMMON_FLAGS: Readonly<Record<string, FlagSpec>> = {
  json: { summary: "JSON on stdout, one document or one a line" },
  help: { summary: "what the command does and takes" },
};

/** Which box is meant and how it is trusted: flag, then environment, then what `login` has stored. */
export const BOX_FLAGS: Readonly<Record<string, FlagSpec>> = {
  box: { value: "NAME", summary: "one of the boxes that login has stored (SIDETONE_BOX)" },
  url: { value: "URL", summary: "a box that login has not stored (SIDETONE_URL)" },
  "token-file": { value: "FILE", names: "file", summary: "file with the token (SIDETONE_TOKEN has the token itself)" },
  fingerprint: {
    value: "SHA256",
    summary: "of the box's TLS certificate, or sha256//... of its key (SIDETONE_FINGERPRINT)",
  },
  ca: { value: "FILE", names: "file", summary: "authority that signed the box's certificate, PEM (SIDETONE_CA)" },
  plain: { summary: "speak to a box beyond this computer without TLS: token and numbers are readable on the way" },
};

export function flagsOf(command: HostCommand): Readonly<Record<string, FlagSpec>> {
  return { ...command.flags, ...(command.isRemote && BOX_FLAGS), ...COMMON_FLAGS };
}
