// What can be wrong between the box and its broker, in words that say what to do, and the log of it: once per change of
// reason, not once per attempt. Never repeats a text that came from the broker.
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";

export interface Trouble {
  /** Stable and from a finite set: "ECONNREFUSED", "connack-134". */
  reason: string;
  /** `error`: somebody has to do something; `warn`: it may pass. */
  level: "warn" | "error";
  message: string;
}

/** A reason that comes again sooner (a broker that comes and goes) is not said again. */
const REPEAT_AFTER_MS = 600_000;

const error = (message: string): Omit<Trouble, "reason"> => ({ level: "error", message });
const warn = (message: string): Omit<Trouble, "reason"> => ({ level: "warn", message });

const UNTRUSTED = error(
  "the broker's certificate is not signed by an authority this box trusts: put that authority's certificate into mqtt.caFile",
);
const CLIENT_CERTIFICATE = error(
  "the broker wants a certificate of this box, or refuses the one it has: check mqtt.certFile and mqtt.keyFile",
);
const BAD_CREDENTIALS = error(
  "the broker refuses user name or password: check mqtt.username and mqtt.password, and the user at the broker",
);
const NOT_AUTHORISED = error(
  "the broker does not let this box in: check mqtt.username, mqtt.password and mqtt.clientId, and the broker's access rules",
);
const BAD_CLIENT_ID = error("the broker refuses the client id: set another mqtt.clientId");
const OTHER_VERSION = error("the broker does not speak this version of MQTT: set mqtt.version to 4");
const OVERLOADED = warn("the broker is there but takes no connections now");
const NO_ROUTE = warn(
  "the broker's address cannot be reached: check the host in mqtt.url, the network and its firewall",
);

/** By the code of Node's or OpenSSL's error. */
const BY_ERROR_CODE: Readonly<Record<string, Omit<Trouble, "reason">>> = {
  ECONNREFUSED: warn(
    "nothing listens at the broker's address: is the broker running, and is the port in mqtt.url right?",
  ),
  ENOTFOUND: error("the broker's name is not known: check the host in mqtt.url and this box's name server"),
  EAI_AGAIN: warn("the broker's name could not be looked up: this box's name server does not answer"),
  ETIMEDOUT: NO_ROUTE,
  EHOSTUNREACH: NO_ROUTE,
  ENETUNREACH: NO_ROUTE,
  ECONNRESET: warn(
    "the broker ended the connection: does it expect TLS (mqtts://) on this port, or a client certificate?",
  ),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  CERT_UNTRUSTED: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  CERT_HAS_EXPIRED: error("the broker's certificate has expired: renew it, or check this box's clock"),
  CERT_NOT_YET_VALID: error("the broker's certificate is not valid yet: check this box's clock"),
  CERT_REVOKED: error("the broker's certificate has been revoked: give the broker a new one"),
  ERR_TLS_CERT_ALTNAME_INVALID: error(
    "the broker's certificate is for another name: write a name that it holds into mqtt.url",
  ),
  ERR_SSL_WRONG_VERSION_NUMBER: error(
    "no TLS is spoken at that port: correct the port in mqtt.url, or begin it with mqtt://",
  ),
  ERR_SSL_PACKET_LENGTH_TOO_LONG: error(
    "no TLS is spoken at that port: correct the port in mqtt.url, or begin it with mqtt://",
  ),
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: error("the broker does not speak TLS 1.2 or newer: configure it to"),
  ERR_SSL_UNSUPPORTED_PROTOCOL: error("the broker does not speak TLS 1.2 or newer: configure it to"),
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: CLIENT_CERTIFICATE,
  ERR_SSL_SSL_ALERT_HANDSHAKE_FAILURE: CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: CLIENT_CERTIFICATE,
  ERR_SSL_SSL_ALERT_BAD_CERTIFICATE: CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: CLIENT_CERTIFICATE,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: CLIENT_CERTIFICATE,
};

/** By the reason in CONNACK: MQTT 3.1.1 §3.2.2.3, MQTT 5 §3.2.2.2. */
const BY_CONNACK: Readonly<Record<number, Omit<Trouble, "reason">>> = {
  1: OTHER_VERSION,
  132: OTHER_VERSION,
  2: BAD_CLIENT_ID,
  133: BAD_CLIENT_ID,
  4: BAD_CREDENTIALS,
  134: BAD_CREDENTIALS,
  140: BAD_CREDENTIALS,
  5: NOT_AUTHORISED,
  135: NOT_AUTHORISED,
  138: NOT_AUTHORISED,
  3: OVERLOADED,
  136: OVERLOADED,
  137: OVERLOADED,
  151: OVERLOADED,
  159: OVERLOADED,
  154: error("the broker does not keep retained messages, which the last will needs: allow them at the broker"),
  155: error("the broker does not take QoS 1, which this box needs: allow it at the broker"),
};

