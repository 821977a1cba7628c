// Who is let into the box's own broker, and with which right. Counts wrong passwords by address and locks addresses out.
// Without users everybody who reaches it, which is this box alone then, may read, and nobody may command: a program that
// anybody runs on the box must not be able to say that a caller consents.
import type { Clock } from "../../base/clock.js";
import { LockOut, networkOf } from "../../base/limits.js";
import type { Config } from "../../contract/config.js";
import type { BrokerRights } from "../../contract/config-broker.js";
import type { Trouble } from "../trouble.js";
import { LOCKED_OUT, NO_LOGIN, WRONG_PASSWORD } from "./notices.js";
import { Users } from "./users.js";

export interface Login {
  address: string;
  username: string | undefined;
  password: Uint8Array | undefined;
}

/** `user`: "" where nobody has to log in. */
export type Verdict = { rights: BrokerRights; user: string } | { refusal: Trouble; isCredentials: boolean };

export class Door {
  readonly counters = { "broker-logins-refused": 0, "broker-wrong-passwords": 0, "broker-lock-outs": 0 };
  private readonly users: Users;
  private readonly lockOut: LockOut;
  private readonly clock: Clock;

  constructor(config: Config["mqtt"]["broker"], clock: Clock) {
    this.users = new Users(config.users);
    this.lockOut = new LockOut(config.badPasswordsPerMinute, config.lockOutS * 1000);
    this.clock = clock;
  }

  isLocked(address: string): boolean {
    return this.lockOut.remainingMs(networkOf(address), this.clock.monotonicMs()) > 0;
  }

  async login({ address, username, password }: Login): Promise<Verdict> {
    if (this.users.isEmpty) return { rights: "read", user: "" };
    // Of many connections that were made before the first wrong password, no more are asked.
    if (this.isLocked(address)) return this.refuse(LOCKED_OUT, false);
    if (username === undefined || password === undefined) return this.refuse(NO_LOGIN, false);
    const user = await this.users.find(username, password);
    if (user) return { rights: user.rights, user: user.name };
    this.counters["broker-wrong-passwords"]++;
    if (!this.lockOut.wrong(networkOf(address), this.clock.monotonicMs())) return this.refuse(WRONG_PASSWORD, true);
    this.counters["broker-lock-outs"]++;
    return this.refuse(LOCKED_OUT, true);
  }

  private refuse(refusal: Trouble, isCredentials: boolean): Verdict {
    this.counters["broker-logins-refused"]++;
    return { refusal, isCredentials };
  }
}
