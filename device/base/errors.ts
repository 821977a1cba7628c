// The one error type that reaches a person: a stable code, one line that says what is wrong and what to do, and the
// exit code of the process. Expected bad input inside the pipeline is a value and a counter, not one of these.

/** Exit codes of `sidetoned`, documented in the README. `unproved`: a recording, or the audit chain, is not what it says. */
export const EXIT = { ok: 0, internal: 1, usage: 2, capture: 3, storage: 4, unproved: 5 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export class SidetoneError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SidetoneError";
    this.code = code;
  }
  get exitCode(): ExitCode {
    return ERROR_CODES[this.code].exit;
  }
}

/** Every error code that a user can meet, with its meaning and exit code: the documentation's one source. */
export const ERROR_CODES = {
  usage: { exit: EXIT.usage, meaning: "a flag is unknown, lacks its value or contradicts another" },
  "config-unreadable": { exit: EXIT.usage, meaning: "the configuration file cannot be read or is not YAML" },
  "config-invalid": { exit: EXIT.usage, meaning: "the configuration holds an unknown key or a value out of bounds" },
  "capture-not-found": { exit: EXIT.capture, meaning: "the capture file does not exist or cannot be opened" },
  "capture-empty": { exit: EXIT.capture, meaning: "the capture file holds no bytes" },
  "capture-format": { exit: EXIT.capture, meaning: "the file is neither pcap nor pcapng" },
  "capture-cut": { exit: EXIT.capture, meaning: "the file ends or breaks inside a packet; all before it was used" },
  "interface-not-found": { exit: EXIT.capture, meaning: "there is no network interface of that name" },
  "interface-down": { exit: EXIT.capture, meaning: "the network interface is down or went away" },
  "capture-not-permitted": { exit: EXIT.capture, meaning: "this user may not capture packets" },
  "capture-failed": { exit: EXIT.capture, meaning: "libpcap refused the interface or the capture stopped" },
  "data-unwritable": { exit: EXIT.storage, meaning: "the data folder cannot be created or written" },
  "data-in-use": { exit: EXIT.storage, meaning: "another sidetoned uses the data folder" },
  "index-missing": { exit: EXIT.storage, meaning: "there is no index of calls: sidetoned reindex makes one" },
  "index-unusable": {
    exit: EXIT.storage,
    meaning: "the index of calls is damaged, of another version or cannot be read: sidetoned reindex makes it anew",
  },
  "seal-failed": { exit: EXIT.storage, meaning: "at least one recording could not be stored; its journal is kept" },
  "encryption-failed": {
    exit: EXIT.storage,
    meaning: "nothing can be encrypted to the configured recipients: nothing is written in clear instead",
  },
  "export-failed": { exit: EXIT.storage, meaning: "an archive could not be written; nothing of it is left" },
  interrupted: { exit: EXIT.storage, meaning: "a signal ended the command before it was done; nothing was changed" },
  internal: { exit: EXIT.internal, meaning: "a fault in Sidetone itself" },
} as const satisfies Record<string, { exit: ExitCode; meaning: string }>;
export type ErrorCode = keyof typeof ERROR_CODES;
