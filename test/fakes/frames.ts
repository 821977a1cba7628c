// Builds link-layer frames that carry UDP over IPv4 or IPv6, with correct lengths and checksums (RFC 768, 791, 8200),
// whole or as IP fragments. Pure: the same options give the same bytes. Never sends anything.
import { isIP } from "node:net";
import { parseAddress } from "../../device/base/address.js";

/** LINKTYPE_ values (https://www.tcpdump.org/linktypes.html) that `linkFrame` can build. */
export const LINK_TYPE = {
  null: 0,
  ethernet: 1,
  raw: 101,
  loop: 108,
  sll: 113,
  ipv4: 228,
  ipv6: 229,
  sll2: 276,
} as const;

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const ETHERTYPE_VLAN = 0x8100;
const ETHERTYPE_SERVICE_VLAN = 0x88a8;
const ETHERNET_MINIMUM_BYTES = 60;
const PROTOCOL_UDP = 17;
const PROTOCOL_FRAGMENT = 44;
const UDP_HEADER_BYTES = 8;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
const FRAGMENT_HEADER_BYTES = 8;
const MORE_FRAGMENTS_V4 = 0x2000;

export interface Endpoint {
  version: 4 | 6;
  /** 4 or 16 bytes in network order. */
  address: Buffer;
  port: number;
}

/** "192.0.2.1:4000" or "[2001:db8::1]:4000"; throws RangeError on anything else. */
export function parseEndpoint(text: string): Endpoint {
  const [, bracketed, plain, portText] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  const words = parseAddress(host);
  const port = Number(portText);
  if (!words || !(port <= 0xffff)) throw new RangeError(`not an endpoint: ${JSON.stringify(text)}`);
  const sixteen = Buffer.alloc(16);
  words.forEach((word, i) => {
    sixteen.writeInt32BE(word, i * 4);
  });
  return isIP(host) === 4
    ? { version: 4, address: sixteen.subarray(12), port }
    : { version: 6, address: sixteen, port };
}

