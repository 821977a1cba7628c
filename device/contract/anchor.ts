// What a box states about its chains, to be kept where it cannot reach: the newest manifest and the newest audit entry, signed. By
// their hashes the two name everything before them. Goes to a time stamp authority (`stamps/`) and to a broker (`…/anchor`).
import type { AuditHead } from "./audit.js";

export const ANCHOR_SCHEMA = "sidetone.anchor/1";

/** One line, members in this order. Holds nothing of any call. */
export interface AnchorStatement {
  schema: typeof ANCHOR_SCHEMA;
  /** The box's name. */
  device: string;
  /** Wall clock, ISO 8601 UTC with µs. */
  at: string;
  /** `sha256`: of the newest manifest's file; "" before the first. The chain of manifests counts by hashes, not by numbers. */
  manifests: { sha256: string };
  /** The newest entry. */
  audit: AuditHead;
  /** Ed25519 over the line without this member: "ed25519:<base64>". */
  signature: string;
}
