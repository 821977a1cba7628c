// The HTTP API's stream of events (server-sent events, WHATWG HTML §9.2): what has happened since, as it happens. Of every kind what its
// data is; whoever needs to miss nothing lists (recordings in order of arrival, alarms) and takes an event as the sign to do so.
import { z } from "zod";
import { storedCallSchema } from "./api-recordings.js";
import { callIdSchema, isoTime, queryFlag, type RouteContract } from "./api-route.js";
import { healthAnswerSchema, pastAlarmSchema, standingAlarmSchema } from "./box-answers.js";
import { callEventSchema, consentEventSchema, pauseEventSchema } from "./mqtt-topics.js";

const inProgress = { call: callIdSchema, at: isoTime.describe("packet time") };

/** By kind, the line `event:` of one; its data, one line of JSON. */
export const EVENT_SCHEMAS = {
  "call-started": z.object(inProgress),
  "call-answered": z.object(inProgress),
  /** Two halves on both sides of a PBX were found to be one call: `call` goes on as `into`. */
  "call-joined": z.object({ ...inProgress, into: callIdSchema }),
  "call-ended": z.object({ ...inProgress, endReason: z.string(), isAnswered: z.boolean() }),
  consent: consentEventSchema,
  pause: pauseEventSchema,
  call: callEventSchema,
  recording: storedCallSchema,
  "alarm-raised": standingAlarmSchema,
  "alarm-acknowledged": standingAlarmSchema,
  "alarm-cleared": pastAlarmSchema,
  health: healthAnswerSchema,
  reset: z.object({ reason: z.enum(["restarted", "too-old"]) }),
} as const satisfies Record<string, z.ZodType>;
export type EventKind = keyof typeof EVENT_SCHEMAS;
export type EventData = { [Kind in EventKind]: z.input<(typeof EVENT_SCHEMAS)[Kind]> };

/** Each with its meaning: the documentation's one source. */
export const EVENT_MEANINGS: Readonly<Record<EventKind, string>> = {
  "call-started": "a call began",
  "call-answered": "it was answered",
  "call-joined": "it is one call with another one, as whose half it goes on",
  "call-ended": "it ended; recording follows if it left one",
  consent: "a party's consent has changed (as event/consent over MQTT)",
  pause: "a call is paused, or goes on (as event/pause)",
  call: "recording on demand began or ended, something was erased, or the call has another policy (as event/call)",
  recording: "a recording was published: as GET /recordings/{id} answers",
  "alarm-raised": "an alarm began, or says something else now",
  "alarm-acknowledged": "somebody has seen it",
  "alarm-cleared": "its cause is gone",
  health: "how the box is: every health.intervalS, and when an alarm begins or ends",
  reset: "events since Last-Event-ID are not there any more: list anew",
};

export const eventStreamSchema = z.string().describe(
  `server-sent events with an id each (Last-Event-ID goes on behind it); by their kind: ${Object.entries(EVENT_MEANINGS)
    .map(([kind, meaning]) => `${kind}: ${meaning}`)
    .join("; ")}`,
);

/** By operation. */
export const EVENT_ROUTES = {
  streamEvents: {
    method: "GET",
    path: "/events",
    summary: "Events as they happen; with follow=false those that are remembered, and the end",
    right: "see",
    query: z.strictObject({
      follow: queryFlag().default(true).describe("wait for more; false: all since Last-Event-ID, or all there is"),
    }),
    answer: eventStreamSchema,
    media: "text/event-stream",
    problems: ["too-many-streams"],
  },
} as const satisfies Record<string, RouteContract>;

export const EVENT_SCHEMAS_OF_API = { taken: {}, given: { EventStream: eventStreamSchema } };
