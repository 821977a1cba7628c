// Session descriptions (RFC 8866) as far as a recorder needs them: where media is received, as what, in which
// direction, encrypted or not. Skips every line it does not know; never throws; one pass, every list bounded.
// Offer and answer (RFC 3264) are session.ts's.
import { isIP } from "node:net";
import { type AddressWords, parseAddress } from "../base/address.js";
import type { CodecMapping } from "../contract/call-record.js";
import { staticCodec } from "./payload-types.js";
import type {
  MediaDescription,
  MediaDirection,
  RecordPreference,
  RecordState,
  SessionDescription,
} from "./sdp-types.js";

const MAX_MEDIA = 16;
const MAX_FORMATS = 64;
/** In one description: a few bytes of text each, but an object in memory. */
const MAX_CODECS = 256;
const MAX_CANDIDATES = 16;
const MAX_FORMAT_CHARACTERS = 1024;
/** All a=fmtp text of one description. */
const MAX_FORMATS_CHARACTERS = 8192;
/** Names and addresses that are kept; a host name has at most 255 characters. */
const MAX_WORD_CHARACTERS = 255;
const MAX_PORT = 65535;
const MAX_CLOCK_RATE_HZ = 1_000_000;
const MAX_CHANNELS = 64;
/** Clock of a payload type that nothing describes: nearly all telephone audio has it, and statistics need one. */
const FALLBACK_CLOCK_RATE_HZ = 8000;
/** The lines this parser reads: session-level o=, and c=, m= and a=. */
const TYPES_READ = "ocma";

interface Connection {
  address: AddressWords | undefined;
  text: string;
}

/** What attributes say of a media section, or of all of them at session level. */
interface Attributes {
  direction: MediaDirection | undefined;
  hasKeys: boolean;
  rtcpMux: boolean;
  recordPreference: RecordPreference | undefined;
  recordState: RecordState | undefined;
}

const RECORD_PREFERENCES: readonly RecordPreference[] = ["on", "off", "pause", "nopreference"];
const RECORD_STATES: readonly RecordState[] = ["on", "off", "paused"];

interface MediaDraft extends Attributes {
  kind: string;
  port: number;
  protocol: string;
  formats: number[];
  connection: Connection | undefined;
  rtpmaps: Map<number, CodecMapping>;
  parameters: Map<number, string>;
  ptimeMs: number | undefined;
  rtcpPort: number | undefined;
  candidates: { address: AddressWords; port: number }[];
}

interface Draft extends Attributes {
  originId: string;
  originVersion: string;
  originUser: string;
  originAddress: string;
  connection: Connection | undefined;
  media: MediaDraft[];
  formatCount: number;
  formatCharacters: number;
  /** Sections beyond MAX_MEDIA; their lines must not be taken for another section's. */
  isSkipping: boolean;
}

/**
 * Reads a description; undefined when the text does not open with "v=" (RFC 8866 §5). A malformed m= line keeps its
 * place as a disabled section, since answers match offers by position (RFC 3264 §6).
 */
export function parseSdp(text: string): SessionDescription | undefined {
  const start = text.search(/\S/);
  if (start < 0 || !text.startsWith("v=", start)) return undefined;
  const draft: Draft = {
    originId: "",
    originVersion: "",
    originUser: "",
    originAddress: "",
    connection: undefined,
    direction: undefined,
    hasKeys: false,
    rtcpMux: false,
    recordPreference: undefined,
    recordState: undefined,
    media: [],
    formatCount: 0,
    formatCharacters: 0,
    isSkipping: false,
  };
  for (let at = start; at < text.length; ) {
    const lineFeed = text.indexOf("\n", at);
    const end = lineFeed < 0 ? text.length : lineFeed;
    if (text[at + 1] === "=" && TYPES_READ.includes(text[at]!))
      readLine(draft, text[at]!, text.slice(at + 2, end).trim());
    at = end + 1;
  }
  return {
    originId: draft.originId,
    originVersion: draft.originVersion,
    originUser: draft.originUser,
    originAddress: draft.originAddress,
    media: draft.media.map((media) => finishMedia(media, draft)),
  };
}

