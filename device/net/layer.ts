// The kinds of encapsulation and how a stack of them is held: as digits of 5 bits, outermost first, in two integers, so
// that noting a layer is a shift and comparing two stacks is exact. Knows no headers.

export const Layer = {
  /** The least: a stack that is no more than this is a frame of a plain trunk, not an encapsulation. */
  vlan: 1,
  ethernet: 2,
  ppp: 3,
  pppoe: 4,
  mpls: 5,
  macInMac: 6,
  ipInIp: 7,
  ipv6InIp: 8,
  gre: 9,
  erspan1: 10,
  erspan2: 11,
  erspan3: 12,
  vxlan: 13,
  vxlanGpe: 14,
  geneve: 15,
  tzsp: 16,
  gtpU: 17,
} as const;
export type Layer = (typeof Layer)[keyof typeof Layer];

const NAMES: Readonly<Record<Layer, string>> = {
  [Layer.vlan]: "vlan",
  [Layer.ethernet]: "ethernet",
  [Layer.ppp]: "ppp",
  [Layer.pppoe]: "pppoe",
  [Layer.mpls]: "mpls",
  [Layer.macInMac]: "mac-in-mac",
  [Layer.ipInIp]: "ip-in-ip",
  [Layer.ipv6InIp]: "ipv6-in-ip",
  [Layer.gre]: "gre",
  [Layer.erspan1]: "erspan1",
  [Layer.erspan2]: "erspan2",
  [Layer.erspan3]: "erspan3",
  [Layer.vxlan]: "vxlan",
  [Layer.vxlanGpe]: "vxlan-gpe",
  [Layer.geneve]: "geneve",
  [Layer.tzsp]: "tzsp",
  [Layer.gtpU]: "gtp-u",
};

export const LAYER_BITS = 5;
/** Six digits to a word. */
export const LAYER_WORD_MASK = 0x3fffffff;
/** Where the outermost of six digits stands. */
export const LAYER_TOP_SHIFT = 25;
/** Layers that a stack holds: real networks nest two or three tunnels of one to three layers. */
export const MAX_LAYERS = 12;

/** "gre/erspan2/ethernet", outermost first. */
export function formatLayers(high: number, low: number): string {
  const names: string[] = [];
  for (const word of [high, low]) {
    for (let shift = LAYER_TOP_SHIFT; shift >= 0; shift -= LAYER_BITS) {
      const layer = (word >>> shift) & ((1 << LAYER_BITS) - 1);
      if (layer !== 0) names.push(NAMES[layer as Layer]);
    }
  }
  return names.join("/");
}
