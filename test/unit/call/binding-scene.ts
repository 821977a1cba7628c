// Calls whose media goes other ways than their session descriptions say: the signalling of `makeCall`, one hop of it or
// both sides of a proxy that rewrites it, and RTP between any two addresses. Every packet tells its speaker, so that a
// packet on the wrong channel is found whatever the record says.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { CallRecord } from "../../../device/contract/call-record.js";
import type { Config } from "../../../device/contract/config.js";
import { type CallOptions, DEFAULT_START_US } from "../../fakes/call-options.js";
import { udpFrame } from "../../fakes/frames.js";
import { makeCall } from "../../fakes/office-call.js";
import { officeConfig, type Recorded, recordFrames } from "../../fakes/recorded-frames.js";
import { rtpStream } from "../../fakes/rtp-stream.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";
import type { PayloadSource } from "../../fakes/tone.js";

/** Ethernet, IPv4 and UDP without options or tags. */
const UDP_PAYLOAD_AT = 42;
export const MS = 1000;
/** Of a call that begins at the default time and rings for a second. */
export const ANSWER_US = DEFAULT_START_US + 1000 * MS;
export const DURATION_MS = 4000;
export const CALLER = "198.51.100.20:30000";
export const AGENT = "10.0.0.7:40000";
/** Whose voice a packet carries: its first payload byte. */
export const VOICE = { caller: 0x11, agent: 0x22, stranger: 0x33, neighbour: 0x44 } as const;
export type Speaker = keyof typeof VOICE;
const SSRC = { caller: 0xca11e4, agent: 0xa6e27, stranger: 0x57a6e, neighbour: 0x6e16b } as const;

/** The agent by number, the caller consents: whatever may be recorded is. */
export const byNumber = () => officeConfig({ agents: { match: ["21"] }, consent: CONSENTS });
/** The agent by the network in which it receives media. */
export const byNetwork = () => officeConfig({ consent: CONSENTS });
export const bothParties = () => officeConfig({ agents: { match: ["21"] }, consent: { policy: "both-parties" } });
const CONSENTS = { rules: [{ name: "all consent", consent: "granted" }] };

/** A payload that tells its speaker and, by the time since the answer, which of its packets it is. */
function voice(speaker: Speaker, fromMs: number): PayloadSource {
  return (first, count) => {
    const payload = Buffer.alloc(count, VOICE[speaker]);
    payload.writeInt32BE(Math.floor(fromMs / 20) + first / 160, 1);
    return payload;
  };
}

/** The call's SIP alone. */
export function signalling(options: CallOptions = {}): TimedFrame[] {
  return makeCall({
    durationMs: DURATION_MS,
    ...options,
    caller: muted(options.caller),
    callee: muted(options.callee),
  });
}

function muted<Party extends object>(party: Party | undefined): Party & { isMute: true } {
  return { ...(party ?? ({} as Party)), isMute: true };
}

export interface MediaOptions {
  /** From the answer of a call that begins at the default time. */
  fromMs?: number;
  toMs?: number;
  ssrc?: number;
  firstSequence?: number;
  /** How much later than at its first hop it is seen. */
  delayMs?: number;
  /** Packet times in which nothing is captured, or nothing sent. */
  isLost?: (index: number) => boolean;
  isSuppressed?: (index: number) => boolean;
}

/** RTP of a speaker from one address to another. */
export function media(speaker: Speaker, source: string, destination: string, options: MediaOptions = {}): TimedFrame[] {
  const { fromMs = 10, toMs = DURATION_MS, delayMs = 0, ...rest } = options;
  return rtpStream({
    source,
    destination,
    from: speaker === "agent" ? "callee" : "caller",
    startUs: ANSWER_US + (fromMs + delayMs) * MS,
    packets: Math.max(0, Math.ceil((toMs - fromMs) / 20)),
    ssrc: SSRC[speaker],
    firstSequence: 1000,
    firstTimestamp: 160_000,
    payload: voice(speaker, fromMs),
    ...rest,
  });
}

/** The same frames later. */
export function later(frames: readonly TimedFrame[], ms: number): TimedFrame[] {
  return frames.map((one) => ({ ...one, atUs: one.atUs + ms * MS }));
}

export interface RewritingProxy {
  /** SIP address of the proxy. */
  address: string;
  /** What it writes in the place of the media address of each side. */
  rewrites: Partial<Record<"caller" | "callee", string>>;
  /** The mirror shows the message behind the proxy first. */
  isFarHopFirst?: boolean;
  caller?: string;
  callee?: string;
}

/** The call's SIP on both sides of a proxy that stays in the way (RFC 3261 §16) and rewrites the media addresses. */
export function throughProxy(frames: readonly TimedFrame[], proxy: RewritingProxy): TimedFrame[] {
  const places = { caller: proxy.caller ?? "198.51.100.20:5060", callee: proxy.callee ?? "10.0.0.7:5060" };
  const hops = frames.map((one): TimedFrame[] => {
    const { from } = one;
    const text = one.frame.toString("latin1", UDP_PAYLOAD_AT);
    const isRequest = !/^SIP\/2.0/.test(text);
    const behind = withMedia(text, proxy.rewrites[from]);
    const near = isRequest ? text : withVia(text, proxy.address);
    const far = isRequest ? withVia(behind, proxy.address) : behind;
    const send = (source: string, destination: string, body: string, afterUs: number): TimedFrame => ({
      ...one,
      atUs: one.atUs + afterUs,
      frame: udpFrame({ source, destination, payload: Buffer.from(body, "latin1") }),
    });
    const [nearUs, farUs] = proxy.isFarHopFirst ? [1000, 0] : [0, 1000];
    return [
      send(places[from], proxy.address, near, nearUs),
      send(proxy.address, places[from === "caller" ? "callee" : "caller"], far, farUs),
    ];
  });
  return mergeCalls(...hops);
}

