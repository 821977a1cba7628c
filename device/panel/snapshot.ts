// Everything that the front panel can show, as values of one moment. Holds nothing of a caller: of calls in progress the
// agent's masked number and how many callers have which consent.
import type { StandingAlarm } from "../contract/alarms.js";
import type { ConsentState } from "../contract/call-record.js";
import type { ActiveCall } from "../contract/commands.js";
import type { DiskStatus, SpanStatus } from "../contract/mqtt.js";
import { maskNumber, NUMBER_MASK } from "../contract/number-mask.js";

export interface PanelCall {
  /** Since the answer, or since it began to ring. */
  seconds: number;
  /** Masked; "" while nobody counts as the agent. */
  agent: string;
  isPaused: boolean;
  /** Of everybody but agents. */
  consents: ConsentState[];
}

export interface PanelSnapshot {
  device: string;
  version: string;
  /** As it is shown: local, "2026-11-28" and "12:04". */
  date: string;
  time: string;
  engine: "starting" | "reporting" | "silent" | "stopping";
  /** Of every call. */
  isPaused: boolean;
  activeCalls: number;
  disk: DiskStatus | undefined;
  span: SpanStatus | undefined;
  /** In the catalogue's order. */
  alarms: readonly StandingAlarm[];
  /** Of the box, without loopback and link-local ones. */
  addresses: readonly { interface: string; address: string }[];
  /** "https port 8385", "this box only", "off". */
  api: string;
  /** SHA-256 of its certificate, "AB:CD:…"; "" without. */
  fingerprint: string;
  /** The newest of them; undefined = not known yet. */
  calls: readonly PanelCall[] | undefined;
  /** Tokens can be reset here. */
  canReset: boolean;
  /** A first token waits to be shown. */
  hasSecret: boolean;
}

/** What the panel may show of a call. */
export function panelCall({ answeredAt, startedAt, isPaused, parties }: ActiveCall, nowUs: number): PanelCall {
  const agent = parties.find(({ role }) => role === "agent");
  const sinceMs = Date.parse(answeredAt || startedAt);
  return {
    seconds: Math.max(0, Math.floor(nowUs / 1e6 - sinceMs / 1000)) || 0,
    agent: agent === undefined ? "" : maskNumber(agent.number).replace(NUMBER_MASK, "..."),
    isPaused,
    consents: parties.filter(({ role }) => role !== "agent").map(({ consent }) => consent),
  };
}
