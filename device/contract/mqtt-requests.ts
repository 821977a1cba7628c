// The requests over MQTT with what each takes and answers and an example of both: one table, of which the reference is made. The
// verb is the topic's (`request/<verb>`), so it is in no payload; `transaction` may be in each.
import { z } from "zod";
import { activeCallSchema } from "./api-calls.js";
import { BOX_ANSWER_SCHEMAS } from "./box-answers.js";
import {
  acknowledgeAlarmSchema,
  completenessCommandSchema,
  getConfigurationSchema,
  healthCommandSchema,
  listAlarmsSchema,
  recordingsCommandSchema,
  restartCommandSchema,
  selfTestCommandSchema,
  setConfigurationSchema,
  spanCommandSchema,
  tagCommandSchema,
} from "./box-commands.js";
import { callsCommandSchema, consentCommandSchema, pauseCommandSchema, recordCommandSchema } from "./commands.js";
import type { HealthStatus } from "./health.js";
import type { MqttErrorCode, RequestVerb, ShownCalls } from "./mqtt.js";

export interface RequestContract {
  summary: string;
  /** The payload without `transaction`. */
  request: z.ZodType;
  /** `data` of a response with status "ok". */
  data: z.ZodType;
  /** Error codes of its own, beside those that every request has. */
  errors: readonly MqttErrorCode[];
  example: { request: Readonly<Record<string, unknown>>; data: unknown };
}

const party = activeCallSchema.shape.parties.element;
export const shownCallsSchema = z.object({
  calls: z.array(
    activeCallSchema.extend({
      parties: z.array(
        party.extend({ number: z.string().exactOptional().describe("as mqtt.numbers says; absent with none") }),
      ),
    }),
  ),
  omitted: z.int().min(0).describe("how many more there are than one message holds"),
}) satisfies z.ZodType<ShownCalls>;

const verb = { verb: true } as const;
const ID = "01JD7Q2Z3F8W5V9T6R4M1K0H2C";
const AT = "2026-11-28T09:00:00.000000Z";
const CALL = {
  id: ID,
  sipCallIds: ["a84b4c76e66710@10.0.0.1"],
  startedAt: AT,
  answeredAt: "2026-11-28T09:00:05.000000Z",
  policy: "agent-only",
  policyRule: "",
  purpose: "recording",
  isPaused: false,
  parties: [
    { role: "caller", side: "originator", number: "•••789", consent: "granted", isRecorded: true },
    { role: "agent", side: "answerer", number: "21", consent: "not-required", isRecorded: true },
  ],
};
const callsData = { calls: [CALL], omitted: 0 };

const ofOneCall = ["call-not-found", "call-ambiguous", "engine-unavailable"] as const;

const callRequests = {
  consent: {
    summary: "a party of a call in progress consents, refuses or withdraws",
    request: consentCommandSchema.omit(verb),
    data: shownCallsSchema,
    errors: [...ofOneCall, "party-not-found", "caller-unknown"],
    example: {
      request: { call: { agent: "21" }, effect: "granted", reason: "said so on the phone", transaction: "7" },
      data: callsData,
    },
  },
  pause: {
    summary: "nothing of anybody in a call, or in all, is taken until resume or consent.pause.maxS",
    request: pauseCommandSchema.omit(verb),
    data: shownCallsSchema,
    errors: ofOneCall,
    example: {
      request: { call: "all", reason: "card data" },
      data: { calls: [{ ...CALL, isPaused: true }], omitted: 0 },
    },
  },
  resume: {
    summary: "ends a pause",
    request: pauseCommandSchema.omit(verb),
    data: shownCallsSchema,
    errors: ofOneCall,
    example: { request: { call: { id: ID } }, data: callsData },
  },
  start: {
    summary: "begins recording on demand (consent.onDemand)",
    request: recordCommandSchema.omit(verb),
    data: shownCallsSchema,
    errors: [...ofOneCall, "not-on-demand"],
    example: { request: { call: { sipCallId: "a84b4c76e66710@10.0.0.1" } }, data: callsData },
  },
  stop: {
    summary: "ends recording on demand",
    request: recordCommandSchema.omit(verb),
    data: shownCallsSchema,
    errors: [...ofOneCall, "not-on-demand"],
    example: { request: { call: { id: ID } }, data: callsData },
  },
  calls: {
    summary: "calls in progress",
    request: callsCommandSchema.omit(verb),
    data: shownCallsSchema,
    errors: ["engine-unavailable"],
    example: { request: {}, data: callsData },
  },
} as const satisfies Partial<Record<RequestVerb, RequestContract>>;