function withVia(text: string, address: string): string {
  return text.replace(/\r\nVia: /, `\r\nVia: SIP/2.0/UDP ${address};branch=z9hG4bKproxy${text.length}\r\nVia: `);
}

function withMedia(text: string, place: string | undefined): string {
  if (place === undefined || text.endsWith("\r\n\r\n")) return text;
  const [address, port] = place.split(":");
  return withBody(text, (body) =>
    body.replace(/^c=IN IP4 .*$/m, `c=IN IP4 ${address}`).replace(/^m=audio \d+/m, `m=audio ${port}`),
  );
}

/** Drops messages by label ("INVITE", "200 INVITE", …). */
export function without(frames: readonly TimedFrame[], ...labels: string[]): TimedFrame[] {
  return frames.filter(({ label }) => !labels.includes(label));
}

/** Takes the session description out of messages. */
export function withoutSdp(frames: readonly TimedFrame[], ...labels: string[]): TimedFrame[] {
  return frames.map((one) => {
    if (!labels.includes(one.label)) return one;
    return rewritten(one, (text) => {
      const head = text.slice(0, text.indexOf("\r\n\r\n") + 4).replace(/Content-Type: .*\r\n/, "");
      return head.replace(/Content-Length: \d+/, "Content-Length: 0");
    });
  });
}

/** A host name for the address in the session descriptions of messages. */
export function withHostName(frames: readonly TimedFrame[], name: string, ...labels: string[]): TimedFrame[] {
  return frames.map((one) => {
    if (!labels.includes(one.label)) return one;
    return rewritten(one, (text) => withBody(text, (body) => body.replace(/^c=IN IP4 .*$/m, `c=IN IP4 ${name}`)));
  });
}

/** The same frame with another text, between the same addresses. */
function rewritten(one: TimedFrame, change: (text: string) => string): TimedFrame {
  const { frame } = one;
  const [source, destination] = [
    `${frame.subarray(26, 30).join(".")}:${frame.readUInt16BE(34)}`,
    `${frame.subarray(30, 34).join(".")}:${frame.readUInt16BE(36)}`,
  ];
  const payload = Buffer.from(change(frame.toString("latin1", UDP_PAYLOAD_AT)), "latin1");
  return { ...one, frame: udpFrame({ source, destination, payload }) };
}

function withBody(text: string, change: (body: string) => string): string {
  const bodyAt = text.indexOf("\r\n\r\n") + 4;
  const body = change(text.slice(bodyAt));
  return text.slice(0, bodyAt).replace(/Content-Length: \d+/, `Content-Length: ${body.length}`) + body;
}

/** Runs the frames through the pipeline; the journal goes to a new folder in `folder`. */
export function record(frames: readonly TimedFrame[], config: Config, folder: string): Promise<Recorded> {
  return recordFrames(frames, config, mkdtempSync(join(folder, "journal-")));
}

/** Who may be heard on the originator's and on the answerer's channel, by Call-ID; other calls are the caller's and the agent's. */
export type Heard = Record<string, readonly [readonly Speaker[], readonly Speaker[]]>;
const USUAL = [["caller"], ["agent"]] as const;

/**
 * Records the frames and tells what became of every stream, sorted: "source > destination: leg recorded/seen reasons".
 * Fails when a packet was recorded on a channel that is not its speaker's, or twice.
 */
export async function fates(
  frames: readonly TimedFrame[],
  config: Config,
  folder: string,
  heard: Heard = {},
): Promise<string[]> {
  const recorded = await record(frames, config, folder);
  checkVoices(recorded, heard);
  return recorded.records.flatMap((record) => fatesOf(record)).sort();
}

export function fatesOf({ streams }: CallRecord): string[] {
  return streams.map(({ side, source, destination, packets, discardedBy }) => {
    const reasons = Object.keys(discardedBy).sort().join(",");
    return `${source} > ${destination}: ${SIDES[side]} ${packets.recorded}/${packets.seen} ${reasons}`.trim();
  });
}
const SIDES = ["originator", "answerer"] as const;

export function checkVoices({ records, journalled }: Recorded, heard: Heard = {}): void {
  for (const [i, { sipCallIds }] of records.entries()) {
    const voices = heard[sipCallIds[0]!] ?? USUAL;
    const known = new Set<string>();
    for (const { side, payload } of journalled[i]!) {
      const speaker = (Object.keys(VOICE) as Speaker[]).find((name) => VOICE[name] === payload[0])!;
      expect([SIDES[side], voices[side as 0 | 1]]).toEqual([SIDES[side], expect.arrayContaining([speaker])]);
      known.add(`${side} ${speaker} ${payload.readInt32BE(1)}`);
    }
    expect(known.size).toBe(journalled[i]!.length);
  }
}
