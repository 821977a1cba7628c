// What commands beside the service did, for the audit chain: the spool's kind `audit`, and the means by which other kinds enter
// theirs. A request is entered once, however often it is carried out: its entry names it (`detail.request`).
import { join } from "node:path";
import { z } from "zod";
import { isoUs } from "../base/clock.js";
import { type CallId, isCallId } from "../base/ids.js";
import { AUDIT_KINDS, type AuditDetail, type AuditEntryInput, type AuditKind } from "../contract/audit.js";
import type { AuditChain } from "./audit-chain.js";
import { auditFolder, listAuditFiles, parseEntry, readLines } from "./audit-files.js";
import { timeOfCallId } from "./recording-paths.js";
import { type SpoolContext, type SpoolKind, SpoolLater, spoolKind } from "./spool-kinds.js";

export const AUDIT_REQUEST = "audit";

const bodySchema = z.strictObject({
  kind: z.enum(Object.keys(AUDIT_KINDS) as [AuditKind]),
  call: z.string().refine(isCallId).exactOptional(),
  detail: z.record(z.string(), z.json()),
});
/** What is to be entered; the actor is the request's. */
export type AuditRequestBody = Omit<z.output<typeof bodySchema>, "detail"> & { detail: AuditDetail };

export function auditRequestKind(audit: AuditChain, dataFolder: string): SpoolKind {
  const desk = new AuditDesk(audit, dataFolder);
  return spoolKind<AuditRequestBody>({
    body: bodySchema as z.ZodType<AuditRequestBody>,
    async carryOut(body, context) {
      await desk.enterOnce(body, context);
      return {};
    },
  });
}

/** Enters what requests of the spool ask for. */
export class AuditDesk {
  readonly #audit: AuditChain;
  readonly #dataFolder: string;
  /** Entered by this process, not yet durable. */
  readonly #waiting = new Set<CallId>();
  /** Requests that the chain's files from a month on have entries of. */
  #entered: { month: string; requests: Set<string> } | undefined;

  constructor(audit: AuditChain, dataFolder: string) {
    this.#audit = audit;
    this.#dataFolder = dataFolder;
  }

  /** Resolves when the entry is durable; rejects with SpoolLater while the disk refuses it. */
  async enterOnce(entry: Omit<AuditEntryInput, "actor">, context: SpoolContext): Promise<void> {
    const { id, mayBeRepeat } = context;
    if (!this.#waiting.has(id) && !(mayBeRepeat && this.#isEntered(id))) {
      this.#enter(entry, context);
      this.#waiting.add(id);
    }
    try {
      await this.#audit.flush();
    } catch (cause) {
      throw new SpoolLater("the audit chain cannot be written", { cause });
    }
    this.#waiting.delete(id);
  }

  #enter({ kind, call, detail }: Omit<AuditEntryInput, "actor">, { id, actor, atUs }: SpoolContext): void {
    const { dropped } = this.#audit;
    this.#audit.append({
      kind,
      actor,
      ...(call !== undefined && { call }),
      detail: { ...detail, doneAt: isoUs(atUs), request: id },
    });
    if (this.#audit.dropped > dropped) throw new SpoolLater("the audit chain cannot be written");
  }

  #isEntered(request: CallId): boolean {
    const month = isoUs(timeOfCallId(request)).slice(0, 7);
    if (this.#entered === undefined || this.#entered.month > month)
      this.#entered = { month, requests: requestsSince(this.#dataFolder, month) };
    return this.#entered.requests.has(request);
  }
}

/** Of a clock that was set back the newest file has the entries. */
function requestsSince(dataFolder: string, month: string): Set<string> {
  const files = listAuditFiles(dataFolder);
  const requests = new Set<string>();
  for (const name of files.filter((file, at) => file.slice(0, 7) >= month || at === files.length - 1)) {
    for (const { bytes } of readLines(join(auditFolder(dataFolder), name))) {
      const request = bytes.includes('"request":"') ? parseEntry(bytes)?.detail["request"] : undefined;
      if (typeof request === "string") requests.add(request);
    }
  }
  return requests;
}