const RECORDING = {
  id: ID,
  sipCallIds: ["a84b4c76e66710@10.0.0.1"],
  startedAt: AT,
  answeredAt: "2026-11-28T09:00:05.000000Z",
  endedAt: "2026-11-28T09:01:08.000000Z",
  endReason: "bye",
  policy: "agent-only",
  outcome: "recorded",
  durationMs: 63_000,
  parties: [
    { role: "caller", side: "originator", number: "•••789", consent: "granted", recordedMs: 41_000 },
    { role: "agent", side: "answerer", number: "21", consent: "not-required", recordedMs: 63_000 },
  ],
  recording: {
    bytes: 2_016_044,
    sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    sampleRateHz: 8000,
    policyRule: "",
    purpose: "recording",
    retention: "",
  },
  tags: ["complaint"],
  warnings: [],
};

/** Of a box that is well. */
export const HEALTH_EXAMPLE: HealthStatus = {
  schema: "sidetone.health/1",
  at: AT,
  uptimeS: 86_400,
  cpuPercent: { box: 12, service: 1, engine: 4, cores: 2 },
  memoryMegabytes: { total: 2000, available: 1400, service: 120, engine: 90 },
  temperatureC: 48,
  clock: { synchronised: true, offsetMs: 0.4 },
  sealing: { waiting: 0, running: 1, refused: 0 },
  activeCalls: 3,
  capture: { packetsPerSecond: 300, kernelDrops: 0, interfaceDrops: 0 },
  eventLoopDelayMs: { service: 12, engine: 9 },
  panel: "off",
  alarms: [],
};

const NO_AGENTS = {
  code: "no-agents",
  severity: "warning",
  title: "No agents configured",
  remedy: "Name the agents with agents.match, for example the phones' network.",
  since: AT,
  count: 1,
  detail: {},
  acknowledged: { at: AT, by: "mqtt client node-red-7" },
};

