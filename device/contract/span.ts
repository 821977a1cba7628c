// What is said about the mirror (SPAN) port: the figures that the engine keeps, and the doctor's checks on them. One table of
// faults feeds `sidetoned doctor`, MQTT (`span`) and the README. Codes never change their meaning.
import type { TimeUs } from "../base/ids.js";

/** Messages between two addresses that speak SIP; `a` is the lesser one. Totals since the engine's start. */
export interface SipPeerFigures {
  a: string;
  b: string;
  /** From `a` to `b`, and back. */
  forth: number;
  back: number;
  invitesForth: number;
  invitesBack: number;
  lastAtUs: TimeUs;
}

export interface VlanFigures {
  /** IEEE 802.1Q identifier, -1 = frames without a tag. */
  vlan: number;
  /** UDP datagrams and TCP segments. */
  frames: number;
  firstAtUs: TimeUs;
  lastAtUs: TimeUs;
}

/** RTP packets that never came, by how many streams missed some in the same few seconds. */
export interface GapFigures {
  /** Most streams did: they were lost on the way to the recorder. */
  everywhere: number;
  /** Some of many did: they were lost in the network, the calls have lost them too. */
  somewhere: number;
  /** Too few streams to tell. */
  undecided: number;
}

/** Everything that the engine measures for the doctor and nobody else. Totals since its start. */
export interface SpanFigures {
  atUs: TimeUs;
  /** At most 128, the newest. */
  peers: SipPeerFigures[];
  /** SIP messages by transport. */
  sip: { udp: number; tcp: number; ws: number };
  /** At most 64, those with most frames. */
  vlans: VlanFigures[];
  gaps: GapFigures;
}

export const SPAN_CHECK_STATES = ["pass", "not-seen", "warn", "fail"] as const;
export type SpanCheckState = (typeof SPAN_CHECK_STATES)[number];

/** What is looked at, in the order in which it is shown. */
export const SPAN_CHECKS = {
  link: "the capture port is up and has a link",
  packets: "packets come",
  address: "the capture port has no address of its own",
  promiscuous: "the capture port takes frames for others",
  offload: "the network card does not join packets together",
  drops: "no packet is dropped between the wire and the recorder",
  cut: "the mirror sends whole packets",
  sip: "SIP is seen",
  "sip-directions": "SIP is seen in both directions",
  "sip-encrypted": "SIP can be read",
  media: "the media of answered calls comes past here",
  "media-directions": "both sides of a call are seen",
  "media-encrypted": "media can be read",
  codecs: "the codecs in use can be recorded",
  agents: "it is known who the agent is",
  copies: "each packet comes once",
  vlans: "the VLANs are those that are expected",
  tunnels: "tunnels and stacked tags are understood",
  fragments: "fragmented packets arrive whole",
  loss: "no packets of a call are missing",
  clock: "the clock is right",
} as const;
export type SpanCheckId = keyof typeof SPAN_CHECKS;
export const SPAN_CHECK_IDS = Object.keys(SPAN_CHECKS) as SpanCheckId[];

export interface SpanFaultMeaning {
  check: SpanCheckId;
  state: "warn" | "fail";
  /** One sentence that an installer can act on. */
  remedy: string;
}

