// The HTTP API's routes about what is stored: finished calls and their recordings.
import { z } from "zod";
import { callIdSchema, isoTime, queryInteger, type RouteContract } from "./api-route.js";
import { momentOf, OUTCOMES } from "./box-commands.js";
import { CONSENT_STATES, PARTY_ROLES, POLICIES } from "./call-record.js";
import { TAG_PATTERN } from "./listing.js";

/** Calls in one answer. */
export const MAX_LISTED = 500;
export const DEFAULT_LISTED = 100;
const MAX_DURATION_MS = 7 * 86_400_000;

/** What is not listed here stays inside. */
export const storedCallSchema = z.object({
  id: callIdSchema,
  sipCallIds: z.array(z.string()),
  startedAt: isoTime,
  answeredAt: isoTime.describe("empty when it was not answered"),
  endedAt: isoTime,
  endReason: z.string(),
  rejectStatus: z.int().describe("SIP status that refused it; 0 = none"),
  policy: z.enum(POLICIES),
  outcome: z.enum(OUTCOMES).describe("its audio is there, was deleted, or never was and why"),
  durationMs: z.int().describe("of the audio; 0 without"),
  parties: z.array(
    z.object({
      role: z.enum(PARTY_ROLES),
      side: z.enum(["originator", "answerer"]),
      number: z.string().describe("in full with the right listen, download or administer, else its end only"),
      name: z.string().describe("as the phone showed it; empty without one of these rights"),
      identifiedBy: z.string().describe("why it counts as the agent; empty without one of these rights"),
      consent: z.enum(CONSENT_STATES),
      recordedMs: z.int(),
    }),
  ),
  recording: z
    .object({
      bytes: z.int().describe("of the file as it is stored"),
      sha256: z.string().describe("of the file as it is stored, lower-case hex"),
      isEncrypted: z.boolean().describe("an age file: the box cannot read it"),
      sampleRateHz: z.int(),
      policyRule: z.string(),
      purpose: z.string(),
      retention: z.string().describe("retention class; empty = none"),
    })
    .exactOptional()
    .describe("absent without audio"),
  tags: z.array(z.string()).describe("in alphabetical order"),
  acknowledgements: z
    .array(z.object({ by: z.string().describe("name of the token"), at: isoTime }))
    .describe("who has said to have the recording whole, as it is stored"),
  warnings: z.array(z.string()).describe("codes"),
});
export type StoredCall = z.output<typeof storedCallSchema>;

export const storedCallsAnswerSchema = z.object({
  calls: z.array(storedCallSchema).describe("in the order that was asked for"),
  next: z
    .string()
    .describe("`cursor` for the next page, of which this one may be short or empty; empty = there are no more"),
  resume: z
    .string()
    .describe("in order of arrival: `cursor` for what comes later, however much later it is asked for; else empty"),
});

const time = z
  .string()
  .max(32)
  .refine((text) => Number.isFinite(momentOf(text)), "a time is 2026-11-21 or 2026-11-21T09:00:00Z (UTC)");
const oneLine = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^[^\p{Cc}]*$/u, "holds control characters");
const number = oneLine(64).min(1);

const filters = {
  from: time.optional().describe("calls that began at or after it"),
  to: time.optional().describe("calls that began before it; a day is meant to its end"),
  agent: number.optional().describe("of the agent's side, as `number`"),
  number: number
    .optional()
    .describe("of any party, however it is written; its last three or more digits find it too, for who sees numbers"),
  consent: z.enum(CONSENT_STATES).optional().describe("of a party other than the agent"),
  policy: z.enum(POLICIES).optional(),
  minDurationMs: queryInteger(0, MAX_DURATION_MS).optional().describe("of the audio"),
  maxDurationMs: queryInteger(0, MAX_DURATION_MS).optional().describe("of the audio"),
  tag: z.string().regex(TAG_PATTERN, "is no tag").optional(),
  acknowledged: z
    .enum(["yes", "no"])
    .optional()
    .describe("whether the token that asks has said to have the recording whole"),
  order: z
    .enum(["time", "arrival"])
    .default("time")
    .describe(
      "time: the newest first. arrival: as they came into the index, the oldest arrival first, and again when a call gets other audio than it had; a cursor of this order is `cursor-stale` once the index was made anew",
    ),
  limit: queryInteger(1, MAX_LISTED).default(DEFAULT_LISTED),
  cursor: oneLine(128).default("").describe("`next` or `resume` of a page before"),
};
export const recordingsQuerySchema = z.strictObject(filters);
export const callsQuerySchema = z.strictObject({
  ...filters,
  outcome: z
    .enum([...OUTCOMES, "any"])
    .default("any")
    .describe("recordings that are there, deleted ones, or calls without audio by its reason"),
});

const ofOneCall = ["recording-not-found", "index-unusable", "unavailable"] as const;
const ofAListing = ["cursor-invalid", "cursor-stale", "index-unusable", "unavailable"] as const;

/** By operation. */
export const RECORDING_ROUTES = {
  listRecordings: {
    method: "GET",
    path: "/recordings",
    summary: "Recordings that are there",
    right: "see",
    query: recordingsQuerySchema,
    answer: storedCallsAnswerSchema,
    problems: ofAListing,
  },
  getRecording: {
    method: "GET",
    path: "/recordings/{id}",
    summary: "A recording that is there",
    right: "see",
    answer: storedCallSchema,
    problems: [...ofOneCall, "recording-deleted"],
  },
  listCalls: {
    method: "GET",
    path: "/calls",
    summary: "Finished calls, with or without audio",
    right: "see",
    query: callsQuerySchema,
    answer: storedCallsAnswerSchema,
    problems: ofAListing,
  },
  getCall: {
    method: "GET",
    path: "/calls/{id}",
    summary: "A finished call",
    right: "see",
    answer: storedCallSchema,
    problems: ofOneCall,
  },
} as const satisfies Record<string, RouteContract>;

export const RECORDING_SCHEMAS = {
  taken: {},
  given: { StoredCall: storedCallSchema, StoredCalls: storedCallsAnswerSchema },
};
