// Tags on finished calls: who changes them asks here, a command through the spool (kind `tag`) or a face of the running service.
// What is durable of it is the audit chain's entry; the index has it for listings, and takes it from there when it is made anew
// (mark-trail.ts).
import { z } from "zod";
import { type CallId, isCallId } from "../../base/ids.js";
import type { AuditEntryInput } from "../../contract/audit.js";
import { MAX_TAGS, TAG_PATTERN } from "../../contract/listing.js";
import type { AuditChain } from "../audit-chain.js";
import { AuditDesk } from "../audit-request.js";
import { type SpoolKind, spoolKind } from "../spool-kinds.js";
import type { CallIndex } from "./call-index.js";
import { callToMark, MarkRefused } from "./call-marks.js";

export const TAG = "tag";

const tags = z.array(z.string().regex(TAG_PATTERN)).max(MAX_TAGS);
const bodySchema = z.strictObject({
  call: z.string().refine((text): text is CallId => isCallId(text)),
  add: tags,
  remove: tags,
});
export type TagBody = z.output<typeof bodySchema>;

export type TagEntry = Omit<AuditEntryInput, "actor">;

export class TagDesk {
  readonly #index: CallIndex;
  #last: Promise<unknown> = Promise.resolve();

  constructor(index: CallIndex) {
    this.#index = index;
  }

  /**
   * The call's tags afterwards. `enter` makes the change durable in the audit chain, and is called only when there is one; one
   * change after the other. Rejects with MarkRefused, and what `enter` rejects with.
   */
  change(body: TagBody, enter: (entry: TagEntry) => Promise<void>): Promise<string[]> {
    const changed = this.#last.then(() => this.#change(body, enter));
    this.#last = changed.catch(() => {});
    return changed;
  }

  async #change({ call, add, remove }: TagBody, enter: (entry: TagEntry) => Promise<void>): Promise<string[]> {
    const { tags: before } = await callToMark(this.#index, call);
    const added = [...new Set(add)].filter((tag) => !before.includes(tag));
    const removed = [...new Set(remove)].filter((tag) => before.includes(tag));
    if (added.length + removed.length === 0) return before;
    if (before.length + added.length - removed.length > MAX_TAGS)
      throw new MarkRefused("too-many-tags", `a call has at most ${MAX_TAGS} tags: remove one first`);
    await enter({ kind: "tagged", call, detail: { added, removed } });
    // An index that fails here takes it from the audit chain when it is opened again.
    this.#index.changeTags(call, { added, removed });
    return (await callToMark(this.#index, call)).tags;
  }
}

/** Answers with the call's tags: { call, tags }. Entered only when it changes something. */
export function tagKind(tagDesk: TagDesk, audit: AuditChain, dataFolder: string): SpoolKind {
  const desk = new AuditDesk(audit, dataFolder);
  return spoolKind<TagBody>({
    body: bodySchema,
    async carryOut(body, context) {
      return { call: body.call, tags: await tagDesk.change(body, (entry) => desk.enterOnce(entry, context)) };
    },
  });
}
