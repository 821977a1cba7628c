// Says while the service runs which servers hide their signalling in TLS: once when one is first seen, and again when it has
// had many more connections. Log lines only; what is known of the servers is the engine's.
import type { Logger } from "./base/logger.js";
import type { TlsEndpointStatus } from "./contract/engine-messages.js";

/** A server is named again when it has had so many times the connections. */
const AGAIN_AT = 10;
/** Servers remembered; the engine names at most 256 at a time. */
const MAX_SERVERS = 1024;

export class TlsNotices {
  private readonly logger: Pick<Logger, "info">;
  /** Connections that were last told, by server. */
  private readonly told = new Map<string, number>();

  constructor(logger: Pick<Logger, "info">) {
    this.logger = logger;
  }

  /** The engine's newest list. */
  note(endpoints: readonly TlsEndpointStatus[]): void {
    for (const { endpoint, transport, connections, likelySip } of endpoints) {
      if (!likelySip) continue;
      const server = `${transport} ${endpoint}`;
      const before = this.told.get(server);
      if (before !== undefined && connections < Math.max(1, before) * AGAIN_AT) continue;
      if (before === undefined && this.told.size >= MAX_SERVERS) this.told.delete(this.told.keys().next().value!);
      this.told.set(server, connections);
      const protocol = transport === "TCP" ? "TLS" : "DTLS";
      this.logger.info(`SIP over ${protocol} cannot be read`, { server: endpoint, connections });
    }
  }
}
