// Routes that give out recordings: their audio, as stored or made of it, and their manifests. Audio is read when the receiver
// takes it; how many are sent at once is bounded. Every answer with audio is in the audit chain before its first byte.
import { Readable } from "node:stream";
import type { z } from "zod";
import { SidetoneError } from "../base/errors.js";
import { type CallId, isCallId } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import type { audioQuerySchema } from "../contract/api-audio.js";
import { type ByteView, RecordingAudio, RecordingGone, readManifest } from "../store/recording-audio.js";
import type { RecordingStore } from "../store/recordings.js";
import type { Token } from "../store/tokens.js";
import { absent } from "./absent.js";
import { AccessTrail, type AudioAccess } from "./access-trail.js";
import { begun, EncoderMissing, encode } from "./audio-encoder.js";
import { type Offer, offerOf, reprDigest } from "./audio-offer.js";
import { askedOf, type ByteRange } from "./conditions.js";
import { type ApiParts, type ApiReply, type Handlers, nameOf, type RequestOf } from "./handler.js";
import { invalidField, type Problem, problem, tryLater } from "./problems.js";

type AudioRequest = RequestOf<z.output<typeof audioQuerySchema>, undefined, Token>;
type PlainRequest = RequestOf<undefined, undefined, Token>;

/** Who finds no room may ask again after it. */
const BUSY_MS = 5000;

/** What keeps audio from being given out. */
class Refused extends Error {
  readonly problem: Problem;
  constructor(refusal: Problem) {
    super(refusal.detail);
    this.problem = refusal;
  }
}

export class AudioRoutes {
  readonly #parts: ApiParts;
  readonly #trail: AccessTrail;
  /** Places taken, and given back. */
  #begun = 0;
  #ended = 0;
  #encoding = 0;
  readonly #counters = { given: 0, busy: 0, unavailable: 0, cut: 0 };

  constructor(parts: ApiParts) {
    this.#parts = parts;
    this.#trail = new AccessTrail(parts.clock);
  }

  handlers(): Handlers<"listenRecording" | "downloadRecording" | "getManifest"> {
    return {
      listenRecording: (request) => this.#give("listen", request),
      downloadRecording: (request) => this.#give("download", request),
      getManifest: (request) => this.#giveManifest(request),
    };
  }

  /** Totals since the start; what has begun and not ended is being sent. */
  counters(): Record<string, number> {
    const { given, busy, unavailable, cut } = this.#counters;
    return {
      "api.audio-given": given,
      "api.audio-begun": this.#begun,
      "api.audio-ended": this.#ended,
      "api.audio-busy": busy,
      "api.audio-cut": cut,
      "api.audio-format-unavailable": unavailable,
      "api.audio-ranges-folded": this.#trail.folded,
    };
  }

  /** While the audit chain is open. */
  close(): void {
    this.#trail.close();
  }

