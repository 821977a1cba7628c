// What a session description says that a recorder needs (RFC 8866), as plain values.
import type { AddressWords } from "../base/address.js";
import type { CodecMapping } from "../contract/call-record.js";

/** What the side wishes of a recorder (RFC 7866 §6.2) and what a recorder says that it does (§6.3). */
export type RecordPreference = "on" | "off" | "pause" | "nopreference";
export type RecordState = "on" | "off" | "paused";

export type MediaDirection = "sendrecv" | "sendonly" | "recvonly" | "inactive";

export interface MediaDescription {
  /** "audio", "video", "image", "application", … */
  kind: string;
  /** 0 = rejected or disabled. */
  port: number;
  /** "RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVPF", … upper case. */
  protocol: string;
  /** c= of the media or of the session; undefined when it is no literal address (a host name). */
  address?: AddressWords;
  addressText: string;
  /** Every payload type of the m= line with rtpmap or RFC 3551's static meaning. */
  codecs: CodecMapping[];
  direction: MediaDirection;
  ptimeMs?: number;
  /** RFC 3605 a=rtcp port, else port + 1; equal to port with rtcp-mux. */
  rtcpPort: number;
  rtcpMux: boolean;
  /** SAVP, a=crypto or a=fingerprint: media cannot be read without keys. */
  encrypted: boolean;
  /** a=recordpref of the media or of the session. */
  recordPreference?: RecordPreference;
  /** a=record of the media or of the session. */
  recordState?: RecordState;
  /** ICE candidate transport addresses (RFC 8839), bounded. */
  candidates: { address: AddressWords; port: number }[];
}

export interface SessionDescription {
  /** o= without the version: user, session id and place, which name the session (RFC 8866 §5.2). */
  originId: string;
  /** o= version: tells a repeated description from a new one. */
  originVersion: string;
  /** o= user name, "-" where there is none, "" without an o= line. */
  originUser: string;
  /** o= address as written, lower case: of the host that made the description, not of its media. */
  originAddress: string;
  media: MediaDescription[];
}
