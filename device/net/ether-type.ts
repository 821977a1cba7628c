// EtherType numbers (IANA) that more than one encapsulation speaks of.

/** Returned by a link-layer function when the frame carries no IP: it was counted and is done with. */
export const ETHERTYPE_NONE = 0;
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;
/** Smaller values are the length of an 802.3 frame (IEEE 802.3 §3.2.6). */
export const ETHERTYPE_MINIMUM = 0x0600;
