// From captured frames to UDP datagrams and TCP segments, in place and without allocation: link layer, IP, reassembly,
// tunnels, transport. Owns the one Datagram and the one TcpSegment that consumers see. ICMP is counted, never opened: its
// errors quote the packets they complain about, and quoted audio must not be counted or recorded.
import type { Frame } from "../capture/frame.js";
import type { EncapsulationStatus } from "../contract/engine-messages.js";
import type { VlanFigures } from "../contract/span.js";
import { NetCounters } from "./counters.js";
import { type Datagram, type DatagramSink, KEY_WORDS } from "./datagram.js";
import { EncapsulationTable } from "./encapsulation-table.js";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_NONE, NOT_A_TUNNEL } from "./ether-type.js";
import { openEtherType } from "./ethernet.js";
import { type FragmentLimits, FragmentTable } from "./fragments.js";
import { openGre } from "./gre.js";
import {
  openIpv4,
  openIpv6,
  PROTOCOL_AUTHENTICATION,
  PROTOCOL_GRE,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_IPV4,
  PROTOCOL_IPV6,
  PROTOCOL_NONE,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  walkExtensions,
} from "./ip.js";
import { Layer } from "./layer.js";
import { openFrame } from "./link-layer.js";
import { PacketCursor } from "./packet-cursor.js";
import { openTcp, type TcpSegment, type TcpSegmentSink } from "./tcp-segment.js";
import { openUdp } from "./udp.js";
import { MAX_TUNNEL_FIRST_BYTE, openUdpTunnel } from "./udp-tunnel.js";
import { VlanTable } from "./vlan-table.js";

/** A single VLAN tag is how any trunk sends: no encapsulation. */
const MAX_PLAIN_LAYERS = Layer.vlan;

export class NetDecoder {
  readonly counters = new NetCounters();
  readonly fragments: FragmentTable;
  readonly #vlans = new VlanTable();
  readonly #encapsulations = new EncapsulationTable(this.counters);
  readonly #onDatagram: DatagramSink;
  readonly #onSegment: TcpSegmentSink | undefined;
  readonly #packet: PacketCursor;
  readonly #datagram: Datagram;
  readonly #segment: TcpSegment;

  /** Without `onSegment` TCP is counted only. The sinks must not call `decode`. */
  constructor(limits: FragmentLimits, onDatagram: DatagramSink, onSegment?: TcpSegmentSink) {
    this.fragments = new FragmentTable(limits, this.counters);
    this.#onDatagram = onDatagram;
    this.#onSegment = onSegment;
    const key = new Int32Array(KEY_WORDS);
    const packet = new PacketCursor(key);
    const { data, link } = packet;
    const common = { key, data, start: 0, end: 0, capturedAtUs: 0, interfaceIndex: 0, link };
    this.#packet = packet;
    this.#datagram = { ...common, truncated: false };
    this.#segment = { ...common, wireBytes: 0, sequence: 0, flags: 0 };
  }

  /** The encapsulations seen so far, the one with `LinkFacts.encapsulation` 1 first. */
  encapsulations(): EncapsulationStatus[] {
    return this.#encapsulations.status();
  }

  /** The VLANs seen so far, at most so many. */
  vlans(maximum: number): VlanFigures[] {
    return this.#vlans.figures(maximum);
  }

  /** Decodes one frame and hands on what it holds before returning. Whatever the bytes are, it does not throw. */
  decode(frame: Frame): void {
    this.counters.frames++;
    if (frame.capturedAtUs > this.fragments.deadlineUs) this.fragments.sweep(frame.capturedAtUs);
    const packet = this.#packet;
    const start = frame.start;
    packet.data = frame.data;
    packet.at = start;
    packet.end = start + frame.capturedLength;
    // Some writers give an original length below the captured one; what was captured was on the wire.
    packet.wireEnd = start + Math.max(frame.capturedLength, frame.originalLength);
    packet.capturedAtUs = frame.capturedAtUs;
    packet.interfaceIndex = frame.interfaceIndex;
    packet.link.clear();
    if (packet.layersLow > MAX_PLAIN_LAYERS) packet.forgetLayers();
    packet.layersLow = 0;
    const etherType = openFrame(packet, frame.linkType, this.counters);
    if (etherType !== ETHERTYPE_NONE) this.#decodeNetwork(etherType);
  }

