// Commands about the box itself and about what it has stored, as MQTT and later the HTTP API give them: one schema for each, and
// what may be wrong. Who gave a command is the face's to say. What they answer is box-answers.ts's.
import { z } from "zod";
import { type CallId, isCallId } from "../base/ids.js";
import { ALARM_CODES, type AlarmCode } from "./alarms.js";
import type { BoxAnswers } from "./box-answers.js";
import { CONSENT_STATES, type EvidenceSource, NO_AUDIO_REASONS, POLICIES } from "./call-record.js";
import { type CallOutcome, MAX_TAGS, TAG_PATTERN } from "./listing.js";

/** Recordings in one answer at most, and by default. */
export const MAX_RECORDINGS = 100;
export const DEFAULT_RECORDINGS = 50;
/** Settings that one command can change. */
export const MAX_SETTINGS = 100;
const MAX_DURATION_MS = 7 * 86_400_000;

const callId = z
  .string()
  .regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/, "not the id of a call (26 characters)")
  .refine((text): text is CallId => isCallId(text), "not the id of a call (26 characters)");
const oneLine = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^[^\p{Cc}]*$/u, "holds control characters");
const number = oneLine(64).min(1);
const tag = z
  .string()
  .regex(TAG_PATTERN, "a tag is 1 to 48 lower-case letters, digits and . _ - (no six digits in a row)");
const tags = z.array(tag).max(MAX_TAGS);

/** ISO 8601 in UTC, a day or a moment of it. */
const TIME =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:T(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?Z?)?$/;
const time = z
  .string()
  .max(32)
  .regex(TIME, "a time is 2026-11-21 or 2026-11-21T09:00:00Z (UTC)")
  .refine((text) => Number.isFinite(momentOf(text)), "there is no such day");

/** The first moment that a time of a request means, ms since 1970. NaN for what is none. */
export function momentOf(text: string): number {
  const day = text.slice(0, DAY_LENGTH);
  const midnight = TIME.test(text) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  // JavaScript takes the 30th of February for a day of March.
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return Number.NaN;
  return text.length === DAY_LENGTH ? midnight : Date.parse(`${text.replace(/Z$/, "")}Z`);
}
const DAY_LENGTH = "2026-11-21".length;

/** The first moment that it does not mean any more, ms: of a day, the next one's first. */
export function momentAfter(text: string): number {
  return momentOf(text) + (text.length === DAY_LENGTH ? 86_400_000 : 0);
}

export const tagCommandSchema = z.strictObject({
  verb: z.literal("tag"),
  call: z.strictObject({ id: callId }).describe("a finished call, as recordings lists it"),
  add: tags.default([]).describe("tags to put on it"),
  remove: tags.default([]).describe("tags to take off it; with neither, the answer says what it has"),
});

/** What `outcome` takes besides "any": what has become of a call. */
export const OUTCOMES = ["recorded", "deleted", ...NO_AUDIO_REASONS] as const satisfies readonly CallOutcome[];

export const recordingsCommandSchema = z.strictObject({
  verb: z.literal("recordings"),
  from: time.optional().describe("calls that began at or after it"),
  to: time.optional().describe("calls that began before it; a day is meant to its end"),
  agent: number.optional().describe("of the agent's side, as `number`"),
  number: number
    .optional()
    .describe("of any party, however it is written; the last three or more digits find it too, with mqtt.numbers full"),
  consent: z.enum(CONSENT_STATES).optional().describe("of a party other than the agent"),
  policy: z.enum(POLICIES).optional(),
  minDurationMs: z.int().min(0).max(MAX_DURATION_MS).optional().describe("of the audio"),
  maxDurationMs: z.int().min(0).max(MAX_DURATION_MS).optional(),
  tag: tag.optional(),
  outcome: z
    .enum([...OUTCOMES, "any"])
    .default("recorded")
    .describe("recordings that are there, calls without audio by its reason, or any call"),
  limit: z.int().min(1).max(MAX_RECORDINGS).default(DEFAULT_RECORDINGS),
  cursor: oneLine(64).default("").describe("`next` of the page before"),
});

export const healthCommandSchema = z.strictObject({ verb: z.literal("health") });
export const spanCommandSchema = z.strictObject({ verb: z.literal("span") });
export const completenessCommandSchema = z.strictObject({
  verb: z.literal("completeness"),
  from: time.optional().describe("calls that began at or after it; by default of the last seven days"),
  to: time.optional().describe("calls that began before it; a day is meant to its end"),
  by: z.enum(["day", "hour"]).default("day").describe("at most 400 days, or 31 days by hour"),
});

/** Made at once, or the one that is being made; takes some five seconds. */
export const selfTestCommandSchema = z.strictObject({ verb: z.literal("self-test") });

const settingPath = z
  .string()
  .regex(/^[a-zA-Z][a-zA-Z0-9]*(?:\.[a-zA-Z][a-zA-Z0-9]*){0,3}$/, "no setting is called so");

