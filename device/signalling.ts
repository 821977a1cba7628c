// From datagrams and TCP segments to SIP messages: recognises SIP by its first line on any port, bounds and parses it,
// counts what is refused by reason. Part of the engine's composition; keeps no message.
import type { AddressWords } from "./base/address.js";
import type { TimeUs } from "./base/ids.js";
import type { Config } from "./contract/config.js";
import type { Datagram } from "./net/datagram.js";
import { formatSourceMac, type LinkFacts } from "./net/link-facts.js";
import { TcpStreams } from "./net/tcp.js";
import type { TcpDirection } from "./net/tcp-connection.js";
import type { TcpData } from "./net/tcp-reassembly.js";
import type { TcpSegmentSink } from "./net/tcp-segment.js";
import type { SipArrival, SipTransport } from "./sip/arrival.js";
import { SipStreamFramer } from "./sip/framer.js";
import type { SipMessage, SipReject } from "./sip/message.js";
import { looksLikeSip, parseSip } from "./sip/parser.js";

/** A TCP direction that has shown no SIP message in so many bytes carries something else. */
const TCP_PROBE_BYTES = 8192;
const TCP_BYTES_PER_CONNECTION = 256 * 1024;
/** SIP connections are kept open by CRLF or OPTIONS at least every few minutes (RFC 5626 §4.4.1). */
const TCP_IDLE_MS = 900_000;

/** What is kept of one direction of a TCP connection. */
interface SipDirection {
  framer: SipStreamFramer;
  bytes: number;
  /** Of the bytes being framed. */
  arrival: SipArrival;
}

export class SignallingPath {
  private readonly limits: Config["sip"];
  private readonly onMessage: (message: SipMessage, arrival: SipArrival) => void;
  private readonly tcp: TcpStreams;
  private readonly rejected = new Map<SipReject, number>();
  private messages = 0;
  private tcpIgnored = 0;

  constructor(config: Config, onMessage: (message: SipMessage, arrival: SipArrival) => void) {
    this.limits = config.sip;
    this.onMessage = onMessage;
    const options = {
      maxConnections: config.net.maxTcpConnections,
      maxBufferedBytesPerConnection: TCP_BYTES_PER_CONNECTION,
      maxBufferedBytesTotal: config.net.maxTcpMegabytes * 1024 * 1024,
      idleTimeoutMs: TCP_IDLE_MS,
    };
    this.tcp = new TcpStreams(options, (data) => this.handleTcp(data));
  }

  /** False when the datagram is no SIP. */
  handleDatagram(datagram: Datagram): boolean {
    const { data, start, end } = datagram;
    if (!looksLikeSip(data, start, end)) return false;
    this.parse(data, start, end, arrivalOf(datagram, "UDP"), datagram.truncated);
    return true;
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

  exportCounters(): Record<string, number> {
    const counts: Record<string, number> = {
      "sip.messages": this.messages,
      "sip.tcp-directions-ignored": this.tcpIgnored,
      ...this.tcp.counters.toRecord(),
    };
    for (const [reason, count] of this.rejected) counts[`sip.rejected.${reason}`] = count;
    return counts;
  }

  private handleTcp(data: TcpData): void {
    const arrival = arrivalOf(data, "TCP");
    const sip = this.directionOf(data.direction, arrival);
    sip.arrival = arrival;
    if (data.gap) sip.framer.gap();
    sip.framer.push(data.data, data.start, data.end);
    sip.bytes += data.end - data.start;
    if (sip.framer.counters.messages === 0 && sip.bytes > TCP_PROBE_BYTES) this.giveUp(data.direction);
  }

  private directionOf(tcp: TcpDirection, arrival: SipArrival): SipDirection {
    const known = tcp.state as SipDirection | undefined;
    if (known) return known;
    const direction: SipDirection = {
      framer: new SipStreamFramer(this.limits, (data, start, end) =>
        this.parse(data, start, end, direction.arrival, false),
      ),
      bytes: 0,
      arrival,
    };
    tcp.state = direction;
    return direction;
  }

  private giveUp(direction: TcpDirection): void {
    this.tcpIgnored++;
    direction.state = undefined;
    direction.ignore();
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
