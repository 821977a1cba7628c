// One line of JSON with its signature as the last member, as the audit chain writes them: signed is the line without that
// member (Ed25519, RFC 8032), hashed is the line with it. Checks bytes as they stand, so that only one way of writing a line
// counts. Reads and writes no files.
import { type KeyObject, sign, verify } from "node:crypto";

const MEMBER = ',"signature":"ed25519:';
const END = '"}';
/** 64 bytes in base 64 (RFC 4648 §4). */
const SIGNATURE_CHARACTERS = 88;
const SUFFIX_BYTES = MEMBER.length + SIGNATURE_CHARACTERS + END.length;

/** The line, without a newline. `body` becomes JSON with at least one member, none of which is called `signature`. */
export function signLine(body: object, privateKey: KeyObject): Buffer {
  const text = JSON.stringify(body);
  const signature = sign(null, Buffer.from(text, "utf8"), privateKey).toString("base64");
  return Buffer.from(`${text.slice(0, -1)}${MEMBER}${signature}${END}`, "utf8");
}

/** Whether these are exactly the bytes that the holder of the key signed. */
export function isSignedLine(line: Buffer, publicKey: KeyObject): boolean {
  const suffixAt = line.length - SUFFIX_BYTES;
  if (suffixAt <= 0) return false;
  const suffix = line.toString("latin1", suffixAt);
  if (!suffix.startsWith(MEMBER) || !suffix.endsWith(END)) return false;
  const text = suffix.slice(MEMBER.length, -END.length);
  const signature = Buffer.from(text, "base64");
  // Base 64 can be written in several ways.
  if (signature.toString("base64") !== text) return false;
  return verify(null, Buffer.concat([line.subarray(0, suffixAt), BRACE]), publicKey, signature);
}

/** A line's content without any check of its signature, or undefined when it is no JSON object. */
export function parseLine(line: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line.toString("utf8"));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const BRACE = Buffer.from("}");
