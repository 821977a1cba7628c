// Link-layer type numbers as a Frame carries them: LINKTYPE_ values (https://www.tcpdump.org/linktypes.html).
// Owns the few places where libpcap's DLT_ numbers, or old files, differ from them. Never looks into a frame.

export const LINK_TYPE_NULL = 0;
export const LINK_TYPE_ETHERNET = 1;
export const LINK_TYPE_RAW = 101;
export const LINK_TYPE_LINUX_COOKED = 113;

/** DLT_RAW is 12, and 14 on OpenBSD; files written from those numbers exist. */
const DLT_RAW = 12;
const DLT_RAW_OPENBSD = 14;

/** The LINKTYPE_ value for a DLT_ value or for a link type found in a file. */
export function normalLinkType(value: number): number {
  return value === DLT_RAW || value === DLT_RAW_OPENBSD ? LINK_TYPE_RAW : value;
}
