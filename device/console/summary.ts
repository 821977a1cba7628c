// What a replay came to, as text for a person and as data for a program: calls, totals, inputs and what could not be
// read. Pure: the same calls and counters give the same summary, in the order of the calls' beginnings.
import type { ErrorCode } from "../base/errors.js";
import type { NoAudioReason } from "../contract/call-record.js";
import type {
  EncapsulationStatus,
  EngineCounters,
  SourceCounters,
  TlsEndpointStatus,
} from "../contract/engine-messages.js";
import type { CallLogLine } from "../contract/manifest.js";
import { type Column, formatTable, plainCell, plainLine } from "./table.js";
import { NO_AUDIO_TEXT, TROUBLE_COUNTERS } from "./text.js";

export const SUMMARY_SCHEMA = "sidetone.summary/1";
/** Rows of the table; the JSON form has all calls. */
export const MAXIMUM_ROWS = 50;
const MAXIMUM_NUMBER_CHARACTERS = 24;
/** Encapsulations that are named; the JSON form has all. */
const MAXIMUM_ENCAPSULATIONS = 10;
/** Servers with encrypted signalling, and with TLS of unknown purpose, that are named; the JSON form has all. */
const MAXIMUM_ENDPOINTS = 10;
const MAXIMUM_OTHER_ENDPOINTS = 3;

/** An engine message "input-fault". */
export interface InputFault {
  code: ErrorCode;
  message: string;
}

export interface SummaryInput {
  calls: readonly CallLogLine[];
  counters: Pick<EngineCounters, "sources" | "counts" | "encapsulations" | "tlsEndpoints">;
  faults: readonly InputFault[];
  /** As it was given: the paths in the text begin with it. */
  dataFolder: string;
}

export interface Summary {
  schema: typeof SUMMARY_SCHEMA;
  dataFolder: string;
  calls: CallLogLine[];
  totals: SummaryTotals;
  inputs: SourceCounters[];
  encapsulations: EncapsulationStatus[];
  tlsEndpoints: TlsEndpointStatus[];
  faults: InputFault[];
  counters: Record<string, number>;
}

export interface SummaryTotals {
  calls: number;
  recorded: number;
  withoutAudio: number;
  withoutAudioBy: Partial<Record<NoAudioReason, number>>;
  /** Length of all recordings together. */
  durationMs: number;
  packets: { seen: number; recorded: number; discarded: number; lost: number };
}

/** For --json: one object with every call. */
export function describeSummary(input: SummaryInput): Summary {
  const calls = inOrder(input.calls);
  return {
    schema: SUMMARY_SCHEMA,
    dataFolder: input.dataFolder,
    calls,
    totals: sumUp(calls),
    inputs: input.counters.sources.map((source) => ({ ...source })),
    encapsulations: input.counters.encapsulations.map((encapsulation) => ({ ...encapsulation })),
    tlsEndpoints: input.counters.tlsEndpoints.map((endpoint) => ({ ...endpoint })),
    faults: input.faults.map(({ code, message }) => ({ code, message })),
    counters: { ...input.counters.counts },
  };
}

