// The words in which the console tells results: reasons, and the counters that a person should know of. Texts only; what
// they belong to is decided elsewhere.
import { EXIT, type ExitCode } from "../base/errors.js";
import type { NoAudioReason } from "../contract/call-record.js";

/** Every exit code of `sidetoned` in few words, for --help. */
const EXIT_TEXT: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "done",
  internal: "own fault",
  usage: "bad usage or configuration",
  capture: "capture unreadable",
  storage: "not stored",
  unproved: "not proved",
};

/** "0 done, 1 own fault, …" */
export function exitCodesText(): string {
  const codes = Object.entries(EXIT) as [keyof typeof EXIT, ExitCode][];
  return codes.map(([name, code]) => `${code} ${EXIT_TEXT[name]}`).join(", ");
}

export interface ReasonText {
  /** For a table cell. */
  short: string;
  /** One sentence: what it means; what to do. */
  sentence: string;
}

export const NO_AUDIO_TEXT: Readonly<Record<NoAudioReason, ReasonText>> = {
  "not-answered": { short: "not answered", sentence: "the call was never answered, so there was nothing to record" },
  "policy-none": {
    short: "policy none",
    sentence: "consent.policy or a rule says none for this call; to record it change consent.policy or consent.rules",
  },
  "agent-unknown": {
    short: "agent unknown",
    sentence: "neither side matched agents.match; name the agents with --agents or agents.match",
  },
  "agent-contradictory": {
    short: "agent contradictory",
    sentence: "both sides matched agents.match or the signs disagree; narrow agents.match so that it names one side",
  },
  "no-consent": {
    short: "no consent",
    sentence: "no side's consent was in force; see consent.policy, consent.header and consent.rules",
  },
  "no-media": {
    short: "no media",
    sentence: "no RTP of the call was seen; check that the mirror port carries both directions and the voice VLAN",
  },
  encrypted: {
    short: "encrypted",
    sentence: "the media is encrypted and there is no key; let the gateway use plain RTP where the box listens",
  },
  "codec-unsupported": {
    short: "codec unsupported",
    sentence: "no codec of the call can be decoded here; prefer PCMA or PCMU in the telephone system",
  },
  "journal-lost": {
    short: "journal lost",
    sentence: "what was recorded could not be read back; check the disk and the log",
  },
  "journal-locked": {
    short: "journal locked",
    sentence: "what was recorded is in a journal that a recipient's secret key opens; see sidetoned journal list",
  },
  "sampled-out": {
    short: "sampled out",
    sentence: "consent.sampling left this call out",
  },
  "agent-not-registered": {
    short: "agent not registered",
    sentence: "the agents' register does not say that this agent agreed; see agents.register and sidetoned register",
  },
  "not-started": {
    short: "not started",
    sentence: "recording is on demand and the agent did not start it; see consent.onDemand",
  },
  "disk-full": {
    short: "disk full",
    sentence: "the disk was full when the call began; free space, or see disk.atLimit",
  },
  erased: { short: "erased", sentence: "what was recorded was erased when consent was withdrawn" },
};

export interface CounterText {
  /** Name of the counter; one that ends in "." stands for all that begin with it. */
  name: string;
  /** Follows the count: "12 RTP packets without signalling". */
  words: string;
}

/** Counters that mean that something could not be read or kept, in the order of the way through the device. */
export const TROUBLE_COUNTERS: readonly CounterText[] = [
  { name: "net.unknown-link-type", words: "frames of a link type that is not read" },
  { name: "net.short-frame", words: "frames cut off in the link-layer header" },
  { name: "net.too-many-tags", words: "frames with too many VLAN tags or MPLS labels" },
  { name: "net.bad-tunnel-header", words: "packets with a malformed GRE or ERSPAN header" },
  { name: "net.too-deep", words: "packets in more nested tunnels than are followed" },
  { name: "net.bad-ip-header", words: "packets with a malformed IP header" },
  { name: "net.bad-ip-length", words: "packets with an impossible IP length" },
  { name: "net.bad-udp-length", words: "datagrams with an impossible UDP length" },
  { name: "net.bad-tcp-header", words: "segments with a malformed TCP header" },
  { name: "net.truncated", words: "datagrams that the capture cut short; raise the snap length" },
  { name: "net.bad-fragment", words: "malformed IP fragments" },
  { name: "net.fragment-truncated", words: "IP fragments that the capture cut short" },
  { name: "net.fragment-timeout", words: "fragmented datagrams that never became complete" },
  { name: "net.fragment-evicted", words: "fragmented datagrams given up for want of room" },
  { name: "net.fragment-overlap", words: "fragmented datagrams that contradict themselves" },
  { name: "net.tcp-truncated", words: "TCP segments that the capture cut short" },
  { name: "net.tcp-gaps", words: "holes in TCP streams" },
  { name: "net.tcp-evicted", words: "TCP connections given up for want of room" },
  { name: "sip.rejected.", words: "SIP messages refused" },
  { name: "sip.tcp-too-long", words: "SIP messages over TCP beyond sip.maxMessageBytes" },
  { name: "sip.websocket-too-long", words: "SIP messages over WebSocket beyond sip.maxMessageBytes" },
  { name: "sip.websocket-undecodable", words: "compressed WebSocket messages that refer to what was not seen" },
  { name: "sip.websocket-lost", words: "holes in SIP over WebSocket" },
  { name: "call.refused", words: "calls beyond call.maxCalls, not followed" },
  { name: "call.endpoints-refused", words: "media addresses beyond the limit, not followed" },
  { name: "call.media-contradictions", words: "media addresses that several calls claim" },
  { name: "rtp.unbound", words: "RTP packets without signalling" },
  { name: "rtp.malformed", words: "malformed RTP packets in calls" },
  { name: "rtp.flows-refused", words: "packets of flows beyond rtp.maxFlows" },
  { name: "rtp.streams-refused", words: "packets of streams beyond rtp.maxStreamsPerCall" },
  { name: "journal.write-errors", words: "failed writes to the journal" },
  { name: "journal.lost-records", words: "packets lost because the journal could not be written" },
  { name: "journal.lost-call-records", words: "call records lost because the journal could not be written" },
  { name: "journal.refused-calls", words: "calls that found no room in the journal" },
];
