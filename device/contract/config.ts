// The configuration: one schema out of which come types, defaults, validation and `sidetoned config explain`.
// Every field carries description, default, bounds and unit here and nowhere else.
import { z } from "zod";
import { POLICIES } from "./call-record.js";

/** Unit and restart need of a field, shown by `config explain`. */
export interface FieldMeta {
  unit?: string;
  secret?: boolean;
  restart?: boolean;
}
export const fieldMeta = z.registry<FieldMeta>();

function integer(minimum: number, maximum: number, fallback: number, description: string, unit = "") {
  return z
    .number()
    .int()
    .min(minimum)
    .max(maximum)
    .default(fallback)
    .describe(description)
    .register(fieldMeta, { unit });
}
function section<Shape extends z.ZodRawShape>(shape: Shape, description: string) {
  return z
    .strictObject(shape)
    .prefault({} as never)
    .describe(description);
}
const textList = (fallback: string[], description: string) =>
  z.array(z.string().min(1).max(256)).max(4096).default(fallback).describe(description);

const portList = (fallback: number[], description: string) =>
  z.array(z.number().int().min(1).max(65535)).max(64).default(fallback).describe(description);

const digits = (pattern: RegExp, fallback: string, description: string) =>
  z.string().regex(pattern).default(fallback).describe(description);

export const ruleSchema = z.strictObject({
  numbers: textList([], "caller numbers or patterns (* and ?) the rule applies to; empty = every call"),
  policy: z.enum(POLICIES).optional().describe("policy for these calls instead of consent.policy"),
  consent: z.enum(["granted", "refused"]).optional().describe("consent on file for these callers"),
  name: z.string().min(1).max(64).default("rule").describe("name shown in manifests"),
});
export type ConsentRule = z.output<typeof ruleSchema>;