/** By the reason in the broker's DISCONNECT: MQTT 5 §3.14.2.1. */
const BY_DISCONNECT: Readonly<Record<number, Omit<Trouble, "reason">>> = {
  135: NOT_AUTHORISED,
  139: warn("the broker is shutting down"),
  142: error("another client connected with the same client id: give each box its own mqtt.clientId or device.id"),
  149: error("the broker does not take messages as long as this box sends: raise its limit to 128 KiB"),
  150: warn("the broker finds that this box sends too much"),
  151: warn("the broker's quota for this box is used up"),
};

/** Of an attempt that failed with an error. */
export function connectTrouble(fault: unknown): Trouble {
  const { code, message } = fault as { code?: unknown; message?: unknown };
  if (typeof code === "number") {
    const known = BY_CONNACK[code] ?? error(`the broker refuses the connection (reason code ${code})`);
    return { reason: `connack-${code}`, ...known };
  }
  if (typeof code === "string" && /^[A-Z0-9_]{1,64}$/.test(code)) {
    return { reason: code, ...(BY_ERROR_CODE[code] ?? warn(`no connection to the broker (${code})`)) };
  }
  if (message === "connack timeout") {
    const text =
      "the broker took the connection and then said nothing: is it an MQTT broker, and with TLS on this port?";
    return { reason: "no-connack", ...warn(text) };
  }
  if (message === "Keepalive timeout") return { reason: "silent", ...warn("the broker no longer answers") };
  return { reason: "protocol", ...warn("the broker does not keep to the MQTT protocol: is it an MQTT broker?") };
}

export function disconnectTrouble(code: number): Trouble {
  return {
    reason: `disconnect-${code}`,
    ...(BY_DISCONNECT[code] ?? warn(`the broker ended the connection (${code})`)),
  };
}

export const REFUSED_SILENTLY: Trouble = {
  reason: "closed",
  ...warn(
    "the broker closed the connection without a word: is it an MQTT broker of this version, on this port and path?",
  ),
};
export const LOST: Trouble = { reason: "lost", ...warn("the connection to the broker was lost") };
export const SHORT_LIVED: Trouble = {
  reason: "short-lived",
  ...error(
    "the broker ends each connection after a short time: another client probably has the same client id; give each box its own mqtt.clientId or device.id",
  ),
};
export const SUBSCRIPTION_REFUSED: Trouble = {
  reason: "subscription-refused",
  ...error("the broker does not let this box read its requests, so it takes no commands: allow it in the access rules"),
};
export const NOTE_REFUSED: Trouble = {
  reason: "note-refused",
  ...error("the broker does not let this box hear of Home Assistant's start: allow it in the access rules"),
};
export const PUBLISH_REFUSED: Trouble = {
  reason: "publish-refused",
  ...error("the broker does not let this box publish everything it has to: allow it in the access rules"),
};
export const TOO_LONG_FOR_BROKER: Trouble = {
  reason: "too-long-for-broker",
  ...warn("a message was longer than the broker takes and was not sent: raise its limit to 128 KiB"),
};

export class TroubleLog {
  private readonly logger: Logger;
  private readonly clock: Clock;
  private readonly broker: string;
  /** The reason why there is no connection; "" while there is one, undefined before the first attempt. */
  private standing: string | undefined;
  private owesRecovery = true;
  /** One entry per reason, of which there are few. */
  private readonly saidAtMs = new Map<string, number>();

  constructor(logger: Logger, clock: Clock, broker: string) {
    this.logger = logger;
    this.clock = clock;
    this.broker = broker;
  }

  /** There is no connection, and why. */
  disconnected(trouble: Trouble): void {
    if (this.standing === trouble.reason) return;
    this.standing = trouble.reason;
    if (this.say(trouble)) this.owesRecovery = true;
  }

  connected(): void {
    this.standing = "";
    if (!this.owesRecovery) return;
    this.owesRecovery = false;
    this.logger.info("MQTT: connected", { broker: this.broker });
  }

  /** Returns whether it was said: not when it has been lately. */
  say(trouble: Trouble, detail: Record<string, string> = {}): boolean {
    const nowMs = this.clock.monotonicMs();
    const lastMs = this.saidAtMs.get(trouble.reason);
    if (lastMs !== undefined && nowMs - lastMs < REPEAT_AFTER_MS) return false;
    this.saidAtMs.set(trouble.reason, nowMs);
    this.logger[trouble.level](`MQTT: ${trouble.message}`, { broker: this.broker, reason: trouble.reason, ...detail });
    return true;
  }
}
