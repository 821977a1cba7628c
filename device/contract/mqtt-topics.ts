// Everything that a box publishes by itself: each topic below `sidetone/<device>` with its payload's schema and an example. One
// table, of which the reference is made and against which everything published is tested. Requests are mqtt-requests.ts's.
import { z } from "zod";
import { type CallId, isCallId } from "../base/ids.js";
import { ALARMS } from "./alarms.js";
import { ANCHOR_SCHEMA, type AnchorStatement } from "./anchor.js";
import { healthAnswerSchema, standingAlarmSchema } from "./box-answers.js";
import { CONSENT_STATES, EVIDENCE_SOURCES, PARTY_ROLES, POLICIES } from "./call-record.js";
import type { BoxInfo } from "./health.js";
import type {
  BoxState,
  DiskStatus,
  EventPlace,
  MqttEventKind,
  MqttEvents,
  RetainedStates,
  SpanStatus,
} from "./mqtt.js";
import { HEALTH_EXAMPLE } from "./mqtt-requests.js";
import { SELF_TEST_STEPS, type SelfTestReport, type SelfTestStep } from "./self-test.js";
import { SPAN_CHECK_IDS, SPAN_CHECK_STATES, SPAN_FAULTS, type SpanCheckId, type SpanFaultCode } from "./span.js";

export interface TopicContract {
  /** Below `sidetone/<device>`; `<name>` stands for one level. */
  topic: string;
  summary: string;
  isRetained: boolean;
  payload: z.ZodType;
  example: unknown;
}

const callId = z
  .string()
  .refine((text): text is CallId => isCallId(text))
  .describe("names the call and its recording");
const isoTime = z.string().describe("ISO 8601 in UTC");
const count = z.int().min(0);
const spanState = z.enum(SPAN_CHECK_STATES);

export const boxStateSchema = z.union([
  z.object({ state: z.literal("online") }),
  z.object({
    state: z.literal("offline"),
    clean: z
      .literal(true)
      .exactOptional()
      .describe("ended on purpose; absent in the last will: box or connection lost"),
  }),
]) satisfies z.ZodType<BoxState>;

const diskSchema = z.object({
  level: z.enum(["ok", "early", "late", "full"]).describe("full: no new recordings are begun"),
  freeMegabytes: z.number().describe("besides the reserve"),
  totalMegabytes: z.number(),
  megabytesPerDay: z.number().nullable().describe("load of the last days, below 0 when it empties; null = not known"),
  daysLeft: z.number().nullable().describe("until no new recordings are begun; null = not known, or never"),
}) satisfies z.ZodType<DiskStatus>;

const anchorSchema = z.object({
  schema: z.literal(ANCHOR_SCHEMA),
  device: z.string().describe("the box's name"),
  at: isoTime,
  manifests: z.object({ sha256: z.string().describe("of the newest manifest's file; empty before the first") }),
  audit: z.object({ seq: count, sha256: z.string() }).describe("the newest entry"),
  signature: z.string().describe("Ed25519 over the line without this member: ed25519:<base64>"),
}) satisfies z.ZodType<AnchorStatement>;

const spanSchema = z.object({
  at: isoTime,
  state: spanState.describe("the worst of any check"),
  checks: z.record(z.enum(SPAN_CHECK_IDS as [SpanCheckId, ...SpanCheckId[]]), spanState),
  faults: z.array(z.enum(Object.keys(SPAN_FAULTS) as [SpanFaultCode, ...SpanFaultCode[]])).describe("codes"),
}) satisfies z.ZodType<SpanStatus>;

const infoSchema = z.object({
  device: z.string(),
  version: z.string(),
  node: z.string(),
  architecture: z.string(),
  startedAt: isoTime,
  interfaces: z.array(z.string()).describe("that it captures on"),
  policy: z.string().describe("consent.policy"),
}) satisfies z.ZodType<BoxInfo>;

const selfTestSchema = z.object({
  at: isoTime.describe("when it began, ISO 8601 in UTC"),
  result: z.enum(["pass", "fail", "skipped"]),
  reason: z.string().exactOptional().describe("why it was skipped"),
  steps: z
    .array(
      z.object({
        step: z.enum(Object.keys(SELF_TEST_STEPS) as [SelfTestStep, ...SelfTestStep[]]),
        ok: z.boolean(),
        detail: z.string().describe("the figures, or what is wrong"),
      }),
    )
    .describe("up to the first that failed, and delete, which is always tried"),
  durationMs: z.number(),
}) satisfies z.ZodType<SelfTestReport>;

const AT = "2026-11-28T09:00:00.000000Z";
const SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

type Retained<Name extends keyof RetainedStates> = Omit<
  TopicContract,
  "topic" | "isRetained" | "payload" | "example"
> & {
  payload: z.ZodType<RetainedStates[Name]>;
  example: RetainedStates[Name];
};

