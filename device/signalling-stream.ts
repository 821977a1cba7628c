// One direction of a TCP connection: finds out by its first bytes what it carries (SIP, SIP over WebSocket, TLS, anything
// else) and has it read accordingly. What shows nothing of that in its first bytes is given up and costs nothing more.
// Part of the engine's composition of net and sip; parses no message itself.
import { formatEndpoint } from "./base/address.js";
import type { TlsEndpointStatus } from "./contract/engine-messages.js";
import type { TcpDirection } from "./net/tcp-connection.js";
import type { TcpData } from "./net/tcp-reassembly.js";
import type { SipTransport } from "./sip/arrival.js";
import type { ByteBudget } from "./sip/byte-budget.js";
import { SipStreamFramer, type SipStreamSink } from "./sip/framer.js";
import type { SipLimits } from "./sip/message.js";
import type { TlsEndpoints } from "./sip/tls-endpoints.js";
import { TlsProbe, type TlsView } from "./sip/tls-probe.js";
import type { InflateWindows } from "./sip/websocket-inflater.js";
import { type WebSocketCounters, WebSocketReader } from "./sip/websocket-reader.js";
import { type Upgrade, UpgradeScanner } from "./sip/websocket-upgrade.js";

/** A direction that has shown no SIP in so many bytes, keep-alives aside, carries something else. */
const PROBE_BYTES = 8192;
/** The WebSocket subprotocol (RFC 7118 §4). */
const SIP_PROTOCOL = "sip";

/** What all streams share. */
export interface StreamContext {
  limits: SipLimits;
  budget: ByteBudget;
  windows: InflateWindows;
  tls: TlsEndpoints;
  counters: StreamCounters;
  webSocketCounters: WebSocketCounters;
  sink: StreamSink;
}

/** `data[start..end)` is one message, valid only during the call; `carrier` is what its last bytes came in. */
export type StreamSink = (
  data: Buffer,
  start: number,
  end: number,
  truncated: boolean,
  carrier: TcpData,
  transport: SipTransport,
) => void;

/** Totals over all streams. */
export class StreamCounters {
  /** Directions given up because they carry something else. */
  ignored = 0;
  /** Connections that carry SIP over WebSocket. */
  webSocketConnections = 0;
  /** Of directions that carry SIP over TCP: bytes that belong to no message. */
  discardedBytes = 0;
  /** SIP messages over TCP beyond the limit, or for which there was no memory. */
  tooLong = 0;
}

export class SignallingStream {
  private readonly context: StreamContext;
  private readonly framer: SipStreamFramer;
  private readonly webSocket: WebSocketReader;
  private readonly upgrades = new UpgradeScanner();
  private readonly tlsProbe = new TlsProbe();
  private carries: "unknown" | "sip" | "websocket" = "unknown";
  private bytes = 0;
  /** What is being taken. */
  private carrier: TcpData | undefined;

  constructor(context: StreamContext) {
    this.context = context;
    const { limits, budget, windows, webSocketCounters } = context;
    const sinkOf =
      (transport: SipTransport): SipStreamSink =>
      (data, start, end, truncated) =>
        context.sink(data, start, end, truncated, this.carrier!, transport);
    this.framer = new SipStreamFramer(limits, budget, sinkOf("TCP"));
    this.webSocket = new WebSocketReader({ limits, budget, windows, counters: webSocketCounters }, sinkOf("WS"));
  }

  /** Takes the next bytes; the direction is ignored from now on when they are of no use. */
  take(carrier: TcpData): void {
    this.carrier = carrier;
    if (carrier.gap) this.gap();
    // A stream seen from its beginning begins with a handshake, or is no WebSocket.
    if (this.bytes === 0) this.webSocket.seeksCompressed = carrier.gap;
    this.bytes += carrier.end - carrier.start;
    if (this.carries === "unknown") this.probe(carrier);
    else if (this.carries === "sip") this.pushSip(carrier);
    else this.pushWebSocket(carrier);
    this.carrier = undefined;
  }

  /** Gives its memory back. Nothing may be taken afterwards. */
  close(): void {
    this.framer.close();
    this.webSocket.close();
  }

  private gap(): void {
    this.framer.gap();
    this.webSocket.gap();
    this.upgrades.gap();
    this.tlsProbe.gap();
  }

  private probe(carrier: TcpData): void {
    const { data, start, end, direction } = carrier;
    const view = this.tlsProbe.look(data, start, end);
    const peer = direction.peer?.state;
    if (view !== undefined || (peer instanceof TlsStream && !this.tlsProbe.isUndecided)) {
      this.leaveToTls(carrier, view);
    } else if (isWebSocket(peer)) {
      this.becomeWebSocket(direction);
      this.pushWebSocket(carrier);
    } else if (this.readAsWebSocket(carrier)) {
      this.becomeWebSocket(direction);
    } else {
      this.pushSip(carrier);
      if (this.carries === "unknown" && this.isHopeless()) this.giveUp(direction);
    }
  }

