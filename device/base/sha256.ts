// SHA-256 as it stands in manifests, in the audit chain and beside files: lower-case hexadecimal.
import { hash } from "node:crypto";

/** Of bytes, or of a text's UTF-8. */
export function sha256Of(data: string | Uint8Array): string {
  return hash("sha256", data, "hex");
}
