// The configuration of what comes in and what becomes of it: capture, decoding, SIP, RTP, calls and who is who in them.
import { z } from "zod";
import { digits, integer, portList, section, textList } from "./config-fields.js";

export const trafficSections = {
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
  engine: section(
    {
      socket: z
        .string()
        .max(100)
        .regex(/^(?:\/[!-~]+)?$/)
        .default("")
        .describe("socket of an engine that is a unit of its own; empty = the service starts its engine itself"),
    },
    "The process that captures",
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
      maxLineBytes: integer(256, 65535, 12288, "longest header line after unfolding", "bytes"),
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
};