const boxRequests = {
  tag: {
    summary: "puts tags on a finished call and takes them off; entered in the audit chain with who did it",
    request: tagCommandSchema.omit(verb),
    data: BOX_ANSWER_SCHEMAS.tag,
    errors: [
      "recording-not-found",
      "recording-deleted",
      "too-many-tags",
      "index-unusable",
      "data-unwritable",
      "unavailable",
    ],
    example: {
      request: { call: { id: ID }, add: ["complaint"], remove: ["new"], transaction: 8 },
      data: { call: ID, tags: ["complaint"] },
    },
  },
  recordings: {
    summary: "lists recordings, or calls without one, by any filters together: what is known of them, never audio",
    request: recordingsCommandSchema.omit(verb),
    data: BOX_ANSWER_SCHEMAS.recordings,
    errors: ["index-unusable", "unavailable"],
    example: {
      request: { from: "2026-11-28", agent: "21", consent: "granted", limit: 20 },
      data: { recordings: [RECORDING], next: "" },
    },
  },
  health: {
    summary: "how the box is now",
    request: healthCommandSchema.omit(verb),
    data: BOX_ANSWER_SCHEMAS.health,
    errors: ["unavailable"],
    example: { request: {}, data: HEALTH_EXAMPLE },
  },
  span: {
    summary: "what the doctor finds about the mirror port now, with figures, addresses and remedies",
    request: spanCommandSchema.omit(verb),
    data: BOX_ANSWER_SCHEMAS.span,
    errors: ["unavailable"],
    example: {
      request: {},
      data: {
        at: AT,
        state: "fail",
        checks: [
          {
            id: "sip-directions",
            state: "fail",
            figure: "both between 0 of 1 pair",
            findings: [
              {
                code: "sip-one-way",
                figure: "10.0.0.7 → 10.0.0.2: 12 messages, none back",
                remedy: "Mirror both directions (rx and tx) of the port named here.",
              },
            ],
          },
        ],
        endpoints: [
          {
            address: "10.0.0.7",
            kind: "agent",
            evidence: "agents.match 10.0.0.0/24",
            calls: 3,
            sipPeers: 1,
            lastAtUs: 1_795_856_400_000_000,
          },
        ],
      },
    },
  },
  completeness: {
    summary: "calls seen against recordings made, and why each missing one is missing",
    request: completenessCommandSchema.omit(verb),
    data: BOX_ANSWER_SCHEMAS.completeness,
    errors: ["already-running", "data-unwritable"],
    example: {
      request: { from: "2026-11-27", to: "2026-11-27", by: "day" },
      data: {
        schema: "sidetone.completeness/1",
        from: "2026-11-27T00:00:00.000Z",
        to: "2026-11-27T23:59:59.999Z",
        by: "day",
        periods: [{ period: "2026-11-27", seen: 120, recorded: 117, missing: { "not-answered": 2, "no-media": 1 } }],
        total: { seen: 120, recorded: 117, missing: { "not-answered": 2, "no-media": 1 } },
        faults: 1,
        badLines: 0,
      },
    },
  },
  "self-test": {
    summary:
      "puts a made call through engine, journal, sealing and index and deletes it again; takes some five seconds",
    request: selfTestCommandSchema.omit(verb),
    data: BOX_ANSWER_SCHEMAS["self-test"],
    errors: ["unavailable"],
    example: {
      request: { transaction: "9" },
      data: {
        at: AT,
        result: "pass",
        steps: [{ step: "gate", ok: true, detail: "agent 125 of 125 packets admitted, caller 0 of 125" }],
        durationMs: 4200,
      },
    },
  },
  alarms: {
    summary: "lists alarms, or acknowledges one: it stands until its cause is gone, with who has seen it",
    request: z.discriminatedUnion("action", [listAlarmsSchema.omit(verb), acknowledgeAlarmSchema.omit(verb)]),
    data: BOX_ANSWER_SCHEMAS.alarms,
    errors: ["alarm-not-standing", "unavailable"],
    example: {
      request: { action: "acknowledge", code: "no-agents" },
      data: { standing: [NO_AGENTS], past: [] },
    },
  },
  configuration: {
    summary: "shows the configuration in force, or changes the file: checked as a whole, in force after a restart",
    request: z.discriminatedUnion("action", [getConfigurationSchema.omit(verb), setConfigurationSchema.omit(verb)]),
    data: BOX_ANSWER_SCHEMAS.configuration,
    errors: [
      "not-settable",
      "configuration-unused",
      "configuration-unwritable",
      "configuration-invalid",
      "data-unwritable",
      "unavailable",
    ],
    example: {
      request: { action: "set", values: { "call.tailMs": 800, "mqtt.password": "…", "log.level": null } },
      data: {
        action: "set",
        dryRun: false,
        changed: ["call.tailMs", "mqtt.password"],
        overridden: [],
        restart: true,
      },
    },
  },
  restart: {
    summary: "starts the service anew with the configuration read afresh, once no call is in progress, or now",
    request: restartCommandSchema.omit(verb),
    data: BOX_ANSWER_SCHEMAS.restart,
    errors: ["configuration-invalid", "already-running", "unavailable"],
    example: {
      request: { when: "idle", reason: "new settings" },
      data: { when: "idle", calls: 2, withinS: 3600 },
    },
  },
} as const satisfies Partial<Record<RequestVerb, RequestContract>>;

/** By verb, in the order in which they are shown. */
export const MQTT_REQUESTS: Record<RequestVerb, RequestContract> = { ...callRequests, ...boxRequests };
