// How a box is found on a network: by multicast DNS (RFC 6762) as a service of this type (RFC 6763), and what its TXT record says.

export const MDNS_ADDRESS = "224.0.0.251";
export const MDNS_PORT = 5353;
export const SERVICE_TYPE = "_sidetone._tcp.local";
/** RFC 6763 §9: which services there are. */
export const ALL_SERVICES = "_services._dns-sd._udp.local";

/** RFC 6763 §6: `key=value`; further keys may come. */
export interface AnnouncedFacts {
  /** The box's name. */
  device: string;
  version: string;
  /** Of the API. */
  path: string;
  /** The first 16 hexadecimal digits of the SHA-256 of its certificate; "none" without TLS. */
  tls: string;
}

/** How a certificate's fingerprint ("AB:CD:…") begins. */
export function fingerprintPrefix(fingerprint: string): string {
  return fingerprint.replaceAll(":", "").slice(0, 16).toLowerCase();
}