export const configSchema = z.strictObject({
  device: section(
    { id: z.string().max(64).default("").describe("name of this box in manifests and topics; empty = host name") },
    "This box",
  ),
  data: section(
    {
      folder: z
        .string()
        .max(1024)
        .default("")
        .describe("data folder; empty = /var/lib/sidetone when writable, else ./data"),
    },
    "Where recordings live",
  ),
  capture: section(
    {
      interfaces: textList([], "interfaces to capture on; empty = every interface that is up"),
      bufferMegabytes: integer(1, 1024, 64, "kernel capture ring per interface", "MiB"),
      snapLengthBytes: integer(256, 65535, 65535, "bytes kept of each frame", "bytes"),
      timeoutMs: integer(1, 1000, 10, "longest wait before a partly filled ring block is delivered", "ms"),
      duplicates: z
        .enum(["remove", "keep"])
        .default("remove")
        .describe(
          "packets that the mirror port shows more than once: taken out, or treated as the sender's own copies",
        ),
      duplicateWindowMs: integer(
        1,
        400,
        100,
        "longest time between a packet and the mirror port's copy of it; SIP sends again after 500 ms at the earliest",
        "ms",
      ),
      promiscuous: z.boolean().default(true).describe("see frames addressed to others (needed on a mirror port)"),
    },
    "Packet capture",
  ),
  net: section(
    {
      maxFragmentedDatagrams: integer(16, 65536, 1024, "IP datagrams being reassembled at once; oldest goes first"),
      maxFragmentMegabytes: integer(1, 256, 16, "memory for fragments; oldest datagram goes first", "MiB"),
      fragmentTimeoutMs: integer(100, 120000, 5000, "time after the first fragment until a datagram is given up", "ms"),
      maxTcpConnections: integer(
        16,
        65536,
        4096,
        "TCP connections looked at for SIP at once; ended and silent ones go first",
      ),
      maxTcpMegabytes: integer(
        1,
        256,
        16,
        "memory for TCP segments out of order; the oldest hole is given up first",
        "MiB",
      ),
    },
    "Frames to datagrams",
  ),
  sip: section(
    {
      maxMessageBytes: integer(1024, 65535, 65535, "longest SIP message looked at", "bytes"),
      maxLineBytes: integer(256, 65535, 8192, "longest header line after unfolding", "bytes"),
      maxHeaderLines: integer(16, 4096, 256, "header lines in one message"),
      tcpPorts: portList(
        [5060, 5061, 5062, 5066, 7443, 8088, 8089],
        "TCP ports captured live, for SIP, TLS and WebSocket; add 80 or 443 only where WebSocket runs there: it captures all web traffic",
      ),
      tlsPorts: portList(
        [5060, 5061, 5062, 7443, 8089],
        "server ports on which TLS, or DTLS, is taken for SIP or SIP over WebSocket, and reported as what cannot be read",
      ),
    },
    "SIP",
  ),
  rtp: section(
    {
      maxFlows: integer(256, 1048576, 65536, "UDP flows remembered at once; the longest silent goes first"),
      flowIdleTimeoutMs: integer(
        1000,
        3600000,
        60000,
        "silence after which a flow that belongs to no call is forgotten",
        "ms",
      ),
      maxStreamsPerCall: integer(
        2,
        1024,
        64,
        "RTP streams (SSRCs) kept per call; further ones are discarded and counted",
      ),
      reorderWindowMs: integer(20, 2000, 200, "a packet later than this behind its successor counts as late", "ms"),
    },
    "RTP",
  ),
  call: section(
    {
      maxCalls: integer(1, 1000000, 20000, "calls followed at once; beyond it new calls are counted and not followed"),
      setupTimeoutMs: integer(
        1000,
        3600000,
        200000,
        "time without final answer until a call attempt is given up",
        "ms",
      ),
      idleTimeoutMs: integer(
        5000,
        86400000,
        120000,
        "time without RTP and SIP until an answered call counts as ended",
        "ms",
      ),
      holdTimeoutMs: integer(5000, 86400000, 7200000, "the same while the call is on hold", "ms"),
      tailMs: integer(0, 5000, 500, "audio still on its way after a BYE that belongs to the call", "ms"),
      preAnswerMs: integer(0, 1000, 200, "media that overtakes the answer and still belongs to the call", "ms"),
      transferMs: integer(
        0,
        60000,
        10000,
        "time a call whose transfer was asked for waits for the new dialog after its own has ended",
        "ms",
      ),
    },
    "Calls",
  ),
  agents: section(
    {
      match: textList(
        [],
        "what identifies the agent's side: CIDRs (media address), numbers, or patterns with * and ? on the user part",
      ),
      learnFromRegistrations: z
        .boolean()
        .default(true)
        .describe("tie a phone's address and its user together by its REGISTER, so that either of them in match does"),
      registeredPhonesAreAgents: z
        .boolean()
        .default(false)
        .describe(
          "every phone that registers here is an agent's, except towards trunks; for offices with no other phones",
        ),
      userAgents: textList(
        [],
        "patterns (* and ?, no case) on User-Agent and Server of agents' phones; the far end can forge them: set trunks.match",
      ),
      macs: textList([], "MAC addresses of agents' phones, or their first 3 to 5 octets, as in 00:11:22 for a maker"),
      vlans: z
        .array(z.number().int().min(1).max(4094))
        .max(4094)
        .default([])
        .describe("VLAN identifiers of frames from agents' phones; a PBX in the same VLAN belongs into trunks.match"),
      mixedStreams: z
        .enum(["caller", "trust"])
        .default("caller")
        .describe(
          "an agent who talks in two calls at once, or is a conference: count the stream as a caller's, or trust it",
        ),
      maxRegistrations: integer(16, 131072, 16384, "registrations remembered; the longest not refreshed goes first"),
    },
    "Who is the agent",
  ),
  trunks: section(
    {
      match: textList(
        [],
        "what is outside and never an agent: CIDRs (signalling or media), numbers or patterns on the user part",
      ),
      otherSideIsAgent: z
        .boolean()
        .default(false)
        .describe(
          "in a call with exactly one side outside, the other one is the agent; not where colleagues are no agents",
        ),
    },
    "Lines to the outside world",
  ),
  numbers: section(
    {
      countryCode: digits(
        /^(?:[1-9]\d{0,2})?$/,
        "",
        "own country code, as in 49; empty = numbers are compared as written",
      ),
      internationalPrefix: digits(/^\d{0,5}$/, "00", "dialled before a country code"),
      nationalPrefix: digits(/^\d{0,3}$/, "0", "dialled before an area code; empty where there is none"),
      areaCode: digits(/^\d{0,6}$/, "", "own area code without the national prefix, as in 30; empty = none"),
      outsideLinePrefix: digits(
        /^\d{0,3}$/,
        "",
        "dialled for an outside line and part of the number as signalled; empty = none",
      ),
      shortestNumber: integer(3, 15, 7, "least digits of a telephone number; shorter ones are extensions", "digits"),
    },
    "How telephone numbers are dialled here",
  ),
  correlation: section(
    {
      headers: z
        .array(z.string().regex(/^[A-Za-z0-9-]{1,64}$/))
        .max(16)
        .default(["Session-ID"])
        .describe(
          "SIP headers whose equal values on both sides of a PBX, or whose value naming a Call-ID, join two halves",
        ),
      byNumber: z
        .boolean()
        .default(true)
        .describe("join two halves that meet at one PBX with the same caller's or dialled number, when no other fits"),
      byPayload: z
        .boolean()
        .default(true)
        .describe("join two halves whose media is the same bytes at the same moment (a PBX that relays G.711)"),
    },
    "One call seen on both sides of a PBX",
  ),
  consent: section(
    {
      policy: z.enum(POLICIES).default("agent-only").describe("what is recorded: see the README's glossary"),
      rules: z.array(ruleSchema).max(4096).default([]).describe("rules by caller number; the first that matches wins"),
      header: section(
        {
          name: z
            .string()
            .regex(/^[A-Za-z0-9-]{1,64}$/)
            .default("X-Recording-Consent")
            .describe("SIP header that carries consent"),
          granted: textList(["granted", "yes", "true", "1"], "values that mean consent"),
          refused: textList(["refused", "no", "false", "0"], "values that mean refusal"),
          withdrawn: textList(["withdrawn"], "values that mean withdrawal"),
        },
        "Consent by SIP header",
      ),
    },
    "Consent",
  ),
  recording: section(
    {
      earlyMedia: z
        .enum(["discard", "keep"])
        .default("discard")
        .describe("audio before the answer (announcements, ringback)"),
    },
    "Recordings",
  ),
  journal: section(
    {
      segmentMegabytes: integer(1, 1024, 64, "size at which a journal file is closed", "MiB"),
      flushMs: integer(50, 1000, 1000, "longest time admitted audio stays in memory only", "ms"),
      syncMs: integer(100, 5000, 5000, "longest time written audio may be lost to a power cut", "ms"),
    },
    "Journal",
  ),
  seal: section(
    { workers: integer(0, 64, 0, "sealing threads; 0 = one fewer than there are cores, at least one") },
    "Sealing",
  ),
  log: section(
    { level: z.enum(["debug", "info", "warn", "error"]).default("info").describe("least level that is written") },
    "Log",
  ),
});
export type Config = z.output<typeof configSchema>;

/** Whether any setting can make a side the agent's. */
export function namesAgents({ agents, trunks }: Config): boolean {
  const lists = [agents.match, agents.userAgents, agents.macs, agents.vlans];
  return lists.some((list) => list.length > 0) || agents.registeredPhonesAreAgents || trunks.otherSideIsAgent;
}
