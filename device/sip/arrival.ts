// Where and when a SIP message was seen on the wire: what the message itself does not say. A copy, safe to keep.
import type { AddressWords } from "../base/address.js";
import type { TimeUs } from "../base/ids.js";

export type SipTransport = "UDP" | "TCP" | "WS";

export interface SipArrival {
  atUs: TimeUs;
  transport: SipTransport;
  /** Addresses of this hop. */
  source: AddressWords;
  sourcePort: number;
  destination: AddressWords;
  destinationPort: number;
  /** Outermost VLAN identifier, -1 when untagged. */
  vlan: number;
  /** "00:11:22:aa:bb:cc" of the frame's sender, "" when unknown. */
  sourceMac: string;
}
