// A server in this process that answers as a test says, over HTTP or HTTPS with a certificate of its own, and counts what came.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { PROBLEM_MEDIA_TYPE } from "../../../device/contract/api-problems.js";

export interface Certificate {
  key: string;
  cert: string;
  /** Lower-case hex. */
  fingerprint: string;
  /** SHA-256 of the public key, base64. */
  keyPin: string;
}

/** Self-signed, for `localhost` and 127.0.0.1; with `keyOf` another one's key. */
export function makeCertificate(folder: string, name: string, keyOf?: string): Certificate {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const names = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  if (keyOf === undefined) {
    const kind = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key];
    execFileSync("openssl", kind, { stdio: "ignore" });
  } else copyFileSync(join(folder, `${keyOf}.key`), key);
  execFileSync("openssl", ["req", "-x509", "-key", key, "-days", "2", "-out", cert, ...names], { stdio: "ignore" });
  const said = execFileSync("openssl", ["x509", "-in", cert, "-noout", "-fingerprint", "-sha256"], {
    encoding: "utf8",
  });
  const fingerprint = said.trim().split("=")[1]!.replaceAll(":", "").toLowerCase();
  const der = execFileSync("openssl", ["pkey", "-in", key, "-pubout", "-outform", "DER"]);
  const keyPin = createHash("sha256").update(der).digest("base64");
  return { keyPin, key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8"), fingerprint };
}

export type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

export class FakeBox {
  /** "GET /api/v1/info", each as it came. */
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #scheme: string;
  #answers: Answer[] = [];

  constructor(certificate?: Certificate) {
    const take: RequestListener = (request, response) => {
      let body = "";
      request.on("data", (piece: Buffer) => {
        body += piece.toString();
      });
      request.on("end", () => {
        this.requests.push(`${request.method} ${request.url}`);
        const answer = this.#answers.length > 1 ? this.#answers.shift()! : this.#answers[0]!;
        answer(request, response, body);
      });
    };
    this.#scheme = certificate ? "https" : "http";
    this.#server = certificate ? createTlsServer(certificate, take) : createServer(take);
  }

  async start(): Promise<URL> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return new URL(`${this.#scheme}://localhost:${(this.#server.address() as AddressInfo).port}`);
  }

  /** One after the other; the last one for all that follow. */
  answers(...answers: Answer[]): void {
    this.#answers = answers;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
export function json(value: unknown, status = 200): Answer {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
}

export function problem(status: number, code: string, headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    response.writeHead(status, { "content-type": PROBLEM_MEDIA_TYPE, ...headers });
    response.end(JSON.stringify({ type: "about:blank", title: "x", status, code, detail: `detail of ${code}` }));
  };
}
