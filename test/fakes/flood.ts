// Traffic that nobody answers, in any number: what a scanner, a worm or a broken phone puts on the wire, one frame at a
// time so that a million of them cost no memory. Pure: the same number gives the same bytes.
import { endpoints, fragmentFrames, ipPacket, linkFrame, udpFrame } from "./frames.js";
import { rtpPacket } from "./rtp-stream.js";
import { requestText, responseText, sdpBody } from "./sip-messages.js";
import type { TimedFrame } from "./timed-frames.js";
import { G711_PAYLOAD_TYPE } from "./tone.js";

const PROTOCOL_TCP = 6;
const TCP_HEADER_BYTES = 20;
const TCP_SYN = 0x02;
const TCP_ACK = 0x10;
const RTP_PAYLOAD_BYTES = 160;
const FIRST_PORT = 1024;
const PORTS = 60_000;
const BEGUN_BYTES = 900;

/** The `index`th frame of a flood. */
export type FloodFrame = (index: number) => Buffer;

export interface InviteFloodOptions {
  /** Where the offered audio is to go; default an address and port of each caller's own. */
  media?: { address: string; port: number };
  /** Length of a header field that means nothing. */
  paddingBytes?: number;
}

/** INVITEs of different callers that are never answered. */
export function inviteFlood(options: InviteFloodOptions = {}): FloodFrame {
  return (index) => {
    const address = host("172.16.0.0", index);
    const media = options.media ?? { address, port: portOf(index) & ~1 };
    const text = requestText({
      method: "INVITE",
      requestUri: `sip:${index}@192.0.2.1`,
      via: [`${address}:5060;branch=z9hG4bK-${index}`],
      from: { uri: `sip:scan${index}@${address}`, tag: `t${index}` },
      to: { uri: `sip:${index}@192.0.2.1` },
      callId: `flood-${index}@${address}`,
      cseq: 1,
      contact: `<sip:scan${index}@${address}>`,
      ...(options.paddingBytes ? { headers: [["X-Padding", "p".repeat(options.paddingBytes)]] } : {}),
      body: sdpBody({ ...media, codecs: [{ payloadType: 8, name: "PCMA", clockRate: 8000 }] }),
    });
    return udpFrame({
      source: `${address}:5060`,
      destination: "192.0.2.1:5060",
      payload: Buffer.from(text),
      identification: index,
    });
  };
}

/** Calls of one number to one agent, each answered at once: an INVITE and its 200 in turn. None of them ends. */
export function answeredFlood(): FloodFrame {
  return (index) => {
    const number = index >> 1;
    const [caller, agent] = ["198.51.100.20", "10.0.0.7"];
    const media = (address: string) =>
      sdpBody({
        address,
        port: 2 * (5000 + (number % 8000)),
        codecs: [{ payloadType: 8, name: "PCMA", clockRate: 8000 }],
      });
    const request = {
      method: "INVITE",
      requestUri: `sip:21@${agent}`,
      via: [`${caller}:5060;branch=z9hG4bK-a${number}`],
      from: { uri: `sip:0301234567@${caller}`, tag: `t${number}` },
      to: { uri: `sip:21@${agent}` },
      callId: `answered-${number}@${caller}`,
      cseq: 1,
      contact: `<sip:0301234567@${caller}>`,
      body: media(caller),
    };
    const isAnswer = (index & 1) === 1;
    const text = isAnswer
      ? responseText(request, { status: 200, toTag: `a${number}`, contact: `<sip:21@${agent}>`, body: media(agent) })
      : requestText(request);
    return udpFrame({
      source: `${isAnswer ? agent : caller}:5060`,
      destination: `${isAnswer ? caller : agent}:5060`,
      payload: Buffer.from(text),
      identification: number,
    });
  };
}

/** REGISTERs of different users from different phones. */
export function registerFlood(): FloodFrame {
  return (index) => {
    const address = host("172.20.0.0", index);
    const text = requestText({
      method: "REGISTER",
      requestUri: "sip:192.0.2.1",
      via: [`${address}:5060;branch=z9hG4bK-r${index}`],
      from: { uri: `sip:user${index}@192.0.2.1`, tag: `r${index}` },
      to: { uri: `sip:user${index}@192.0.2.1` },
      callId: `register-${index}@${address}`,
      cseq: 1,
      contact: `<sip:user${index}@${address}:5060>`,
      headers: [["Expires", "3600"]],
    });
    return udpFrame({
      source: `${address}:5060`,
      destination: "192.0.2.1:5060",
      payload: Buffer.from(text),
      identification: index,
    });
  };
}

