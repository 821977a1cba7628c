// The sockets of the box's own broker: TCP or TLS, and WebSocket where configured. Owns how many there are, how long they
// may take to begin, and their orderly end. Knows nothing of MQTT but the name of its WebSocket subprotocol.
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createSecureContext, createServer as createTlsServer } from "node:tls";
import { createWebSocketStream, WebSocketServer } from "ws";
import { SidetoneError } from "../../base/errors.js";
import type { Config } from "../../contract/config.js";

/** Sockets besides those of clients that have logged in. */
const SPARE_SOCKETS = 16;
const HANDSHAKE_MS = 5000;
const KEEP_ALIVE_MS = 60_000;
/** Time for the last words to leave before connections are cut. */
const LINGER_MS = 500;
/** MQTT 5 §6, MQTT 3.1.1 §6. */
const SUBPROTOCOL = "mqtt";

type BrokerConfig = Config["mqtt"]["broker"];

export interface ListenersOptions {
  config: BrokerConfig;
  maxPacketBytes: number;
  /** Whether somebody at this address may connect at all. */
  admits(address: string): boolean;
  accept(stream: Duplex, address: string): void;
}

export class Listeners {
  readonly counters = { dropped: 0, locked: 0 };
  private readonly options: ListenersOptions;
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();
  /** What is spoken over them, once that much is done. */
  private readonly streams = new Set<Duplex>();

  constructor(options: ListenersOptions) {
    this.options = options;
  }

  /** "mqtt://127.0.0.1:1883" and the like. Throws SidetoneError config-invalid. */
  async open(): Promise<string[]> {
    const { config } = this.options;
    const tls = readTls(config);
    try {
      const scheme = tls ? "mqtts" : "mqtt";
      const addresses = [`${scheme}://${await this.listen(this.makePlain(tls), "port")}`];
      if (config.webSocketPort === 0) return addresses;
      const webSocket = await this.listen(this.makeWebSocket(tls), "webSocketPort");
      return [...addresses, `${tls ? "wss" : "ws"}://${webSocket}`];
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Takes nobody any more, and lets those that are there read what was sent to them. */
  async close(): Promise<void> {
    const ended = Promise.all(this.servers.map((server) => new Promise((resolve) => server.close(resolve))));
    for (const stream of this.streams) stream.end();
    const cut = setTimeout(() => {
      for (const socket of this.sockets) socket.destroy();
    }, LINGER_MS);
    await ended;
    clearTimeout(cut);
  }

  private makePlain(tls: Tls | undefined): Server {
    const accept = (socket: Socket): void => this.accept(socket, socket);
    return tls ? createTlsServer({ ...tls, handshakeTimeout: HANDSHAKE_MS }, accept) : createServer(accept);
  }

  private makeWebSocket(tls: Tls | undefined): Server {
    const times = { headersTimeout: HANDSHAKE_MS, requestTimeout: HANDSHAKE_MS, connectionsCheckingInterval: 1000 };
    const server = tls
      ? createHttpsServer({ ...tls, ...times, handshakeTimeout: HANDSHAKE_MS })
      : createHttpServer(times);
    server.on("request", (_request, response) => {
      response.writeHead(426, { connection: "close", upgrade: "websocket" }).end();
    });
    const upgrades = new WebSocketServer({
      server,
      maxPayload: this.options.maxPacketBytes,
      perMessageDeflate: false,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
      verifyClient: ({ req }: { req: IncomingMessage }) => this.isWelcome(req),
    });
    upgrades.on("connection", (webSocket, request) => {
      const stream = createWebSocketStream(webSocket);
      // Whatever ends the stream, its socket is the server's.
      webSocket.on("error", () => {});
      this.accept(stream, request.socket);
    });
    return server;
  }

  private accept(stream: Duplex, { remoteAddress = "" }: Socket): void {
    this.streams.add(stream);
    stream.once("close", () => this.streams.delete(stream));
    this.options.accept(stream, remoteAddress);
  }

  /** A page from anywhere may open a WebSocket to the machine that its browser runs on: not where nobody logs in. */
  private isWelcome(request: IncomingMessage): boolean {
    return this.options.config.users.length > 0 || request.headers.origin === undefined;
  }

  private async listen(server: Server, setting: "port" | "webSocketPort"): Promise<string> {
    const { config, admits } = this.options;
    server.maxConnections = config.maxClients + SPARE_SOCKETS;
    server.on("drop", () => this.counters.dropped++);
    server.on("connection", (socket: Socket) => {
      if (!admits(socket.remoteAddress ?? "")) {
        this.counters.locked++;
        socket.destroy();
        return;
      }
      this.sockets.add(socket);
      socket.once("close", () => this.sockets.delete(socket));
      socket.on("error", () => {});
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
    });
    // A handshake that fails is the other side's trouble.
    server.on("tlsClientError", () => {});
    server.on("clientError", (_error: Error, socket: Duplex) => socket.destroy());
    const host = config.host === "localhost" ? "127.0.0.1" : config.host;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => reject(listenFault(cause, host, config[setting], setting)));
      server.listen({ host, port: config[setting] }, () => {
        server.removeAllListeners("error");
        server.on("error", () => {});
        this.servers.push(server);
        resolve();
      });
    });
    const { address, port } = server.address() as AddressInfo;
    return `${address.includes(":") ? `[${address}]` : address}:${port}`;
  }
}

interface Tls {
  cert: Buffer;
  key: Buffer;
  minVersion: "TLSv1.2";
}

function readTls(config: BrokerConfig): Tls | undefined {
  if (config.certFile === "") return undefined;
  const tls: Tls = { cert: readPem(config, "certFile"), key: readPem(config, "keyFile"), minVersion: "TLSv1.2" };
  try {
    createSecureContext(tls);
    return tls;
  } catch (cause) {
    const files = `mqtt.broker.certFile ${config.certFile} and mqtt.broker.keyFile ${config.keyFile}`;
    throw new SidetoneError("config-invalid", `${files} do not make a TLS server: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function readPem(config: BrokerConfig, setting: "certFile" | "keyFile"): Buffer {
  try {
    return readFileSync(config[setting]);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new SidetoneError("config-invalid", `mqtt.broker.${setting}: ${config[setting]} cannot be read (${code})`, {
      cause,
    });
  }
}

function listenFault(cause: unknown, host: string, port: number, setting: string): SidetoneError {
  const { code } = cause as NodeJS.ErrnoException;
  return new SidetoneError("config-invalid", faultText(code ?? String(cause), host, port, setting), { cause });
}

function faultText(code: string, host: string, port: number, setting: string): string {
  if (code === "EADDRINUSE")
    return `mqtt.broker.${setting}: ${port} on ${host} is taken by another program; choose another one, or name that broker in mqtt.url`;
  if (code === "EADDRNOTAVAIL") return `mqtt.broker.host: ${host} is no address of this box`;
  if (code === "EACCES") return `mqtt.broker.${setting}: this user may not listen on ${port}; choose one from 1024 on`;
  return `mqtt.broker.host: cannot listen on ${host} port ${port} (${code})`;
}
