// An export's entry in the audit chain: its intent is in the spool before the archive gets its name, and is entered when it has.
import { statSync } from "node:fs";
import { z } from "zod";
import type { AuditDetail } from "../../contract/audit.js";
import type { AuditChain } from "../audit-chain.js";
import { AuditDesk } from "../audit-request.js";
import type { SpoolDesk, SpoolIntent } from "../spool-desk.js";
import { type SpoolKind, spoolKind } from "../spool-kinds.js";

export const EXPORTED = "exported";

const bodySchema = z.strictObject({
  /** The archive, which may have been taken elsewhere since. */
  file: z.string(),
  bytes: z.int().nonnegative(),
  detail: z.record(z.string(), z.json()),
});
/** `detail` holds the number as a keyed hash only. */
export type ExportNote = Omit<z.output<typeof bodySchema>, "detail"> & { detail: AuditDetail };

export function intendExport(desk: SpoolDesk, actor: string, note: ExportNote): SpoolIntent {
  return desk.intend({ kind: EXPORTED, actor, body: note });
}

export function exportedKind(audit: AuditChain, dataFolder: string): SpoolKind {
  const desk = new AuditDesk(audit, dataFolder);
  return spoolKind<ExportNote>({
    body: bodySchema as z.ZodType<ExportNote>,
    async carryOut({ detail }, context) {
      await desk.enterOnce({ kind: "exported", detail }, context);
      return {};
    },
    hasHappened: ({ file, bytes }) => isThere(file, bytes),
  });
}

/** Where the service may not look, it counts as exported: personal data that left the box must not be missing in the chain. */
function isThere(file: string, bytes: number): boolean {
  try {
    return statSync(file).size === bytes;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== "ENOENT" && code !== "ENOTDIR";
  }
}
