// The certificate that the API shows: the configured one, or beyond this box one that the box has made itself. A configured one that
// changes on the disk is taken over while the server runs; a bad one is said, and the one before stays. Opens no socket.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { type CertificateFacts, certificateFacts } from "../base/certificate-facts.js";
import type { Clock } from "../base/clock.js";
import { SidetoneError } from "../base/errors.js";
import type { Config } from "../contract/config.js";
import { endsInDays, isEnding, type OwnCertificate } from "../store/own-certificate.js";

/** A certificate that ends in so many days is said to. */
const WARNED_BEFORE_DAYS = 21;
const LOOK_MS = 10_000;
const SAID_AFTER_FAILURES = 2;

export interface TlsMaterial {
  cert: string;
  key: string;
}

export interface TlsFacts extends CertificateFacts {
  /** The box has made it itself. */
  isSelfSigned: boolean;
}

export interface ServerTlsOptions {
  config: Config["api"];
  clock: Clock;
  /** Opens the box's own certificate, or makes it. Throws SidetoneError. */
  own(): OwnCertificate;
  /** One line, "" when all is well again. */
  setFault(text: string): void;
  /** Another certificate is shown now. */
  taken(facts: TlsFacts, why: string): void;
}

export class ServerTls {
  private readonly options: ServerTlsOptions;
  private material: TlsMaterial;
  private certificate: X509Certificate;
  private stamp: string;
  private fault = "";
  /** Looks in a row at what cannot be used. */
  private failures = 0;
  private timer: NodeJS.Timeout | undefined;

  /** Throws SidetoneError `config-invalid` when the configured files cannot be used, else what `own` throws. */
  constructor(options: ServerTlsOptions) {
    this.options = options;
    this.stamp = this.stampNow();
    const { material, certificate, why } = this.read();
    this.material = material;
    this.certificate = certificate;
    options.taken(this.facts, why);
    this.lookAtEnd();
  }

  get current(): TlsMaterial {
    return this.material;
  }

  get facts(): TlsFacts {
    return { ...certificateFacts(this.certificate), isSelfSigned: this.isOwn };
  }

  /** `apply` gives new connections the certificate. */
  watch(apply: (material: TlsMaterial) => void, everyMs = LOOK_MS): void {
    this.timer = setInterval(() => this.look(apply), everyMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private get isOwn(): boolean {
    return this.options.config.certFile === "";
  }

  private look(apply: (material: TlsMaterial) => void): void {
    const stamp = this.stampNow();
    const isDue = this.isOwn ? isEnding(this.certificate, this.options.clock) : stamp !== this.stamp;
    try {
      if (isDue) this.change(apply);
      this.stamp = stamp;
      this.failures = 0;
      this.lookAtEnd();
    } catch (error) {
      // The first time only one of the two files may have been written yet.
      if (++this.failures < SAID_AFTER_FAILURES) return;
      this.setFault(error instanceof Error ? error.message : String(error));
    }
  }

  private change(apply: (material: TlsMaterial) => void): void {
    const { material, certificate, why } = this.read();
    apply(material);
    const isOther = certificate.fingerprint256 !== this.certificate.fingerprint256;
    this.material = material;
    this.certificate = certificate;
    if (isOther) this.options.taken(this.facts, why);
  }

  private read(): { material: TlsMaterial; certificate: X509Certificate; why: string } {
    if (this.isOwn) {
      const { cert, key, certificate, made } = this.options.own();
      return { material: { cert, key }, certificate, why: made === undefined ? "" : `made anew: ${made}` };
    }
    const { config } = this.options;
    const material = readConfigured(config);
    return { material, certificate: new X509Certificate(material.cert), why: "api.certFile" };
  }

  private lookAtEnd(): void {
    const days = endsInDays(this.certificate, this.options.clock);
    const { certFile } = this.options.config;
    const { validTo } = this.facts;
    // Its own is made anew in time.
    if (this.isOwn || days > WARNED_BEFORE_DAYS) this.setFault("");
    else if (days <= 0) this.setFault(`api.certFile: ${certFile} has ended on ${validTo}`);
    else this.setFault(`api.certFile: ${certFile} ends on ${validTo}`);
  }

  private setFault(text: string): void {
    if (text === this.fault) return;
    this.fault = text;
    this.options.setFault(text);
  }

  private stampNow(): string {
    const { certFile, keyFile } = this.options.config;
    if (certFile === "") return "";
    return [certFile, keyFile].map(stampOf).join(" ");
  }
}

/** Throws SidetoneError `config-invalid` when they do not make a server. */
export function readConfigured(config: Pick<Config["api"], "certFile" | "keyFile">): TlsMaterial {
  const cert = readPem("certFile", config.certFile);
  const key = readPem("keyFile", config.keyFile);
  try {
    createSecureContext({ cert, key });
    // OpenSSL compares them where it can; of some keys it finds out at the first handshake.
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error("the key is another's");
    return { cert, key };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SidetoneError(
      "config-invalid",
      `api.certFile ${config.certFile} and api.keyFile ${config.keyFile} do not make a TLS server: ${reason}`,
      { cause },
    );
  }
}

function stampOf(path: string): string {
  try {
    const { ino, mtimeNs, size } = statSync(path, { bigint: true });
    return `${ino} ${mtimeNs} ${size}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "";
  }
}

function readPem(setting: "certFile" | "keyFile", path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new SidetoneError("config-invalid", `api.${setting}: ${path} cannot be read (${code})`, { cause });
  }
}