/** By code: everything that the doctor can find. */
export const SPAN_FAULTS = {
  "no-link": {
    check: "link",
    state: "fail",
    remedy: "Check the cable, and that the switch has not shut the mirror's destination port.",
  },
  "no-packets": {
    check: "packets",
    state: "fail",
    remedy: "Switch the mirror session on and name this port as its destination; no packet has come for a minute.",
  },
  "capture-port-address": {
    check: "address",
    state: "warn",
    remedy: "Take the address off the capture port (no DHCP, no static address): it must not answer on the mirror.",
  },
  "not-promiscuous": {
    check: "promiscuous",
    state: "fail",
    remedy: "Set capture.promiscuous to true, or the card keeps only what is addressed to this box.",
  },
  "packets-joined": {
    check: "offload",
    state: "warn",
    remedy: "Switch offloads off on the capture port: ethtool -K PORT gro off lro off rx-gro-hw off.",
  },
  "kernel-drops": {
    check: "drops",
    state: "fail",
    remedy: "Raise capture.bufferMegabytes, mirror fewer ports, or use a faster box: this one does not keep up.",
  },
  "interface-drops": {
    check: "drops",
    state: "fail",
    remedy: "The network card drops packets: raise its ring (ethtool -G PORT rx 4096), or mirror fewer ports.",
  },
  "packets-cut": {
    check: "cut",
    state: "fail",
    remedy:
      "Have the switch mirror whole packets (no truncation or slicing), and set capture.snapLengthBytes to 65535.",
  },
  "no-sip": {
    check: "sip",
    state: "fail",
    remedy:
      "Mirror the ports of the telephone system and of the phones or the trunk: packets come, none of them is SIP.",
  },
  "sip-one-way": {
    check: "sip-directions",
    state: "fail",
    remedy: "Mirror both directions (rx and tx) of the port named here.",
  },
  "sip-tls": {
    check: "sip-encrypted",
    state: "fail",
    remedy:
      "Signalling goes over TLS and cannot be read: have phones and trunk use SIP over UDP or TCP to this server.",
  },
  "sip-partly-tls": {
    check: "sip-encrypted",
    state: "warn",
    remedy: "Some signalling goes over TLS: calls of those endpoints are missing unless they use SIP over UDP or TCP.",
  },
  "media-elsewhere": {
    check: "media",
    state: "fail",
    remedy: "Signalling comes past here and the media does not: mirror the phones' and the trunk's ports or VLANs too.",
  },
  "media-one-way": {
    check: "media-directions",
    state: "fail",
    remedy:
      "Of these calls one side is never seen: mirror both directions (rx and tx) of the port that the call goes through.",
  },
  "media-encrypted": {
    check: "media-encrypted",
    state: "fail",
    remedy: "Switch SRTP off between phones and telephone system, or mirror where the media is in clear.",
  },
  "codec-unsupported": {
    check: "codecs",
    state: "warn",
    remedy: "Allow G.711 (PCMA or PCMU) on phones and trunk: calls with other codecs leave a call record and no audio.",
  },
  "agents-not-configured": {
    check: "agents",
    state: "fail",
    remedy: "Set agents.match to the networks or numbers of the agents' phones: without it nothing is recorded.",
  },
  "agents-not-found": {
    check: "agents",
    state: "fail",
    remedy: "No call has a side that agents.match names: set it to the networks or numbers of the phones listed here.",
  },
  "agents-contradictory": {
    check: "agents",
    state: "warn",
    remedy:
      "Both sides of these calls look like the agent's: narrow agents.match, or name the outside in trunks.match.",
  },
  "copies-same": {
    check: "copies",
    state: "warn",
    remedy:
      "The mirror sends packets twice: mirror one direction of each port, or one port of each path (copies are taken out).",
  },
  "copies-vlan": {
    check: "copies",
    state: "warn",
    remedy: "The same packets come in two VLANs: mirror one of them (copies are taken out).",
  },
  "copies-routed": {
    check: "copies",
    state: "warn",
    remedy: "The same packets come from both sides of a router: mirror one side of it (copies are taken out).",
  },
  "copies-tunnel": {
    check: "copies",
    state: "warn",
    remedy:
      "The same packets come plain and through a tunnel: end one of the two mirror sessions (copies are taken out).",
  },
  "copies-interface": {
    check: "copies",
    state: "warn",
    remedy: "Two capture ports show the same packets: take one out of capture.interfaces (copies are taken out).",
  },
  "agent-vlan-silent": {
    check: "vlans",
    state: "fail",
    remedy: "No frame comes in a VLAN of agents.vlans: mirror that VLAN, keep its tags, or correct agents.vlans.",
  },
  "vlan-changed": {
    check: "vlans",
    state: "warn",
    remedy: "The traffic has moved to another VLAN: check that the mirror session still names all voice VLANs.",
  },
  "too-many-tunnels": {
    check: "tunnels",
    state: "warn",
    remedy: "More kinds of encapsulation come than are listed: mirror the voice network only.",
  },
  "tunnel-undecodable": {
    check: "tunnels",
    state: "warn",
    remedy: "Some encapsulated packets cannot be read: set the mirror to plain Ethernet, GRE, ERSPAN or VXLAN.",
  },
  "fragments-lost": {
    check: "fragments",
    state: "warn",
    remedy:
      "Parts of fragmented packets are missing: mirror without packet loss, and take firewalls off that drop fragments.",
  },
  "mirror-loss": {
    check: "loss",
    state: "fail",
    remedy:
      "Packets of all calls are missing at once: the mirror port is oversubscribed; mirror fewer ports or a faster one.",
  },
  "network-loss": {
    check: "loss",
    state: "warn",
    remedy: "Packets of some calls are missing: the network loses them, look at those phones' links and at QoS.",
  },
  "clock-unsynchronized": {
    check: "clock",
    state: "warn",
    remedy: "Give the box a time server (timedatectl set-ntp true): times in recordings cannot be relied on.",
  },
  "clock-ahead": {
    check: "clock",
    state: "warn",
    remedy: "The clock was set in mid-call: give the box a time server that it reaches at start.",
  },
} as const satisfies Record<string, SpanFaultMeaning>;
export type SpanFaultCode = keyof typeof SPAN_FAULTS;

export interface SpanFinding {
  code: SpanFaultCode;
  /** Whom it concerns and how much: "10.0.0.7 → 10.0.0.2: 12 messages, none back". */
  figure: string;
}

export interface SpanCheck {
  id: SpanCheckId;
  state: SpanCheckState;
  /** What was measured, one line. */
  figure: string;
  /** Empty unless `warn` or `fail`. */
  findings: (SpanFinding & { remedy: string })[];
}

/** How an address that was seen appears to be used, and why it is thought so. */
export interface SpanEndpoint {
  address: string;
  kind: "agent" | "trunk" | "pbx" | "unknown";
  evidence: string;
  calls: number;
  sipPeers: number;
  lastAtUs: TimeUs;
}

export interface SpanReport {
  /** ISO 8601 in UTC. */
  at: string;
  /** The worst state of any check. */
  state: SpanCheckState;
  checks: SpanCheck[];
  /** At most 256, the newest. */
  endpoints: SpanEndpoint[];
}