function readLine(draft: Draft, type: string, value: string): void {
  if (type === "m") {
    draft.isSkipping = draft.media.length >= MAX_MEDIA;
    if (!draft.isSkipping) addMedia(draft, readMedia(value));
    return;
  }
  if (draft.isSkipping) return;
  const media = draft.media.at(-1);
  if (type === "o" && draft.originId === "") readOrigin(draft, value);
  else if (type === "c") (media ?? draft).connection ??= readConnection(value);
  else readAttribute(draft, media, value);
}

/** "o=user id version IN IP4 host": all but the version name the session (RFC 8866 §5.2). */
function readOrigin(draft: Draft, value: string): void {
  const words = value.split(/\s+/, 8).map((word) => ownText(word.slice(0, MAX_WORD_CHARACTERS)));
  const [user = "", id = "", version = "", ...where] = words;
  draft.originId = [user, id, ...where].join(" ");
  draft.originVersion = version;
  draft.originUser = user;
  draft.originAddress = (where[2] ?? "").toLowerCase();
}

/** A copy: a slice would keep the whole message in memory for as long as a session remembers the description. */
function ownText(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

/** "IN IP4 192.0.2.1/127": time to live and number of addresses belong to multicast. */
function readConnection(value: string): Connection {
  const text = (value.split(/\s+/, 4)[2] ?? "").split("/", 1)[0]!.slice(0, MAX_WORD_CHARACTERS);
  return { address: parseAddress(text), text: ownText(text) };
}

/** "audio 49170/2 RTP/AVP 0 8 101" */
function readMedia(value: string): MediaDraft {
  const [kind = "", portText = "", protocol = "", ...formats] = value.split(/\s+/, 3 + MAX_FORMATS);
  return {
    kind: ownText(kind.slice(0, MAX_WORD_CHARACTERS)).toLowerCase(),
    port: readPort(portText.split("/", 1)[0]!) ?? 0,
    protocol: ownText(protocol.slice(0, MAX_WORD_CHARACTERS)).toUpperCase(),
    formats: protocol.toUpperCase().includes("RTP/") ? payloadTypes(formats) : [],
    connection: undefined,
    direction: undefined,
    hasKeys: false,
    rtcpMux: false,
    recordPreference: undefined,
    recordState: undefined,
    rtpmaps: new Map(),
    parameters: new Map(),
    ptimeMs: undefined,
    rtcpPort: undefined,
    candidates: [],
  };
}

function payloadTypes(formats: readonly string[]): number[] {
  const types = formats.filter((format) => /^\d{1,3}$/.test(format)).map(Number);
  return [...new Set(types)].filter((type) => type <= 127);
}

function addMedia(draft: Draft, media: MediaDraft): void {
  media.formats.length = Math.min(media.formats.length, MAX_CODECS - draft.formatCount);
  draft.formatCount += media.formats.length;
  draft.media.push(media);
}

function readPort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  return port >= 0 && port <= MAX_PORT ? port : undefined;
}

function readAttribute(draft: Draft, media: MediaDraft | undefined, attribute: string): void {
  const colon = attribute.indexOf(":");
  const name = (colon < 0 ? attribute : attribute.slice(0, colon)).toLowerCase();
  const value = colon < 0 ? "" : attribute.slice(colon + 1).trim();
  const level: Attributes = media ?? draft;
  switch (name) {
    case "sendrecv":
    case "sendonly":
    case "recvonly":
    case "inactive":
      level.direction = name;
      break;
    case "crypto":
    case "fingerprint":
      level.hasKeys = true;
      break;
    case "rtcp-mux":
      level.rtcpMux = true;
      break;
    case "recordpref":
      level.recordPreference = RECORD_PREFERENCES.find((known) => known === value.toLowerCase());
      break;
    case "record":
      level.recordState = RECORD_STATES.find((known) => known === value.toLowerCase());
      break;
    default:
      if (media) readMediaAttribute(draft, media, name, value);
  }
}

function readMediaAttribute(draft: Draft, media: MediaDraft, name: string, value: string): void {
  switch (name) {
    case "rtpmap":
      readRtpmap(media, value);
      break;
    case "fmtp":
      readFormat(draft, media, value);
      break;
    case "ptime":
      if (/^\d{1,4}(\.\d+)?$/.test(value) && Number(value) > 0) media.ptimeMs = Number(value);
      break;
    case "rtcp":
      media.rtcpPort = readPort(value.split(/\s+/, 1)[0]!) || undefined;
      break;
    case "candidate":
      readCandidate(media, value);
      break;
    default:
      break;
  }
}

