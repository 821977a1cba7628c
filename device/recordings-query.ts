// `recordings`: a page of the index as a command asks for it and as its answer has it. What is not named here stays inside: no path,
// no name of a person, no reason why somebody counts as the agent (it may hold a number).
import type { BoxAnswers, RecordingEntry } from "./contract/box-answers.js";
import type { BoxCommand, BoxCommandBody } from "./contract/box-commands.js";
import { type ListedCall, outcomeOf } from "./contract/listing.js";
import { filterOf } from "./store/index/filter-texts.js";
import type { CallListing } from "./store/index/listing.js";

/** Of one answer; what is more goes on its next page. */
export const MAX_ANSWER_BYTES = 192 * 1024;
const MAX_CALL_IDS = 16;
const MAX_PARTIES = 16;
const MAX_WARNINGS = 32;
/** No telephone number is longer, and what else stands there could be. */
const MAX_NUMBER_CHARACTERS = 128;

type Query = Extract<BoxCommandBody, { verb: "recordings" }>;

/** Throws RangeError for a cursor that is none, and SQLite's errors. */
export function listRecordings(
  listing: CallListing,
  query: Query,
  { wholeNumbers }: Pick<BoxCommand, "wholeNumbers">,
): BoxAnswers["recordings"] {
  const { limit, cursor } = query;
  const filter = { ...filterOf(query), wholeNumbers };
  const page = listing.list(filter, { limit, cursor });
  const recordings: RecordingEntry[] = [];
  let bytes = 0;
  for (const call of page.calls) {
    const entry = entryOf(call);
    bytes += Buffer.byteLength(JSON.stringify(entry));
    if (bytes > MAX_ANSWER_BYTES && recordings.length > 0) break;
    recordings.push(entry);
  }
  if (recordings.length === page.calls.length) return { recordings, next: page.next };
  return { recordings, next: listing.list(filter, { limit: recordings.length, cursor }).next };
}

function entryOf(call: ListedCall): RecordingEntry {
  const { id, startedAt, answeredAt, endedAt, endReason, policy, durationMs, recording, tags } = call;
  const entry: RecordingEntry = {
    ...{ id, startedAt, answeredAt, endedAt, endReason, policy, durationMs, tags },
    outcome: outcomeOf(call),
    sipCallIds: call.sipCallIds.slice(0, MAX_CALL_IDS),
    parties: call.parties.slice(0, MAX_PARTIES).map(({ role, side, number, consent, recordedMs }) => ({
      ...{ role, side, consent, recordedMs },
      number: number.slice(0, MAX_NUMBER_CHARACTERS),
    })),
    warnings: call.warnings.slice(0, MAX_WARNINGS),
  };
  if (recording === undefined) return entry;
  const { bytes, sha256, sampleRateHz, policyRule, purpose, retention } = recording;
  return { ...entry, recording: { bytes, sha256, sampleRateHz, policyRule, purpose, retention } };
}
