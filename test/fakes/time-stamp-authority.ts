// A time stamp authority: OpenSSL's `openssl ts -reply` behind a small HTTP server on a loopback port, with certificates of its own.
// A test may put another answer in place of the right one.
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const FOLDERS = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"];
const OPENSSL = FOLDERS.map((folder) => join(folder, "openssl")).find((path) => existsSync(path));

/** Why these tests cannot run here, or undefined. */
export function authorityObstacle(): string | undefined {
  return OPENSSL === undefined ? "openssl not installed" : undefined;
}

export function openssl(...args: string[]): string {
  return execFileSync(OPENSSL!, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Whether `openssl ts -verify` takes the response for one of the data. */
export function opensslVerifies(dataFile: string, responseFile: string, caFile: string): boolean {
  try {
    return /Verification: OK/.test(openssl("ts", "-verify", "-data", dataFile, "-in", responseFile, "-CAfile", caFile));
  } catch {
    return false;
  }
}

export interface AuthorityOptions {
  /** Of its key, as `openssl req -newkey` has it. */
  key?: readonly string[];
  /** Its certificate's extended key usage. */
  usage?: string;
  /** An authority in between signs it. */
  hasIntermediate?: boolean;
  /** Hashes that it takes. */
  digests?: string;
  /** Further lines of its section in the configuration. */
  lines?: readonly string[];
}

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body: Buffer;
}
export const REPLY_TYPE = "application/timestamp-reply";

const EC = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

export class TimeStampAuthority {
  readonly caFile: string;
  /** What came, as it came. */
  readonly queries: { contentType: string | undefined; body: Buffer }[] = [];
  /** In place of the right answer; undefined = none at all, and the connection stays. */
  answer: ((query: Buffer) => Promise<Answer | undefined>) | undefined;
  readonly #folder: string;
  readonly #server: Server;
  #count = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.caFile = join(folder, "ca.pem");
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
  }

  /** Makes its certificates; `start` makes it reachable. */
  static make(folder: string, options: AuthorityOptions = {}): TimeStampAuthority {
    mkdirSync(folder, { recursive: true });
    makeCertificates(folder, options);
    const { digests = "sha256, sha512", lines = [] } = options;
    const section = [
      "[tsa]",
      `serial = ${folder}/serial`,
      `signer_cert = ${folder}/own.pem`,
      `certs = ${folder}/chain.pem`,
      `signer_key = ${folder}/own.key`,
      "signer_digest = sha256",
      "default_policy = 1.3.6.1.4.1.99999.1",
      `digests = ${digests}`,
      "accuracy = secs:1",
      "ordering = yes",
      "tsa_name = yes",
      "ess_cert_id_alg = sha256",
      ...lines,
    ];
    writeFileSync(join(folder, "tsa.conf"), `${section.join("\n")}\n`);
    return new TimeStampAuthority(folder);
  }

  static async start(folder: string, options: AuthorityOptions = {}): Promise<TimeStampAuthority> {
    const authority = TimeStampAuthority.make(folder, options);
    await new Promise<void>((resolve) => authority.#server.listen(0, "127.0.0.1", resolve));
    return authority;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/tsa`;
  }

  /** DER of the response to a query. */
  async reply(query: Buffer): Promise<Buffer> {
    const name = join(this.#folder, `query-${++this.#count}`);
    writeFileSync(name, query);
    const config = ["-config", join(this.#folder, "tsa.conf"), "-section", "tsa"];
    const { stdout } = await run(OPENSSL!, ["ts", "-reply", "-queryfile", name, ...config], {
      encoding: "buffer",
    });
    return stdout;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    this.queries.push({ contentType: request.headers["content-type"], body });
    const answer = this.answer === undefined ? { body: await this.reply(body) } : await this.answer(body);
    if (answer === undefined) return;
    response.writeHead(answer.status ?? 200, {
      "content-type": REPLY_TYPE,
      ...("headers" in answer && answer.headers),
    });
    response.end(answer.body);
  }
}

function makeCertificates(folder: string, { key = EC, usage, hasIntermediate = false }: AuthorityOptions): void {
  const file = (name: string): string => join(folder, name);
  const ca = "basicConstraints=critical,CA:TRUE";
  const root = ["-keyout", file("ca.key"), "-out", file("ca.pem"), "-subj", "/CN=root", "-addext", ca];
  openssl("req", "-x509", "-newkey", ...EC, "-nodes", ...root, "-days", "2");
  const issue = (name: string, by: string, keyOf: readonly string[], extension: string): void => {
    writeFileSync(file(`${name}.ext`), `${extension}\n`);
    const request = ["-keyout", file(`${name}.key`), "-out", file(`${name}.csr`), "-subj", `/CN=${name}`];
    openssl("req", "-newkey", ...keyOf, "-nodes", ...request);
    const signer = ["-CA", file(`${by}.pem`), "-CAkey", file(`${by}.key`), "-CAcreateserial", "-days", "2"];
    const output = ["-extfile", file(`${name}.ext`), "-out", file(`${name}.pem`)];
    openssl("x509", "-req", "-in", file(`${name}.csr`), ...signer, ...output);
  };
  if (hasIntermediate) issue("between", "ca", EC, ca);
  const issuer = hasIntermediate ? "between" : "ca";
  issue("own", issuer, key, `extendedKeyUsage=${usage ?? "critical,timeStamping"}`);
  writeFileSync(file("chain.pem"), openssl("x509", "-in", file(`${issuer}.pem`)));
}
