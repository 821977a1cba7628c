// The HTTP API as outsiders see it: rights, routes with what they take and answer, error codes; one table of each. The
// server, the OpenAPI document and the tests are made from them. Errors are problem details (RFC 9457) with a `code`.
import { z } from "zod";
import { type CallId, isCallId, type TimeUs } from "../base/ids.js";
import { CONSENT_STATES, PARTY_ROLES, POLICIES } from "./call-record.js";
import {
  type ActiveCall,
  type CommandError,
  consentCommandSchema,
  pauseCommandSchema,
  recordCommandSchema,
} from "./commands.js";

export const API_PREFIX = "/api/v1";
export const MAX_BODY_BYTES = 16 * 1024;
export const PROBLEM_MEDIA_TYPE = "application/problem+json";

/** What a token may do. None includes another. */
export const RIGHTS = ["see", "listen", "download", "delete", "command", "configure", "administer"] as const;
export type Right = (typeof RIGHTS)[number];

const isoTime = z.string().max(64).describe("ISO 8601 in UTC");

/** What is not listed here stays inside. */
export const activeCallSchema = z.object({
  id: z
    .string()
    .regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
    .refine((text): text is CallId => isCallId(text))
    .describe("names the call, and later its recording"),
  sipCallIds: z.array(z.string()),
  startedAt: isoTime,
  answeredAt: isoTime.describe("empty while it rings"),
  policy: z.enum(POLICIES),
  policyRule: z.string().describe("rule that chose the policy; empty = consent.policy"),
  purpose: z.string(),
  isPaused: z.boolean(),
  parties: z
    .array(
      z.object({
        role: z.enum(PARTY_ROLES),
        side: z.enum(["originator", "answerer"]),
        number: z.string().describe("in full with the right listen or administer, else its end only"),
        consent: z.enum(CONSENT_STATES),
        isRecorded: z.boolean().describe("packets of it are taken at the moment"),
      }),
    )
    .describe("a party's place in this list, from 0, is how commands name it"),
}) satisfies z.ZodType<ActiveCall>;

export const callsAnswerSchema = z.object({ calls: z.array(activeCallSchema) });
export const healthAnswerSchema = z.object({ status: z.literal("ok") });
export const documentAnswerSchema = z.looseObject({ openapi: z.string() });
export const metricsAnswerSchema = z.string().describe("Prometheus text exposition format 0.0.4");

const fieldFaultSchema = z.object({
  field: z.string().describe("keys that lead to it, with dots between; empty = the body itself"),
  message: z.string(),
});
export type FieldFault = z.output<typeof fieldFaultSchema>;

/** Every error code with its status and meaning: the documentation's one source. */
export const PROBLEMS = {
  malformed: { status: 400, meaning: "the request is no HTTP, its path cannot be decoded, or its body is no JSON" },
  "token-missing": { status: 401, meaning: "the request has no bearer token" },
  "token-invalid": { status: 401, meaning: "the token is unknown, has expired or was revoked" },
  "right-missing": { status: 403, meaning: "the token lacks the right" },
  "not-allowed": { status: 403, meaning: "the configuration takes no consent from here: see consent.commands" },
  "not-found": { status: 404, meaning: "there is nothing under this path" },
  "call-not-found": { status: 404, meaning: "no call in progress has this id" },
  "method-not-allowed": { status: 405, meaning: "the path has no such method" },
  "request-timeout": { status: 408, meaning: "the request did not arrive whole in time" },
  "call-ambiguous": { status: 409, meaning: "more than one call in progress is meant" },
  "caller-unknown": { status: 409, meaning: "nobody in the call counts as the caller yet; name the party" },
  "not-on-demand": { status: 409, meaning: "recording is not on demand (consent.onDemand)" },
  "body-too-large": { status: 413, meaning: `the body is larger than ${MAX_BODY_BYTES} bytes` },
  "uri-too-long": { status: 414, meaning: "the path is longer than any" },
  "media-type-unsupported": { status: 415, meaning: "the body is not application/json, or is compressed" },
  "expectation-failed": { status: 417, meaning: "the request's Expect header asks for what is not offered" },
  invalid: { status: 422, meaning: "fields of the body are unknown, missing or out of bounds: see errors" },
  "party-not-found": { status: 422, meaning: "the call has no such party" },
  "rate-limited": { status: 429, meaning: "too many requests with this token; Retry-After says how long" },
  "address-locked": { status: 429, meaning: "too many bad tokens from this address; Retry-After says how long" },
  "headers-too-large": { status: 431, meaning: "the headers are larger than is read" },
  internal: { status: 500, meaning: "a fault in Sidetone itself" },
  "engine-unavailable": { status: 503, meaning: "the engine does not answer; whether it did as told is not known" },
} as const satisfies Record<CommandError, ProblemEntry> & Record<string, ProblemEntry>;
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

