// The RTP fixed header read in place, and RTP told apart from RTCP, STUN and DTLS on one port.
// RFC 3550 §5.1, RFC 5761 §4, RFC 7983 §7. Owns no state; one view object is reused for every packet.
//
//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
// |                           timestamp                           |
// |           synchronization source (SSRC) identifier            |

export const RTP_HEADER_BYTES = 12;
const RTP_VERSION_BITS = 0x80;

/** What the first bytes of a UDP payload say it is. */
export const MediaKind = { other: 0, rtp: 1, rtcp: 2, stun: 3, dtls: 4 } as const;
export type MediaKind = (typeof MediaKind)[keyof typeof MediaKind];

/** Fields of one packet; `payloadStart..payloadEnd` are offsets into the same buffer. Reused. */
export interface RtpView {
  payloadType: number;
  marker: boolean;
  /** 0..65535 */
  sequence: number;
  /** 0..2^32-1, RTP ticks */
  timestamp: number;
  /** 0..2^32-1 */
  ssrc: number;
  payloadStart: number;
  payloadEnd: number;
}

export function makeRtpView(): RtpView {
  return { payloadType: 0, marker: false, sequence: 0, timestamp: 0, ssrc: 0, payloadStart: 0, payloadEnd: 0 };
}

/**
 * Classifies a UDP payload by its first two bytes (RFC 7983 §7). RTCP is told by packet types 192–195 and 200–213 with
 * a length that fits (RFC 5761 §4): RTP payload types 64–67 and 72–85 with the marker bit set would collide and are
 * reserved for that reason.
 */
export function classifyMedia(data: Buffer, start: number, end: number): MediaKind {
  if (end - start < 8) return MediaKind.other;
  const first = data[start]!;
  if ((first & 0xc0) === RTP_VERSION_BITS) {
    const second = data[start + 1]!;
    if ((second >= 200 && second <= 213) || (second >= 192 && second <= 195)) {
      const words = (data[start + 2]! << 8) | data[start + 3]!;
      if ((words + 1) * 4 <= end - start) return MediaKind.rtcp;
    }
    return end - start >= RTP_HEADER_BYTES ? MediaKind.rtp : MediaKind.other;
  }
  if (first < 4) return MediaKind.stun;
  if (first >= 20 && first <= 63) return MediaKind.dtls;
  return MediaKind.other;
}

/** Fills `view`; false when CSRC list, extension or padding do not fit the packet (RFC 3550 §5.1, §5.3.1). */
export function readRtp(data: Buffer, start: number, end: number, view: RtpView): boolean {
  if (end - start < RTP_HEADER_BYTES) return false;
  const first = data[start]!;
  const second = data[start + 1]!;
  let payloadStart = start + RTP_HEADER_BYTES + (first & 0x0f) * 4;
  if ((first & 0x10) !== 0) {
    if (payloadStart + 4 > end) return false;
    payloadStart += 4 + ((data[payloadStart + 2]! << 8) | data[payloadStart + 3]!) * 4;
  }
  let payloadEnd = end;
  if ((first & 0x20) !== 0) payloadEnd -= data[end - 1]!;
  if (payloadStart > payloadEnd) return false;
  view.payloadType = second & 0x7f;
  view.marker = (second & 0x80) !== 0;
  view.sequence = (data[start + 2]! << 8) | data[start + 3]!;
  view.timestamp =
    ((data[start + 4]! << 24) | (data[start + 5]! << 16) | (data[start + 6]! << 8) | data[start + 7]!) >>> 0;
  view.ssrc =
    ((data[start + 8]! << 24) | (data[start + 9]! << 16) | (data[start + 10]! << 8) | data[start + 11]!) >>> 0;
  view.payloadStart = payloadStart;
  view.payloadEnd = payloadEnd;
  return true;
}
