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
  warnings: z.array(z.string()).describe("codes"),
});
export type StoredCall = z.output<typeof storedCallSchema>;

export const storedCallsAnswerSchema = z.object({
  calls: z.array(storedCallSchema).describe("the newest first"),
  next: z.string().describe("`cursor` for the next page; empty = there are no more"),
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
  limit: queryInteger(1, MAX_LISTED).default(DEFAULT_LISTED),
  cursor: oneLine(128).default("").describe("`next` of the page before"),
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
const ofAListing = ["cursor-invalid", "index-unusable", "unavailable"] as const;

/** By operation. */
export const RECORDING_ROUTES = {
  listRecordings: {
    method: "GET",
    path: "/recordings",
    summary: "Recordings that are there, the newest first",
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
    problems: ofOneCall,
  },
  listCalls: {
    method: "GET",
    path: "/calls",
    summary: "Finished calls, with or without audio, the newest first",
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
