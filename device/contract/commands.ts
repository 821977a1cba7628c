// Commands about calls in progress, as MQTT, HTTP and the panel give them, and their results: one schema for all of them.
// Who gave a command is the face's to say; a body cannot. Consent and pauses are the engine's to decide.
import { z } from "zod";
import { type CallId, isCallId } from "../base/ids.js";
import type { ConsentState, EvidenceSource, PartyRole, Policy } from "./call-record.js";

const callId = z.string().refine((text): text is CallId => isCallId(text), "not the id of a call (26 characters)");
const oneLine = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^[^\p{Cc}]*$/u, "holds control characters");

/** Which call is meant: by its id, by one of its Call-IDs, or by its agent's number when that is in one call only. */
export const callSelectorSchema = z.union([
  z.strictObject({ id: callId }),
  z.strictObject({ sipCallId: z.string().min(1).max(512) }),
  z.strictObject({ agent: z.string().min(1).max(64) }),
]);
export type CallSelector = z.output<typeof callSelectorSchema>;

/** Whose consent: the caller who is there, or the party at a place of the call's parties (as `calls` lists them). */
const partySchema = z.union([z.literal("caller"), z.number().int().min(0).max(63)]);

export const consentCommandSchema = z.strictObject({
  verb: z.literal("consent"),
  call: callSelectorSchema,
  party: partySchema.default("caller"),
  effect: z.enum(["granted", "refused", "withdrawn"]),
  /** Without it the call's own purpose. */
  purpose: oneLine(64).optional(),
  reason: oneLine(256).min(1),
});
export const pauseCommandSchema = z.strictObject({
  verb: z.enum(["pause", "resume"]),
  /** "all": every call in progress. */
  call: z.union([callSelectorSchema, z.literal("all")]),
  reason: oneLine(256).default(""),
});
export const recordCommandSchema = z.strictObject({
  verb: z.enum(["start", "stop"]),
  call: callSelectorSchema,
  reason: oneLine(256).default(""),
});
export const callsCommandSchema = z.strictObject({ verb: z.literal("calls") });

export const commandSchema = z.discriminatedUnion("verb", [
  consentCommandSchema,
  pauseCommandSchema,
  recordCommandSchema,
  callsCommandSchema,
]);
export type CommandBody = z.output<typeof commandSchema>;

/** A command with who gave it: filled in by the face that took it. */
export interface CallCommand {
  body: CommandBody;
  source: Extract<EvidenceSource, "api" | "mqtt" | "panel">;
  /** "token front-desk", "client node-red-7". */
  by: string;
}

export type CommandError =
  | "call-not-found"
  | "call-ambiguous"
  | "party-not-found"
  | "caller-unknown"
  | "not-on-demand"
  | "not-allowed"
  | "engine-unavailable";

/** A call in progress as listings show it. Faces mask numbers. */
export interface ActiveCall {
  id: CallId;
  sipCallIds: string[];
  startedAt: string;
  /** "" while it rings. */
  answeredAt: string;
  policy: Policy;
  policyRule: string;
  purpose: string;
  isPaused: boolean;
  /** By its place, which commands name. */
  parties: {
    role: PartyRole;
    side: "originator" | "answerer";
    number: string;
    consent: ConsentState;
    /** Packets of it are taken at the moment. */
    isRecorded: boolean;
  }[];
}

export type CommandResult =
  | { ok: true; calls: ActiveCall[] }
  /** `message`: one line that says what is wrong and what to do. */
  | { ok: false; error: CommandError; message: string };

/** Takes commands to the engine. */
export interface CommandDesk {
  submit(command: CallCommand): Promise<CommandResult>;
}