  /** Decodes the IP packet at the cursor, and those inside it: each is one layer deeper, and layers are bounded. */
  #decodeNetwork(etherType: number): void {
    const isIpv6 = etherType === ETHERTYPE_IPV6;
    const packet = this.#packet;
    let protocol = isIpv6 ? openIpv6(packet, this.counters) : openIpv4(packet, this.counters);
    if (protocol === PROTOCOL_NONE) return;
    if (packet.isFragment) {
      protocol = this.fragments.add(packet, protocol, isIpv6);
      if (isIpv6) protocol = this.#walkBehind(protocol);
    }
    if (protocol === PROTOCOL_AUTHENTICATION) protocol = this.#walkBehind(protocol);
    this.#decodeTransport(protocol);
  }

  /** Extension headers behind a reassembled datagram's start, or an Authentication header of IPv4. */
  #walkBehind(protocol: number): number {
    if (protocol === PROTOCOL_NONE) return PROTOCOL_NONE;
    const inner = walkExtensions(this.#packet, protocol, this.counters);
    if (!this.#packet.isFragment) return inner;
    // A second Fragment header in one chain has no legitimate use (RFC 8200 §4.1: each occurs at most once).
    this.counters.badIpHeader++;
    return PROTOCOL_NONE;
  }

  #decodeTransport(protocol: number): void {
    switch (protocol) {
      case PROTOCOL_UDP:
        if (openUdp(this.#packet, this.#datagram, this.counters)) this.#takeDatagram();
        return;
      case PROTOCOL_TCP:
        if (openTcp(this.#packet, this.#segment, this.counters)) this.#takeSegment();
        return;
      case PROTOCOL_ICMP:
      case PROTOCOL_ICMPV6:
        this.counters.icmp++;
        return;
      case PROTOCOL_NONE:
        return;
      default:
        this.#decodeTunnel(protocol);
    }
  }

  #decodeTunnel(protocol: number): void {
    const packet = this.#packet;
    switch (protocol) {
      case PROTOCOL_GRE:
        this.#decodePayload(openGre(packet, this.counters));
        return;
      case PROTOCOL_IPV4:
        if (packet.enterTunnel(Layer.ipInIp, 0, this.counters)) this.#decodeNetwork(ETHERTYPE_IPV4);
        return;
      case PROTOCOL_IPV6:
        if (packet.enterTunnel(Layer.ipv6InIp, 0, this.counters)) this.#decodeNetwork(ETHERTYPE_IPV6);
        return;
      default:
        this.counters.otherProtocol++;
    }
  }

  /** Follows what a tunnel carries to the IP packet in it. */
  #decodePayload(etherType: number): void {
    const inner = openEtherType(this.#packet, etherType, this.counters);
    if (inner !== ETHERTYPE_NONE) this.#decodeNetwork(inner);
  }

  #takeDatagram(): void {
    const datagram = this.#datagram;
    const { start } = datagram;
    if (start < datagram.end && datagram.data[start]! <= MAX_TUNNEL_FIRST_BYTE) {
      const inner = openUdpTunnel(this.#packet, datagram, this.counters);
      if (inner !== NOT_A_TUNNEL) {
        this.#decodePayload(inner);
        return;
      }
    }
    this.counters.udp++;
    if (datagram.truncated) this.counters.truncated++;
    if (this.#packet.layersLow > MAX_PLAIN_LAYERS) this.#noteEncapsulation();
    this.#vlans.note(datagram.link.vlan, datagram.capturedAtUs);
    this.#onDatagram(datagram);
  }

  #takeSegment(): void {
    if (this.#packet.layersLow > MAX_PLAIN_LAYERS) this.#noteEncapsulation();
    this.#vlans.note(this.#segment.link.vlan, this.#segment.capturedAtUs);
    this.#onSegment?.(this.#segment);
  }

  #noteEncapsulation(): void {
    this.#packet.link.encapsulation = this.#encapsulations.note(this.#packet);
  }
}
