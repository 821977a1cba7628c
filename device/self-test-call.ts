// The self-test's call as frames on the wire, and what must come out of it: an inbound call of G.711, each party saying something that
// nobody can know beforehand. Pure: the same seed and start give the same bytes, to the engine that puts them in and to the service
// that judges what came out. Reads no capture and never sends anything.
//
// What keeps it apart from real calls is not in its packets: nothing on the wire is taken for it, and it is taken for nothing on the wire,
// because it goes through a recorder of its own (self-test-lane.ts). Its addresses are those of documentation (RFC 5737) all the same, so
// that no recording or log ever names one that is somebody's.
import { createCipheriv, createHash } from "node:crypto";
import type { Side, TimeUs } from "./base/ids.js";

/** Where the agent receives media: all that makes the callee the agent. */
export const AGENT_ADDRESS = "192.0.2.10";
const CALLER_ADDRESS = "198.51.100.20";
const SIP_PORT = 5060;
const MEDIA_PORTS: readonly [number, number] = [40_000, 42_000];
const PAYLOAD_TYPE_PCMA = 8;
export const SAMPLE_RATE_HZ = 8000;
const PACKET_MS = 20;
export const SAMPLES_PER_PACKET = (SAMPLE_RATE_HZ * PACKET_MS) / 1000;
/** Of each party: two seconds. */
export const PACKETS = 100;

/** From the INVITE, ms. */
const RINGING_MS = 60;
const ANSWER_MS = 200;
const ACK_MS = 210;
export const MEDIA_MS = 240;
const BYE_MS = MEDIA_MS + PACKETS * PACKET_MS;
const END_MS = BYE_MS + 20;
/** Between the answer, where a recording begins, and the agent's first sample. */
export const LEAD_SAMPLES = ((MEDIA_MS - ANSWER_MS) * SAMPLE_RATE_HZ) / 1000;
export const SIP_MESSAGES = 6;

const AGENT: Side = 1;
const ADDRESSES: readonly [string, string] = [CALLER_ADDRESS, AGENT_ADDRESS];
const USERS: readonly [string, string] = ["self-test-caller", "self-test-agent"];

export interface TestFrame {
  atUs: TimeUs;
  /** Ethernet. */
  bytes: Buffer;
}

export class SelfTestCall {
  readonly sipCallId: string;
  readonly ssrcs: readonly [number, number];
  /** What each side says, A-law, all packets of it in order. */
  readonly speech: readonly [Buffer, Buffer];
  readonly agentSide = AGENT;
  private readonly startUs: TimeUs;
  private readonly identification: readonly [number, number];

  /** `seed`: a secret of this run. `startUs`: of the INVITE, whole ms. */
  constructor(seed: string, startUs: TimeUs) {
    this.startUs = startUs;
    const speechBytes = PACKETS * SAMPLES_PER_PACKET;
    const noise = expand(seed, 32 + 2 * speechBytes);
    this.sipCallId = `${noise.toString("hex", 0, 16)}@self-test.invalid`;
    this.ssrcs = [noise.readUInt32BE(16), noise.readUInt32BE(20)];
    this.identification = [noise.readUInt16BE(24), noise.readUInt16BE(26)];
    this.speech = [noise.subarray(32, 32 + speechBytes), noise.subarray(32 + speechBytes)];
  }

  get answeredAtUs(): TimeUs {
    return this.startUs + ANSWER_MS * 1000;
  }

  /** Of the last frame. */
  get endUs(): TimeUs {
    return this.startUs + END_MS * 1000;
  }

  /** In order of time; the parties speak by turns within a packet's time. */
  frames(): TestFrame[] {
    const frames = this.signalling().map(({ atMs, from, text }) =>
      this.frame(atMs, from, [SIP_PORT, SIP_PORT], Buffer.from(text)),
    );
    for (let n = 0; n < PACKETS; n++)
      for (const side of [0, 1] as const) {
        const ports = [MEDIA_PORTS[side], MEDIA_PORTS[side === 0 ? 1 : 0]] as const;
        frames.push(
          this.frame(MEDIA_MS + n * PACKET_MS + (side === AGENT ? 0 : 5), side, ports, this.rtpPacket(side, n)),
        );
      }
    return frames.sort((a, b) => a.atUs - b.atUs);
  }

  /** RFC 3550 §5.1. */
  rtpPacket(side: Side, n: number): Buffer {
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = n === 0 ? 0x80 | PAYLOAD_TYPE_PCMA : PAYLOAD_TYPE_PCMA;
    header.writeUInt16BE((0xfff0 + n) & 0xffff, 2);
    header.writeUInt32BE((0xffff_ff00 + n * SAMPLES_PER_PACKET) % 2 ** 32, 4);
    header.writeUInt32BE(this.ssrcs[side], 8);
    return Buffer.concat([header, this.payload(side, n)]);
  }

  payload(side: Side, n: number): Buffer {
    return this.speech[side].subarray(n * SAMPLES_PER_PACKET, (n + 1) * SAMPLES_PER_PACKET);
  }

  /** 16-bit samples of what the agent says. Written down once more, so that it does not rest on the table that decodes it. */
  agentSamples(): Int16Array {
    return Int16Array.from(this.speech[AGENT], alawSample);
  }

