// Asks a time stamp authority over HTTP (RFC 3161 §3.4) and takes no answer but a stamp of exactly what was sent: granted, with its
// nonce, small, in time, and signed by a trusted authority where one is configured. Whatever else comes is a fault in words, never
// an exception. Follows no redirects.
import { randomBytes, type X509Certificate } from "node:crypto";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { rootCertificates } from "node:tls";
import {
  isStampOf,
  isTimeStamp,
  nonceContent,
  readTimeStamp,
  type TimeStamp,
  type TimeStampFault,
  type TimeStampHash,
  timeStampRequest,
} from "./contract/time-stamp.js";
import { faultOfSignature } from "./contract/time-stamp-signature.js";

const QUERY_TYPE = "application/timestamp-query";
const REPLY_TYPE = "application/timestamp-reply";
/** Real ones have some five kilobytes. */
export const MAX_RESPONSE_BYTES = 64 * 1024;
const NONCE_BYTES = 8;

export interface AuthoritySettings {
  url: string;
  hash: TimeStampHash;
  /** Who vouches for it; empty = anybody. */
  trusted: readonly X509Certificate[];
  timeoutMs: number;
}

export interface ReceivedStamp {
  stamp: TimeStamp;
  /** As it came, to be kept. */
  response: Buffer;
}

/** A stamp of the data. Never rejects. `signal` gives it up. */
export async function requestTimeStamp(
  settings: AuthoritySettings,
  data: Uint8Array,
  signal: AbortSignal,
): Promise<ReceivedStamp | TimeStampFault> {
  const { hash, trusted, timeoutMs } = settings;
  const nonce = randomBytes(NONCE_BYTES);
  const late = AbortSignal.timeout(timeoutMs);
  let response: Buffer;
  try {
    response = await post(settings, timeStampRequest(data, hash, nonce), AbortSignal.any([late, signal]));
  } catch (error) {
    if (late.aborted) return { fault: `no answer within ${timeoutMs} ms` };
    return { fault: signal.aborted ? "given up" : messageOf(error) };
  }
  const stamp = readTimeStamp(response);
  if (!isTimeStamp(stamp)) return stamp;
  if (stamp.nonce === undefined || !stamp.nonce.equals(nonceContent(nonce)))
    return { fault: "the answer is one to another request" };
  if (stamp.hash !== hash || !isStampOf(stamp, data)) return { fault: "the answer is a stamp of something else" };
  const fault = trusted.length === 0 ? undefined : faultOfSignature(stamp, trusted);
  return fault === undefined ? { stamp, response } : { fault: `the time stamp cannot be trusted: ${fault}` };
}

/** Rejects with what is wrong with the connection or the answer. */
function post({ url, trusted }: AuthoritySettings, query: Buffer, signal: AbortSignal): Promise<Buffer> {
  const isTls = url.startsWith("https:");
  const headers = { "content-type": QUERY_TYPE, "content-length": query.length, accept: REPLY_TYPE };
  const options = { method: "POST", headers, agent: false, signal } as const;
  const authorities = [...rootCertificates, ...trusted.map(String)];
  return new Promise((resolve, reject) => {
    const request = isTls ? httpsRequest(url, { ...options, ca: authorities }) : httpRequest(url, options);
    request.on("error", reject);
    request.on("response", (response) => {
      readBody(response).then(resolve, (error: unknown) => {
        reject(error);
        request.destroy();
      });
    });
    request.end(query);
  });
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  if (response.statusCode !== 200) throw new Error(`HTTP ${response.statusCode}`);
  const type = (response.headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
  if (type !== REPLY_TYPE) throw new Error(`the answer is no ${REPLY_TYPE}`);
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MAX_RESPONSE_BYTES) throw new Error(`the answer is longer than ${MAX_RESPONSE_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** A connection that several addresses refuse has no message of its own. */
function messageOf(error: unknown): string {
  const { message, code, errors } = error as Error & { code?: string; errors?: Error[] };
  return message || errors?.[0]?.message || code || String(error);
}
