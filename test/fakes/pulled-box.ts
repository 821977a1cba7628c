// A box's HTTP API as far as `sidetone pull` uses it, in this process: recordings signed by a key of its own, and everything that
// can go wrong with a box and the way to it. Follows the contract; the real service is what integration tests use.
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { makeCallId } from "../../device/base/ids.js";
import { sha256Of } from "../../device/base/sha256.js";

export interface FakeRecording {
  id: string;
  audio: Buffer;
  manifest: Buffer;
  tags: string[];
  /** By its signature; what is sent may be altered. */
  sha256: string;
}

export interface RecordingOptions {
  bytes?: number;
  startedAt?: string;
  agent?: string;
  number?: string;
  name?: string;
  tags?: string[];
  isEncrypted?: boolean;
  key?: KeyObject;
  /** Another recording's id in the manifest. */
  signedId?: string;
}

/** What the box does instead of answering a request; undefined: nothing. */
export type Trick = (request: IncomingMessage, response: ServerResponse) => boolean;

const PREFIX = "/api/v1";

export class FakeBox {
  key = generateKeyPairSync("ed25519");
  device = "box";
  readonly recordings: FakeRecording[] = [];
  readonly acknowledged = new Map<string, string>();
  readonly deleted: string[] = [];
  /** "METHOD path?query", in order. */
  readonly requests: string[] = [];
  /** The newest last; each may take a request. */
  tricks: Trick[] = [];
  /** Of the index; cursors of others are stale. */
  generation = "g1";
  pageLimit = 3;
  /** Ids whose deletion is refused. */
  readonly held = new Set<string>();
  hasEvents = false;
  readonly streams = new Set<ServerResponse>();
  #server: Server | undefined;
  #port = 0;
  readonly #sockets = new Set<Socket>();

  get url(): URL {
    return new URL(`http://127.0.0.1:${this.#port}`);
  }

  get publicKey(): KeyObject {
    return this.key.publicKey;
  }

  /** On the port that it had before. */
  async start(): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response));
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** As a box that loses its power: nothing is answered any more. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  record(options: RecordingOptions = {}): FakeRecording {
    const { bytes = 2000, startedAt = "2026-11-28T09:00:00.000001Z", tags = [], isEncrypted = false } = options;
    const id = makeCallId(Date.parse(startedAt.slice(0, 19)) * 1000);
    const audio = Buffer.from(`${id} `.repeat(Math.ceil(bytes / 27))).subarray(0, bytes);
    const sha256 = sha256Of(audio);
    const unsigned = JSON.stringify({
      schema: "sidetone.recording/1",
      id: options.signedId ?? id,
      device: this.device,
      startedAt,
      policy: "agent-only",
      purpose: "quality",
      retention: "",
      audio: { file: `${id}.wav${isEncrypted ? ".age" : ""}`, bytes, sha256, durationMs: 1000 },
      parties: [
        { role: "agent", channel: 0, number: options.agent ?? "21", name: "" },
        { role: "caller", channel: 1, number: options.number ?? "+493012345", name: options.name ?? "" },
      ],
    });
    const signature = sign(null, Buffer.from(unsigned), options.key ?? this.key.privateKey).toString("base64");
    const manifest = Buffer.from(`${unsigned.slice(0, -1)},"signature":"ed25519:${signature}"}\n`);
    const recording = { id, audio, manifest, tags, sha256 };
    this.recordings.push(recording);
    for (const stream of this.streams) stream.write(`id: 1\nevent: recording\ndata: {"id":"${id}"}\n\n`);
    return recording;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method} ${request.url!.slice(PREFIX.length)}`);
    if (this.tricks.some((trick) => trick(request, response))) return;
    const url = new URL(request.url!, "http://box");
    const path = url.pathname.slice(PREFIX.length);
    if (request.headers.authorization !== "Bearer secret") refuse(response, 401, "token-invalid");
    else if (path === "/info")
      answerJson(response, { device: this.device, publicKey: { pem: pemOf(this.key.publicKey) } });
    else if (path === "/recordings") this.#list(url.searchParams, response);
    else if (path === "/events" && this.hasEvents) this.#stream(response);
    else this.#answerOne(path, request, response);
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(":\n\n");
    this.streams.add(response);
    response.once("close", () => this.streams.delete(response));
  }

  #answerOne(path: string, request: IncomingMessage, response: ServerResponse): void {
    const [, id, part = ""] = /^\/recordings\/([^/]+)(?:\/([a-z]+))?$/.exec(path) ?? [];
    const found = this.recordings.find((recording) => recording.id === id);
    if (found === undefined) refuse(response, 404, "recording-not-found");
    else if (this.deleted.includes(found.id)) refuse(response, 410, "recording-deleted");
    else if (part === "manifest") {
      response.writeHead(200, { "content-type": "application/json", "content-length": found.manifest.length });
      response.end(found.manifest);
    } else if (part === "file") this.#send(found, request, response);
    else if (part === "acknowledgement") void this.#acknowledge(found, request, response);
    else if (request.method === "DELETE") this.#delete(found, response);
    else refuse(response, 404, "not-found");
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const cursor = query.get("cursor") ?? `${this.generation}.0`;
    const [generation, from] = cursor.split(".");
    if (generation !== this.generation) {
      refuse(response, 410, "cursor-stale");
      return;
    }
    const page = this.recordings.slice(Number(from), Number(from) + this.pageLimit);
    const to = Number(from) + page.length;
    const resume = `${this.generation}.${to}`;
    answerJson(response, {
      calls: page
        .filter(({ id }) => !this.deleted.includes(id))
        .map(({ id, tags, audio, sha256 }) => ({ id, tags, recording: { bytes: audio.length, sha256 } })),
      next: to < this.recordings.length ? resume : "",
      resume,
    });
  }

  /** Ranges from a byte on, as pull asks for them. */
  #send({ audio, sha256 }: FakeRecording, request: IncomingMessage, response: ServerResponse): void {
    const etag = `"${sha256}"`;
    const { range, "if-range": ifRange } = request.headers;
    const from = ifRange === etag ? Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0) : 0;
    const headers = { etag, "accept-ranges": "bytes", "content-length": audio.length - from };
    const last = audio.length - 1;
    if (from > 0) response.writeHead(206, { ...headers, "content-range": `bytes ${from}-${last}/${audio.length}` });
    else response.writeHead(200, headers);
    response.end(audio.subarray(from));
  }

  async #acknowledge(recording: FakeRecording, request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const piece of request) body += String(piece);
    const { sha256 } = JSON.parse(body) as { sha256: string };
    if (sha256 === recording.sha256) {
      this.acknowledged.set(recording.id, sha256);
      answerJson(response, {});
    } else refuse(response, 409, "digest-mismatch");
  }

  #delete({ id }: FakeRecording, response: ServerResponse): void {
    if (!this.acknowledged.has(id)) throw new Error(`${id} is deleted without having been acknowledged`);
    if (this.held.has(id)) {
      refuse(response, 409, "on-hold");
      return;
    }
    this.deleted.push(id);
    answerJson(response, {});
  }
}

export function refuse(response: ServerResponse, status: number, code: string, headers = {}): void {
  response.writeHead(status, { "content-type": "application/problem+json", ...headers });
  response.end(JSON.stringify({ type: "about:blank", title: "", status, code, detail: `it is ${code}` }));
}

function answerJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}
