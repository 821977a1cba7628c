// A command has built an index beside the one in use (rebuild.ts): the spool's kind `reindex` puts it in its place.
import { z } from "zod";
import { SidetoneError } from "../../base/errors.js";
import { type CallId, isCallId } from "../../base/ids.js";
import { type SpoolKind, spoolKind } from "../spool-kinds.js";
import type { CallIndex } from "./call-index.js";

export const REINDEX = "reindex";

const bodySchema = z.strictObject({ name: z.string().refine((text): text is CallId => isCallId(text)) });
/** `name`: of the database that was built. */
export type ReindexBody = z.output<typeof bodySchema>;

/** Answers with how many calls and recordings the index has then: { calls, recordings }. */
export function reindexKind(index: CallIndex): SpoolKind {
  return spoolKind<ReindexBody>({
    body: bodySchema,
    async carryOut({ name }, { mayBeRepeat }) {
      if (index.hasBuilt(name)) adopt(index, name);
      else if (!mayBeRepeat)
        throw new SidetoneError("index-missing", "what was built is gone: run sidetoned reindex again");
      await index.caughtUp();
      return { ...index.listing?.count() };
    },
  });
}

function adopt(index: CallIndex, name: CallId): void {
  try {
    index.adopt(name);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SidetoneError("index-unusable", `what was built cannot take the index's place: ${why}`);
  }
}
