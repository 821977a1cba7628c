// What the commands about the box answer, as schemas that a reference can be made from. What is not listed here stays inside:
// no audio, no path, no secret. Numbers are in full here; whoever shows them masks them.
import { z } from "zod";
import { type CallId, isCallId } from "../base/ids.js";
import { ALARM_CODES, ALARM_SEVERITIES, type AlarmCode, type PastAlarm, type StandingAlarm } from "./alarms.js";
import type { BoxVerb } from "./box-commands.js";
import { CONSENT_STATES, NO_AUDIO_REASONS, PARTY_ROLES, POLICIES } from "./call-record.js";
import { COMPLETENESS_SCHEMA, type CompletenessReport, MISSING_KINDS, type MissingReason } from "./completeness.js";
import { HEALTH_SCHEMA, type HealthStatus } from "./health.js";
import { PANEL_STATES } from "./panel.js";
import { SELF_TEST_STEPS, type SelfTestReport, type SelfTestStep } from "./self-test.js";
import {
  SPAN_CHECK_IDS,
  SPAN_CHECK_STATES,
  SPAN_FAULTS,
  type SpanCheckId,
  type SpanFaultCode,
  type SpanReport,
} from "./span.js";

const callId = z
  .string()
  .regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
  .refine((text): text is CallId => isCallId(text))
  .describe("names the call and its recording");
const isoTime = z.string().describe("ISO 8601 in UTC");
const count = z.int().min(0);
const missingReasons = Object.keys(MISSING_KINDS) as [MissingReason, ...MissingReason[]];

export const tagAnswerSchema = z.object({
  call: callId,
  tags: z.array(z.string()).describe("all that it has now, in alphabetical order"),
});

export const recordingEntrySchema = z.object({
  id: callId,
  sipCallIds: z.array(z.string()).describe("at most 16"),
  startedAt: isoTime,
  answeredAt: isoTime.describe("empty when it was not answered"),
  endedAt: isoTime,
  endReason: z.string(),
  policy: z.enum(POLICIES),
  outcome: z.enum(["recorded", "deleted", ...NO_AUDIO_REASONS]),
  durationMs: count.describe("of the audio; 0 without"),
  parties: z
    .array(
      z.object({
        role: z.enum(PARTY_ROLES),
        side: z.enum(["originator", "answerer"]),
        number: z.string().exactOptional().describe("as mqtt.numbers says; absent with none"),
        consent: z.enum(CONSENT_STATES),
        recordedMs: count,
      }),
    )
    .describe("at most 16"),
  recording: z
    .object({
      bytes: count,
      sha256: z.string().describe("of the file as it is stored, lower-case hex"),
      sampleRateHz: count,
      policyRule: z.string(),
      purpose: z.string(),
      retention: z.string().describe("retention class; empty = none"),
    })
    .exactOptional()
    .describe("absent without audio"),
  tags: z.array(z.string()),
  warnings: z.array(z.string()).describe("codes"),
});
export type RecordingEntry = z.output<typeof recordingEntrySchema>;

export const recordingsAnswerSchema = z.object({
  recordings: z.array(recordingEntrySchema).describe("the newest first"),
  next: z.string().describe("`cursor` for the next page; empty = there are no more"),
});

export const healthAnswerSchema = z.object({
  schema: z.literal(HEALTH_SCHEMA),
  at: isoTime,
  uptimeS: z.number().describe("of the service"),
  cpuPercent: z
    .object({ box: z.number(), service: z.number(), engine: z.number(), cores: z.number() })
    .describe("percent of one core"),
  memoryMegabytes: z.object({
    total: z.number(),
    available: z.number(),
    service: z.number(),
    engine: z.number(),
  }),
  temperatureC: z.number().nullable().describe("the hottest sensor; null where there is none"),
  clock: z.object({
    synchronised: z.union([z.boolean(), z.literal("unknown")]),
    offsetMs: z.number().nullable(),
  }),
  sealing: z.object({ waiting: count, running: count, refused: count }).describe("finished calls"),
  activeCalls: count,
  capture: z.object({
    packetsPerSecond: z.number(),
    kernelDrops: count.describe("since the engine's start"),
    interfaceDrops: count,
  }),
  eventLoopDelayMs: z.object({ service: z.number(), engine: z.number() }),
  panel: z.enum(PANEL_STATES).describe("the front panel; off = none is configured"),
  alarms: z.array(z.string()).describe("codes of those that stand"),
}) satisfies z.ZodType<HealthStatus>;

