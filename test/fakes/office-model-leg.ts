// Who and what is on one side of a scripted dialog: the phone, the person who speaks, the session description in force
// (RFC 8866, RFC 3264) and the state of its RTP. Plain state; builds no frames and knows no time.
import { makeRandom, randomInteger } from "./random.js";
import { rtpPacket } from "./rtp-stream.js";
import { type SipBody, sdpBody } from "./sip-messages.js";
import { G711_PAYLOAD_TYPE, type G711Codec } from "./tone.js";

export interface Person {
  readonly name: string;
  /** "nobody" is a machine or an intruder: no consent can ever be about it. */
  readonly kind: "agent" | "outside" | "nobody";
}

/** A telephone: how it is signalled, and who speaks on it at first. */
export interface Phone {
  readonly user: string;
  readonly address: string;
  readonly person: Person;
}

export interface Place {
  readonly address: string;
  readonly port: number;
}

export type Hold = "sendonly" | "inactive" | "0.0.0.0";
export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** What a side describes: offered first, in force when it was accepted. */
export interface Description {
  media: Place;
  /** The part of o= that names who describes. */
  origin: { id: number; address: string };
  holds: Hold | undefined;
  codec: G711Codec;
  ptimeMs: number;
}

const SAMPLES_PER_MS = 8;
const PAYLOAD_BYTES = 48;
const MIRRORED = { sendrecv: "sendrecv", sendonly: "recvonly", recvonly: "sendonly", inactive: "inactive" } as const;

export class ScriptedLeg {
  readonly phone: Phone;
  /** The recording's channel. */
  readonly channel: 0 | 1;
  readonly firstPerson: Person;
  readonly firstOrigin: Description["origin"];
  person: Person;
  now: Description;
  /** Sends nothing: its party talks in another dialog. */
  isParked = false;
  silentUntilUs = 0;
  nextPacketUs = Number.POSITIVE_INFINITY;
  /** The leg of another dialog whose person is heard here: this side is a PBX that passes it on. */
  passesOn: ScriptedLeg | undefined;
  private version = 0;
  private readonly random: () => number;
  private ssrc = 0;
  private sequence = 0;
  private timestamp = 0;

  constructor(phone: Phone, channel: 0 | 1, port: number, ptimeMs: number, person: Person) {
    this.phone = phone;
    this.channel = channel;
    this.firstPerson = person;
    this.person = person;
    const { address } = phone;
    this.firstOrigin = { id: port, address };
    this.now = { media: { address, port }, origin: this.firstOrigin, holds: undefined, codec: "PCMA", ptimeMs };
    this.random = makeRandom(port * 7919);
    this.reseed();
  }

  /** Another SSRC, sequence number and timestamp. */
  reseed(): void {
    this.ssrc = randomInteger(this.random, 2 ** 32);
    this.sequence = randomInteger(this.random, 2 ** 16);
    this.timestamp = randomInteger(this.random, 2 ** 32);
  }

  /** A session description, one version later than the last. */
  describe(description: Description, direction: Direction): SipBody {
    const { media, origin, holds, codec, ptimeMs } = description;
    const body = sdpBody({
      address: holds === "0.0.0.0" ? "0.0.0.0" : media.address,
      port: media.port,
      codecs: [{ payloadType: G711_PAYLOAD_TYPE[codec], name: codec, clockRate: 8000 }],
      ptimeMs,
      direction,
    });
    const line = `o=- ${origin.id} ${++this.version} IN IP4 ${origin.address}`;
    return { ...body, text: body.text.replace(/^o=.*$/m, line) };
  }

  /** RTP for one packet time; undefined = silence, which spends the timestamp only. */
  rtp(payload: Buffer | undefined, ptimeMs = this.now.ptimeMs): Buffer | undefined {
    const { ssrc, timestamp } = this;
    this.timestamp += ptimeMs * SAMPLES_PER_MS;
    if (!payload) return undefined;
    const payloadType = G711_PAYLOAD_TYPE[this.now.codec];
    return rtpPacket({ payloadType, sequence: this.sequence++, timestamp, ssrc, payload });
  }
}

/** What a side offers: it receives unless it holds. */
export function offeredDirection(holds: Hold | undefined): Direction {
  return holds === undefined || holds === "0.0.0.0" ? "sendrecv" : holds;
}

/** What a side answers to `offered` (RFC 3264 §6.1, §8.4). */
export function answeredDirection(offered: Direction, holds: Hold | undefined): Direction {
  const mirrored = MIRRORED[offered];
  if (holds === undefined || holds === "0.0.0.0") return mirrored;
  return mirrored === "sendrecv" || mirrored === "sendonly" ? "sendonly" : "inactive";
}

/** A payload that says which piece of speech it carries, in bytes that no other piece has. */
export function speechPayload(speech: number, variant = 0): Buffer {
  const payload = Buffer.alloc(PAYLOAD_BYTES);
  payload.writeUInt32BE(speech);
  let mixed = Math.imul(speech + 1, 0x9e3779b1) ^ Math.imul(variant, 0x85ebca6b);
  for (let at = 4; at < PAYLOAD_BYTES; at += 4) {
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) + at;
    payload.writeInt32BE(mixed | 0, at);
  }
  return payload;
}

export function speechOf(payload: Buffer): number {
  return payload.readUInt32BE(0);
}
