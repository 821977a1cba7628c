// The messages between the service and the engine process, over Node's IPC channel as JSON. Versioned: both sides are
// one build, so a mismatch means a broken installation and ends the engine. Every message is small and bounded.
import type { ErrorCode } from "../base/errors.js";
import type { CallId, TimeUs } from "../base/ids.js";
import type { CallRecord, ConsentState, EvidenceSource, PartyRole, Policy } from "./call-record.js";
import type { CallCommand, CommandResult } from "./commands.js";
import type { Config } from "./config.js";
import type { SpanFigures } from "./span.js";

export const ENGINE_PROTOCOL = 4;

/** Where the finished call's last journal block stands; `undefined` position = nothing was journalled. */
export interface JournalPosition {
  /** File number within the run's folder. */
  segment: number;
  offset: number;
}

export type CaptureSpec = { kind: "files"; paths: string[] } | { kind: "live"; interfaces: string[] };

export type ServiceToEngine =
  | {
      type: "start";
      protocol: number;
      config: Config;
      capture: CaptureSpec;
      /** Folder of this run's journal, made by the service. */
      journalFolder: string;
      /** Seals what is written there, 32 bytes in base64; absent = the journal is in clear. */
      journalKey?: string;
      /** Folder of the registers, which the engine reads. */
      registerFolder: string;
      /** What the engine before this one left. */
      carried: CarriedState;
    }
  /** `id` comes back with the result. */
  | { type: "command"; id: number; command: CallCommand }
  /** Whether the disk has room for recordings that have not begun; those in progress go on. */
  | { type: "room"; takesNewCalls: boolean }
  /** Put the self-test's call of this seed in (self-test-call.ts), recorded as `config` says. One at a time. `id` comes back. */
  | { type: "self-test"; id: number; seed: string; config: Config }
  /** What the self-test's call left is stored nowhere else: its journal may go, and so may a test that has not ended. */
  | { type: "self-test-over"; id: number }
  /** The registers have changed: read them again. */
  | { type: "registers-changed" }
  /** The call's recording is stored (or the call left none): its journal may go. */
  | { type: "released"; id: CallId }
  | { type: "stop" };

export interface SourceCounters {
  name: string;
  frames: number;
  bytes: number;
  /** Lost in the kernel (ps_drop) and at the interface (ps_ifdrop), as libpcap reports them. */
  kernelDrops: number;
  interfaceDrops: number;
  /** Longer than the interface sends them: the network card or the kernel has joined packets together. Live only. */
  joinedFrames?: number;
  /** What keeps a live source from delivering at the moment, one line; "" or absent = nothing. */
  fault?: string;
}

/** One stack of encapsulations in which datagrams or segments came. */
export interface EncapsulationStatus {
  /** Outermost first: "vlan/vlan", "pppoe", "gre/erspan2/ethernet", "vxlan/ethernet/vlan". */
  layers: string;
  /** Source and destination of the outermost IP header that carries an encapsulation, "10.0.0.1 → 10.0.0.2"; "" when none does. */
  outer: string;
  /** Source and destination of the first packet seen inside. */
  inner: string;
  /** Datagrams and segments handed on, one for all fragments of one. */
  frames: number;
  firstAtUs: TimeUs;
  lastAtUs: TimeUs;
}

/** A server to which TLS or DTLS was seen: what is in it cannot be read. */
export interface TlsEndpointStatus {
  /** "10.0.0.5:5061" or "[2001:db8::5]:5061". */
  endpoint: string;
  /** TLS over TCP or DTLS over UDP. */
  transport: "TCP" | "UDP";
  connections: number;
  /** Payload of TCP or UDP in both directions, retransmissions included. */
  bytes: number;
  /** By its port (sip.tlsPorts) or by what the client offered (ALPN). */
  likelySip: boolean;
  firstAtUs: TimeUs;
  lastAtUs: TimeUs;
  /** The newest name that a client asked for (SNI). */
  serverName?: string;
  /** The newest application protocols that a client offered. */
  alpn?: string[];
}

