// The servers to which TLS was seen, so that the office can be told which signalling cannot be read. Counts per server
// endpoint; bounded: the one longest silent goes first. Never looks into a connection.
import type { TimeUs } from "../base/ids.js";
import type { TlsEndpointStatus } from "../contract/engine-messages.js";

/** "sip/2" is registered (RFC 7301 §6); plain "sip" is in use. */
const SIP_PROTOCOL = /^sip(\/|$)/i;

export class TlsEndpoints {
  /** Connections seen. */
  connections = 0;
  /** Endpoints forgotten for want of room. */
  evicted = 0;
  readonly #maximum: number;
  readonly #sipPorts: ReadonlySet<number>;
  readonly #endpoints = new Map<string, TlsEndpointStatus>();

  constructor(maximum: number, sipPorts: readonly number[]) {
    this.#maximum = maximum;
    this.#sipPorts = new Set(sipPorts);
  }

  isSipPort(port: number): boolean {
    return this.#sipPorts.has(port);
  }

  /**
   * Notes a connection to the server `endpoint` ("10.0.0.5:5061"). What is returned may be counted into (`bytes`,
   * `lastAtUs`) as long as the connection lives.
   */
  connect(endpoint: string, port: number, transport: TlsEndpointStatus["transport"], atUs: TimeUs): TlsEndpointStatus {
    this.connections++;
    const status = this.find(endpoint, port, transport, atUs);
    status.connections++;
    return status;
  }

  /** The entry of a server, made when there is none. */
  find(endpoint: string, port: number, transport: TlsEndpointStatus["transport"], atUs: TimeUs): TlsEndpointStatus {
    const key = `${transport} ${endpoint}`;
    let status = this.#endpoints.get(key);
    if (status === undefined) {
      this.#makeRoom();
      const likelySip = this.isSipPort(port);
      status = { endpoint, transport, connections: 0, bytes: 0, likelySip, firstAtUs: atUs, lastAtUs: atUs };
      this.#endpoints.set(key, status);
    }
    status.lastAtUs = Math.max(status.lastAtUs, atUs);
    return status;
  }

  /** What a ClientHello says; the newest that says anything stands. */
  describe(status: TlsEndpointStatus, hello: { serverName: string; alpn: readonly string[] }): void {
    if (hello.serverName !== "") status.serverName = hello.serverName;
    if (hello.alpn.length === 0) return;
    status.alpn = [...hello.alpn];
    status.likelySip ||= hello.alpn.some((name) => SIP_PROTOCOL.test(name));
  }

  /** Copies, in the order in which they were first seen. */
  list(): TlsEndpointStatus[] {
    return [...this.#endpoints.values()].map((status) => ({
      ...status,
      ...(status.alpn === undefined ? {} : { alpn: [...status.alpn] }),
    }));
  }

  #makeRoom(): void {
    if (this.#endpoints.size < this.#maximum) return;
    let oldest: [string, TimeUs] | undefined;
    for (const [key, { lastAtUs }] of this.#endpoints) {
      if (oldest === undefined || lastAtUs < oldest[1]) oldest = [key, lastAtUs];
    }
    if (oldest === undefined) return;
    this.#endpoints.delete(oldest[0]);
    this.evicted++;
  }
}
