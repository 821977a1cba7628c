// Header field names: the compact forms and the one spelling used as a key. RFC 3261 §7.3.3 and the extensions' RFCs.
// Names from the wire are only ever keys of a Map, never of an object.

const COMPACT_FORMS: ReadonlyMap<string, string> = new Map([
  ["a", "accept-contact"], // RFC 3841
  ["b", "referred-by"], // RFC 3892
  ["c", "content-type"],
  ["d", "request-disposition"], // RFC 3841
  ["e", "content-encoding"],
  ["f", "from"],
  ["i", "call-id"],
  ["j", "reject-contact"], // RFC 3841
  ["k", "supported"],
  ["l", "content-length"],
  ["m", "contact"],
  ["o", "event"], // RFC 6665
  ["r", "refer-to"], // RFC 3515
  ["s", "subject"],
  ["t", "to"],
  ["u", "allow-events"], // RFC 6665
  ["v", "via"],
  ["x", "session-expires"], // RFC 4028
  ["y", "identity"], // RFC 8224
]);

/** Lower-case long form of a header field name. */
export function longHeaderName(name: string): string {
  const lower = name.toLowerCase();
  return COMPACT_FORMS.get(lower) ?? lower;
}
