// The errors of `sidetone` that reach a person: a stable code, one line that says what is wrong and what to do, and an exit code
// that a script decides by. The codes that sidetoned has too mean the same here.
import { EXIT } from "../device/base/errors.js";

/** Exit codes of `sidetone`, documented in the README and by `sidetone help`. */
export const HOST_EXIT = {
  ok: EXIT.ok,
  internal: EXIT.internal,
  usage: EXIT.usage,
  unreadable: 3,
  unwritable: EXIT.storage,
  unproved: EXIT.unproved,
  network: 6,
  untrusted: 7,
  unauthorised: 8,
  refused: 9,
  /** As a shell counts a program that SIGINT ended. */
  interrupted: 130,
} as const;
export type HostExit = (typeof HOST_EXIT)[keyof typeof HOST_EXIT];

/** By name in HOST_EXIT, in few words. */
export const HOST_EXIT_TEXT: Readonly<Record<keyof typeof HOST_EXIT, string>> = {
  ok: "done",
  internal: "own fault",
  usage: "bad usage, or no such box is known",
  unreadable: "a file cannot be read",
  unwritable: "a file cannot be written",
  unproved: "not what was signed, or a check failed",
  network: "the box or broker is not reached, or cannot answer now",
  untrusted: "the box's certificate or key is not the one that is trusted",
  unauthorised: "the token is missing, bad, or lacks the right",
  refused: "the box refuses, or there is no such thing",
  interrupted: "interrupted",
};

/** Every error code with its exit code. */
const CODES = {
  usage: "usage",
  "no-box": "usage",
  "file-unreadable": "unreadable",
  "file-unwritable": "unwritable",
  unproved: "unproved",
  network: "network",
  untrusted: "untrusted",
  unauthorised: "unauthorised",
  refused: "refused",
  "bad-answer": "refused",
  interrupted: "interrupted",
} as const satisfies Record<string, keyof typeof HOST_EXIT>;
export type HostErrorCode = keyof typeof CODES;

export interface HostErrorOptions extends ErrorOptions {
  /** The code of the box's problem details, where it is one that says so. */
  problem?: string | undefined;
}

export class HostError extends Error {
  readonly code: HostErrorCode;
  readonly problem: string | undefined;

  constructor(code: HostErrorCode, message: string, { problem, ...options }: HostErrorOptions = {}) {
    super(message, options);
    this.name = "HostError";
    this.code = code;
    this.problem = problem;
  }
  get exitCode(): HostExit {
    return HOST_EXIT[CODES[this.code]];
  }
}

export function usageError(message: string): HostError {
  return new HostError("usage", message);
}

/** "ENOENT", or what the error says of itself. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