export interface EngineCounters {
  atUs: TimeUs;
  sources: SourceCounters[];
  /** Flat name → count, totals since the start ("net.fragment-timeout", "sip.too-long", "rtp.unbound", …). */
  counts: Record<string, number>;
  /** What the calls come wrapped in, in the order of first sight; at most 64. */
  encapsulations: EncapsulationStatus[];
  /** Where signalling may be that cannot be read, in the order of first sight; at most 256. */
  tlsEndpoints: TlsEndpointStatus[];
  activeCalls: number;
  /** The last write of the journal failed. */
  isJournalFailing: boolean;
  rssBytes: number;
  cpuUs: number;
  /** Longest time that the event loop was busy since the counters before, ms. */
  loopDelayMs?: number;
}

/** A pause in force. */
export interface CarriedPause {
  /** When it ends by itself. */
  endsUs: TimeUs;
  source: EvidenceSource;
  by: string;
  reason: string;
}

/** What a call in progress must not lose with its engine. All of it closes; grants are not carried. */
export interface CarriedCall {
  sipCallIds: string[];
  pause?: CarriedPause;
  /** By which sources a caller who is there has refused or withdrawn in the call. */
  refusals: EvidenceSource[];
  /** On demand, and the agent has stopped it. */
  isStopped: boolean;
}

export interface CarriedState {
  calls: CarriedCall[];
  /** Of every call, those to come too. */
  pauseOfAll?: CarriedPause;
}

/** What goes into the audit chain about calls in progress. Names parties by side and role, never by number. */
export type AuditedEvent = { atUs: TimeUs; call: CallId; source: EvidenceSource; by: string } & (
  | {
      kind: "consent";
      side: 0 | 1;
      role: PartyRole;
      purpose: string;
      from: ConsentState;
      to: ConsentState;
      notice: string;
    }
  | { kind: "erased"; side: 0 | 1; packets: number }
  | { kind: "paused" | "resumed"; reason: string }
  | { kind: "started" | "stopped" }
  | { kind: "policy"; policy: Policy; rule: string; purpose: string }
);

/** How a call in progress gets on. `joined`: it was found to be half of another one, as which it goes on. */
export type CallProgress = { call: CallId; atUs: TimeUs } & (
  | { kind: "started" | "answered" }
  | { kind: "joined"; into: CallId }
);

/** What the engine made of the self-test's call. */
export interface SelfTestOutcome {
  /** When the call began. */
  startUs: TimeUs;
  frames: number;
  /** Every call that the frames gave, in the order of their end; there should be one. */
  calls: { record: CallRecord; journal?: JournalPosition }[];
  /** Of the recorder that it went through, as EngineCounters.counts, those that are not 0. */
  counts: Record<string, number>;
}

export type EngineToService =
  | { type: "ready"; protocol: number; interfaces: string[] }
  | { type: "call-ended"; record: CallRecord; journal?: JournalPosition }
  | { type: "counters"; counters: EngineCounters }
  /** Every few seconds, and before `finished`. */
  | { type: "span"; figures: SpanFigures }
  | { type: "command-result"; id: number; result: CommandResult }
  | { type: "audited"; event: AuditedEvent }
  /** Of live traffic only. */
  | { type: "call-progress"; progress: CallProgress }
  /** Whenever it has changed; without `state` nothing of the call is to be carried. */
  | { type: "carried"; call: CallId; state?: CarriedCall }
  | { type: "pause-of-all"; pause?: CarriedPause }
  | { type: "self-test-ended"; id: number; outcome: SelfTestOutcome }
  /** How far the files have been read; total 0 = unknown (stdin). */
  | { type: "progress"; readBytes: number; totalBytes: number }
  /** The clock that stamps packets was set by so much; above 0 = forward. */
  | { type: "clock-step"; offsetUs: number; calls: number }
  /** Something an installer should know that costs nothing yet. */
  | { type: "notice"; message: string }
  /** A fault of one input that does not stop the engine (a cut file, an interface that went down). */
  | { type: "input-fault"; code: ErrorCode; message: string }
  /** All files are read and every call is closed; the engine waits for `released` and `stop`. */
  | { type: "finished"; counters: EngineCounters }
  | { type: "fatal"; code: ErrorCode; message: string };
