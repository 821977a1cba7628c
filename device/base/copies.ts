// The ways in which a mirror port shows one packet several times, told by what differs between two sightings of it: a
// mirror of both directions or of two ports (nothing), of two VLANs, of both sides of a router, one here and one through
// a tunnel, or two capture interfaces.

/** How a sighting of a packet differs from the first one; `none`: it is not a copy. */
export const CopyKind = { none: 0, same: 1, vlan: 2, ttl: 3, encapsulation: 4, interface: 5 } as const;
export type CopyKind = (typeof CopyKind)[keyof typeof CopyKind];

const HOP_LIMIT_MASK = 0xff;
const VLAN_SHIFT = 8;
const VLAN_MASK = 0x1fff;
const ENCAPSULATION_SHIFT = 21;
const ENCAPSULATION_MASK = 0x7f;
const INTERFACE_SHIFT = 28;

/**
 * Everything that tells one sighting from another, in one word. `vlan` is -1 when the frame has no tag, `encapsulation`
 * a number below 128, 0 for none. Of interfaces beyond the sixteenth some look alike.
 */
export function packWay(vlan: number, hopLimit: number, encapsulation: number, interfaceIndex: number): number {
  return (
    (hopLimit & HOP_LIMIT_MASK) |
    (((vlan + 1) & VLAN_MASK) << VLAN_SHIFT) |
    ((encapsulation & ENCAPSULATION_MASK) << ENCAPSULATION_SHIFT) |
    (interfaceIndex << INTERFACE_SHIFT)
  );
}

/** The kind of a copy out of the two ways. Of several differences the first of these counts: a router changes VLANs too. */
export function kindOfCopy(way: number, firstWay: number): CopyKind {
  const difference = way ^ firstWay;
  if (difference === 0) return CopyKind.same;
  if ((difference & HOP_LIMIT_MASK) !== 0) return CopyKind.ttl;
  if (((difference >>> ENCAPSULATION_SHIFT) & ENCAPSULATION_MASK) !== 0) return CopyKind.encapsulation;
  return ((difference >>> VLAN_SHIFT) & VLAN_MASK) !== 0 ? CopyKind.vlan : CopyKind.interface;
}

/** Copies taken out, by kind. */
export class CopyCounters {
  private readonly counts = new Int32Array(Object.keys(CopyKind).length);

  count(kind: CopyKind): void {
    this.counts[kind]!++;
  }

  /** Under flat names: "duplicates.rtp." gives "duplicates.rtp.same" and so on. */
  toRecord(prefix: string): Record<string, number> {
    const kinds = Object.entries(CopyKind).filter(([, kind]) => kind !== CopyKind.none);
    return Object.fromEntries(kinds.map(([name, kind]) => [prefix + name, this.counts[kind]!]));
  }
}
