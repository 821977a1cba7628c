// What is seen of a box over MQTT: the names below `sidetone/<device>`, requests' responses, events and retained states,
// and the codes of refusals. Part of the contract: outsiders build on these. Requests are commands.ts's commands about calls and
// box-commands.ts's about the box; mqtt-requests.ts lists them all.
import type { CallId } from "../base/ids.js";
import type { AnchorStatement } from "./anchor.js";
import type { BoxAnswers } from "./box-answers.js";
import { BOX_ERRORS, type BoxError, type BoxVerb } from "./box-commands.js";
import type { ConsentState, EvidenceSource, PartyRole, Policy } from "./call-record.js";
import type { ActiveCall, CommandBody, CommandError } from "./commands.js";
import type { BoxInfo, HealthStatus } from "./health.js";
import type { SelfTestReport } from "./self-test.js";
import type { SpanCheckId, SpanCheckState, SpanFaultCode } from "./span.js";

export const MQTT_ROOT = "sidetone";

/** Verbs in `request/<verb>` that are about calls in progress. */
export const COMMAND_VERBS = ["consent", "pause", "resume", "start", "stop", "calls"] as const satisfies readonly [
  CommandBody["verb"],
  ...CommandBody["verb"][],
];
/** Those about the box and what it has stored. */
export const BOX_VERBS = [
  "tag",
  "recordings",
  "health",
  "span",
  "completeness",
  "self-test",
  "alarms",
  "configuration",
  "restart",
] as const satisfies readonly BoxVerb[];
export const REQUEST_VERBS = [...COMMAND_VERBS, ...BOX_VERBS] as const;
export type RequestVerb = (typeof REQUEST_VERBS)[number];

/** Taken only where mqtt.allow names them: they change how the box records, or end recording for a while. */
const NOT_BY_DEFAULT: readonly RequestVerb[] = ["configuration", "restart"];
export const DEFAULT_VERBS: readonly RequestVerb[] = REQUEST_VERBS.filter((verb) => !NOT_BY_DEFAULT.includes(verb));

/** `state`, retained. The last will is "offline" without `clean`: the box, or its connection, was lost. */
export type BoxState = { state: "online" } | { state: "offline"; clean?: true };

/** The data folder's file system. */
export interface DiskStatus {
  /** `full`: no new recordings are begun. */
  level: "ok" | "early" | "late" | "full";
  /** Besides the reserve. */
  freeMegabytes: number;
  totalMegabytes: number;
  /** By which the disk fills at the load of the last days, below 0 when it empties; null while that is not known. */
  megabytesPerDay: number | null;
  /** Until no new recordings are begun, at that load; null when that is not known, or never. */
  daysLeft: number | null;
}

/** What the doctor finds about the mirror port: states and codes only, no address. */
export interface SpanStatus {
  /** ISO 8601 in UTC. */
  at: string;
  state: SpanCheckState;
  checks: Record<SpanCheckId, SpanCheckState>;
  faults: SpanFaultCode[];
}

/** What is retained below `sidetone/<device>` besides `state`. Never holds anything of a caller. */
export interface RetainedStates {
  calls: { active: number };
  disk: DiskStatus;
  /** With `integrity.anchor: mqtt`. */
  anchor: AnchorStatement;
  span: SpanStatus;
  health: HealthStatus;
  info: BoxInfo;
  /** The last one that was not skipped. */
  "self-test": SelfTestReport;
}

export type MqttErrorCode =
  | CommandError
  | BoxError
  | "not-json"
  | "too-long"
  | "unknown-verb"
  | "retained"
  | "busy"
  | "timeout"
  | "internal";

/** Every code in a response's `error.code` with its meaning: the documentation's one source. */
export const MQTT_ERROR_CODES: Record<MqttErrorCode, string> = {
  "not-json": "the payload is not a JSON object in UTF-8",
  "too-long": "the payload is longer than 16 KiB",
  "unknown-verb": "there is no such request",
  "not-allowed": "mqtt.allow does not list the verb, or consent.commands.mqtt is off",
  retained: "the request was retained, and would be repeated at each reconnect: it was not carried out",
  busy: "too many requests are being carried out; this one was not",
  timeout: "no result came in time; the command may still take effect",
  internal: "a fault in Sidetone itself",
  "call-not-found": "no call in progress is meant by `call`",
  "call-ambiguous": "several calls in progress are meant by `call`",
  "party-not-found": "the call has no party at that place",
  "caller-unknown": "it is not known which side of the call is the caller",
  "not-on-demand": "the call's policy leaves nothing to start or stop",
  "engine-unavailable": "the engine is not running; nothing was changed",
  ...BOX_ERRORS,
};

/** A call in progress as a response shows it: `number` as mqtt.numbers says, absent with "none". */
export type ShownCall = Omit<ActiveCall, "parties"> & {
  parties: (Omit<ActiveCall["parties"][number], "number"> & { number?: string })[];
};

/** The calls concerned after a command; `omitted`: how many more there are than one message holds. */
export interface ShownCalls {
  calls: ShownCall[];
  omitted: number;
}

/** What a request carries to tell its response from others; comes back as it was. */
export type Transaction = string | number;

export type MqttResponse = { transaction?: Transaction } & (
  | {
      status: "ok";
      data: ShownCalls | BoxAnswers[BoxVerb];
    }
  | { status: "error"; error: { code: MqttErrorCode; message: string; field?: string } }
);

interface EventOrigin {
  /** ISO 8601 in UTC, packet time. */
  at: string;
  call: CallId;
  source: EvidenceSource;
  /** Who or what caused it, without numbers. */
  by: string;
}

/** Goes with the payload of every event. */
export interface EventPlace {
  /**
   * From 1, one more for each event of the box, whatever its kind and across restarts: a gap is a loss, a number that comes
   * again is the same event. After a power cut it leaps, by a thousand or two at most, and never goes back.
   */
  seq: number;
  /** The event may have come before: the box did not see the broker's acknowledgement. */
  duplicate?: true;
}

/** Payloads of `event/<kind>` besides their place, never retained. QoS 1, in order. Without anything of a caller. */
export interface MqttEvents {
  consent: EventOrigin & {
    side: "originator" | "answerer";
    role: PartyRole;
    purpose: string;
    from: ConsentState;
    to: ConsentState;
    notice: string;
  };
  pause: EventOrigin & { state: "paused" | "resumed"; reason: string };
  call: EventOrigin &
    (
      | { change: "started" | "stopped" }
      | { change: "erased"; side: "originator" | "answerer"; packets: number }
      | { change: "policy"; policy: Policy; rule: string; purpose: string }
    );
}
export type MqttEventKind = keyof MqttEvents;
