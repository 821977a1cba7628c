// Proves one recording, or says what does not hold: reads its manifest, its WAV and the audit chain again and checks that they
// agree, with the public key alone. Constant memory whatever the recording's length. Never writes.
import type { KeyObject } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Identity } from "../age/keys.js";
import type { CallId } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import { audioFileName, type Manifest } from "../contract/manifest.js";
import {
  type AudioRead,
  complement,
  type EncryptedAudioRead,
  type FrameRange,
  readAudio,
  readEncryptedAudio,
  type SilenceRequest,
} from "./prove-audio.js";
import { checkHead, checkLedger, checkPaused, checkRecorded, traceRecording } from "./prove-audit.js";
import { checkNext, checkPrevious, locateManifest, locateTombstone } from "./prove-chain.js";
import { attempt, attemptOr, Faults, needKey, PROOF_SCHEMA, type Proof, type ProofCheck } from "./prove-check.js";
import { checkConsent, checkSpans, nameParty } from "./prove-consent.js";
import { checkPackets, checkStreams } from "./prove-counts.js";
import { proveDeletion } from "./prove-deletion.js";
import { RecordingPaths } from "./recording-paths.js";
import { parseManifest, verifyManifest } from "./signature.js";
import type { WavShape } from "./wav-shape.js";

/**
 * How far a packet may stand from when it was captured: jitter, and packets that overtook each other. It stands where its
 * RTP timestamp says, a span begins and ends with times of capture.
 */
const TOLERANCE_MS = 500;
const CHANNELS = ["left", "right"] as const;
/** Of the shortest header of a WAV. */
const HEADER_BYTES = 44;

/**
 * Undefined when there is no recording of that id; of a deleted one its deletion is proved. `identities` open one that is encrypted; without any, what needs its audio
 * is not proved. Throws file system errors, and SidetoneError usage when there are identities and none of them opens it.
 */
export function proveRecording(
  dataFolder: string,
  id: CallId,
  publicKey: KeyObject,
  identities: readonly Identity[] = [],
): Proof | undefined {
  const paths = new RecordingPaths(dataFolder);
  const tombstone = locateTombstone(paths, id);
  if (tombstone !== undefined) return proveDeletion(paths, id, tombstone, publicKey);
  const path = locateManifest(paths, id);
  if (path === undefined) return undefined;
  const bytes = readFileSync(path);
  const checks = checkAll(paths, id, path, bytes, publicKey, identities);
  return { schema: PROOF_SCHEMA, id, proved: checks.every(({ passed }) => passed), checks };
}

function checkAll(
  paths: RecordingPaths,
  id: CallId,
  path: string,
  bytes: Buffer,
  publicKey: KeyObject,
  identities: readonly Identity[],
): ProofCheck[] {
  const manifest = parseManifest(bytes);
  const signature = checkSignature(bytes, id, publicKey);
  if (manifest === undefined) return [signature];
  const sha256 = sha256Of(bytes);
  const trace = traceRecording(paths.dataFolder, manifest, sha256, publicKey);
  const read = readIfThere(dirname(path), id, manifest, identities);
  return [
    signature,
    attempt("audio", () => checkAudioFile(read, manifest, id)),
    attempt("previous", () => checkPrevious(paths, manifest, trace)),
    attempt("next", () => checkNext(paths, sha256, trace)),
    attempt("audit-recorded", () => checkRecorded(trace, sha256)),
    attempt("audit-head", () => checkHead(trace, manifest)),
    attempt("audit-consent", () => checkLedger(trace, manifest)),
    attempt("audit-pauses", () => checkPaused(trace, manifest)),
    attempt("streams", () => checkStreams(manifest)),
    ...[...manifestParties(manifest).keys()].map((place) =>
      attempt("packets", () => checkPackets(manifest.parties[place]!, nameParty(manifest, place))),
    ),
    ...CHANNELS.map((name, channel) => attempt("silence", () => checkSilence(read, channel, name))),
    attempt("extents", () => checkExtents(manifest, read && framesOf(read, manifest))),
    attempt("pauses", () => checkPauses(manifest, read)),
    attempt("consent", () => checkConsent(manifest)),
    attempt("spans", () => checkSpans(manifest)),
  ];
}

/** None where they cannot be read: then the other checks say so. */
function manifestParties({ parties }: Manifest): Manifest["parties"][number][] {
  return Array.isArray(parties) ? parties : [];
}

type Read = AudioRead | EncryptedAudioRead;

function readIfThere(
  folder: string,
  id: CallId,
  manifest: Manifest,
  identities: readonly Identity[],
): Read | undefined {
  const isEncrypted = manifest.audio?.encryption !== undefined;
  const path = join(folder, audioFileName(id, isEncrypted));
  if (!existsSync(path)) return undefined;
  const requestsFor = (shape: WavShape): SilenceRequest[] => attemptOr([], () => silenceRequests(manifest, shape));
  return isEncrypted ? readEncryptedAudio(path, requestsFor, identities) : readAudio(path, requestsFor);
}