export const getConfigurationSchema = z.strictObject({
  verb: z.literal("configuration"),
  action: z.literal("get"),
  section: settingPath.max(64).optional().describe("of this section only, as in mqtt or consent.pause"),
});
export const setConfigurationSchema = z.strictObject({
  verb: z.literal("configuration"),
  action: z.literal("set"),
  values: z
    .record(settingPath.max(128), z.unknown())
    .refine((values) => {
      const count = Object.keys(values).length;
      return count >= 1 && count <= MAX_SETTINGS;
    }, `takes 1 to ${MAX_SETTINGS} settings`)
    .meta({ minProperties: 1, maxProperties: MAX_SETTINGS })
    .describe("by path, as in call.tailMs; null takes it out of the file, so that the default holds"),
  dryRun: z.boolean().default(false).describe("check all of it and write nothing"),
});
export const configurationCommandSchema = z.discriminatedUnion("action", [
  getConfigurationSchema,
  setConfigurationSchema,
]);

export const listAlarmsSchema = z.strictObject({
  verb: z.literal("alarms"),
  action: z.literal("list").optional(),
});
export const acknowledgeAlarmSchema = z.strictObject({
  verb: z.literal("alarms"),
  action: z.literal("acknowledge"),
  code: z.enum(ALARM_CODES as [AlarmCode, ...AlarmCode[]], "there is no such alarm; list says which stand"),
});
export const alarmsCommandSchema = z.discriminatedUnion("action", [listAlarmsSchema, acknowledgeAlarmSchema]);

export const restartCommandSchema = z.strictObject({
  verb: z.literal("restart"),
  when: z
    .enum(["idle", "now"])
    .default("idle")
    .describe("idle: once no call is in progress, for an hour at most; now: calls in progress end here"),
  reason: oneLine(256).default(""),
});

export const boxCommandSchema = z.discriminatedUnion("verb", [
  tagCommandSchema,
  recordingsCommandSchema,
  healthCommandSchema,
  spanCommandSchema,
  completenessCommandSchema,
  selfTestCommandSchema,
  configurationCommandSchema,
  alarmsCommandSchema,
  restartCommandSchema,
]);
export type BoxCommandBody = z.output<typeof boxCommandSchema>;
export type BoxVerb = BoxCommandBody["verb"];

/** A command with who gave it: filled in by the face that took it. */
export interface BoxCommand {
  body: BoxCommandBody;
  source: Extract<EvidenceSource, "api" | "mqtt" | "panel">;
  /** "token front-desk", "mqtt client node-red-7". */
  by: string;
  /** Numbers are found whole only, not by their end: whoever does not see them must not feel his way along them. */
  wholeNumbers: boolean;
}

/** Each with its meaning: the documentation's one source. */
export const BOX_ERRORS = {
  invalid: "a field is missing, unknown or out of bounds; `field` names it",
  unavailable: "the box cannot do this yet, or not at the moment: try again",
  "already-running": "the same is being done already: wait for its end",
  "recording-not-found": "there is no finished call with that id",
  "recording-deleted": "the recording was deleted: it takes no tags",
  "too-many-tags": "a call has at most 32 tags: remove one first",
  "index-unusable": "the index of calls cannot be used at the moment",
  "data-unwritable":
    "the data folder cannot be read or takes no writes: what was to be changed is not, or not before it does",
  "alarm-not-standing": "this alarm does not stand",
  "not-settable": "this setting cannot be changed from here; `field` names it",
  "configuration-unused": "the service was started without a configuration file",
  "configuration-unwritable": "the configuration file cannot be written; it is as it was",
  "configuration-invalid": "the configuration as a whole would be, or is, wrong; nothing was changed",
} as const;
export type BoxError = keyof typeof BOX_ERRORS;

export interface BoxRefusal {
  ok: false;
  error: BoxError;
  /** One line that says what is wrong and what to do. With `invalid`, made of the request and the schema only. */
  message: string;
  /** "values.call.tailMs". */
  field?: string;
}

/** What a command came to; numbers in full, for the face to mask. Secrets never. */
export type BoxResult = { [Verb in BoxVerb]: { ok: true; verb: Verb; data: BoxAnswers[Verb] } }[BoxVerb] | BoxRefusal;

/** Takes commands to whatever part of the box carries them out. Never rejects. */
export interface BoxCommandDesk {
  submit(command: BoxCommand): Promise<BoxResult>;
}

/** Whether it changes nothing, so that doing it twice is no harm. */
export function isQuestion(body: BoxCommandBody): boolean {
  switch (body.verb) {
    case "tag":
      return body.add.length + body.remove.length === 0;
    case "configuration":
      return body.action === "get" || body.dryRun;
    case "alarms":
      return body.action !== "acknowledge";
    default:
      return body.verb !== "restart";
  }
}