/** "192.0.2.1:5060" or "[2001:db8::1]:5060". */
export function endpointText(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

export interface IpOptions {
  source: string | Endpoint;
  destination: string | Endpoint;
  /** IPv4 identification, or the IPv6 fragment header's. */
  identification?: number;
  hopLimit?: number;
}

export interface LinkOptions {
  /** Default Ethernet. */
  linkType?: number;
  /** VLAN ids, outermost first: the last is an 802.1Q tag, those before it are 802.1ad service tags. */
  vlan?: number[];
  /** Pads Ethernet frames to 60 bytes, as they arrive from a wire. */
  isPadded?: boolean;
}

export interface UdpFrameOptions extends IpOptions, LinkOptions {
  payload: Uint8Array;
  /** "zero" is "none sent", which IPv4 allows. Default "correct". */
  checksum?: "correct" | "zero" | "wrong";
}

/** One frame that holds the whole datagram. */
export function udpFrame(options: UdpFrameOptions): Buffer {
  const ends = endpoints(options);
  return linkFrame(ipPacket(options, ends, udpDatagram(options, ends)), ends, options);
}

/**
 * The frames of the datagram's IP fragments, in order; one whole frame when it fits. `mtu` is the longest IP packet in
 * bytes. Fragment offsets count in units of 8 bytes (RFC 791 §3.1, RFC 8200 §4.5).
 */
export function fragmentFrames(options: UdpFrameOptions & { mtu: number }): Buffer[] {
  const ends = endpoints(options);
  const datagram = udpDatagram(options, ends);
  const isVersion4 = ends.source.version === 4;
  const plainBytes = isVersion4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  if (datagram.length + plainBytes <= options.mtu) return [linkFrame(ipPacket(options, ends, datagram), ends, options)];
  const room = options.mtu - plainBytes - (isVersion4 ? 0 : FRAGMENT_HEADER_BYTES);
  const step = room - (room % 8);
  if (step < 8) throw new RangeError(`mtu ${options.mtu} holds no fragment`);
  const frames: Buffer[] = [];
  for (let offset = 0; offset < datagram.length; offset += step) {
    const part = datagram.subarray(offset, offset + step);
    const hasMore = offset + step < datagram.length;
    const packet = isVersion4
      ? ipv4Packet(options, ends, part, (hasMore ? MORE_FRAGMENTS_V4 : 0) | (offset >> 3))
      : ipv6Packet(
          options,
          ends,
          withFragmentHeader(part, offset, hasMore, options.identification ?? 0),
          PROTOCOL_FRAGMENT,
        );
    frames.push(linkFrame(packet, ends, options));
  }
  return frames;
}

export interface Ends {
  source: Endpoint;
  destination: Endpoint;
}

export function endpoints(options: IpOptions): Ends {
  const source = typeof options.source === "string" ? parseEndpoint(options.source) : options.source;
  const destination =
    typeof options.destination === "string" ? parseEndpoint(options.destination) : options.destination;
  if (source.version !== destination.version) throw new RangeError("source and destination differ in IP version");
  return { source, destination };
}

/** RFC 768: ports, length, checksum over pseudo-header, header and payload; 0 is sent as all ones. */
function udpDatagram(options: UdpFrameOptions, ends: Ends): Buffer {
  const length = UDP_HEADER_BYTES + options.payload.length;
  if (length > 0xffff) throw new RangeError(`UDP payload of ${options.payload.length} bytes`);
  const datagram = Buffer.alloc(length);
  datagram.writeUInt16BE(ends.source.port, 0);
  datagram.writeUInt16BE(ends.destination.port, 2);
  datagram.writeUInt16BE(length, 4);
  datagram.set(options.payload, UDP_HEADER_BYTES);
  if (options.checksum === "zero") return datagram;
  const pseudo = sumOf(ends.source.address) + sumOf(ends.destination.address) + PROTOCOL_UDP + length;
  const checksum = internetChecksum(pseudo + sumOf(datagram)) || 0xffff;
  datagram.writeUInt16BE(options.checksum === "wrong" ? checksum ^ 0x5555 : checksum, 6);
  return datagram;
}

/** One whole IP packet. */
export function ipPacket(options: IpOptions, ends: Ends, payload: Buffer, protocol = PROTOCOL_UDP): Buffer {
  return ends.source.version === 4
    ? ipv4Packet(options, ends, payload, 0, protocol)
    : ipv6Packet(options, ends, payload, protocol);
}

function ipv4Packet(
  options: IpOptions,
  ends: Ends,
  payload: Buffer,
  flagsAndOffset: number,
  protocol = PROTOCOL_UDP,
): Buffer {
  const packet = Buffer.alloc(IPV4_HEADER_BYTES + payload.length);
  packet[0] = 0x45;
  packet.writeUInt16BE(packet.length, 2);
  packet.writeUInt16BE((options.identification ?? 0) & 0xffff, 4);
  packet.writeUInt16BE(flagsAndOffset, 6);
  packet[8] = options.hopLimit ?? 64;
  packet[9] = protocol;
  packet.set(ends.source.address, 12);
  packet.set(ends.destination.address, 16);
  packet.writeUInt16BE(internetChecksum(sumOf(packet.subarray(0, IPV4_HEADER_BYTES))), 10);
  packet.set(payload, IPV4_HEADER_BYTES);
  return packet;
}

function ipv6Packet(options: IpOptions, ends: Ends, payload: Buffer, nextHeader: number): Buffer {
  const packet = Buffer.alloc(IPV6_HEADER_BYTES + payload.length);
  packet[0] = 0x60;
  packet.writeUInt16BE(payload.length, 4);
  packet[6] = nextHeader;
  packet[7] = options.hopLimit ?? 64;
  packet.set(ends.source.address, 8);
  packet.set(ends.destination.address, 24);
  packet.set(payload, IPV6_HEADER_BYTES);
  return packet;
}

function withFragmentHeader(part: Buffer, offset: number, hasMore: boolean, identification: number): Buffer {
  const header = Buffer.alloc(FRAGMENT_HEADER_BYTES);
  header[0] = PROTOCOL_UDP;
  header.writeUInt16BE(offset | (hasMore ? 1 : 0), 2);
  header.writeUInt32BE(identification >>> 0, 4);
  return Buffer.concat([header, part]);
}

/** Puts the link layer's header before an IP packet. */
export function linkFrame(packet: Buffer, ends: Ends, options: LinkOptions): Buffer {
  const isVersion4 = ends.source.version === 4;
  const linkType = options.linkType ?? LINK_TYPE.ethernet;
  const tagged = withTags(packet, isVersion4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6, options.vlan ?? []);
  switch (linkType) {
    case LINK_TYPE.ethernet:
      return padded(Buffer.concat([macOf(ends.destination), macOf(ends.source), tagged]), options.isPadded === true);
    case LINK_TYPE.sll:
      return Buffer.concat([sllHeader(ends.source), tagged]);
    case LINK_TYPE.sll2:
      // Its protocol stands at the front of the header, the tags behind it.
      return Buffer.concat([tagged.subarray(0, 2), sll2Rest(ends.source), tagged.subarray(2)]);
  }
  if ((options.vlan ?? []).length > 0) throw new RangeError(`link type ${linkType} carries no VLAN tags`);
  switch (linkType) {
    case LINK_TYPE.raw:
    case LINK_TYPE.ipv4:
    case LINK_TYPE.ipv6:
      return packet;
    case LINK_TYPE.null: // The capturing host's byte order and AF_ value: here a little-endian Darwin's.
      return Buffer.concat([Buffer.from([isVersion4 ? 2 : 30, 0, 0, 0]), packet]);
    case LINK_TYPE.loop: // Network order, OpenBSD's AF_ values.
      return Buffer.concat([Buffer.from([0, 0, 0, isVersion4 ? 2 : 24]), packet]);
  }
  throw new RangeError(`link type ${linkType} is not built here`);
}

/** EtherType, or tag protocol and tag control pairs with the EtherType last (802.1Q §9), then the packet. */
function withTags(packet: Buffer, etherType: number, vlan: number[]): Buffer {
  const head = Buffer.alloc(2 + 4 * vlan.length);
  vlan.forEach((id, i) => {
    head.writeUInt16BE(i === vlan.length - 1 ? ETHERTYPE_VLAN : ETHERTYPE_SERVICE_VLAN, i * 4);
    head.writeUInt16BE(id & 0x0fff, i * 4 + 2);
  });
  head.writeUInt16BE(etherType, 4 * vlan.length);
  return Buffer.concat([head, packet]);
}

/** A locally administered MAC address out of the IP address's last four bytes. */
function macOf(endpoint: Endpoint): Buffer {
  return Buffer.concat([Buffer.from([0x02, 0x00]), endpoint.address.subarray(-4)]);
}

function padded(frame: Buffer, isPadded: boolean): Buffer {
  if (!isPadded || frame.length >= ETHERNET_MINIMUM_BYTES) return frame;
  return Buffer.concat([frame, Buffer.alloc(ETHERNET_MINIMUM_BYTES - frame.length)]);
}

/** LINUX_SLL without its protocol field: packet type, ARPHRD_ETHER, address length, address. */
function sllHeader(source: Endpoint): Buffer {
  const header = Buffer.alloc(14);
  header.writeUInt16BE(1, 2);
  header.writeUInt16BE(6, 4);
  macOf(source).copy(header, 6);
  return header;
}

/** LINUX_SLL2 after its protocol field: reserved, interface index, ARPHRD_ETHER, packet type, address. */
function sll2Rest(source: Endpoint): Buffer {
  const rest = Buffer.alloc(18);
  rest.writeUInt32BE(1, 2);
  rest.writeUInt16BE(1, 6);
  rest[9] = 6;
  macOf(source).copy(rest, 10);
  return rest;
}

/** Sum of the 16-bit words, an odd last byte padded with zero. */
export function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  if (bytes.length % 2 === 1) sum += bytes[bytes.length - 1]! << 8;
  return sum;
}

/** RFC 1071: the ones' complement of the ones' complement sum. */
export function internetChecksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}
