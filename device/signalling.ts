// From datagrams and TCP segments to SIP messages: recognises SIP by its first line on any port, over UDP, TCP and
// WebSocket, bounds and parses it, counts what is refused by reason; notes where TLS hides it. Part of the engine's
// composition; keeps no message.
import { type AddressWords, formatEndpoint } from "./base/address.js";
import type { TimeUs } from "./base/ids.js";
import type { Config } from "./contract/config.js";
import { copyWindowMs } from "./contract/copy-window.js";
import type { TlsEndpointStatus } from "./contract/engine-messages.js";
import type { Datagram } from "./net/datagram.js";
import { DatagramCopies } from "./net/datagram-copies.js";
import { formatSourceMac, type LinkFacts } from "./net/link-facts.js";
import { TcpStreams } from "./net/tcp.js";
import type { TcpData } from "./net/tcp-reassembly.js";
import type { TcpSegmentSink } from "./net/tcp-segment.js";
import { SignallingStream, type StreamContext, StreamCounters } from "./signalling-stream.js";
import type { SipArrival, SipTransport } from "./sip/arrival.js";
import { ByteBudget } from "./sip/byte-budget.js";
import type { SipMessage, SipReject } from "./sip/message.js";
import { looksLikeSip, parseSip } from "./sip/parser.js";
import { TlsEndpoints } from "./sip/tls-endpoints.js";
import { opensDtls } from "./sip/tls-record.js";
import { InflateWindows } from "./sip/websocket-inflater.js";
import { WebSocketCounters } from "./sip/websocket-reader.js";

const TCP_BYTES_PER_CONNECTION = 256 * 1024;
/** SIP connections are kept open by CRLF or OPTIONS at least every few minutes (RFC 5626 §4.4.1). */
const TCP_IDLE_MS = 900_000;
/** Messages over TCP and WebSocket that are not complete yet, all together. */
const MESSAGE_BYTES = 32 * 1024 * 1024;
/** What compressed WebSocket messages may refer to, all together: up to 32 KiB for each direction. */
const WINDOW_BYTES = 32 * 1024 * 1024;
const MAX_TLS_ENDPOINTS = 256;

export class SignallingPath {
  private readonly limits: Config["sip"];
  private readonly onMessage: (message: SipMessage, arrival: SipArrival) => void;
  private readonly tcp: TcpStreams;
  private readonly copies: DatagramCopies;
  private readonly streams: StreamContext;
  private readonly rejected = new Map<SipReject, number>();
  private messages = 0;

  constructor(config: Config, onMessage: (message: SipMessage, arrival: SipArrival) => void) {
    this.limits = config.sip;
    this.onMessage = onMessage;
    this.copies = new DatagramCopies(copyWindowMs(config));
    this.streams = {
      limits: config.sip,
      budget: new ByteBudget(MESSAGE_BYTES),
      windows: new InflateWindows(WINDOW_BYTES),
      tls: new TlsEndpoints(MAX_TLS_ENDPOINTS, config.sip.tlsPorts),
      counters: new StreamCounters(),
      webSocketCounters: new WebSocketCounters(),
      sink: (data, start, end, truncated, carrier, transport) =>
        this.parse(data, start, end, arrivalOf(carrier, transport), truncated),
    };
    const options = {
      maxConnections: config.net.maxTcpConnections,
      maxBufferedBytesPerConnection: TCP_BYTES_PER_CONNECTION,
      maxBufferedBytesTotal: config.net.maxTcpMegabytes * 1024 * 1024,
      idleTimeoutMs: TCP_IDLE_MS,
    };
    this.tcp = new TcpStreams(
      options,
      (data) => this.handleTcp(data),
      ({ state }) => state instanceof SignallingStream && state.close(),
    );
  }

  /** False when the datagram is no SIP. */
  handleDatagram(datagram: Datagram): boolean {
    const { data, start, end } = datagram;
    if (!looksLikeSip(data, start, end)) return false;
    if (this.copies.isCopy(datagram)) return true;
    this.parse(data, start, end, arrivalOf(datagram, "UDP"), datagram.truncated);
    return true;
  }