/** For a terminal; ends with a newline. */
export function formatSummary(input: SummaryInput): string {
  const { calls, totals, inputs, encapsulations, tlsEndpoints, faults, counters } = describeSummary(input);
  const blocks = [
    formatCalls(calls, input.dataFolder),
    [...formatTotals(totals, inputs), ...formatEncapsulations(encapsulations)],
    formatTrouble(inputs, faults, counters, tlsEndpoints),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function inOrder(calls: readonly CallLogLine[]): CallLogLine[] {
  const key = (call: CallLogLine): string => `${call.startedAt} ${call.id}`;
  return calls
    .map((call) => ({ call, key: key(call) }))
    .sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
    .map(({ call }) => call);
}

function sumUp(calls: readonly CallLogLine[]): SummaryTotals {
  const totals: SummaryTotals = {
    calls: calls.length,
    recorded: 0,
    withoutAudio: 0,
    withoutAudioBy: {},
    durationMs: 0,
    packets: { seen: 0, recorded: 0, discarded: 0, lost: 0 },
  };
  for (const call of calls) {
    if (call.noAudio === "") {
      totals.recorded++;
      totals.durationMs += call.durationMs;
    } else {
      totals.withoutAudio++;
      totals.withoutAudioBy[call.noAudio] = (totals.withoutAudioBy[call.noAudio] ?? 0) + 1;
    }
    for (const { packets } of call.parties) {
      totals.packets.seen += packets.seen;
      totals.packets.recorded += packets.recorded;
      totals.packets.discarded += packets.discarded;
      totals.packets.lost += packets.lost;
    }
  }
  return totals;
}

const COLUMNS: readonly Column[] = [
  { title: "started (UTC)", align: "left" },
  { title: "parties", align: "left" },
  { title: "policy", align: "left" },
  { title: "duration", align: "right" },
  { title: "recorded s", align: "right" },
  { title: "discarded", align: "right" },
  { title: "result", align: "left" },
];

function formatCalls(calls: readonly CallLogLine[], dataFolder: string): string[] {
  if (calls.length === 0) return [];
  const lines = formatTable(COLUMNS, calls.slice(0, MAXIMUM_ROWS).map(formatCall));
  const more = calls.length - MAXIMUM_ROWS;
  if (more > 0) lines.push(`and ${count(more, "more call", "more calls")}, listed in ${plainLine(dataFolder)}/calls/`);
  return lines;
}

function formatCall(call: CallLogLine): string[] {
  const parties = call.parties.map(({ role, number }) => {
    const name = number === "" ? "unknown" : plainCell(number, MAXIMUM_NUMBER_CHARACTERS);
    return role === "agent" ? `${name} (agent)` : name;
  });
  return [
    call.startedAt.slice(0, 19).replace("T", " "),
    // Left stands what is on the left channel; the arrow points at who was called.
    parties.join(call.parties[0]?.side === "answerer" ? " <- " : " -> "),
    call.policy,
    call.noAudio === "" ? formatDuration(call.durationMs) : "-",
    call.parties.map((party) => (party.recordedMs / 1000).toFixed(1)).join(" / "),
    call.parties.map((party) => party.packets.discarded).join(" / "),
    formatResult(call),
  ];
}

function formatResult(call: CallLogLine): string {
  if (call.noAudio !== "") return `no audio: ${NO_AUDIO_TEXT[call.noAudio].short}`;
  const warnings = [...new Set(call.warnings)];
  return warnings.length === 0 ? call.file : `${call.file} (${warnings.slice(0, 3).join(", ")})`;
}

function formatTotals(totals: SummaryTotals, inputs: readonly SourceCounters[]): string[] {
  const { packets } = totals;
  const frames = inputs.reduce((sum, input) => sum + input.frames, 0);
  const bytes = inputs.reduce((sum, input) => sum + input.bytes, 0);
  const lines = [
    `${count(totals.calls, "call", "calls")}: ${totals.recorded} recorded (${formatDuration(totals.durationMs)}), ${totals.withoutAudio} without audio`,
  ];
  for (const [reason, calls] of Object.entries(totals.withoutAudioBy) as [NoAudioReason, number][]) {
    const { short, sentence } = NO_AUDIO_TEXT[reason];
    lines.push(`  ${calls} ${short}: ${sentence}`);
  }
  lines.push(
    `RTP packets of these calls: ${packets.seen} seen, ${packets.recorded} recorded, ${packets.discarded} discarded, ${packets.lost} lost`,
    `Read: ${count(frames, "packet", "packets")}, ${(bytes / 1e6).toFixed(1)} MB from ${count(inputs.length, "input", "inputs")}`,
  );
  return lines;
}

/** A line each, the most frequent first. */
function formatEncapsulations(encapsulations: readonly EncapsulationStatus[]): string[] {
  const byFrames = [...encapsulations].sort((a, b) => b.frames - a.frames);
  const lines = byFrames.slice(0, MAXIMUM_ENCAPSULATIONS).map(({ layers, outer, inner, frames }) => {
    const named = [outer, inner && `first inside ${inner}`].filter((text) => text !== "").join(", ");
    const ends = named && ` (${named.replaceAll("→", "->")})`;
    return `encapsulated: ${count(frames, "frame", "frames")} in ${layers}${ends}`;
  });
  const more = byFrames.slice(MAXIMUM_ENCAPSULATIONS);
  if (more.length > 0) {
    const frames = more.reduce((sum, one) => sum + one.frames, 0);
    lines.push(`encapsulated: ${count(frames, "frame", "frames")} in ${count(more.length, "more way", "more ways")}`);
  }
  return lines;
}

function formatTrouble(
  inputs: readonly SourceCounters[],
  faults: readonly InputFault[],
  counters: Readonly<Record<string, number>>,
  tlsEndpoints: readonly TlsEndpointStatus[],
): string[] {
  const lines = faults.map((fault) => `  ${fault.code}: ${plainLine(fault.message)}`);
  for (const { name, kernelDrops, interfaceDrops } of inputs) {
    const from = plainLine(name);
    if (kernelDrops > 0)
      lines.push(`  ${kernelDrops} packets dropped by the kernel on ${from}; raise capture.bufferMegabytes`);
    if (interfaceDrops > 0) lines.push(`  ${interfaceDrops} packets dropped by the interface ${from}`);
  }
  for (const { name, words } of TROUBLE_COUNTERS) {
    if (name.endsWith(".")) lines.push(...formatFamily(name, words, counters));
    else if ((counters[name] ?? 0) > 0) lines.push(`  ${counters[name]} ${words}`);
  }
  lines.push(...formatTls(tlsEndpoints, (counters["rtp.unbound"] ?? 0) > 0));
  return lines.length === 0 ? [] : ["Not read or not kept:", ...lines];
}

/** Other servers are of interest only where media is without signalling: it may be in there. */
function formatTls(endpoints: readonly TlsEndpointStatus[], isMediaUnbound: boolean): string[] {
  const likely = endpoints.filter((endpoint) => endpoint.likelySip);
  const others = isMediaUnbound ? endpoints.filter((endpoint) => !endpoint.likelySip) : [];
  const lines = likely.slice(0, MAXIMUM_ENDPOINTS).map(({ endpoint, transport, connections }) => {
    const protocol = transport === "TCP" ? "TLS" : "DTLS";
    return `  cannot be read: SIP over ${protocol} at ${endpoint}, ${count(connections, "connection", "connections")}`;
  });
  const more = likely.length - MAXIMUM_ENDPOINTS;
  if (more > 0) lines.push(`  cannot be read: SIP over TLS at ${count(more, "more server", "more servers")}`);
  if (others.length > 0) {
    const names = others.slice(0, MAXIMUM_OTHER_ENDPOINTS).map(({ endpoint }) => endpoint);
    if (others.length > names.length) names.push("...");
    const where = `${count(others.length, "other server", "other servers")} (${names.join(", ")})`;
    lines.push(`  cannot be read: TLS at ${where}; SIP may be in it`);
  }
  return lines;
}

/** Counters that differ in their last part only: "3 SIP messages refused: cseq". */
function formatFamily(prefix: string, words: string, counters: Readonly<Record<string, number>>): string[] {
  return Object.entries(counters)
    .filter(([name, value]) => name.startsWith(prefix) && value > 0)
    .map(([name, value]) => `  ${value} ${words}: ${name.slice(prefix.length)}`);
}

function count(value: number, one: string, many: string): string {
  return `${value} ${value === 1 ? one : many}`;
}

/** "1:03.3" or "1:00:03.3". */
export function formatDuration(durationMs: number): string {
  const tenths = Math.round(durationMs / 100);
  const seconds = Math.floor(tenths / 10);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = `${String(seconds % 60).padStart(2, "0")}.${tenths % 10}`;
  return hours === 0 ? `${minutes}:${rest}` : `${hours}:${String(minutes).padStart(2, "0")}:${rest}`;
}
