// One line of JSON that ends in a signature, as manifests, tombstones, audit entries and heads are written (README, "How the
// files vouch for each other"): the text before `,"signature":"ed25519:…"}`, closed with `}`, is what the key has signed.
import { type KeyObject, verify } from "node:crypto";

const PATTERN = /,"signature":"ed25519:([A-Za-z0-9+/]{86}==)"\}$/;
/** The member with its 88 characters of base 64, and the brace. */
const SIGNATURE_BYTES = ',"signature":"ed25519:'.length + 88 + '"}'.length;

export type JsonObject = Readonly<Record<string, unknown>>;

/** The object, if the key has signed exactly these bytes; `line` is without its newline. */
export function readSigned(line: Buffer, key: KeyObject): JsonObject | undefined {
  const match = PATTERN.exec(line.toString("latin1", Math.max(0, line.length - SIGNATURE_BYTES)));
  if (match === null) return undefined;
  const signature = Buffer.from(match[1]!, "base64");
  // The last character of base 64 has bits that count for nothing.
  if (signature.toString("base64") !== match[1]) return undefined;
  const signed = Buffer.concat([line.subarray(0, line.length - SIGNATURE_BYTES), Buffer.from("}")]);
  return verify(null, signed, key, signature) ? parseObject(line) : undefined;
}

/** A file that is one signed line with its newline, and nothing else. */
export function readSignedFile(bytes: Buffer, key: KeyObject): JsonObject | undefined {
  const end = bytes.length - 1;
  return bytes.indexOf(0x0a) === end && end > 0 ? readSigned(bytes.subarray(0, end), key) : undefined;
}

export function parseObject(bytes: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** A member as text, "" when it is none. */
export function text(object: JsonObject | undefined, name: string): string {
  const value = object?.[name];
  return typeof value === "string" ? value : "";
}