  private isHopeless(): boolean {
    return this.bytes - this.framer.counters.keepAliveBytes > PROBE_BYTES && !this.framer.isInsideMessage;
  }

  private giveUp(direction: TcpDirection): void {
    this.context.counters.ignored++;
    this.close();
    direction.state = undefined;
    direction.ignore();
  }

  private pushSip({ data, start, end }: TcpData): void {
    const { counters } = this.framer;
    this.framer.push(data, start, end);
    if (counters.messages > 0) this.carries = "sip";
    if (this.carries !== "sip") return;
    this.context.counters.discardedBytes += counters.discardedBytes;
    this.context.counters.tooLong += counters.tooLong;
    counters.discardedBytes = 0;
    counters.tooLong = 0;
  }

  private pushWebSocket(carrier: TcpData): void {
    if (this.webSocket.isSynchronised) this.webSocket.push(carrier.data, carrier.start, carrier.end);
    else this.readAsWebSocket(carrier);
  }

  /** Looks for a handshake and for frames; true when from here on it is known where frames begin. */
  private readAsWebSocket({ data, start, end, direction }: TcpData): boolean {
    const headEnd = this.findHandshake(data, start, end, direction);
    if (headEnd >= 0) this.webSocket.begin();
    this.webSocket.push(data, Math.max(start, headEnd), end);
    return headEnd >= 0 || this.webSocket.isSynchronised;
  }

  /** Offset behind the head that opens SIP over WebSocket in this direction, -1 when there is none. */
  private findHandshake(data: Buffer, start: number, end: number, direction: TcpDirection): number {
    for (let at = start; at < end; ) {
      at = this.upgrades.scan(data, at, end);
      if (at < 0) return -1;
      if (this.acceptsHandshake(this.upgrades.upgrade!, direction)) return at;
    }
    return -1;
  }

  /** A server that names no subprotocol, against RFC 7118 §4.1, has accepted the one that was offered. */
  private acceptsHandshake({ isResponse, protocols, extensions }: Upgrade, direction: TcpDirection): boolean {
    const peer = direction.peer?.state;
    const isTacit = isResponse && protocols.length === 0 && isWebSocket(peer);
    if (!protocols.includes(SIP_PROTOCOL) && !isTacit) return false;
    if (isResponse) {
      const isCompressed = extensions.includes("deflate");
      this.webSocket.isCompressionPossible = isCompressed;
      if (peer instanceof SignallingStream) peer.webSocket.isCompressionPossible = isCompressed;
    }
    return true;
  }

  private becomeWebSocket(direction: TcpDirection): void {
    if (!isWebSocket(direction.peer?.state)) this.context.counters.webSocketConnections++;
    this.carries = "websocket";
    this.webSocket.seeksCompressed = true;
    this.framer.close();
  }

  get isWebSocket(): boolean {
    return this.carries === "websocket";
  }

  private leaveToTls(carrier: TcpData, view: TlsView | undefined): void {
    const { direction, capturedAtUs } = carrier;
    const peer = direction.peer?.state;
    const { tls } = this.context;
    let endpoint: TlsEndpointStatus;
    if (peer instanceof TlsStream) {
      endpoint = peer.endpoint;
    } else {
      const { text, port } = serverOf(carrier, view, tls);
      endpoint = tls.connect(text, port, "TCP", capturedAtUs);
    }
    if (view !== undefined) tls.describe(endpoint, view);
    endpoint.bytes += this.bytes;
    endpoint.lastAtUs = capturedAtUs;
    this.close();
    direction.state = new TlsStream(endpoint);
    direction.ignore(endpoint);
  }
}

/** One direction that carries TLS: nothing more is read of it. */
class TlsStream {
  readonly endpoint: TlsEndpointStatus;

  constructor(endpoint: TlsEndpointStatus) {
    this.endpoint = endpoint;
  }
}

function isWebSocket(state: unknown): boolean {
  return state instanceof SignallingStream && state.isWebSocket;
}

/** Joined midway the records do not tell which end the server is: a SIP port does, else the lower one is likely. */
function serverOf({ key }: TcpData, view: TlsView | undefined, tls: TlsEndpoints): { text: string; port: number } {
  const sourcePort = key[8]! >>> 16;
  const destinationPort = key[8]! & 0xffff;
  let isSource = sourcePort < destinationPort;
  if (view !== undefined && view.server !== "unknown") isSource = view.server === "source";
  else if (tls.isSipPort(sourcePort) !== tls.isSipPort(destinationPort)) isSource = tls.isSipPort(sourcePort);
  const port = isSource ? sourcePort : destinationPort;
  return { text: formatEndpoint(key, isSource ? 0 : 4, port), port };
}
