// EtherType numbers (IANA, IEEE 802) and which of them are VLAN tags. Between the layers' functions an EtherType says what
// lies at the cursor.

/** Returned by a layer's function when there is nothing further to open: the packet was counted and is done with. */
export const ETHERTYPE_NONE = -1;
/** Returned for a datagram that has a tunnel's port but not its header: nothing was counted, nothing has moved. */
export const NOT_A_TUNNEL = -2;
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_8021Q = 0x8100;
export const ETHERTYPE_8021AD = 0x88a8;
/** QinQ as it was before IEEE 802.1ad. */
export const ETHERTYPE_QINQ_9100 = 0x9100;
export const ETHERTYPE_QINQ_9200 = 0x9200;
/** IEEE 802.1ah, the service tag of a backbone. */
export const ETHERTYPE_MAC_IN_MAC = 0x88e7;
export const ETHERTYPE_MPLS = 0x8847;
/** Upstream-assigned labels (RFC 5332 §3): the stack is the same. */
export const ETHERTYPE_MPLS_UPSTREAM = 0x8848;
export const ETHERTYPE_PPPOE_SESSION = 0x8864;
/** Transparent Ethernet bridging (RFC 1701, RFC 8926 §3.4): a whole Ethernet frame. */
export const ETHERTYPE_ETHERNET = 0x6558;
/** PPP in GRE (RFC 2637 §4.1). */
export const ETHERTYPE_PPP = 0x880b;
/** Smaller values are the length of an 802.3 frame (IEEE 802.3 §3.2.6). */
export const ETHERTYPE_MINIMUM = 0x0600;

export function isVlanTag(type: number): boolean {
  return (
    type === ETHERTYPE_8021Q ||
    type === ETHERTYPE_8021AD ||
    type === ETHERTYPE_QINQ_9100 ||
    type === ETHERTYPE_QINQ_9200
  );
}