const commandParts = { verb: true, call: true } as const;
export const consentBodySchema = consentCommandSchema.omit(commandParts);
export const pauseBodySchema = pauseCommandSchema.omit(commandParts);
export const recordBodySchema = recordCommandSchema.omit(commandParts);

export interface RouteContract {
  method: "GET" | "POST";
  /** Below API_PREFIX; `{id}` is a call's id. */
  path: string;
  summary: string;
  /** Absent: no token is needed. */
  right?: Right;
  /** Absent: the request's body is not looked at. */
  body?: z.ZodType;
  answer: z.ZodType;
  /** Of the answer; absent: JSON. */
  media?: string;
  /** Codes of its own, beside those that access and reading the body have. */
  problems: readonly ProblemCode[];
}

const ofOneCall = ["call-not-found", "call-ambiguous", "engine-unavailable"] as const satisfies readonly ProblemCode[];
function command(path: string, summary: string, body: z.ZodType, problems: readonly ProblemCode[]) {
  return { method: "POST", path, summary, right: "command", body, answer: callsAnswerSchema, problems } as const;
}

/** By operation. */
export const ROUTES = {
  listActiveCalls: {
    method: "GET",
    path: "/calls/active",
    summary: "Calls in progress",
    right: "see",
    answer: callsAnswerSchema,
    problems: ["engine-unavailable"],
  },
  setConsent: command("/calls/{id}/consent", "A party consents, refuses or withdraws", consentBodySchema, [
    ...ofOneCall,
    "party-not-found",
    "caller-unknown",
    "not-allowed",
  ]),
  pauseCall: command("/calls/{id}/pause", "Take nothing of anybody in a call", pauseBodySchema, ofOneCall),
  resumeCall: command("/calls/{id}/resume", "End a call's pause", pauseBodySchema, ofOneCall),
  startCall: command("/calls/{id}/start", "Start recording on demand", recordBodySchema, [
    ...ofOneCall,
    "not-on-demand",
  ]),
  stopCall: command("/calls/{id}/stop", "Stop recording on demand", recordBodySchema, [...ofOneCall, "not-on-demand"]),
  pauseAllCalls: command("/calls/pause-all", "Take nothing of anybody in any call", pauseBodySchema, [
    "engine-unavailable",
  ]),
  resumeAllCalls: command("/calls/resume-all", "End every call's pause", pauseBodySchema, ["engine-unavailable"]),
  getHealth: {
    method: "GET",
    path: "/health",
    summary: "The service is there",
    answer: healthAnswerSchema,
    problems: [],
  },
  getMetrics: {
    method: "GET",
    path: "/metrics",
    summary: "Figures of box and service, for Prometheus",
    right: "see",
    answer: metricsAnswerSchema,
    media: "text/plain; version=0.0.4; charset=utf-8",
    problems: [],
  },
  getDocument: {
    method: "GET",
    path: "/openapi.json",
    summary: "This document",
    answer: documentAnswerSchema,
    problems: [],
  },
} as const satisfies Record<string, RouteContract>;
export type Operation = keyof typeof ROUTES;
export const OPERATIONS = Object.keys(ROUTES) as Operation[];

/** What goes into the audit chain about requests. Holds neither numbers nor secrets. */
export type ApiAuditEntry = { atUs: TimeUs; address: string } & (
  | {
      kind: "command";
      operation: Operation;
      /** "token front-desk". */
      by: string;
      tokenId: string;
      /** Absent when the path names none that could be one. */
      call?: CallId | "all";
      outcome: "done" | ProblemCode;
    }
  | { kind: "address-locked"; badTokens: number; forS: number }
);