/** One RTP packet each of different streams between different addresses, or all to `destination`. */
export function rtpFlood(destination?: string): FloodFrame {
  const payload = Buffer.alloc(RTP_PAYLOAD_BYTES, 0xd5);
  return (index) =>
    udpFrame({
      source: `${host("172.24.0.0", index)}:${portOf(index)}`,
      destination: destination ?? `${host("172.28.0.0", index >> 4)}:${portOf(index * 7)}`,
      identification: index,
      payload: rtpPacket({
        payloadType: G711_PAYLOAD_TYPE.PCMA,
        sequence: index,
        timestamp: index * 160,
        ssrc: Math.imul(index + 1, 0x9e3779b1),
        payload,
      }),
    });
}

/** Beginnings of datagrams whose other fragments never come. */
export function fragmentFlood(): FloodFrame {
  const payload = Buffer.alloc(3000, 0x41);
  return (index) =>
    fragmentFrames({
      source: `${host("172.30.0.0", index)}:5060`,
      destination: "192.0.2.1:5060",
      payload,
      identification: index,
      mtu: 1500,
    })[0]!;
}

/** TCP connections of which each sends one segment: a SYN, or the beginning of a message that never ends. */
export function tcpFlood(): FloodFrame {
  const begun = Buffer.from(`INVITE sip:a@192.0.2.1 SIP/2.0\r\nX-Long: ${"x".repeat(BEGUN_BYTES)}`);
  return (index) => {
    const connection = index >> 1;
    const isSyn = (index & 1) === 0;
    const header = Buffer.alloc(TCP_HEADER_BYTES);
    header.writeUInt16BE(portOf(connection), 0);
    header.writeUInt16BE(5060, 2);
    header.writeUInt32BE(isSyn ? 1000 : 1001, 4);
    header[12] = (TCP_HEADER_BYTES >> 2) << 4;
    header[13] = isSyn ? TCP_SYN : TCP_ACK;
    const packet = isSyn ? header : Buffer.concat([header, begun]);
    const options = { source: `${host("172.18.0.0", connection)}:0`, destination: "192.0.2.1:0" };
    const ends = endpoints(options);
    return linkFrame(ipPacket(options, ends, packet, PROTOCOL_TCP), ends, {});
  };
}

export interface Flood {
  frame: FloodFrame;
  count: number;
}

/** The frames of a call with floods spread evenly over the time between two of them; made as they are asked for. */
export function* floodedFrames(
  frames: readonly TimedFrame[],
  floods: readonly Flood[],
  fromUs: number,
  toUs: number,
): Generator<{ atUs: number; frame: Buffer }> {
  const sent = floods.map(() => 0);
  let next = 0;
  const total = floods.reduce((sum, { count }) => sum + count, 0);
  for (let step = 0; step < total; step++) {
    const atUs = Math.floor(fromUs + ((toUs - fromUs) * step) / total);
    for (; next < frames.length && frames[next]!.atUs <= atUs; next++) yield frames[next]!;
    const which = furthestBehind(floods, sent);
    yield { atUs, frame: floods[which]!.frame(sent[which]!) };
    sent[which]!++;
  }
  for (; next < frames.length; next++) yield frames[next]!;
}

/** The flood of which the least share was sent. */
function furthestBehind(floods: readonly Flood[], sent: readonly number[]): number {
  let least = 0;
  for (let i = 1; i < floods.length; i++) {
    if (sent[i]! / floods[i]!.count < sent[least]! / floods[least]!.count) least = i;
  }
  return least;
}

/** The `index`th address behind a network's own, over 18 bits. */
function host(network: string, index: number): string {
  const [a, b] = network.split(".").map(Number) as [number, number];
  const number = index & 0x3ffff;
  return `${a}.${b + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

function portOf(index: number): number {
  return FIRST_PORT + (index % PORTS);
}