function isLocked(read: Read | undefined): boolean {
  return read !== undefined && "content" in read && read.content === "locked";
}

/** Samples in the file; of one that cannot be read here, as many as its signed length and duration speak of. */
function framesOf(read: Read, { audio }: Manifest): number {
  if (!isLocked(read)) return read.shape?.frames ?? 0;
  return Math.floor((audio.encryption!.plainBytes - HEADER_BYTES) / (audio.channels * Int16Array.BYTES_PER_ELEMENT));
}

function checkSignature(bytes: Buffer, id: CallId, publicKey: KeyObject): ProofCheck {
  const faults = new Faults();
  const manifest = verifyManifest(bytes, publicKey);
  faults.expect(manifest !== undefined, "the manifest is not what the box's key has signed");
  if (manifest !== undefined) faults.expect(manifest.id === id, `the manifest is that of ${manifest.id}`);
  return faults.toCheck("signature", { bytes: bytes.length });
}

function checkAudioFile(read: Read | undefined, { audio }: Manifest, id: CallId): ProofCheck {
  const faults = new Faults();
  const name = audioFileName(id, audio.encryption !== undefined);
  faults.expect(audio.file === name, `the manifest is of a file ${JSON.stringify(audio.file)}`);
  if (read === undefined) {
    faults.add(`there is no ${name} beside the manifest`);
    return faults.toCheck("audio", { bytes: 0, seconds: 0 });
  }
  const { bytes, sha256, sha512, shape } = read;
  faults.expect(bytes === audio.bytes, `the file has ${bytes} bytes, the manifest says ${audio.bytes}`);
  faults.expect(sha256 === audio.sha256, `its SHA-256 is ${sha256}, the manifest says ${audio.sha256}`);
  faults.expect(sha512 === audio.sha512, `its SHA-512 is ${sha512}, the manifest says ${audio.sha512}`);
  const plainBytes = "content" in read ? checkContent(read, audio, faults) : bytes;
  // What is in it cannot be told without a key; that it is what was signed can.
  if (isLocked(read)) return faults.toCheck("audio", { bytes, seconds: round(audio.durationMs / 1000) });
  if (shape === undefined) faults.add("the file is no WAV of 16-bit PCM in one or two channels");
  else checkShape(shape, plainBytes, audio, faults);
  return faults.toCheck("audio", { bytes, seconds: shape ? round(shape.frames / shape.sampleRateHz) : 0 });
}

/** Returns the length of what is encrypted. */
function checkContent({ content }: EncryptedAudioRead, audio: Manifest["audio"], faults: Faults): number {
  if (content === "damaged") faults.add("what is encrypted in the file was changed or cut off");
  if (typeof content === "string") return 0;
  const { plainBytes, plainSha256 } = audio.encryption!;
  const { bytes, sha256 } = content;
  faults.expect(bytes === plainBytes, `${bytes} bytes are encrypted in the file, the manifest says ${plainBytes}`);
  faults.expect(sha256 === plainSha256, `the SHA-256 of what is in it is ${sha256}, the manifest says ${plainSha256}`);
  return bytes;
}

function checkShape(shape: WavShape, bytes: number, audio: Manifest["audio"], faults: Faults): void {
  const { sampleRateHz, channels, frames, dataAt, dataBytes } = shape;
  faults.expect(
    sampleRateHz === audio.sampleRateHz && channels === audio.channels,
    `${sampleRateHz} Hz in ${channels} channels, the manifest says ${audio.sampleRateHz} Hz in ${audio.channels}`,
  );
  faults.expect(
    Math.round((frames * 1000) / sampleRateHz) === audio.durationMs,
    `the file holds ${frames} samples, which are not ${audio.durationMs} ms`,
  );
  faults.expect(
    dataAt + dataBytes === bytes,
    `its header speaks of ${dataAt + dataBytes} bytes, the file has ${bytes}`,
  );
}

/** By channel all that is outside the extents; then, by channel, the pauses less what may reach into them. */
function silenceRequests(manifest: Manifest, shape: WavShape): SilenceRequest[] {
  const outside = CHANNELS.map((_, channel) => ({
    channel,
    ranges: complement(extentsOn(manifest, channel), shape.frames),
  }));
  const paused = pausedFrames(manifest, shape);
  return [...outside, ...CHANNELS.map((_, channel) => ({ channel, ranges: paused }))].filter(
    ({ channel }) => channel < shape.channels,
  );
}

function extentsOn(manifest: Manifest, channel: number): FrameRange[] {
  const spans = manifest.parties.filter((party) => party.channel === channel).flatMap((party) => party.spans);
  return spans.flatMap(({ audio }) => (audio ? [{ fromFrame: audio.fromSample, toFrame: audio.toSample }] : []));
}

