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
    },
    "Calls",
  ),
  agents: section(
    {
      match: textList(
        [],
        "what identifies the agent's side: CIDRs (media address), numbers, or patterns with * and ? on the user part",
      ),
    },
    "Who is the agent",
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
  seal: section({ workers: integer(0, 64, 0, "sealing threads; 0 = one per core") }, "Sealing"),
  log: section(
    { level: z.enum(["debug", "info", "warn", "error"]).default("info").describe("least level that is written") },
    "Log",
  ),
});
export type Config = z.output<typeof configSchema>;
