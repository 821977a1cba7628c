// Cuts one UDP datagram into IP fragments for the reassembly tests, IPv4 and IPv6 alike.
import { extension, fragmentHeader, ipv4, ipv6, join, udp } from "./packets.js";

export type Version = 4 | 6;
export const LINK_TYPE_OF = { 4: 228, 6: 229 } as const;

/** One fragment holding `part` of a datagram at `offset`. */
export function fragment(version: Version, part: Uint8Array, offset: number, more: boolean, id = 7): Buffer {
  if (version === 4) return ipv4(part, { identification: id, offset, more });
  return ipv6(join(fragmentHeader(17, offset, more, id), part), { next: 44 });
}

/** The fragments of a datagram with this payload, in order; `cuts` are offsets into the datagram, multiples of 8. */
export function fragmentsOf(version: Version, payload: Uint8Array, cuts: number[], id = 7): Buffer[] {
  const datagram = udp(payload);
  const starts = [0, ...cuts];
  return starts.map((start, i) => {
    const end = starts[i + 1] ?? datagram.length;
    return fragment(version, datagram.subarray(start, end), start, i < starts.length - 1, id);
  });
}

/** IPv6 with destination options in the fragmentable part, the later fragment naming another protocol. */
export function fragmentsWithOptions(payload: Uint8Array): Buffer[] {
  const whole = join(extension(17, 1), udp(payload));
  return [
    ipv6(join(fragmentHeader(60, 0, true), whole.subarray(0, 24)), { next: 44 }),
    ipv6(join(fragmentHeader(6, 24, false), whole.subarray(24)), { next: 44 }),
  ];
}