/** What of the pauses is at least the tolerance away from their ends, in order and without overlap. */
function pausedFrames({ pauses }: Manifest, { sampleRateHz, frames }: WavShape): FrameRange[] {
  const toFrame = (ms: number): number => Math.min(frames, Math.max(0, Math.round((ms * sampleRateHz) / 1000)));
  const inner = pauses.map(({ fromMs, toMs }) => ({
    fromFrame: toFrame(fromMs + TOLERANCE_MS),
    toFrame: toFrame(toMs - TOLERANCE_MS),
  }));
  return complement(
    complement(
      inner.filter((range) => range.toFrame > range.fromFrame),
      frames,
    ),
    frames,
  ).filter((range) => range.toFrame > range.fromFrame);
}

function checkSilence(read: Read | undefined, channel: number, name: string): ProofCheck {
  if (isLocked(read)) return needKey("silence", { samples: 0, audible: 0 }, name);
  const faults = new Faults();
  const found = read?.silence[channel];
  if (found === undefined || read?.shape?.channels !== CHANNELS.length) {
    faults.add("there are no two channels to be read");
    return faults.toCheck("silence", { samples: 0, audible: 0 }, name);
  }
  const { samples, audible, firstAudible } = found;
  const atSeconds = round(firstAudible / read.shape.sampleRateHz);
  faults.expect(
    audible === 0,
    `${audible} of ${samples} samples outside the open spans are no silence, the first is sample ${firstAudible} (${atSeconds} s)`,
  );
  return faults.toCheck("silence", { samples, audible }, name);
}

function checkExtents(manifest: Manifest, frames = 0): ProofCheck {
  const faults = new Faults();
  let extents = 0;
  let furthestMs = 0;
  const rateHz = manifest.audio.sampleRateHz;
  for (const [place, { spans }] of manifest.parties.entries()) {
    for (const { fromMs, toMs, packets, audio } of spans) {
      if (audio === null) continue;
      extents++;
      const beyondMs = Math.max(fromMs - (audio.fromSample * 1000) / rateHz, (audio.toSample * 1000) / rateHz - toMs);
      furthestMs = Math.max(furthestMs, beyondMs);
      const text = `${nameParty(manifest, place)}: the span ${fromMs}-${toMs} ms`;
      faults.expect(
        beyondMs <= TOLERANCE_MS,
        `${text} has samples ${audio.fromSample}-${audio.toSample}, ${round(beyondMs)} ms beyond it`,
      );
      faults.expect(packets > 0, `${text} has samples, and no packets`);
      const isInFile = audio.fromSample >= 0 && audio.fromSample < audio.toSample && audio.toSample <= frames;
      faults.expect(isInFile, `${text} has samples ${audio.fromSample}-${audio.toSample}, which the file has not`);
    }
  }
  const outside = manifest.warnings.find(({ code }) => code === "packets-outside-spans");
  if (outside !== undefined) faults.add(`${outside.detail["packets"]} packets were captured in no span`);
  const isStepped = manifest.warnings.some(({ code }) => code === "clock-stepped");
  if (isStepped && faults.list.length > 0)
    faults.add("the box's clock was set during the call: its times do not compare");
  return faults.toCheck("extents", { extents, furthestMs: round(furthestMs) });
}

function checkPauses(manifest: Manifest, read: Read | undefined): ProofCheck {
  const faults = new Faults();
  const { pauses } = manifest;
  for (const pause of pauses) {
    for (const [place, { spans }] of manifest.parties.entries()) {
      // Times are rounded: a span may seem to begin in the millisecond in which a pause ends.
      const open = spans.find((span) => span.fromMs < pause.toMs - 1 && span.toMs > pause.fromMs + 1);
      if (open === undefined) continue;
      const times = `${open.fromMs}-${open.toMs} ms`;
      faults.add(
        `${nameParty(manifest, place)}: the span ${times} was open in the pause ${pause.fromMs}-${pause.toMs} ms`,
      );
    }
  }
  if (isLocked(read) && pauses.length > 0 && faults.list.length === 0)
    return needKey("pauses", { pauses: pauses.length, samples: 0 });
  const found = CHANNELS.map((_, channel) => read?.silence[CHANNELS.length + channel]);
  for (const [channel, silence] of found.entries()) {
    if (silence === undefined) {
      if (pauses.length > 0) faults.add("there are no two channels to be read");
    } else if (silence.audible > 0)
      faults.add(
        `${silence.audible} samples of pauses are no silence, the first is sample ${silence.firstAudible}, ${CHANNELS[channel]}`,
      );
  }
  const samples = found.reduce((sum, silence) => sum + (silence?.samples ?? 0), 0);
  return faults.toCheck("pauses", { pauses: pauses.length, samples });
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
