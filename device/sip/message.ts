// What the SIP parser hands to the dialogs: one message, bounded, validated as far as the recorder needs it, as plain
// values. RFC 3261 §7, §20.
import type { SessionDescription } from "./sdp-types.js";

export interface SipAddress {
  /** Display name as text, unquoted; "" when none. */
  name: string;
  /** As written inside <>, without header parameters. */
  uri: string;
  /** User part, percent-decoded; for tel: URIs the number without parameters; "" when none. */
  user: string;
  /** Host as written, lower case, without brackets or port. */
  host: string;
  /** The tag parameter of From and To, "" when none. */
  tag: string;
}

export interface SipMessage {
  kind: "request" | "response";
  /** Request method, or the CSeq's method for a response; upper case as on the wire. */
  method: string;
  /** Request-URI; "" for responses. */
  requestUri: string;
  /** 100–699 for responses, 0 for requests. */
  status: number;
  reason: string;
  callId: string;
  cseq: number;
  from: SipAddress;
  to: SipAddress;
  /** branch of the topmost Via, "" when none (RFC 2543). */
  branch: string;
  /** Number of Via values: tells the hops of one message apart. */
  viaCount: number;
  contact: string;
  /** First P-Asserted-Identity, if any (RFC 3325). */
  assertedIdentity?: SipAddress;
  /** All header fields: lower-case long name → values, in order; commas are not split. No prototype. */
  headers: ReadonlyMap<string, readonly string[]>;
  /** The first application/sdp body, also out of multipart (RFC 5621); undefined when none or not parseable. */
  sdp?: SessionDescription;
  /** A body of message/sipfrag, application/dtmf-relay and the like (body.ts), cut at 4096 characters. */
  bodyText?: string;
  /** Content-Type present but no SDP found or the SDP unreadable: why; else "". */
  bodyFault: string;
}

/** Why a datagram is not a message that can be used; the strings are counter names below "sip.". */
export type SipReject =
  | "too-long"
  | "line-too-long"
  | "too-many-headers"
  | "start-line"
  | "header-malformed"
  | "missing-header"
  | "duplicate-header"
  | "cseq"
  | "status"
  | "truncated"
  | "parser";

export type SipParseResult = { ok: true; message: SipMessage } | { ok: false; reject: SipReject; detail: string };

export interface SipLimits {
  maxMessageBytes: number;
  maxLineBytes: number;
  maxHeaderLines: number;
}
