// The configuration: one schema out of which come types, defaults, validation and `sidetoned config explain`.
// Every field carries description, default, bounds and unit here and nowhere else.
import { z } from "zod";
import { POLICIES } from "./call-record.js";
import { COMMAND_VERBS } from "./mqtt.js";

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

/** Names a purpose or a retention class. */
const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Keys as they are pressed, RFC 4733 §3.2: one to eight of them. */
const KEYS = /^[0-9*#A-D]{0,8}$/;
const keys = (fallback: string, description: string) => digits(KEYS, fallback, description);
const headerName = (fallback: string, description: string) => digits(/^[A-Za-z0-9-]{0,64}$/, fallback, description);

/** Host, port and, for WebSocket, path. A name or password would show wherever the URL does. */
const BROKER_URL =
  /^(?:(?:mqtts?:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?\/?)|(?:wss?:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?(?:\/[!-~]*)?))?$/;

export const ruleSchema = z.strictObject({
  name: z.string().min(1).max(64).default("rule").describe("name shown in manifests"),
  direction: z
    .enum(["inbound", "outbound", "internal"])
    .optional()
    .describe("calls in which the caller is the originator, the agent is, or nobody is outside (trunks.match)"),
  trunks: textList(
    [],
    "one of the sides matches one of these: CIDRs, numbers or patterns (* and ?), as in trunks.match",
  ),
  agents: textList([], "the agent's number matches one of these patterns (* and ?)"),
  numbers: textList([], "the caller's number matches one of these patterns (* and ?); empty = every caller"),
  days: z
    .array(z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]))
    .max(7)
    .default([])
    .describe("days of the week on which the call began; empty = every day"),
  hours: z
    .array(z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d-(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/))
    .max(16)
    .default([])
    .describe("times of day in which the call began, as in 08:00-18:00; 22:00-06:00 goes over midnight"),
  headers: z
    .array(z.string().regex(/^[A-Za-z0-9-]{1,64}:.{1,256}$/))
    .max(16)
    .default([])
    .describe("headers of the first INVITE, all of which match, as in X-Queue: sales*"),
  policy: z.enum(POLICIES).optional().describe("policy for these calls instead of consent.policy"),
  consent: z.enum(["granted", "refused"]).optional().describe("consent on file for these callers"),
  retention: digits(/^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$/, "", "retention class of these recordings"),
  purpose: digits(
    /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$/,
    "",
    "what these calls are recorded for, instead of consent.purpose",
  ),
});
export type ConsentRule = z.output<typeof ruleSchema>;

/** A century: longer ages are written as no maximum. */
const MAX_DAYS = 36_500;

