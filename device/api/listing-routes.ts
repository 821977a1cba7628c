// Routes that list finished calls and recordings, out of the index. Whoever does not see numbers in full finds them whole only, and
// sees neither names nor why somebody counts as the agent (it may hold a number).
import { isCallId } from "../base/ids.js";
import type { StoredCall } from "../contract/api-recordings.js";
import { momentAfter, momentOf } from "../contract/box-commands.js";
import { type ListedCall, outcomeOf } from "../contract/listing.js";
import { maskNumber } from "../contract/number-mask.js";
import { StaleCursor } from "../store/index/arrival.js";
import type { CallFilter } from "../store/index/call-source.js";
import { type CallFilterTexts, filterOf } from "../store/index/filter-texts.js";
import type { CallListing, ListingOrder } from "../store/index/listing.js";
import type { Token } from "../store/tokens.js";
import { type ApiParts, type ApiReply, type Handlers, type RequestOf, seesNumbers } from "./handler.js";
import { invalidField, problem } from "./problems.js";

type ListingQuery = CallFilterTexts & {
  limit: number;
  cursor: string;
  order: ListingOrder;
  acknowledged?: "yes" | "no" | undefined;
};

export function listingHandlers(
  parts: ApiParts,
): Handlers<"listRecordings" | "getRecording" | "listCalls" | "getCall"> {
  return {
    listRecordings: ({ token, query }) => list(parts, token, { ...query, outcome: "recorded" }),
    listCalls: ({ token, query }) => list(parts, token, query),
    getRecording: (request) => get(parts, request, true),
    getCall: (request) => get(parts, request, false),
  };
}

function list(parts: ApiParts, token: Token, query: ListingQuery): ApiReply {
  const { from, to, minDurationMs = 0, maxDurationMs = Number.POSITIVE_INFINITY, limit, cursor, order } = query;
  if (from !== undefined && to !== undefined && momentOf(from) >= momentAfter(to))
    return { problem: invalidField("to", "is not after from") };
  if (minDurationMs > maxDurationMs) return { problem: invalidField("maxDurationMs", "is shorter than minDurationMs") };
  return withListing(parts, (listing) => {
    try {
      const { calls, next, resume } = listing.list(filterFor(token, query), { limit, cursor, order });
      return { answer: { calls: calls.map((call) => storedCall(call, token)), next, resume } };
    } catch (error) {
      if (error instanceof StaleCursor) return { problem: problem("cursor-stale") };
      if (error instanceof RangeError) return { problem: problem("cursor-invalid") };
      throw error;
    }
  });
}

function filterFor(token: Token, query: ListingQuery): CallFilter {
  const { acknowledged } = query;
  return {
    ...filterOf(query),
    wholeNumbers: !seesNumbers(token),
    ...(acknowledged !== undefined && { acknowledged: { by: token.name, is: acknowledged === "yes" } }),
  };
}

function get(parts: ApiParts, { token, path }: RequestOf<unknown, unknown, Token>, isRecording: boolean): ApiReply {
  const id = path["id"] ?? "";
  if (!isCallId(id)) return { problem: problem("recording-not-found") };
  return withListing(parts, (listing) => {
    const call = listing.find(id);
    if (isRecording && call?.deleted !== undefined) return { problem: problem("recording-deleted") };
    if (call === undefined || (isRecording && outcomeOf(call) !== "recorded"))
      return { problem: problem("recording-not-found") };
    return { answer: storedCall(call, token) };
  });
}

/** What goes wrong in the index is its own to say (an alarm); a request is told to come again. */
function withListing({ store, logger }: ApiParts, act: (listing: CallListing) => ApiReply): ApiReply {
  const open = store();
  if (open === undefined) return { problem: problem("unavailable") };
  const listing = open.index?.listing;
  if (listing === undefined) return { problem: problem("index-unusable") };
  try {
    return act(listing);
  } catch (error) {
    logger.warn("the index of calls could not answer a request", { message: String(error) });
    return { problem: problem("index-unusable") };
  }
}

export function storedCall(call: ListedCall, token: Pick<Token, "rights">): StoredCall {
  const { id, sipCallIds, startedAt, answeredAt, endedAt, endReason, rejectStatus, policy, durationMs } = call;
  const { tags, acknowledgements, warnings, recording, file } = call;
  const isSeen = seesNumbers(token);
  return {
    ...{ id, sipCallIds, startedAt, answeredAt, endedAt, endReason, rejectStatus, policy, durationMs },
    ...{ tags, acknowledgements, warnings },
    outcome: outcomeOf(call),
    parties: call.parties.map(({ role, side, number, name, identifiedBy, consent, recordedMs }) => ({
      ...{ role, side, consent, recordedMs },
      number: isSeen ? number : maskNumber(number),
      name: isSeen ? name : "",
      identifiedBy: isSeen ? identifiedBy : "",
    })),
    ...(recording !== undefined && { recording: { ...recording, isEncrypted: file.endsWith(".age") } }),
  };
}