  /** DTLS between ports of which one carries SIP: signalling that cannot be read. */
  noteDtls({ key, data, start, end, capturedAtUs }: Datagram): void {
    const { tls } = this.streams;
    const sourcePort = key[8]! >>> 16;
    const destinationPort = key[8]! & 0xffff;
    const isToServer = tls.isSipPort(destinationPort);
    if (!isToServer && !tls.isSipPort(sourcePort)) return;
    const port = isToServer ? destinationPort : sourcePort;
    const endpoint = formatEndpoint(key, isToServer ? 4 : 0, port);
    const isNew = isToServer && opensDtls(data, start, end);
    const status = isNew
      ? tls.connect(endpoint, port, "UDP", capturedAtUs)
      : tls.find(endpoint, port, "UDP", capturedAtUs);
    status.bytes += end - start;
  }

  segmentSink(): TcpSegmentSink {
    return (segment) => this.tcp.push(segment);
  }

  /** Time passes: TCP holes and connections whose time is over are given up. */
  advance(nowUs: TimeUs): void {
    this.tcp.advance(nowUs);
  }

  /** End of input: what waits behind lost TCP segments is looked at after all. */
  finish(): void {
    this.tcp.finish();
  }

  /** Servers to which TLS was seen, at most 256, in the order of first sight. */
  tlsEndpoints(): TlsEndpointStatus[] {
    return this.streams.tls.list();
  }

  exportCounters(): Record<string, number> {
    const { budget, windows, tls, counters, webSocketCounters } = this.streams;
    const counts: Record<string, number> = {
      "sip.messages": this.messages,
      "sip.tcp-directions-ignored": counters.ignored,
      "sip.tcp-discarded-bytes": counters.discardedBytes,
      "sip.tcp-too-long": counters.tooLong,
      // Now, not in all: messages that are not complete, and what compressed ones may refer to.
      "sip.buffered-bytes": budget.usedBytes + windows.bytes,
      "sip.memory-refusals": budget.refusals,
      "sip.tls-connections": tls.connections,
      "sip.tls-endpoints-evicted": tls.evicted,
      "sip.websocket-connections": counters.webSocketConnections,
      "sip.websocket-messages": webSocketCounters.messages,
      "sip.websocket-too-long": webSocketCounters.tooLong,
      "sip.websocket-undecodable": webSocketCounters.undecodable,
      "sip.websocket-incomplete": webSocketCounters.incomplete,
      "sip.websocket-lost": webSocketCounters.lost,
      "sip.websocket-windows-evicted": windows.evicted,
      ...this.tcp.counters.toRecord(),
      ...this.copies.counters.toRecord("duplicates.sip."),
      "duplicates.sip.forgotten": this.copies.forgotten,
    };
    for (const [reason, count] of this.rejected) counts[`sip.rejected.${reason}`] = count;
    return counts;
  }

  private handleTcp(data: TcpData): void {
    const { direction } = data;
    direction.state ??= new SignallingStream(this.streams);
    (direction.state as SignallingStream).take(data);
  }

  private parse(data: Buffer, start: number, end: number, arrival: SipArrival, truncated: boolean): void {
    const result = parseSip(data, start, end, this.limits, { truncated });
    if (result.ok) {
      this.messages++;
      this.onMessage(result.message, arrival);
    } else {
      this.rejected.set(result.reject, (this.rejected.get(result.reject) ?? 0) + 1);
    }
  }
}

interface Carrier {
  key: Int32Array;
  capturedAtUs: TimeUs;
  link: LinkFacts;
}

function arrivalOf({ key, capturedAtUs, link }: Carrier, transport: SipTransport): SipArrival {
  return {
    atUs: capturedAtUs,
    transport,
    source: wordsOf(key, 0),
    sourcePort: key[8]! >>> 16,
    destination: wordsOf(key, 4),
    destinationPort: key[8]! & 0xffff,
    vlan: link.vlan,
    sourceMac: formatSourceMac(link),
  };
}

function wordsOf(key: Int32Array, at: number): AddressWords {
  return [key[at]!, key[at + 1]!, key[at + 2]!, key[at + 3]!];
}