  private signalling(): { atMs: number; from: Side; text: string }[] {
    const branch = (name: string): string => `z9hG4bK-${this.sipCallId.slice(0, 16)}-${name}`;
    const ends = [`<sip:${USERS[0]}@${ADDRESSES[0]}>;tag=c1`, `<sip:${USERS[1]}@${ADDRESSES[1]}>`];
    const from = `From: ${ends[0]}`;
    const [early, to] = [`To: ${ends[1]}`, `To: ${ends[1]};tag=a1`];
    const via = (side: Side, name: string): string =>
      `Via: SIP/2.0/UDP ${ADDRESSES[side]}:${SIP_PORT};branch=${branch(name)}`;
    const contact = (side: Side): string => `Contact: <sip:${USERS[side]}@${ADDRESSES[side]}:${SIP_PORT}>`;
    const callId = `Call-ID: ${this.sipCallId}`;
    const target = `sip:${USERS[1]}@${ADDRESSES[1]}`;
    const message = (start: string, lines: string[], body = ""): string =>
      [
        start,
        ...lines,
        callId,
        ...(body === "" ? [] : ["Content-Type: application/sdp"]),
        `Content-Length: ${body.length}`,
        "",
        body,
      ].join("\r\n");
    const invite = [via(0, "invite"), from];
    return [
      {
        atMs: 0,
        from: 0,
        text: message(
          `INVITE ${target} SIP/2.0`,
          [...invite, early, "CSeq: 1 INVITE", "Max-Forwards: 70", contact(0)],
          sdp(0),
        ),
      },
      {
        atMs: RINGING_MS,
        from: 1,
        text: message("SIP/2.0 180 Ringing", [...invite, to, "CSeq: 1 INVITE", contact(1)]),
      },
      {
        atMs: ANSWER_MS,
        from: 1,
        text: message("SIP/2.0 200 OK", [...invite, to, "CSeq: 1 INVITE", contact(1)], sdp(1)),
      },
      {
        atMs: ACK_MS,
        from: 0,
        text: message(`ACK ${target} SIP/2.0`, [via(0, "ack"), from, to, "CSeq: 1 ACK", "Max-Forwards: 70"]),
      },
      {
        atMs: BYE_MS,
        from: 0,
        text: message(`BYE ${target} SIP/2.0`, [via(0, "bye"), from, to, "CSeq: 2 BYE", "Max-Forwards: 70"]),
      },
      { atMs: END_MS, from: 1, text: message("SIP/2.0 200 OK", [via(0, "bye"), from, to, "CSeq: 2 BYE"]) },
    ];
  }

  /** Ethernet (IEEE 802.3), IPv4 (RFC 791), UDP (RFC 768), with their checksums. */
  private frame(atMs: number, from: Side, ports: readonly [number, number], payload: Buffer): TestFrame {
    const to: Side = from === 0 ? 1 : 0;
    const bytes = Buffer.alloc(ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES + payload.length);
    // Locally administered: no maker's.
    bytes.write(`02000000000${to}02000000000${from}0800`, "hex");
    const ip = bytes.subarray(ETHERNET_BYTES);
    ip[0] = 0x45;
    ip.writeUInt16BE(ip.length, 2);
    ip.writeUInt16BE((this.identification[from] + Math.floor(atMs / 5)) & 0xffff, 4);
    ip[8] = 64;
    ip[9] = PROTOCOL_UDP;
    writeAddress(ip, 12, ADDRESSES[from]);
    writeAddress(ip, 16, ADDRESSES[to]);
    ip.writeUInt16BE(checksum(ip.subarray(0, IPV4_BYTES)), 10);
    const udp = ip.subarray(IPV4_BYTES);
    udp.writeUInt16BE(ports[0], 0);
    udp.writeUInt16BE(ports[1], 2);
    udp.writeUInt16BE(udp.length, 4);
    payload.copy(udp, UDP_BYTES);
    const pseudo = Buffer.concat([ip.subarray(12, 20), Buffer.from([0, PROTOCOL_UDP]), udp.subarray(4, 6), udp]);
    // Zero would say that there is none.
    udp.writeUInt16BE(checksum(pseudo) || 0xffff, 6);
    return { atUs: this.startUs + atMs * 1000, bytes };
  }
}

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const UDP_BYTES = 8;
const PROTOCOL_UDP = 17;

function sdp(side: Side): string {
  const address = ADDRESSES[side];
  const lines = [
    "v=0",
    `o=- 1 1 IN IP4 ${address}`,
    "s=-",
    `c=IN IP4 ${address}`,
    "t=0 0",
    `m=audio ${MEDIA_PORTS[side]} RTP/AVP ${PAYLOAD_TYPE_PCMA}`,
    `a=rtpmap:${PAYLOAD_TYPE_PCMA} PCMA/${SAMPLE_RATE_HZ}`,
    `a=ptime:${PACKET_MS}`,
  ];
  return `${lines.join("\r\n")}\r\n`;
}

function writeAddress(ip: Buffer, at: number, address: string): void {
  for (const [i, octet] of address.split(".").entries()) ip[at + i] = Number(octet);
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Bytes that only who has the seed can tell. */
function expand(seed: string, length: number): Buffer {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** ITU-T G.711 §4, table 1a, scaled to 16 bits. */
function alawSample(code: number): number {
  const plain = code ^ 0x55;
  const exponent = (plain >> 4) & 7;
  const mantissa = (plain & 15) * 16 + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 256) * 2 ** (exponent - 1);
  return plain >= 0x80 ? magnitude : -magnitude;
}
