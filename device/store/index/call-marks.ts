// A call that something is to be said of: a tag, an acknowledgement, a note. Says why it takes none.
import { SidetoneError } from "../../base/errors.js";
import type { CallId } from "../../base/ids.js";
import type { ListedCall } from "../../contract/listing.js";
import type { CallIndex } from "./call-index.js";

/** Why a call takes nothing, or not this. */
export class MarkRefused extends SidetoneError {
  readonly reason: "recording-not-found" | "recording-deleted" | "too-many-tags" | "index-unusable";
  constructor(reason: MarkRefused["reason"], message: string) {
    super(reason === "index-unusable" ? reason : "usage", message);
    this.reason = reason;
  }
}

/** Rejects with MarkRefused for a call that is unknown or was deleted, and while the index cannot be used. */
export async function callToMark(index: CallIndex, id: CallId): Promise<ListedCall> {
  // A call that ended just before the last crash may still be on its way into the index.
  if (index.listing?.find(id) === undefined) await index.caughtUp();
  if (index.listing === undefined)
    throw new MarkRefused("index-unusable", "the index of calls cannot be used at the moment: run sidetoned reindex");
  const call = index.listing.find(id);
  if (call === undefined) throw new MarkRefused("recording-not-found", `there is no call ${id}`);
  if (call.deleted !== undefined)
    throw new MarkRefused("recording-deleted", `call ${id} was deleted: it takes nothing any more`);
  return call;
}