const RETAINED: { [Name in keyof RetainedStates]: Retained<Name> } = {
  info: {
    summary: "what does not change while the service runs",
    payload: infoSchema,
    example: {
      device: "office-1",
      version: "0.1.0",
      node: "20.20.2",
      architecture: "x64",
      startedAt: AT,
      interfaces: ["eth1"],
      policy: "agent-only",
    },
  },
  health: {
    summary: "how the box is; anew every health.intervalS and whenever an alarm begins or ends",
    payload: healthAnswerSchema,
    example: HEALTH_EXAMPLE,
  },
  calls: {
    summary: "calls in progress: how many",
    payload: z.object({ active: count }),
    example: { active: 3 },
  },
  disk: {
    summary: "the data folder's file system, with a forecast",
    payload: diskSchema,
    example: { level: "ok", freeMegabytes: 91_000, totalMegabytes: 120_000, megabytesPerDay: 800, daysLeft: 113 },
  },
  span: {
    summary: "what the doctor finds about the mirror port: states and codes, no address",
    payload: spanSchema,
    example: {
      at: AT,
      state: "fail",
      checks: {
        ...(Object.fromEntries(SPAN_CHECK_IDS.map((id) => [id, "pass"])) as SpanStatus["checks"]),
        "sip-directions": "fail",
      },
      faults: ["sip-one-way"],
    },
  },
  "self-test": {
    summary: "what the newest self-test found",
    payload: selfTestSchema,
    example: {
      at: AT,
      result: "fail",
      steps: [
        { step: "decode", ok: true, detail: "1 call, 100 packets" },
        { step: "gate", ok: false, detail: "50 packets of the caller were admitted" },
        { step: "delete", ok: true, detail: "nothing is left" },
      ],
      durationMs: 4800,
    },
  },
  anchor: {
    summary: "where the chains of manifests and of audit entries end; with integrity.anchor: mqtt",
    payload: anchorSchema,
    example: {
      schema: ANCHOR_SCHEMA,
      device: "office-1",
      at: AT,
      manifests: { sha256: `sha256:${SHA256}` },
      audit: { seq: 41, sha256: `sha256:${SHA256}` },
      signature: "ed25519:qL0v…",
    },
  },
};

const place = {
  seq: z
    .int()
    .min(1)
    .describe("one more for each event of the box, over restarts: a gap is a loss, a number again the same event"),
  duplicate: z.literal(true).exactOptional().describe("it may have come before"),
};
const origin = {
  at: isoTime.describe("packet time, ISO 8601 in UTC"),
  call: callId,
  source: z.enum(EVIDENCE_SOURCES),
  by: z.string().describe("who or what caused it, without numbers"),
};
const side = z.enum(["originator", "answerer"]);

/** Events besides their place, which over HTTP is the stream's to say. */
export const consentEventSchema = z.object({
  ...origin,
  side,
  role: z.enum(PARTY_ROLES),
  purpose: z.string(),
  from: z.enum(CONSENT_STATES),
  to: z.enum(CONSENT_STATES),
  notice: z.string().describe("version of the announcement in use; empty = none"),
});
export const pauseEventSchema = z.object({ ...origin, state: z.enum(["paused", "resumed"]), reason: z.string() });
const switchedSchema = z.object({ ...origin, change: z.enum(["started", "stopped"]) });
const erasedSchema = z.object({ ...origin, change: z.literal("erased"), side, packets: count });
const policySchema = z.object({
  ...origin,
  change: z.literal("policy"),
  policy: z.enum(POLICIES),
  rule: z.string(),
  purpose: z.string(),
});
export const callEventSchema = z.union([switchedSchema, erasedSchema, policySchema]);

type Event<Kind extends MqttEventKind> = Pick<TopicContract, "summary"> & {
  payload: z.ZodType<MqttEvents[Kind] & EventPlace>;
  example: MqttEvents[Kind] & EventPlace;
};

const ID = "01JD7Q2Z3F8W5V9T6R4M1K0H2C" as CallId;
const cause = { seq: 7, at: AT, call: ID };

const EVENTS: { [Kind in MqttEventKind]: Event<Kind> } = {
  consent: {
    summary: "a party's consent has changed",
    payload: consentEventSchema.extend(place),
    example: {
      ...cause,
      source: "dtmf",
      by: "caller pressed 1",
      side: "originator",
      role: "caller",
      purpose: "recording",
      from: "unknown",
      to: "granted",
      notice: "",
    },
  },
  pause: {
    summary: "a call is paused, or goes on",
    payload: pauseEventSchema.extend(place),
    example: { ...cause, source: "mqtt", by: "mqtt client node-red-7", state: "paused", reason: "card data" },
  },
  call: {
    summary: "recording on demand began or ended, something was taken back, or the call has another policy",
    payload: z.union([switchedSchema.extend(place), erasedSchema.extend(place), policySchema.extend(place)]),
    example: { ...cause, source: "api", by: "token front-desk", change: "started" },
  },
};

/** In the order in which they are shown. */
export const MQTT_TOPICS: readonly TopicContract[] = [
  {
    topic: "state",
    summary: "whether the box is there; also its last will",
    isRetained: true,
    payload: boxStateSchema,
    example: { state: "offline", clean: true },
  },
  ...Object.entries(RETAINED).map(([topic, contract]) => ({ topic, isRetained: true, ...contract })),
  {
    topic: "alarm/<code>",
    summary: "an alarm that stands; emptied when it has cleared",
    isRetained: true,
    payload: standingAlarmSchema,
    example: {
      code: "no-agents",
      severity: ALARMS["no-agents"].severity,
      title: ALARMS["no-agents"].title,
      remedy: ALARMS["no-agents"].remedy,
      since: AT,
      count: 1,
      detail: {},
    },
  },
  ...Object.entries(EVENTS).map(([kind, contract]) => ({ topic: `event/${kind}`, isRetained: false, ...contract })),
];
