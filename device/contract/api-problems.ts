// What may be wrong with a request to the HTTP API: every code with its status and meaning, and the answer that carries it
// (problem details, RFC 9457). The documentation's one source.
import { z } from "zod";
import { BOX_ERRORS, type BoxError } from "./box-commands.js";
import type { CommandError } from "./commands.js";

export const MAX_BODY_BYTES = 16 * 1024;
export const PROBLEM_MEDIA_TYPE = "application/problem+json";

const fieldFaultSchema = z.object({
  field: z.string().describe("keys that lead to it, with dots between; empty = the body itself"),
  message: z.string(),
});
export type FieldFault = z.output<typeof fieldFaultSchema>;

/** Every error code with its status and meaning: the documentation's one source. */
export const PROBLEMS = {
  malformed: { status: 400, meaning: "the request is no HTTP, its path cannot be decoded, or its body is no JSON" },
  "cursor-invalid": { status: 400, meaning: "the cursor is none that an answer to the same question has given" },
  "token-missing": { status: 401, meaning: "the request has no bearer token" },
  "token-invalid": { status: 401, meaning: "the token is unknown, has expired or was revoked" },
  "right-missing": { status: 403, meaning: "the token lacks the right" },
  "not-allowed": { status: 403, meaning: "the configuration takes no consent from here: see consent.commands" },
  "not-settable": { status: 403, meaning: BOX_ERRORS["not-settable"] },
  "right-not-yours": { status: 403, meaning: "a token gives no right that it has not, nor for longer than it has it" },
  "not-found": { status: 404, meaning: "there is nothing under this path" },
  "recording-not-found": { status: 404, meaning: "there is no finished call, or no recording, with this id" },
  "alarm-not-standing": { status: 404, meaning: BOX_ERRORS["alarm-not-standing"] },
  "token-not-found": { status: 404, meaning: "there is no token with this id" },
  "call-not-found": { status: 404, meaning: "no call in progress has this id" },
  "note-not-found": { status: 404, meaning: "the recording has no note with this id" },
  "hold-not-found": { status: 404, meaning: "there is no hold with this id (any more)" },
  "method-not-allowed": { status: 405, meaning: "the path has no such method" },
  "request-timeout": { status: 408, meaning: "the request did not arrive whole in time" },
  "call-ambiguous": { status: 409, meaning: "more than one call in progress is meant" },
  "caller-unknown": { status: 409, meaning: "nobody in the call counts as the caller yet; name the party" },
  "not-on-demand": { status: 409, meaning: "recording is not on demand (consent.onDemand)" },
  "too-many-notes": { status: 409, meaning: "the recording has as many notes as it may" },
  "too-many-holds": { status: 409, meaning: "there are as many holds as there may be" },
  "digest-mismatch": { status: 409, meaning: "the recording's file as it is stored has another SHA-256" },
  "on-hold": { status: 409, meaning: "a legal hold keeps the recording" },
  "minimum-retention": { status: 409, meaning: "its minimum age keeps the recording; overridesMinimum deletes it" },
  "recording-deleted": { status: 410, meaning: "the recording was deleted" },
  "cursor-stale": {
    status: 410,
    meaning: "the index was made anew since: begin again without a cursor, and skip what you have",
  },
  encrypted: {
    status: 409,
    meaning:
      "the recording is encrypted to keys that the box does not have: only channel=both with format=wav is there",
  },
  "channel-unknown": {
    status: 409,
    meaning: "nobody in the recording, or nobody alone, is who channel asks for: both and mix are there",
  },
  "precondition-failed": { status: 412, meaning: "If-Match names another version than the one that is there" },
  "export-running": { status: 409, meaning: "another export is being sent: they go one after another" },
  "already-running": { status: 409, meaning: BOX_ERRORS["already-running"] },
  "too-many-tags": { status: 409, meaning: BOX_ERRORS["too-many-tags"] },
  "configuration-unused": { status: 409, meaning: BOX_ERRORS["configuration-unused"] },
  "token-exists": { status: 409, meaning: "a good token has this name" },
  "too-many-tokens": { status: 409, meaning: "there are a thousand good tokens: revoke one that is not used" },
  "last-administrator": {
    status: 409,
    meaning: "it is the last good token that may administer: make another one first, or revoke it at the box",
  },
  "body-too-large": { status: 413, meaning: `the body is larger than ${MAX_BODY_BYTES} bytes` },
  "uri-too-long": { status: 414, meaning: "the path is longer than any" },
  "media-type-unsupported": { status: 415, meaning: "the body is not application/json, or is compressed" },
  "range-not-satisfiable": {
    status: 416,
    meaning: "the range begins behind the end; Content-Range says where that is",
  },
  "expectation-failed": { status: 417, meaning: "the request's Expect header asks for what is not offered" },
  invalid: {
    status: 422,
    meaning: "fields of the body or of the query are unknown, missing or out of bounds: see errors",
  },
  "configuration-invalid": { status: 422, meaning: BOX_ERRORS["configuration-invalid"] },
  "party-not-found": { status: 422, meaning: "the call has no such party" },
  "rate-limited": { status: 429, meaning: "too many requests with this token; Retry-After says how long" },
  "address-locked": { status: 429, meaning: "too many bad tokens from this address; Retry-After says how long" },
  "headers-too-large": { status: 431, meaning: "the headers are larger than is read" },
  internal: { status: 500, meaning: "a fault in Sidetone itself" },
  "recording-damaged": {
    status: 500,
    meaning: "the recording's file is not what its manifest says: see sidetoned verify on the box",
  },
  "format-unavailable": {
    status: 501,
    meaning: "the box cannot make this format: it needs the program ffmpeg; wav is there",
  },
  "too-many-streams": {
    status: 503,
    meaning: "as many streams of events are open as may be; Retry-After says when to ask",
  },
  unavailable: { status: 503, meaning: "the box cannot do this yet, or not at the moment: try again" },
  "audio-busy": {
    status: 503,
    meaning: "as much audio is being sent as may be at once; Retry-After says when to ask again",
  },
  "data-unwritable": {
    status: 503,
    meaning: "the data folder cannot be read or takes no writes: what was to be done is not, or not before it does",
  },
  "configuration-unwritable": { status: 503, meaning: BOX_ERRORS["configuration-unwritable"] },
  "index-unusable": { status: 503, meaning: "the index of calls cannot be used at the moment" },
  "engine-unavailable": { status: 503, meaning: "the engine does not answer; whether it did as told is not known" },
} as const satisfies Record<CommandError | BoxError, ProblemEntry> & Record<string, ProblemEntry>;
interface ProblemEntry {
  status: number;
  meaning: string;
}
export type ProblemCode = keyof typeof PROBLEMS;
const PROBLEM_CODES = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]];

/** RFC 9457 §3: `type` stays about:blank, so `title` is the status's own phrase (§4.2.1). */
export const problemSchema = z.object({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.int().min(400).max(599),
  code: z.enum(PROBLEM_CODES).describe("stable; what a program decides by"),
  detail: z.string().describe("one line that says what is wrong and what to do"),
  errors: z.array(fieldFaultSchema).optional().describe("the fields at fault"),
});
export type ProblemBody = z.output<typeof problemSchema>;
