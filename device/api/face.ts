// The HTTP API as one part of the service: starts and stops it. Its constructor does nothing; nothing of a web server is
// loaded before `start`.
import { type Clock, systemClock } from "../base/clock.js";
import { SidetoneError } from "../base/errors.js";
import type { Logger } from "../base/logger.js";
import { findApiFaults, speaksTls } from "../config/api-meaning.js";
import type { ApiAuditEntry } from "../contract/api.js";
import type { BoxCommandDesk } from "../contract/box-commands.js";
import type { CommandDesk } from "../contract/commands.js";
import type { Config } from "../contract/config.js";
import type { RetentionDesk } from "../contract/retention-desk.js";
import type { NumberExports } from "../store/export/number-exports.js";
import type { RecordingStore } from "../store/recordings.js";
import type { TokenFinder } from "./access.js";
import type { EventHub } from "./event-hub.js";
import type { ApiParts } from "./handler.js";
import type { ApiServer } from "./server.js";
import { ServerTls, type ServerTlsOptions, type TlsFacts } from "./tls.js";

/** Time for answers that are on their way, before their connections are cut. */
const STOP_GRACE_MS = 2000;

export interface ApiFaceOptions {
  config: Config["api"];
  desk: CommandDesk;
  /** For commands about the box. */
  box?: BoxCommandDesk;
  /** Undefined while the data folder is not open. */
  store?: () => RecordingStore | undefined;
  exports?: () => NumberExports | undefined;
  retention?: () => RetentionDesk | undefined;
  tokens: TokenFinder;
  /** Told of every command with its outcome, and of every lock-out. */
  audit?: (entry: ApiAuditEntry) => void;
  /** What `GET /metrics` answers. */
  metrics?: () => string;
  /** Without it the box cannot make a certificate of its own. */
  certificate?: Pick<ServerTlsOptions, "own" | "setFault" | "taken">;
  /** How often it is looked whether the configured one has changed. */
  certificateLookMs?: number;
  /** What GET /events tells; absent: nothing. */
  events?: EventHub;
  /** See ApiParts. */
  about?: Pick<ApiParts, "device" | "version" | "tokenStore">;
  logger: Logger;
  clock?: Clock;
}

export class ApiFace {
  readonly #options: ApiFaceOptions;
  #server: ApiServer | undefined;
  #tls: ServerTls | undefined;

  constructor(options: ApiFaceOptions) {
    this.#options = options;
  }

  /**
   * Listens; `address` is "http://127.0.0.1:8385", or https. Throws SidetoneError `config-invalid` with one line when it cannot: the
   * settings contradict each other, the port is taken, the certificate is not usable.
   */
  async start(): Promise<{ address: string }> {
    if (this.#server) throw new Error("the API has been started already");
    const { config, desk, box, store, exports, retention, tokens, audit, metrics, logger, clock } = this.#options;
    const [fault] = findApiFaults({ api: config });
    if (fault) throw new SidetoneError("config-invalid", `${fault.path.join(".")}: ${fault.text}`);
    const tls = this.#openTls();
    const { buildServer } = await import("./server.js");
    const server = buildServer({
      config,
      desk,
      ...(box && { box }),
      ...(store && { store }),
      ...(exports && { exports }),
      ...(retention && { retention }),
      tokens,
      audit: audit ?? (() => {}),
      ...(metrics && { metrics }),
      logger,
      clock: clock ?? systemClock,
      ...(tls && { tls: tls.current }),
      ...(this.#options.events && { events: this.#options.events }),
      about: { ...this.#options.about, tls: () => tls?.facts },
    });
    // "localhost" may be two addresses, and a second server would have none of this one's bounds.
    const host = config.host === "localhost" ? "127.0.0.1" : config.host;
    try {
      const address = await server.app.listen({ host, port: config.port });
      this.#server = server;
      this.#tls = tls;
      tls?.watch((material) => server.listener.setCertificate(material), this.#options.certificateLookMs);
      return { address: tls ? address.replace(/^http:/, "https:") : address };
    } catch (cause) {
      await server.app.close();
      throw new SidetoneError("config-invalid", listenFault(cause, config), { cause });
    }
  }

  /** Takes no more requests; returns when the last connection is closed, at the latest after STOP_GRACE_MS. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    this.#tls?.stop();
    const cut = setTimeout(() => server.listener.destroyConnections(), STOP_GRACE_MS);
    try {
      await server.app.close();
    } finally {
      clearTimeout(cut);
    }
  }

  /** Of the certificate that it shows; undefined while it listens without TLS, or not. */
  get tls(): TlsFacts | undefined {
    return this.#server && this.#tls?.facts;
  }

  /** Totals since the start, by name; empty while it is not started. */
  counters(): Record<string, number> {
    return this.#server?.counters() ?? {};
  }

  #openTls(): ServerTls | undefined {
    const { config, clock, certificate, logger } = this.#options;
    if (!speaksTls(config)) return undefined;
    return new ServerTls({
      config,
      clock: clock ?? systemClock,
      own: () => {
        throw new SidetoneError("config-invalid", "api.host: is reachable from other machines and there is no TLS");
      },
      setFault: (text) => text !== "" && logger.error(text),
      taken: () => {},
      ...certificate,
    });
  }
}

function listenFault(cause: unknown, { host, port }: Config["api"]): string {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") return `api.port: ${port} on ${host} is taken by another program; choose another one`;
  if (code === "EADDRNOTAVAIL") return `api.host: ${host} is no address of this box`;
  if (code === "EACCES") return `api.port: this user may not listen on ${port}; choose one from 1024 on`;
  return `api.host, api.port: cannot listen on ${host} port ${port} (${code ?? String(cause)})`;
}