  async #giveManifest({ path, method, headers }: PlainRequest): Promise<ApiReply> {
    try {
      const { store, id } = this.#asked(path);
      const bytes = await readManifest(store.paths, id);
      if (bytes === undefined) return { problem: absent(store, id) };
      const sha256 = sha256Of(bytes);
      const etag = `"${sha256}"`;
      const asked = askedOf(method, headers, { etag, bytes: undefined });
      if (asked.kind === "precondition-failed") return { problem: problem("precondition-failed") };
      if (asked.kind === "not-modified") return { raw: null, status: 304, headers: { etag } };
      return {
        raw: method === "HEAD" ? null : bytes,
        status: 200,
        headers: {
          etag,
          "content-type": "application/json; charset=utf-8",
          "content-length": String(bytes.length),
          "content-disposition": `attachment; filename="${id}.json"`,
          "repr-digest": reprDigest(sha256),
        },
      };
    } catch (error) {
      return refusalOf(error);
    }
  }

  async #give(kind: AudioAccess["kind"], request: AudioRequest): Promise<ApiReply> {
    if (this.#parts.config.accessReason === "required" && request.query.reason.trim() === "")
      return { problem: invalidField("reason", "is required on this box: say why") };
    let audio: RecordingAudio | undefined;
    let reply: ApiReply | undefined;
    try {
      const { store, id } = this.#asked(request.path);
      audio = await RecordingAudio.open(store.paths, id);
      if (audio === undefined) return { problem: absent(store, id) };
      const offer = offerOf(audio, { ...request.query, isFile: kind === "download" });
      if ("problem" in offer) return offer;
      reply = await this.#answer(kind, request, store, audio, offer);
      return reply;
    } catch (error) {
      return refusalOf(error);
    } finally {
      // A stream closes it itself.
      if (!(reply !== undefined && "raw" in reply && reply.raw instanceof Readable)) await audio?.close();
    }
  }

  async #answer(
    kind: AudioAccess["kind"],
    request: AudioRequest,
    store: RecordingStore,
    audio: RecordingAudio,
    offer: Offer,
  ): Promise<ApiReply> {
    const { method, signal, token, query, address } = request;
    const { view } = offer.content;
    const asked = askedOf(method, request.headers, { etag: offer.etag, bytes: view?.bytes });
    if (asked.kind === "precondition-failed") return { problem: problem("precondition-failed") };
    if (asked.kind === "not-modified") return { raw: null, status: 304, headers: { etag: offer.etag } };
    if (asked.kind === "unsatisfiable") {
      const headers = { "content-range": `bytes */${view?.bytes}` };
      return { problem: problem("range-not-satisfiable", undefined, headers) };
    }
    const range = asked.kind === "part" ? asked.range : { from: 0, to: view?.bytes ?? 0 };
    const headers = { ...offer.headers, ...(view && { "content-length": String(range.to - range.from) }) };
    if (method === "HEAD") return { raw: null, status: 200, headers };
    const piece = asked.kind === "part" ? `${range.from}-${range.to - 1}/${view?.bytes}` : "";
    const stream = await this.#open(audio, offer, range, signal);
    try {
      const { id: tokenId } = token;
      const call = audio.manifest.id;
      const bytes = piece === "" ? 0 : range.to - range.from;
      const access = { kind, call, actor: nameOf(token), tokenId, ...query, address, range: piece, bytes };
      await Promise.all([this.#trail.enter(access, store.audit), begun(stream)]);
      // Whoever waited may have gone, or the recording.
      if (stream.destroyed) throw stream.errored ?? new Refused(problem("unavailable"));
    } catch (error) {
      stream.destroy();
      throw error;
    }
    this.#counters.given++;
    if (piece === "") return { raw: stream, status: 200, headers };
    return { raw: stream, status: 206, headers: { ...headers, "content-range": `bytes ${piece}` } };
  }

  /** Holds a place, and the recording open, until it is closed. */
  async #open(audio: RecordingAudio, { content }: Offer, range: ByteRange, signal: AbortSignal): Promise<Readable> {
    const release = this.#takePlace(content.encoding !== undefined);
    let stream: Readable;
    try {
      stream = content.view !== undefined ? streamOf(content.view, range) : await this.#encoded(content, signal);
    } catch (error) {
      release();
      throw error;
    }
    stream.once("error", (error) => {
      if (!signal.aborted) this.#failed(audio.manifest.id, error);
    });
    stream.once("close", () => {
      release();
      void audio.close();
    });
    return stream;
  }

  async #encoded(content: Extract<Offer["content"], { view?: undefined }>, signal: AbortSignal): Promise<Readable> {
    const { encoding, samples, sampleRateHz, channels } = content;
    const source = streamOf(samples, { from: 0, to: samples.bytes });
    try {
      return await encode(encoding, { samples: source, sampleRateHz, channels, signal });
    } catch (error) {
      if (signal.aborted) throw new Refused(problem("unavailable"));
      if (!(error instanceof EncoderMissing)) throw error;
      this.#counters.unavailable++;
      this.#parts.logger.warn("audio cannot be encoded: is ffmpeg installed?", { encoding, reason: error.message });
      throw new Refused(problem("format-unavailable"));
    }
  }

  #takePlace(isEncoded: boolean): () => void {
    const { maxAudioStreams, maxConversions } = this.#parts.config;
    if (this.#begun - this.#ended >= maxAudioStreams || (isEncoded && this.#encoding >= maxConversions)) {
      this.#counters.busy++;
      throw new Refused(tryLater("audio-busy", BUSY_MS));
    }
    this.#begun++;
    if (isEncoded) this.#encoding++;
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#ended++;
      if (isEncoded) this.#encoding--;
    };
  }

  #failed(call: CallId, error: Error): void {
    this.#counters.cut++;
    if (error instanceof RecordingGone) this.#parts.logger.info("audio was cut off: it was deleted", { call });
    else this.#parts.logger.warn("audio was cut off", { call, reason: error.message });
  }

  #asked(path: Readonly<Record<string, string>>): { store: RecordingStore; id: CallId } {
    const id = path["id"] ?? "";
    if (!isCallId(id)) throw new Refused(problem("recording-not-found"));
    const store = this.#parts.store();
    if (store === undefined) throw new Refused(problem("unavailable"));
    return { store, id };
  }
}

function streamOf(view: ByteView, { from, to }: ByteRange): Readable {
  return Readable.from(view.read(from, to), { objectMode: false });
}

function refusalOf(error: unknown): ApiReply {
  if (error instanceof Refused) return { problem: error.problem };
  if (error instanceof RecordingGone) return { problem: problem("recording-not-found") };
  if (error instanceof SidetoneError && error.code === "data-unwritable")
    return { problem: problem("data-unwritable") };
  throw error;
}
