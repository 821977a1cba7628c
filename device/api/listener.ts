// The HTTP or HTTPS server below the routes: its bounds, its timeouts, and answers to what is no request that a route could
// see. Node checks timeouts once a second at most, so that a connection lives that much longer than its time.
import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { PROBLEM_MEDIA_TYPE } from "../contract/api-problems.js";
import type { Config } from "../contract/config.js";
import { bodyOf, type Problem, problem, statusOf } from "./problems.js";
import type { TlsMaterial } from "./tls.js";

const MAX_HEADER_BYTES = 8 * 1024;
const MAX_HEADER_COUNT = 100;
const LONGEST_HEADERS_MS = 5000;
const LONGEST_HANDSHAKE_MS = 5000;
const KEEP_ALIVE_MS = 5000;
const LONGEST_CHECK_MS = 1000;
/** Time for a refusal to leave before the connection is cut. */
const LINGER_MS = 500;

export class ListenerCounters {
  /** Connections beyond the limit. */
  dropped = 0;
  /** What was no HTTP, too large in its headers, or too slow. */
  clientErrors = 0;
}

export interface Listener {
  server: Server;
  counters: ListenerCounters;
  /** Cuts what is still connected. */
  destroyConnections(): void;
  /** What connections to come are shown; of a server with TLS. */
  setCertificate(tls: TlsMaterial): void;
}

/** `answerMs`: longest time that a whole request waits for its answer; `tls` absent: plain HTTP. */
export function makeListener(
  config: Config["api"],
  answerMs: number,
  handler: RequestListener,
  tls?: TlsMaterial,
): Listener {
  const { requestTimeoutMs } = config;
  const limits: ServerOptions = {
    maxHeaderSize: MAX_HEADER_BYTES,
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.min(LONGEST_HEADERS_MS, requestTimeoutMs),
    connectionsCheckingInterval: Math.min(LONGEST_CHECK_MS, requestTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const secure =
    tls && createTlsServer({ ...limits, ...secureOptions(tls), handshakeTimeout: LONGEST_HANDSHAKE_MS }, handler);
  const server = secure ?? createServer(limits, handler);
  server.setTimeout(requestTimeoutMs + answerMs);
  server.maxConnections = config.maxConnections;
  server.maxHeadersCount = MAX_HEADER_COUNT;

  const counters = new ListenerCounters();
  const connections = new Set<Socket>();
  server.on("drop", () => counters.dropped++);
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  // Without listeners Node cuts a CONNECT off unanswered, and answers an Expect without saying why.
  server.on("connect", (_request, socket) => {
    counters.clientErrors++;
    refuse(socket, problem("method-not-allowed"));
  });
  server.on("checkExpectation", (_request, response) => {
    counters.clientErrors++;
    const body = bodyOf(problem("expectation-failed"));
    response.writeHead(body.status, {
      "content-type": PROBLEM_MEDIA_TYPE,
      "cache-control": "no-store",
      connection: "close",
    });
    response.end(JSON.stringify(body));
  });
  return {
    server,
    counters,
    destroyConnections: () => {
      for (const socket of connections) socket.destroy();
    },
    setCertificate: (next) => secure?.setSecureContext(secureOptions(next)),
  };
}

/** For Node's event `clientError`. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex, counters: ListenerCounters): void {
  counters.clientErrors++;
  // A reset has nobody to answer, a failed handshake no key to answer with.
  if (error.code === "ECONNRESET" || error.code?.startsWith("ERR_SSL") || !socket.writable) {
    socket.destroy();
    return;
  }
  refuse(socket, problem(codeOf(error)));
}

function codeOf({
  code,
}: NodeJS.ErrnoException): "headers-too-large" | "request-timeout" | "body-too-large" | "malformed" {
  if (code === "HPE_HEADER_OVERFLOW") return "headers-too-large";
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "request-timeout";
  // Chunk extensions beyond what Node reads.
  return code === "HPE_CHUNK_EXTENSIONS_OVERFLOW" ? "body-too-large" : "malformed";
}

function refuse(socket: Duplex, refusal: Problem): void {
  if (socket.writableEnded) return;
  const body = bodyOf(refusal);
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${statusOf(refusal)} ${body.title}`,
    `Content-Type: ${PROBLEM_MEDIA_TYPE}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    "Cache-Control: no-store",
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`);
  // Cut at once, unread data would make it a reset that may overtake the answer.
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

function secureOptions({ cert, key }: TlsMaterial) {
  return { cert, key, minVersion: "TLSv1.2" } as const;
}
