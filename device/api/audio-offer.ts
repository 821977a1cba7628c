// What a request may get of a recording, or why not: which bytes or samples, under which name, tag and digest. Reads nothing,
// sends nothing. Names are made of the recording's id alone.
import type { AudioChannel, AudioFormat } from "../contract/api-audio.js";
import { audioFileName, type Manifest } from "../contract/manifest.js";
import { type ByteView, type ChannelChoice, channelsOf, type RecordingAudio } from "../store/recording-audio.js";
import { ENCODINGS, type Encoding } from "./audio-encoder.js";
import { type Problem, problem } from "./problems.js";

export interface AudioWish {
  channel: AudioChannel;
  format: AudioFormat;
  /** As a file of its own, not to be played where it is. */
  isFile: boolean;
}

export interface Offer {
  etag: string;
  /** Of every answer with it, in part or whole. */
  headers: Readonly<Record<string, string>>;
  content:
    | { view: ByteView; encoding?: undefined }
    /** How many bytes it will be is not known, so that there are no ranges of it. */
    | { view?: undefined; encoding: Encoding; samples: ByteView; sampleRateHz: number; channels: number };
}

const SUFFIXES = { wav: ".wav", mp3: ".mp3", opus: ".opus" } as const satisfies Record<AudioFormat, string>;

export function offerOf(audio: RecordingAudio, wish: AudioWish): Offer | { problem: Problem } {
  const { manifest, isEncrypted, isWhole } = audio;
  const { channel, format } = wish;
  if (!isWhole) return { problem: problem("recording-damaged") };
  if (channel === "both" && format === "wav") return storedOffer(audio, wish);
  if (isEncrypted) return { problem: problem("encrypted") };
  const { shape } = audio;
  if (shape === undefined) return { problem: problem("recording-damaged") };
  const choice = shape.channels === 2 ? choiceOf(channel, manifest) : onlyChoice(channel);
  if (choice === undefined) return { problem: problem("channel-unknown") };
  const name = `${manifest.id}${channel === "both" ? "" : `-${channel}`}${SUFFIXES[format]}`;
  const tag = `"${manifest.audio.sha256}-${channel}${format === "wav" ? "" : `-${format}`}"`;
  if (format === "wav")
    return {
      etag: tag,
      headers: headersOf(tag, name, "audio/wav", wish, "bytes"),
      content: { view: audio.wav(choice) },
    };
  // Another version of the encoder may make other bytes of it.
  const etag = `W/${tag}`;
  return {
    etag,
    headers: headersOf(etag, name, ENCODINGS[format].media, wish, "none"),
    content: {
      encoding: format,
      samples: audio.samples(choice),
      sampleRateHz: shape.sampleRateHz,
      channels: channelsOf(choice, shape),
    },
  };
}

function storedOffer(audio: RecordingAudio, wish: AudioWish): Offer {
  const { manifest, isEncrypted } = audio;
  const etag = `"${manifest.audio.sha256}"`;
  const name = audioFileName(manifest.id, isEncrypted);
  const media = isEncrypted ? "application/octet-stream" : "audio/wav";
  const digest = { "repr-digest": reprDigest(manifest.audio.sha256) };
  return {
    etag,
    headers: { ...headersOf(etag, name, media, wish, "bytes"), ...digest },
    content: { view: audio.stored() },
  };
}

function headersOf(etag: string, name: string, media: string, { isFile }: AudioWish, ranges: "bytes" | "none") {
  return {
    etag,
    "accept-ranges": ranges,
    "content-type": media,
    "content-disposition": `${isFile ? "attachment" : "inline"}; filename="${name}"`,
  };
}

/** RFC 9530 §3, of a SHA-256 in hexadecimal. */
export function reprDigest(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`;
}

/** By the first party on each channel; undefined when none, or both, are who is asked for. */
function choiceOf(channel: AudioChannel, { parties }: Manifest): ChannelChoice | undefined {
  if (channel === "both" || channel === "mix") return channel;
  const channels = ([0, 1] as const).filter((one) => parties.find((party) => party.channel === one)?.role === channel);
  return channels.length === 1 ? channels[0] : undefined;
}

/** In one channel nobody is alone. */
function onlyChoice(channel: AudioChannel): ChannelChoice | undefined {
  return channel === "both" || channel === "mix" ? channel : undefined;
}