export const retentionClassSchema = z.strictObject({
  name: z.string().regex(LABEL).describe("what rules call it"),
  minDays: integer(0, MAX_DAYS, 0, "days from the call's end for which nothing deletes the recording", "days"),
  maxDays: integer(0, MAX_DAYS, 0, "days from the call's end after which it is deleted; 0 = never", "days"),
  keepManifest: z
    .boolean()
    .default(false)
    .describe("keep the manifest, with its numbers, when the audio goes by age; an erasure removes it all the same"),
});
export type RetentionClass = z.output<typeof retentionClassSchema>;

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
  disk: section(
    {
      earlyDays: integer(
        0,
        3650,
        30,
        "days until the disk is full, at the measured load, at which to say so; 0 = never",
        "days",
      ),
      lateDays: integer(0, 365, 3, "the same, as an error", "days"),
      lateMegabytes: integer(0, 10_000_000, 2048, "free space at which to say so whatever the load", "MiB"),
      stopMegabytes: integer(
        1,
        10_000_000,
        256,
        "free space, besides the reserve, at which no new recordings are begun; calls in progress go on",
        "MiB",
      ),
      reserveMegabytes: integer(
        0,
        1_000_000,
        256,
        "set aside once space is short, and given up for calls in progress when the disk is full; 0 = none",
        "MiB",
      ),
      atLimit: z
        .enum(["stop", "delete-oldest"])
        .default("stop")
        .describe("when the disk is full: begin no new recordings, or delete the oldest that may be deleted"),
    },
    "Free space",
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
      register: z
        .enum(["off", "required"])
        .default("off")
        .describe("record an agent's leg only if the agents' register says that the agent agreed (sidetoned register)"),
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
      rules: z.array(ruleSchema).max(4096).default([]).describe("rules for calls; the first that matches wins"),
      purpose: digits(LABEL, "recording", "what calls are recorded for; consent counts for one purpose"),
      timeZone: z
        .string()
        .max(64)
        .default("")
        .describe("IANA time zone of days and hours in rules, as in Europe/Berlin; empty = the box's own"),
      notice: z
        .string()
        .max(64)
        .default("")
        .describe("version of the announcement or notice in use, entered with every change of consent"),
      onWithdrawal: z
        .enum(["keep", "erase"])
        .default("keep")
        .describe("what was recorded of a party in this call until it withdrew: kept, or erased"),
      header: section(
        {
          enabled: z.boolean().default(true).describe("listen to this source"),
          from: z
            .enum(["any", "not-agent"])
            .default("any")
            .describe("whose grants count: everybody's, or all but the agent's own phone's; refusals always count"),
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
      dtmf: section(
        {
          granted: keys("", "keys by which the caller consents; empty = none"),
          refused: keys("", "keys by which the caller refuses; empty = none"),
          withdrawn: keys("", "keys by which the caller withdraws consent; empty = none"),
          events: z.boolean().default(true).describe("keys as RTP events (RFC 4733)"),
          info: z.boolean().default(true).describe("keys in SIP INFO"),
          tones: z
            .boolean()
            .default(false)
            .describe("keys as tones in G.711 audio, listened for in memory only; costs processor time"),
          betweenKeysMs: integer(200, 10000, 3000, "longest time between two keys of one code", "ms"),
        },
        "Consent by keys that the caller presses; what the agent presses counts for nothing here",
      ),
      recordpref: section(
        {
          enabled: z
            .boolean()
            .default(true)
            .describe("take a=recordpref off and pause in the caller's SDP for a refusal"),
          grants: z
            .boolean()
            .default(false)
            .describe("take a=recordpref on for consent: a device said it, not a person"),
        },
        "SIPREC's recording preference (RFC 7866)",
      ),
      numbers: section(
        {
          always: textList(
            [],
            "caller numbers or patterns that have consented once for all; the weakest grant there is",
          ),
          never: textList([], "caller numbers or patterns that are never recorded, whatever else is said"),
        },
        "Number lists",
      ),
      register: section(
        {
          enabled: z.boolean().default(true).describe("look callers up in the consent register"),
          maxEntries: integer(0, 1000000, 200000, "entries read; the register is refused beyond it"),
        },
        "Consent on file (sidetoned register)",
      ),
      commands: section(
        {
          api: z.boolean().default(true).describe("take consent from the HTTP API"),
          mqtt: z.boolean().default(true).describe("take consent from MQTT"),
        },
        "Consent by command",
      ),
      sampling: section(
        {
          everyNth: integer(1, 100000, 1, "of the calls that policy would record, record every so many; 1 = all"),
          percentPerAgent: integer(
            0,
            100,
            100,
            "of each agent's calls that policy would record, record this share",
            "%",
          ),
        },
        "Sampling: narrows what policy and consent allow",
      ),
      pause: section(
        {
          pauseKeys: keys("", "keys by which the agent pauses; empty = none"),
          resumeKeys: keys("", "keys by which the agent resumes; the same as pauseKeys: they toggle"),
          header: headerName("X-Recording-Pause", "SIP header that pauses and resumes; empty = none"),
          pauseValues: textList(["pause", "on", "true", "1"], "values that pause"),
          resumeValues: textList(["resume", "off", "false", "0"], "values that resume"),
          maxS: integer(1, 86400, 300, "time after which a pause ends by itself", "s"),
        },
        "Pause, as for card data: stops everything of everybody at once",
      ),
      onDemand: section(
        {
          mode: z
            .enum(["off", "start-stopped", "start-recording"])
            .default("off")
            .describe("whether the agent starts and stops recording, within what policy and consent allow"),
          startKeys: keys("*1", "keys by which the agent starts"),
          stopKeys: keys("*2", "keys by which the agent stops; the same as startKeys: they toggle"),
        },
        "Recording on demand",
      ),
      echo: section(
        {
          check: z
            .enum(["off", "report", "warn", "mute"])
            .default("off")
            .describe(
              "look for the caller's voice in the agent's own stream (G.711): report it, warn, or shut the agent's gate while the caller has not consented",
            ),
          limitPercent: integer(10, 100, 35, "correlation from which on the caller counts as heard", "%"),
        },
        "The caller's voice as an echo in the agent's stream",
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
      digits: z
        .enum(["discard", "store"])
        .default("discard")
        .describe("keys that are pressed, as RTP events and in the manifest; never within a pause"),
    },
    "Recordings",
  ),
  retention: section(
    {
      classes: z.array(retentionClassSchema).max(64).default([]).describe("how long recordings stay, by class"),
      defaultClass: digits(
        /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$/,
        "",
        "class of recordings whose rule names none; empty = they are kept for ever",
      ),
      lengthenOnly: z
        .boolean()
        .default(false)
        .describe("what a recording was promised when it was made, or since, can be lengthened and never shortened"),
      sweepMinutes: integer(1, 1440, 60, "time between two searches for what is due", "min"),
    },
    "How long recordings are kept",
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
  encryption: section(
    {
      recipients: z
        .array(z.string().min(1).max(256))
        .max(64)
        .default([])
        .describe(
          "age public keys (age1..., from age-keygen) to which all that is recorded is encrypted before it is written, any one of which opens it; empty = no encryption",
        ),
    },
    "Encryption at rest: this box can write and cannot read",
  ),
  log: section(
    { level: z.enum(["debug", "info", "warn", "error"]).default("info").describe("least level that is written") },
    "Log",
  ),
  api: section(
    {
      enabled: z.boolean().default(true).describe("offer the HTTP API"),
      host: z
        .string()
        .max(64)
        .default("127.0.0.1")
        .describe("address to listen on; 0.0.0.0 or :: = all; beyond this box only with a certificate"),
      port: integer(0, 65535, 8385, "port to listen on; 0 = any that is free"),
      certFile: z
        .string()
        .max(1024)
        .default("")
        .describe("PEM file with the certificate and those that lead to its root; empty = no TLS"),
      keyFile: z.string().max(1024).default("").describe("PEM file with the certificate's private key"),
      allowPlain: z
        .boolean()
        .default(false)
        .describe("listen beyond this box without TLS all the same: tokens and numbers are readable on the way"),
      requestsPerMinute: integer(1, 100000, 600, "requests per token; further ones are refused until there is room"),
      badTokensPerMinute: integer(1, 100, 10, "bad tokens from one address until it is locked out"),
      lockOutS: integer(1, 86400, 60, "time for which an address is locked out", "s"),
      requestTimeoutMs: integer(100, 600000, 10000, "longest time in which a request arrives whole", "ms"),
      maxConnections: integer(1, 4096, 64, "connections at once; further ones are closed"),
    },
    "The HTTP API",
  ),
  mqtt: section(
    {
      url: z
        .string()
        .max(512)
        .regex(BROKER_URL)
        .default("")
        .describe("broker, as in mqtts://broker.example:8883, or mqtt, ws, wss; without password; empty = no MQTT"),
      username: z.string().max(256).default("").describe("user name at the broker; empty = none"),
      password: z
        .string()
        .max(1024)
        .default("")
        .describe("password at the broker; empty = none")
        .register(fieldMeta, { secret: true }),
      clientId: digits(/^[^\x00-\x1f]{0,128}$/, "", "client id, of one box only; empty = sidetone- and the box's name"),
      caFile: z
        .string()
        .max(1024)
        .default("")
        .describe("PEM file with the authority that signed the broker's certificate; empty = those the system trusts"),
      certFile: z.string().max(1024).default("").describe("PEM file with this box's own certificate; empty = none"),
      keyFile: z.string().max(1024).default("").describe("PEM file with that certificate's private key, no passphrase"),
      version: integer(4, 5, 5, "protocol: 5 = MQTT 5, 4 = MQTT 3.1.1"),
      numbers: z
        .enum(["full", "masked", "none"])
        .default("masked")
        .describe("numbers in responses: in full, their last three digits (up to four digits in full), or none"),
      allow: z
        .array(z.enum(COMMAND_VERBS))
        .max(COMMAND_VERBS.length)
        .default([...COMMAND_VERBS])
        .describe("commands that are taken; for consent see consent.commands.mqtt as well"),
    },
    "MQTT",
  ),
});
export type Config = z.output<typeof configSchema>;

/** Whether any setting can make a side the agent's. */
export function namesAgents({ agents, trunks }: Config): boolean {
  const lists = [agents.match, agents.userAgents, agents.macs, agents.vlans];
  return lists.some((list) => list.length > 0) || agents.registeredPhonesAreAgents || trunks.otherSideIsAgent;
}
