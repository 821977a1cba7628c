// Which box a command speaks to and how it is trusted: flags, then the environment, then what login has stored.
import { readFileSync } from "node:fs";
import { HOST_ENVIRONMENT } from "../device/contract/host-environment.js";
import { bareHost, parsePin, type Trust } from "./certificates.js";
import { BoxClient } from "./client.js";
import type { Given, Host } from "./command.js";
import { causeOf, HostError, usageError } from "./errors.js";
import { BoxStore, type StoredBox } from "./profiles.js";
import { safeText } from "./safe-text.js";

const DEFAULT_PORT = 8385;
const MAX_TOKEN_CHARACTERS = 4096;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

/** A box that a command speaks to. */
export interface Connection {
  /** By which login has stored it; "" for one that was named by flags. */
  name: string;
  client: BoxClient;
  /** PEM of the key that signs its recordings, as it was at login; "" when it is not known. */
  publicKey: string;
}

/** Throws HostError `no-box`, `usage`, `file-unreadable`. Nothing is sent yet. */
export function connect(given: Given, host: Host): Connection {
  const { name, box } = chooseBox(given, host);
  const trust = trustOf(given, host) ?? box.trust;
  const url = new URL(box.url);
  if (url.protocol === "http:") refuseOpenPlain(url, given);
  const token = tokenOf(given, host) ?? box.token;
  if (token === "") throw new HostError("unauthorised", `no token: --token-file, or ${HOST_ENVIRONMENT.token}`);
  const isPlain = url.protocol === "http:";
  return {
    name,
    client: new BoxClient({ url, token, trust: isPlain ? { kind: "plain" } : trust }),
    publicKey: box.publicKey,
  };
}

/** Does something with a connection, and closes it whatever comes. */
export async function withBox<Result>(
  given: Given,
  host: Host,
  use: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const connection = connect(given, host);
  try {
    return await use(connection);
  } finally {
    connection.client.close();
  }
}

/** "box.example" is https there, at the API's own port. Throws HostError usage. */
export function readBoxUrl(text: string): URL {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const address = /^[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) ? `[${text}]` : text;
  try {
    const url = new URL(hasScheme ? text : `https://${address}`);
    if (!["http:", "https:"].includes(url.protocol) || url.hostname === "") throw new TypeError("no box");
    if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
      throw new TypeError("no box");
    if (!hasScheme && !/:\d+\/*$/.test(address)) url.port = String(DEFAULT_PORT);
    return url;
  } catch {
    throw usageError(
      `${safeText(text, 200)}: a box is given as https://box.example:${DEFAULT_PORT}, or its name or address alone`,
    );
  }
}

/** By flags or environment; undefined when they say nothing. */
export function trustOf(given: Given, { environment }: Host): Trust | undefined {
  const fingerprint =
    given.text("fingerprint") ?? (given.text("ca") ? undefined : environment[HOST_ENVIRONMENT.fingerprint]);
  const authority = given.text("ca") ?? (fingerprint ? undefined : environment[HOST_ENVIRONMENT.ca]);
  if (given.text("fingerprint") && given.text("ca"))
    throw usageError("--fingerprint and --ca contradict each other: give one of them");
  if (fingerprint) return { kind: "pinned", ...parsePin(fingerprint) };
  if (authority) return { kind: "signed", authorities: readPem(authority) };
  return undefined;
}

/** By flag or environment; "-" is stdin. Undefined when they say nothing. */
export function tokenOf(given: Given, { environment }: Host): string | undefined {
  const path = given.text("token-file");
  if (path === undefined && !environment[HOST_ENVIRONMENT.token]) return undefined;
  const text = path === undefined ? environment[HOST_ENVIRONMENT.token]! : readText(path === "-" ? 0 : path, path);
  const token = text.trim();
  // A header can hold nothing else (RFC 6750 §2.1).
  if (/^[\x21-\x7e]+$/.test(token) && token.length <= MAX_TOKEN_CHARACTERS) return token;
  const where = path === undefined ? HOST_ENVIRONMENT.token : safeText(path);
  throw usageError(`${where} does not hold a token: one line, as sidetoned token create showed it`);
}

/** Of this computer only. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** Without TLS a token goes in clear: within this computer, or where that is meant. */
export function refuseOpenPlain(url: URL, given: Given): void {
  if (isLoopback(bareHost(url)) || given.has("plain")) return;
  throw new HostError(
    "untrusted",
    `${url.host} without TLS would let the token and numbers be read on the way: use https://, or --plain if that is meant`,
  );
}

function chooseBox(given: Given, host: Host): { name: string; box: StoredBox } {
  const named = given.text("box");
  const flagUrl = given.text("url");
  if (named !== undefined && flagUrl !== undefined)
    throw usageError("--box and --url contradict each other: give one of them");
  const { environment } = host;
  const url = flagUrl ?? (named === undefined ? environment[HOST_ENVIRONMENT.url] : undefined);
  if (url)
    return {
      name: "",
      box: { url: readBoxUrl(url).href, token: "", trust: { kind: "signed" }, device: "", publicKey: "" },
    };
  return storedBox(named ?? environment[HOST_ENVIRONMENT.box], new BoxStore(host));
}

function storedBox(named: string | undefined, store: BoxStore): { name: string; box: StoredBox } {
  const { boxes, current } = store.read();
  const names = Object.keys(boxes);
  const name = named || current || (names.length === 1 ? names[0]! : "");
  const box = Object.hasOwn(boxes, name) ? boxes[name] : undefined;
  if (box) return { name, box };
  if (named)
    throw new HostError(
      "no-box",
      `there is no box ${safeText(named, 100)}: sidetone boxes lists those that login has stored`,
    );
  const what =
    names.length === 0 ? "no box is known: sidetone login URL" : `which box? --box ${names.join(", --box ")}`;
  throw new HostError("no-box", what);
}

/** Throws HostError file-unreadable, usage. */
export function readPem(path: string): string {
  const pem = readText(path, path);
  if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  throw usageError(`${safeText(path)} holds no certificate (PEM)`);
}

function readText(file: string | number, path: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new HostError("file-unreadable", `cannot read ${safeText(path)} (${causeOf(cause)})`, { cause });
  }
}
