// The route that gives out the audit chain: entries go out as they stand in the files, byte by byte, so that whoever keeps them can
// check their signatures.
import { isoUs } from "../base/clock.js";
import type { TimeUs } from "../base/ids.js";
import { momentAfter, momentOf } from "../contract/box-commands.js";
import { readAuditPage } from "../store/audit-pages.js";
import type { ApiParts, Handlers } from "./handler.js";
import { invalidField, problem } from "./problems.js";

export function auditHandlers({ store, logger }: ApiParts): Handlers<"listAudit"> {
  return {
    listAudit: async ({ query }) => {
      const { order, kind, call, from, to, limit, cursor } = query;
      if (from !== undefined && to !== undefined && momentOf(from) >= momentAfter(to))
        return { problem: invalidField("to", "is not after from") };
      const open = store();
      if (open === undefined) return { problem: problem("unavailable") };
      const { audit } = open;
      try {
        const { lines, next, damaged } = await readAuditPage(open.paths.dataFolder, {
          ...{ order, limit, head: audit.head.seq },
          ...(cursor !== undefined && { after: Number(cursor) }),
          ...(kind !== undefined && { kind }),
          ...(call !== undefined && { call }),
          ...(from !== undefined && { from: stampOf(momentOf(from)) }),
          ...(to !== undefined && { to: stampOf(momentAfter(to)) }),
        });
        const text = `{"entries":[${lines.join(",")}],"next":"${next ?? ""}","damaged":${damaged}}`;
        const headers = { "content-type": "application/json; charset=utf-8" };
        return { raw: Buffer.from(text, "utf8"), status: 200, headers };
      } catch (error) {
        logger.warn("the audit chain could not be read for a request", { message: String(error) });
        return { problem: problem("unavailable") };
      }
    },
  };
}

/** As entries have it, without what follows the microseconds. */
function stampOf(ms: number): string {
  return isoUs((ms * 1000) as TimeUs).replace("Z", "");
}