export const spanAnswerSchema = z.object({
  at: isoTime,
  state: z.enum(SPAN_CHECK_STATES).describe("the worst of any check"),
  checks: z.array(
    z.object({
      id: z.enum(SPAN_CHECK_IDS as [SpanCheckId, ...SpanCheckId[]]),
      state: z.enum(SPAN_CHECK_STATES),
      figure: z.string().describe("what was measured"),
      findings: z.array(
        z.object({
          code: z.enum(Object.keys(SPAN_FAULTS) as [SpanFaultCode, ...SpanFaultCode[]]),
          figure: z.string().describe("whom it concerns and how much"),
          remedy: z.string().describe("what to do, one sentence"),
        }),
      ),
    }),
  ),
  endpoints: z
    .array(
      z.object({
        address: z.string(),
        kind: z.enum(["agent", "trunk", "pbx", "unknown"]),
        evidence: z.string(),
        calls: count,
        sipPeers: count,
        lastAtUs: z.number().describe("µs since 1970"),
      }),
    )
    .describe("at most 256, the newest"),
}) satisfies z.ZodType<SpanReport>;

const missing = z.partialRecord(z.enum(missingReasons), count).describe("calls without a recording, by reason");
export const completenessAnswerSchema = z.object({
  schema: z.literal(COMPLETENESS_SCHEMA),
  from: isoTime,
  to: isoTime,
  by: z.enum(["day", "hour"]),
  periods: z.array(z.object({ period: z.string(), seen: count, recorded: count, missing })),
  total: z.object({ seen: count, recorded: count, missing }),
  faults: count.describe("of the total, those that somebody has to mend"),
  badLines: count.describe("lines of the call log that could not be read"),
}) satisfies z.ZodType<CompletenessReport>;

export const selfTestAnswerSchema = z.object({
  at: isoTime.describe("when it began"),
  result: z.enum(["pass", "fail", "skipped"]).describe("skipped: nothing was tried, reason says why"),
  reason: z.string().exactOptional(),
  steps: z.array(
    z.object({
      step: z.enum(Object.keys(SELF_TEST_STEPS) as [SelfTestStep, ...SelfTestStep[]]),
      ok: z.boolean(),
      detail: z.string().describe("the figures, or what is wrong"),
    }),
  ),
  durationMs: z.number(),
}) satisfies z.ZodType<SelfTestReport>;

const acknowledgement = z
  .object({ at: isoTime, by: z.string().describe("who says that it was seen") })
  .describe("absent until somebody does");
const detail = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const alarmFacts = {
  code: z.enum(ALARM_CODES as [AlarmCode, ...AlarmCode[]]),
  severity: z.enum(ALARM_SEVERITIES),
  since: isoTime,
  count: count.describe("how often it was raised since then"),
  detail,
};
export const standingAlarmSchema = z.object({
  ...alarmFacts,
  title: z.string(),
  remedy: z.string(),
  acknowledged: acknowledgement.exactOptional(),
}) satisfies z.ZodType<StandingAlarm>;
export const pastAlarmSchema = z.object({
  ...alarmFacts,
  clearedAt: isoTime,
  clearedBy: z.enum(["condition", "restart"]),
}) satisfies z.ZodType<PastAlarm>;

export const alarmsAnswerSchema = z.object({
  standing: z.array(standingAlarmSchema),
  past: z.array(pastAlarmSchema).describe("those that stood, the newest last, at most 50"),
});

export const SETTING_SOURCES = ["default", "file", "environment", "flag"] as const;

export const getConfigurationAnswerSchema = z.object({
  action: z.literal("get"),
  file: z.string().describe("configuration file in use; empty = none"),
  settings: z
    .record(
      z.string(),
      z.object({
        value: z.unknown().describe("in force; a secret that is set is shown as •set•"),
        source: z.enum(SETTING_SOURCES),
        settable: z.boolean().describe("it can be changed by this command"),
      }),
    )
    .describe("by path"),
  omitted: z.array(z.string()).describe("settings that are too long for an answer"),
  pending: z.array(z.string()).describe("settings that will be others after a restart"),
});
export const setConfigurationAnswerSchema = z.object({
  action: z.literal("set"),
  dryRun: z.boolean(),
  changed: z.array(z.string()).describe("settings whose value in the file is another one now, or would be"),
  overridden: z.array(z.string()).describe("of them, those that the environment or a flag overrides all the same"),
  restart: z.boolean().describe("something takes effect at the next restart; nothing does before"),
});
export const configurationAnswerSchema = z.discriminatedUnion("action", [
  getConfigurationAnswerSchema,
  setConfigurationAnswerSchema,
]);

export const restartAnswerSchema = z.object({
  when: z.enum(["idle", "now"]),
  calls: count.describe("in progress"),
  withinS: count.describe("it begins within this time, or is given up because calls go on"),
});

/** What stands in place of a secret that is set. */
export const SECRET_MARK = "•set•";

/** By verb. */
export const BOX_ANSWER_SCHEMAS = {
  tag: tagAnswerSchema,
  recordings: recordingsAnswerSchema,
  health: healthAnswerSchema,
  span: spanAnswerSchema,
  completeness: completenessAnswerSchema,
  "self-test": selfTestAnswerSchema,
  configuration: configurationAnswerSchema,
  alarms: alarmsAnswerSchema,
  restart: restartAnswerSchema,
} as const satisfies Record<BoxVerb, z.ZodType>;
export type BoxAnswers = { [Verb in BoxVerb]: z.output<(typeof BOX_ANSWER_SCHEMAS)[Verb]> };
