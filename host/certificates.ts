// Which certificate a box must show: by its SHA-256 or its key's, as a self-signed one is trusted, or by who signed it. A
// connection of an agent from here carries nothing before its certificate was looked at.
import { createHash, X509Certificate } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { type AgentOptions, Agent as HttpsAgent, type RequestOptions } from "node:https";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import { causeOf, HostError, usageError } from "./errors.js";
import { safeText } from "./safe-text.js";

export type Trust =
  /** No TLS. */
  | { kind: "plain" }
  /** Of this very certificate, or of any with this key; its names and dates do not count. */
  | ({ kind: "pinned" } & Partial<CertificatePins>)
  /** Signed by one of these (PEM), or by those that the system trusts, for this host's name. */
  | { kind: "signed"; authorities?: string };

/** What a certificate is known by. */
export interface CertificatePins {
  /** SHA-256 of the certificate, lower-case hex. */
  fingerprint: string;
  /** SHA-256 of its public key (SubjectPublicKeyInfo), base64: a box that makes itself a new certificate keeps its key. */
  keyPin: string;
}

const CONNECT_LIMIT_MS = 10_000;
const KEEP_ALIVE_MS = 4000;
/** At once; further requests wait. */
const MAX_SOCKETS = 16;

/** With an error there is no stream. */
type Connected = (error: Error | null, stream: Duplex) => void;

export function agentFor(trust: Trust): HttpAgent | HttpsAgent {
  const options: AgentOptions = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, maxSockets: MAX_SOCKETS };
  if (trust.kind === "plain") return new HttpAgent(options);
  if (trust.kind === "pinned") return new PinningAgent(options, trust);
  return new HttpsAgent({
    ...options,
    minVersion: "TLSv1.2",
    ...(trust.authorities !== undefined && { ca: trust.authorities }),
  });
}

/** "sha256//…" is of the key, as curl and sidetoned certificate write it; else of the certificate. Throws HostError usage. */
export function parsePin(text: string): Partial<CertificatePins> {
  const key = /^sha256\/\/([A-Za-z0-9+/]{43}=)$/.exec(text.trim())?.[1];
  return key === undefined ? { fingerprint: parseFingerprint(text) } : { keyPin: key };
}

/** "SHA256:AB:CD:…", "ab cd …", 64 digits: as 64 lower-case ones. Throws HostError usage. */
export function parseFingerprint(text: string): string {
  const digits = text.replace(/^sha-?256[:=]/i, "").replace(/[:\s]/g, "");
  if (/^[0-9a-f]{64}$/i.test(digits)) return digits.toLowerCase();
  throw usageError(
    `${safeText(text, 100)}: a fingerprint is the SHA-256 of a certificate, 64 hexadecimal digits, or sha256//… of its key`,
  );
}

/** "AB:CD:…", as openssl shows it. */
export function shownFingerprint(fingerprint: string): string {
  return fingerprint.toUpperCase().match(/../g)!.join(":");
}

/** True for the certificate that was pinned, or one with the key that was. */
export function fitsPin(found: CertificatePins, { fingerprint, keyPin }: Partial<CertificatePins>): boolean {
  return found.fingerprint === fingerprint || found.keyPin === keyPin;
}

/** Of the certificate at this place, whoever signed it. Throws HostError network. */
export async function fetchPins(url: URL): Promise<CertificatePins> {
  const socket = await connectUnverified({
    host: bareHost(url),
    port: portOf(url),
    servername: isIP(bareHost(url)) === 0 ? url.hostname : "",
  });
  const pins = pinsOf(socket);
  socket.destroy();
  if (pins === undefined) throw new HostError("network", `${url.host} shows no certificate`);
  return pins;
}

/** Why TLS or the connection failed. `where` is the box's address. */
export function connectionError(error: unknown, where: string): HostError {
  if (error instanceof HostError) return error;
  const code = causeOf(error);
  if (isCertificateFault(code))
    return new HostError(
      "untrusted",
      `the certificate of ${where} is not trusted (${code}): sidetone login looks at it once and pins it, --ca names its authority`,
      { cause: error },
    );
  const what = WORDS[code] ?? (/SSL|EPROTO/.test(code) ? "does not speak TLS there; is it http://?" : `is not reached`);
  return new HostError("network", `${where} ${what} (${code})`, { cause: error });
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refuses the connection: is the service running, and does it listen there (api.host, api.port)?",
  ENOTFOUND: "is no known name",
  EAI_AGAIN: "is no known name at the moment",
  ETIMEDOUT: "does not answer",
  ECONNRESET: "cut the connection",
};

/** OpenSSL's verdicts, as Node passes them on, and the check of the name. */
function isCertificateFault(code: string): boolean {
  return (
    /^ERR_TLS_CERT|^CERT_|_CERT|_SIGNATURE$|^HOSTNAME_MISMATCH$/.test(code) ||
    /certificate|unable to verify|self.signed/i.test(code)
  );
}

class PinningAgent extends HttpsAgent {
  readonly #pins: Partial<CertificatePins>;

  constructor(options: AgentOptions, pins: Partial<CertificatePins>) {
    // A resumed session would show no certificate of its own.
    super({ ...options, maxCachedSessions: 0 });
    this.#pins = pins;
  }

  /** Node's agents take the socket when it is handed over, and write to it then. */
  override createConnection(options: RequestOptions & ConnectionOptions, callback?: Connected): undefined {
    const connected = callback as (error: Error | null, stream?: Duplex) => void;
    connectUnverified(options).then(
      (socket) => {
        const found = pinsOf(socket);
        if (found && fitsPin(found, this.#pins)) {
          connected(null, socket);
          return;
        }
        socket.destroy();
        const shown = found === undefined ? "none" : shownFingerprint(found.fingerprint);
        connected(
          new HostError(
            "untrusted",
            `${options.host} shows another certificate (SHA-256 ${shown}) than the one that is trusted: if the box got a new one, sidetone login again`,
          ),
        );
      },
      (error: unknown) => connected(error instanceof Error ? error : new Error(String(error))),
    );
    return undefined;
  }
}

/** Nothing is written before the caller has looked at the certificate. */
function connectUnverified({ host, port, servername }: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port }),
      // An address is no server name (RFC 6066 §3).
      ...(servername && { servername }),
      rejectUnauthorized: false,
      minVersion: "TLSv1.2",
    });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(connectionError(error, `${host}:${port}`));
    };
    const timer = setTimeout(
      () => fail(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })),
      CONNECT_LIMIT_MS,
    );
    socket.once("error", fail);
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      socket.removeListener("error", fail);
      resolve(socket);
    });
  });
}

function pinsOf(socket: TLSSocket): CertificatePins | undefined {
  const { raw } = socket.getPeerCertificate();
  if (raw === undefined) return undefined;
  const key = new X509Certificate(raw).publicKey.export({ format: "der", type: "spki" });
  return {
    fingerprint: createHash("sha256").update(raw).digest("hex"),
    keyPin: createHash("sha256").update(key).digest("base64"),
  };
}

export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function portOf(url: URL): number {
  return url.port === "" ? 443 : Number(url.port);
}
