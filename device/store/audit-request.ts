// The spool's kind `audit`: what a command beside the service did, for the audit chain. A request is entered once, however
// often it is carried out: its entry names it (`detail.request`).
import { join } from "node:path";
import { z } from "zod";
import { isoUs } from "../base/clock.js";
import { type CallId, isCallId } from "../base/ids.js";
import { AUDIT_KINDS, type AuditDetail, type AuditKind } from "../contract/audit.js";
import type { AuditChain } from "./audit-chain.js";
import { auditFolder, listAuditFiles, readLines } from "./audit-files.js";
import { type SpoolContext, type SpoolKind, SpoolLater, spoolKind } from "./spool-kinds.js";

export const AUDIT_REQUEST = "audit";

const bodySchema = z.strictObject({
  kind: z.enum(Object.keys(AUDIT_KINDS) as [AuditKind]),
  call: z.string().refine(isCallId).exactOptional(),
  detail: z.record(z.string(), z.json()),
});
/** What is to be entered; the actor is the request's. */
export type AuditRequestBody = z.output<typeof bodySchema>;

export function auditRequestKind(audit: AuditChain, dataFolder: string): SpoolKind {
  /** Entered by this process, not yet durable. */
  const waiting = new Set<CallId>();
  return spoolKind<AuditRequestBody>({
    body: bodySchema,
    async carryOut(body, context) {
      const { id, mayBeRepeat } = context;
      if (!waiting.has(id) && !(mayBeRepeat && isEntered(dataFolder, id))) {
        enter(audit, body, context);
        waiting.add(id);
      }
      await flush(audit);
      waiting.delete(id);
      return {};
    },
  });
}

function enter(audit: AuditChain, { kind, call, detail }: AuditRequestBody, { id, actor, atUs }: SpoolContext): void {
  const { dropped } = audit;
  audit.append({
    kind,
    actor,
    ...(call !== undefined && { call }),
    detail: { ...(detail as AuditDetail), doneAt: isoUs(atUs), request: id },
  });
  if (audit.dropped > dropped) throw new SpoolLater("the audit chain cannot be written");
}

async function flush(audit: AuditChain): Promise<void> {
  try {
    await audit.flush();
  } catch (cause) {
    throw new SpoolLater("the audit chain cannot be written", { cause });
  }
}

/** Whether the chain has the request's entry. Looks into the files that may have it only. */
function isEntered(dataFolder: string, request: CallId): boolean {
  const member = Buffer.from(`"request":"${request}"`);
  const files = listAuditFiles(dataFolder);
  return files.some((name) => {
    for (const { bytes } of readLines(join(auditFolder(dataFolder), name))) if (bytes.includes(member)) return true;
    return false;
  });
}