/** "96 opus/48000/2" (RFC 8866 §6.6) */
function readRtpmap(media: MediaDraft, value: string): void {
  const match = /^(\d{1,3})\s+([^\s/]{1,64})\/(\d{1,7})(?:\/(\d{1,3}))?/.exec(value);
  if (!match || media.rtpmaps.size >= MAX_FORMATS) return;
  const payloadType = Number(match[1]);
  const clockRate = Number(match[3]);
  const channels = Number(match[4] ?? 1);
  if (payloadType > 127 || clockRate < 1 || clockRate > MAX_CLOCK_RATE_HZ) return;
  const name = ownText(match[2]!).toUpperCase();
  media.rtpmaps.set(payloadType, {
    payloadType,
    name,
    // "G722/16000" is the common mistake that RFC 3551 §4.5.2 warns of; the RTP clock is 8000 all the same.
    clockRate: name === "G722" ? 8000 : clockRate,
    channels: channels >= 1 && channels <= MAX_CHANNELS ? channels : 1,
  });
}

/** "96 0-16": kept as written. */
function readFormat(draft: Draft, media: MediaDraft, value: string): void {
  const type = /^\d{1,3}(?=\s)/.exec(value)?.[0];
  if (type === undefined || media.parameters.size >= MAX_FORMATS) return;
  // Cut by hand: a pattern for the rest of the line tries every blank again where a stray CR ends it.
  const text = value.slice(type.length).trim().slice(0, MAX_FORMAT_CHARACTERS);
  draft.formatCharacters += text.length;
  if (draft.formatCharacters > MAX_FORMATS_CHARACTERS) return;
  media.parameters.set(Number(type), ownText(text));
}

/** "1 1 UDP 2130706431 192.0.2.1 8998 typ host" (RFC 8839 §5.1): RTP over UDP at literal addresses only. */
function readCandidate(media: MediaDraft, value: string): void {
  if (media.candidates.length >= MAX_CANDIDATES) return;
  const [, component = "", transport = "", , host = "", portText = ""] = value.split(/\s+/, 7);
  if (component !== "1" || transport.toUpperCase() !== "UDP" || isIP(host) === 0) return;
  const address = parseAddress(host);
  const port = readPort(portText);
  if (address && port) media.candidates.push({ address, port });
}

function finishMedia(media: MediaDraft, session: Draft): MediaDescription {
  const connection = media.connection ?? session.connection;
  const rtcpMux = media.rtcpMux || session.rtcpMux;
  const description: MediaDescription = {
    kind: media.kind,
    port: media.port,
    protocol: media.protocol,
    addressText: connection?.text ?? "",
    codecs: media.formats.map((type) => codecOf(media, type)),
    direction: media.direction ?? session.direction ?? "sendrecv",
    rtcpPort: rtcpPortOf(media, rtcpMux),
    rtcpMux,
    encrypted: media.protocol.includes("SAVP") || media.hasKeys || session.hasKeys,
    candidates: media.candidates,
  };
  if (connection?.address) description.address = connection.address;
  const recordPreference = media.recordPreference ?? session.recordPreference;
  const recordState = media.recordState ?? session.recordState;
  if (recordPreference !== undefined) description.recordPreference = recordPreference;
  if (recordState !== undefined) description.recordState = recordState;
  if (media.ptimeMs !== undefined) description.ptimeMs = media.ptimeMs;
  return description;
}

function rtcpPortOf(media: MediaDraft, rtcpMux: boolean): number {
  if (rtcpMux) return media.port;
  if (media.rtcpPort !== undefined) return media.rtcpPort;
  return media.port > 0 && media.port < MAX_PORT ? media.port + 1 : 0;
}

function codecOf(media: MediaDraft, payloadType: number): CodecMapping {
  const codec = media.rtpmaps.get(payloadType) ??
    staticCodec(payloadType) ?? { payloadType, name: "UNKNOWN", clockRate: FALLBACK_CLOCK_RATE_HZ, channels: 1 };
  const format = media.parameters.get(payloadType);
  return format === undefined ? codec : { ...codec, format };
}
