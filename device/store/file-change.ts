// Changes of the registers and of the tokens, so that none goes without a trace: what a command does to such a file is on
// the disk before it is done, as an intent in the spool, and becomes an entry of the audit chain with the file's hash before
// and after. What no entry explains was changed by hand (store/watched-files.ts).
import { join } from "node:path";
import { z } from "zod";
import type { AuditDetail } from "../contract/audit.js";
import type { AuditChain } from "./audit-chain.js";
import { AuditDesk } from "./audit-request.js";
import { sha256OfFile } from "./file-hash.js";
import type { SpoolDesk, SpoolIntent } from "./spool-desk.js";
import { type SpoolKind, spoolKind } from "./spool-kinds.js";
import type { WatchedFiles } from "./watched-files.js";

export const FILE_CHANGE = "file-change";

/** Below the data folder: the files that are changed beside the service, with the kind of their audit entries. */
export const WATCHED_FILES = {
  "registers/consent.jsonl": "register",
  "registers/agents.jsonl": "register",
  "keys/tokens.json": "token",
} as const;
export type WatchedFile = keyof typeof WATCHED_FILES;

const sha256 = z.string().regex(/^(?:[0-9a-f]{64})?$/);
const bodySchema = z.strictObject({
  file: z.enum(Object.keys(WATCHED_FILES) as [WatchedFile]),
  /** SHA-256 of the file, "" where there is none. */
  before: sha256,
  after: sha256,
  detail: z.record(z.string(), z.json()),
});

/** `detail` holds no number, no name of a person and no secret. */
export type FileChange = Omit<z.output<typeof bodySchema>, "detail"> & { detail: AuditDetail };

/** Told before a file is changed; throws SidetoneError when it cannot note it: then the file stays as it is. */
export interface ChangeTrail {
  intend(change: FileChange): SpoolIntent;
}

export class SpoolTrail implements ChangeTrail {
  readonly #desk: SpoolDesk;
  readonly #actor: string;

  /** `actor`: "cli root". */
  constructor(desk: SpoolDesk, actor: string) {
    this.#desk = desk;
    this.#actor = actor;
  }

  intend(change: FileChange): SpoolIntent {
    return this.#desk.intend({ kind: FILE_CHANGE, actor: this.#actor, body: change });
  }
}

/** `changed` is told of each change that has its entry. */
export function fileChangeKind(
  audit: AuditChain,
  dataFolder: string,
  watched: WatchedFiles,
  changed: (file: WatchedFile) => void = () => {},
): SpoolKind {
  const desk = new AuditDesk(audit, dataFolder);
  return spoolKind<FileChange>({
    body: bodySchema as z.ZodType<FileChange>,
    async carryOut({ file, before, after, detail }, context) {
      await desk.enterOnce({ kind: WATCHED_FILES[file], detail: { file, before, sha256: after, ...detail } }, context);
      watched.explain(file, { before, after });
      changed(file);
      return {};
    },
    hasHappened({ file, after }, waiting) {
      // A later command may have changed it further.
      return (
        sha256OfFile(join(dataFolder, file)) === after ||
        waiting.some((next) => next.file === file && next.before === after)
      );
    },
  });
}
