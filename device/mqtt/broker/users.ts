// Who may log in at the box's own broker, and whether a password is theirs. A wrong name takes as long as a wrong password;
// nothing here is logged.
import { createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { PASSWORD_HASH } from "../../config/broker-meaning.js";
import type { BrokerRights, BrokerUser } from "../../contract/config-broker.js";

const derive = promisify(pbkdf2);

export interface KnownUser {
  name: string;
  rights: BrokerRights;
}

export class Users {
  private readonly users: ReadonlyMap<string, BrokerUser>;
  /** Only to compare what is as long as the other. */
  private readonly pepper = randomBytes(32);

  constructor(users: readonly BrokerUser[]) {
    this.users = new Map(users.map((user) => [user.name, user]));
  }

  /** Nobody has to log in. */
  get isEmpty(): boolean {
    return this.users.size === 0;
  }

  /** undefined: there is no such user, or the password is another. */
  async find(name: string, password: Uint8Array): Promise<KnownUser | undefined> {
    const user = this.users.get(name);
    const [decoy] = this.users.values();
    if (decoy === undefined) return undefined;
    const isRight = await this.isPassword((user ?? decoy).password, password);
    return user && isRight ? { name, rights: user.rights } : undefined;
  }

  private async isPassword(wanted: string, given: Uint8Array): Promise<boolean> {
    const [, iterations, salt, key] = PASSWORD_HASH.exec(wanted) ?? [];
    if (iterations === undefined) return timingSafeEqual(this.digest(wanted), this.digest(given));
    const right = Buffer.from(key!, "base64");
    const own = await derive(given, Buffer.from(salt!, "base64"), Number(iterations), right.length, "sha512");
    return timingSafeEqual(own, right);
  }

  private digest(text: string | Uint8Array): Buffer {
    return createHmac("sha256", this.pepper).update(text).digest();
  }
}
