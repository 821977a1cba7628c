// Who may do what: the bearer token of a request (RFC 6750 §2.1) against the tokens and the route's right, with the rate
// of a token and the lock-out of an address. A locked address gets no answer about any token, good ones included.
import type { Clock } from "../base/clock.js";
import { LockOut, networkOf, RequestRate } from "../base/limits.js";
import type { Right } from "../contract/api-route.js";
import type { Config } from "../contract/config.js";
import type { Token } from "../store/tokens.js";
import { type Problem, problem, tryLater } from "./problems.js";

/** RFC 6750 §3. */
const CHALLENGE = 'Bearer realm="sidetone"';

export interface TokenFinder {
  find(secret: string): Token | undefined;
  /** Whether the token with this id is good now; absent: it stays so. */
  isGoodNow?(id: string): boolean;
}

export interface AccessOptions {
  config: Config["api"];
  tokens: TokenFinder;
  clock: Clock;
  locked(address: string): void;
}

/** `token` with a problem: known, but without the right. */
export type Admission = { token: Token; problem?: undefined } | { token?: Token; problem: Problem };

export class AccessCounters {
  missing = 0;
  bad = 0;
  locked = 0;
  limited = 0;
  forbidden = 0;
}

export class Access {
  readonly counters = new AccessCounters();
  readonly #options: AccessOptions;
  readonly #rate: RequestRate;
  readonly #lockOut: LockOut;

  constructor(options: AccessOptions) {
    this.#options = options;
    const { requestsPerMinute, badTokensPerMinute, lockOutS } = options.config;
    this.#rate = new RequestRate(requestsPerMinute);
    this.#lockOut = new LockOut(badTokensPerMinute, lockOutS * 1000);
  }

  /** Keys dropped from the tables because they were full. */
  get forgotten(): number {
    return this.#rate.forgotten + this.#lockOut.forgotten;
  }

  /** `authorization` as in the header; `address` of the other end, as the socket says. */
  admit(authorization: string | undefined, address: string, right: Right): Admission {
    const nowMs = this.#options.clock.monotonicMs();
    const key = networkOf(address);
    const lockedMs = this.#lockOut.remainingMs(key, nowMs);
    if (lockedMs > 0) {
      this.counters.locked++;
      return { problem: tryLater("address-locked", lockedMs) };
    }
    if (authorization === undefined) {
      this.counters.missing++;
      return { problem: problem("token-missing", undefined, { "www-authenticate": CHALLENGE }) };
    }
    const token = this.#options.tokens.find(bearerOf(authorization));
    if (token === undefined) {
      this.counters.bad++;
      if (this.#lockOut.wrong(key, nowMs)) this.#options.locked(address);
      const challenge = `${CHALLENGE}, error="invalid_token"`;
      return { problem: problem("token-invalid", undefined, { "www-authenticate": challenge }) };
    }
    const waitMs = this.#rate.take(token.id, nowMs);
    if (waitMs > 0) {
      this.counters.limited++;
      return { problem: tryLater("rate-limited", waitMs) };
    }
    if (token.rights.includes(right)) return { token };
    this.counters.forbidden++;
    const challenge = `${CHALLENGE}, error="insufficient_scope", scope="${right}"`;
    return {
      token,
      problem: problem("right-missing", `this needs a token with the right ${right}`, {
        "www-authenticate": challenge,
      }),
    };
  }
}

/** The credentials, "" when they are of another scheme; its name has no case (RFC 9110 §11.1). */
function bearerOf(authorization: string): string {
  return /^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? "";
}
