// Tags are put on calls and taken off through the spool (kind `tag`). What is durable of it is the audit chain's entry; the index
// has it for listings, and takes it from there when it is made anew (tag-trail.ts).
import { z } from "zod";
import { SidetoneError } from "../../base/errors.js";
import { type CallId, isCallId } from "../../base/ids.js";
import { MAX_TAGS, TAG_PATTERN } from "../../contract/listing.js";
import type { AuditChain } from "../audit-chain.js";
import { AuditDesk } from "../audit-request.js";
import { type SpoolKind, spoolKind } from "../spool-kinds.js";
import type { CallIndex } from "./call-index.js";

export const TAG = "tag";

const tags = z.array(z.string().regex(TAG_PATTERN)).max(MAX_TAGS);
const bodySchema = z.strictObject({
  call: z.string().refine((text): text is CallId => isCallId(text)),
  add: tags,
  remove: tags,
});
export type TagBody = z.output<typeof bodySchema>;

/** Answers with the call's tags: { call, tags }. Entered only when it changes something. */
export function tagKind(index: CallIndex, audit: AuditChain, dataFolder: string): SpoolKind {
  const desk = new AuditDesk(audit, dataFolder);
  return spoolKind<TagBody>({
    body: bodySchema,
    async carryOut({ call, add, remove }, context) {
      const before = await tagsOf(index, call);
      const added = [...new Set(add)].filter((tag) => !before.includes(tag));
      const removed = [...new Set(remove)].filter((tag) => before.includes(tag));
      if (added.length + removed.length === 0) return { call, tags: before };
      if (before.length + added.length - removed.length > MAX_TAGS)
        throw new SidetoneError("usage", `a call has at most ${MAX_TAGS} tags: remove one first`);
      await desk.enterOnce({ kind: "tagged", call, detail: { added, removed } }, context);
      // An index that fails here takes it from the audit chain when it is opened again.
      index.changeTags(call, { added, removed });
      return { call, tags: await tagsOf(index, call) };
    },
  });
}

async function tagsOf(index: CallIndex, id: CallId): Promise<string[]> {
  // A call that ended just before the last crash may still be on its way into the index.
  if (index.listing?.find(id) === undefined) await index.caughtUp();
  if (index.listing === undefined)
    throw new SidetoneError("index-unusable", "the index of calls cannot be used at the moment: run sidetoned reindex");
  const call = index.listing.find(id);
  if (call === undefined) throw new SidetoneError("usage", `there is no call ${id}`);
  if (call.deleted !== undefined) throw new SidetoneError("usage", `call ${id} was deleted: it takes no tags`);
  return call.tags;
}
