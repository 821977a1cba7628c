// The HTTP API's routes about calls in progress.
import { z } from "zod";
import type { ProblemCode } from "./api-problems.js";
import { callIdSchema, isoTime, type RouteContract } from "./api-route.js";
import { CONSENT_STATES, PARTY_ROLES, POLICIES } from "./call-record.js";
import { type ActiveCall, consentCommandSchema, pauseCommandSchema, recordCommandSchema } from "./commands.js";

/** What is not listed here stays inside. */
export const activeCallSchema = z.object({
  id: callIdSchema,
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
        number: z.string().describe("in full with the right listen, download or administer, else its end only"),
        consent: z.enum(CONSENT_STATES),
        isRecorded: z.boolean().describe("packets of it are taken at the moment"),
      }),
    )
    .describe("a party's place in this list, from 0, is how commands name it"),
}) satisfies z.ZodType<ActiveCall>;

export const callsAnswerSchema = z.object({ calls: z.array(activeCallSchema) });

const commandParts = { verb: true, call: true } as const;
export const consentBodySchema = consentCommandSchema.omit(commandParts);
export const pauseBodySchema = pauseCommandSchema.omit(commandParts);
export const recordBodySchema = recordCommandSchema.omit(commandParts);

const ofOneCall = ["call-not-found", "call-ambiguous", "engine-unavailable"] as const satisfies readonly ProblemCode[];
function command<Body extends z.ZodType>(path: string, summary: string, body: Body, problems: readonly ProblemCode[]) {
  return { method: "POST", path, summary, right: "command", body, answer: callsAnswerSchema, problems } as const;
}

/** By operation. */
export const CALL_ROUTES = {
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
} as const satisfies Record<string, RouteContract>;

export const CALL_SCHEMAS = {
  taken: { ConsentCommand: consentBodySchema, PauseCommand: pauseBodySchema, RecordCommand: recordBodySchema },
  given: { ActiveCall: activeCallSchema, Calls: callsAnswerSchema },
};
