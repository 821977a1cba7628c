// The API's tokens: `keys/tokens.json`, for the owner only. Keeps the SHA-256 of each secret, never a secret: 256 random
// bits need no slower hash. Changed by commands while the service runs, which notices within a second. Whatever is wrong
// with the file, no token is good then.
import { randomBytes, timingSafeEqual } from "node:crypto";
import {
  type BigIntStats,
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  openSync,
  readSync,
  renameSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Clock, isoUs } from "../base/clock.js";
import { SidetoneError } from "../base/errors.js";
import { sha256Of } from "../base/sha256.js";
import { MAX_TOKEN_DAYS, TOKEN_NAME_PATTERN } from "../contract/api-box.js";
import { RIGHTS, type Right } from "../contract/api-route.js";
import type { AuditDetail } from "../contract/audit.js";
import { maskNumbersIn } from "../contract/number-mask.js";
import { makeFolders, replaceDurably, syncFolder } from "./durable-file.js";
import type { ChangeTrail } from "./file-change.js";
import { sha256OfFile } from "./file-hash.js";
import { FolderLock } from "./folder-lock.js";

const TOKENS_SCHEMA = "sidetone.tokens/1";
/** Revoked and expired ones make room for new ones, the oldest first. */
export const MAX_TOKENS = 1000;
const MAX_FILE_BYTES = 1024 * 1024;
const SECRET_BYTES = 32;
const SECRET_PATTERN = /^st_[A-Za-z0-9_-]{43}$/;
const FIRST_TOKEN_NAME = "first-start";
const CHECK_INTERVAL_MS = 1000;
const LOCK_ATTEMPTS = 50;
const LOCK_RETRY_MS = 20;
const US_PER_DAY = 86_400_000_000;

const isoTime = z.string().refine((text) => Number.isFinite(Date.parse(text)));
const tokenSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{12}$/),
  name: z.string().regex(TOKEN_NAME_PATTERN),
  rights: z.array(z.enum(RIGHTS)),
  createdAt: isoTime,
  expiresAt: isoTime.optional(),
  revokedAt: isoTime.optional(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const fileSchema = z.object({ schema: z.literal(TOKENS_SCHEMA), tokens: z.array(tokenSchema).max(MAX_TOKENS) });
type StoredToken = z.output<typeof tokenSchema>;

export type Token = Readonly<Omit<StoredToken, "sha256">>;

export interface NewToken {
  name: string;
  /** At least one. */
  rights: readonly Right[];
  /** 1 to MAX_TOKEN_DAYS; absent = it does not expire. */
  days?: number;
}

/** Why tokens are not changed as somebody wanted. */
export type TokenRefusal = "name-taken" | "no-room" | "unknown" | "last";

export class TokenRefused extends SidetoneError {
  readonly reason: TokenRefusal;
  constructor(reason: TokenRefusal, message: string) {
    super("usage", message);
    this.reason = reason;
  }
}

export interface TokenStoreOptions {
  dataFolder: string;
  clock: Clock;
  /** Told before the tokens are changed; only tests have none. */
  trail?: ChangeTrail;
  /** Told once for each time that the file goes bad. */
  onFault?(message: string): void;
}

export class TokenStore {
  readonly #options: TokenStoreOptions;
  readonly #folder: string;
  readonly #path: string;
  #known: { token: Token; hash: Buffer; expiresAtUs: number }[] = [];
  #seen = "";
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #fault = "";

  constructor(options: TokenStoreOptions) {
    this.#options = options;
    this.#folder = join(options.dataFolder, "keys");
    this.#path = join(this.#folder, "tokens.json");
  }

  /** The token with this secret, if it is good now; all hashes are compared, each in constant time. */
  find(secret: string): Token | undefined {
    this.#refresh();
    if (!SECRET_PATTERN.test(secret)) return undefined;
    const hash = Buffer.from(sha256Of(secret), "hex");
    const nowUs = this.#options.clock.nowUs();
    let found: Token | undefined;
    for (const known of this.#known) {
      if (timingSafeEqual(known.hash, hash) && known.expiresAtUs > nowUs) found = known.token;
    }
    return found;
  }

  /** Whether the token with this id is neither revoked nor expired by now. */
  isGoodNow(id: string): boolean {
    this.#refresh();
    const nowUs = this.#options.clock.nowUs();
    return this.#known.some(({ token, expiresAtUs }) => token.id === id && expiresAtUs > nowUs);
  }

  /** All of them, revoked ones too, in the order of making. Throws SidetoneError `data-unwritable` for a damaged file. */
  list(): Token[] {
    return this.#read().map(withoutHash);
  }

  isGood(token: Token): boolean {
    return token.revokedAt === undefined && expiryUs(token) > this.#options.clock.nowUs();
  }

  /** The secret is nowhere afterwards. Throws TokenRefused for a name that a good token has, or no room. */
  create(wanted: NewToken, reason = ""): { token: Token; secret: string } {
    return this.#change((tokens) => {
      if (tokens.some((token) => token.name === wanted.name && this.isGood(token)))
        throw new TokenRefused(
          "name-taken",
          `there is a token ${wanted.name} already: revoke it, or choose another name`,
        );
      const made = this.#make(wanted, tokens);
      const kept = this.#withRoom(tokens);
      const forgotten = tokens.filter((token) => !kept.includes(token)).map(({ id }) => id);
      const detail = { ...describe("created", made.token, reason), ...(forgotten.length > 0 && { forgotten }) };
      return { tokens: [...kept, made.stored], result: made, detail };
    });
  }

  /**
   * Throws TokenRefused when there is no such token, or it is the last good one with the right `keepOneWith`. Revoking again
   * changes nothing.
   */
  revoke(id: string, reason = "", { keepOneWith }: { keepOneWith?: Right } = {}): Token {
    return this.#change((tokens) => {
      const old = tokens.find((token) => token.id === id);
      if (old === undefined)
        throw new TokenRefused("unknown", "there is no token with this id: sidetoned token list shows them");
      if (old.revokedAt !== undefined) return { tokens, result: withoutHash(old), detail: {} };
      const isOfUse = (token: Token): boolean => this.isGood(token) && token.rights.includes(keepOneWith!);
      if (keepOneWith !== undefined && isOfUse(old) && !tokens.some((token) => token !== old && isOfUse(token)))
        throw new TokenRefused("last", `this is the last good token with the right ${keepOneWith}`);
      const revoked = { ...old, revokedAt: isoUs(this.#options.clock.nowUs()) };
      const result = withoutHash(revoked);
      const detail = describe("revoked", result, reason);
      return { tokens: tokens.map((token) => (token === old ? revoked : token)), result, detail };
    });
  }

  /** The secret of a token with all rights, made if there has never been any, or none since forgetAll; else undefined. */
  createFirst(): string | undefined {
    if (!this.#isEmpty()) return undefined;
    return this.#change((tokens) => {
      // Another process may have been first, before the lock was ours.
      if (tokens.length > 0) return { tokens, result: undefined, detail: {} };
      const made = this.#make({ name: FIRST_TOKEN_NAME, rights: RIGHTS }, tokens);
      return { tokens: [made.stored], result: made.secret, detail: describe("created", made.token, "") };
    });
  }

  /**
   * As at the first start: every token is revoked, and there is a new one with all rights, whose secret is given. One change of
   * the file: both or neither.
   */
  resetAll(reason: string): string {
    return this.#change((tokens) => {
      const revokedAt = isoUs(this.#options.clock.nowUs());
      const revoked = tokens.map((token) => (token.revokedAt === undefined ? { ...token, revokedAt } : token));
      const made = this.#make({ name: FIRST_TOKEN_NAME, rights: RIGHTS }, tokens);
      const count = tokens.filter((token) => token.revokedAt === undefined).length;
      const detail = { ...describe("created", made.token, reason), allRevoked: count };
      return { tokens: [...this.#withRoom(revoked), made.stored], result: made.secret, detail };
    });
  }

  /** As before the first start: none is good, and the next createFirst makes one. */
  forgetAll(reason: string): void {
    this.#change((tokens) => ({ tokens: [], result: undefined, detail: { allForgotten: tokens.length, reason } }));
  }

  #make(wanted: NewToken, tokens: readonly StoredToken[]) {
    const { name, rights, days } = wanted;
    if (!TOKEN_NAME_PATTERN.test(name)) throw new RangeError("not the name of a token");
    if (rights.length === 0) throw new RangeError("a token without rights");
    if (days !== undefined && !(Number.isInteger(days) && days > 0 && days <= MAX_TOKEN_DAYS))
      throw new RangeError(`a token cannot be good for ${days} days`);
    const secret = `st_${randomBytes(SECRET_BYTES).toString("base64url")}`;
    const nowUs = this.#options.clock.nowUs();
    const stored: StoredToken = {
      id: unusedId(tokens),
      name,
      rights: RIGHTS.filter((right) => rights.includes(right)),
      createdAt: isoUs(nowUs),
      ...(days !== undefined && { expiresAt: isoUs(nowUs + days * US_PER_DAY) }),
      sha256: sha256Of(secret),
    };
    return { stored, token: withoutHash(stored), secret };
  }

  #withRoom(tokens: readonly StoredToken[]): StoredToken[] {
    if (tokens.length < MAX_TOKENS) return [...tokens];
    const useless = tokens.findIndex((token) => !this.isGood(token));
    if (useless < 0)
      throw new TokenRefused("no-room", `there are ${MAX_TOKENS} good tokens: revoke one that is not used`);
    return tokens.toSpliced(useless, 1);
  }

  #change<Result>(edit: (tokens: StoredToken[]) => Change<Result>): Result {
    const { dataFolder } = this.#options;
    if (!existsSync(dataFolder))
      throw new SidetoneError("data-unwritable", `${dataFolder} does not exist: give the data folder with --data`);
    try {
      const isNew = !existsSync(this.#folder);
      makeFolders(this.#folder);
      const owner = statSync(dataFolder);
      if (isNew) giveTo(owner, this.#folder);
      const lock = takeLock(this.#folder);
      try {
        const before = this.#read();
        const { tokens, result, detail } = edit(before);
        if (tokens !== before) this.#write(tokens, owner, detail);
        return result;
      } finally {
        lock.release();
      }
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (cause instanceof SidetoneError || cause instanceof RangeError || code === undefined) throw cause;
      throw new SidetoneError("data-unwritable", `${this.#path} cannot be written (${code})`, { cause });
    }
  }

  /** Root may make tokens for a service that runs as another user. */
  #write(tokens: readonly StoredToken[], owner: { uid: number; gid: number }, detail: AuditDetail): void {
    const next = `${this.#path}.next`;
    const text = `${JSON.stringify({ schema: TOKENS_SCHEMA, tokens }, null, 2)}\n`;
    replaceDurably(next, text, 0o600);
    giveTo(owner, next);
    const [before, after] = [sha256OfFile(this.#path), sha256Of(text)];
    const intent = this.#options.trail?.intend({ file: "keys/tokens.json", before, after, detail });
    renameSync(next, this.#path);
    syncFolder(this.#folder);
    intent?.confirm();
    this.#checkedAtMs = Number.NEGATIVE_INFINITY;
  }

  #read(): StoredToken[] {
    const text = readBounded(this.#path);
    if (text === undefined) return [];
    try {
      return fileSchema.parse(JSON.parse(text)).tokens;
    } catch (cause) {
      const message = `${this.#path} is damaged: restore it from a backup, or remove it and start the service again`;
      throw new SidetoneError("data-unwritable", message, { cause });
    }
  }

  /** A damaged file is not: whoever looks for a token says so. */
  #isEmpty(): boolean {
    try {
      return this.#read().length === 0;
    } catch {
      return false;
    }
  }

  #refresh(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#checkedAtMs < CHECK_INTERVAL_MS) return;
    this.#checkedAtMs = nowMs;
    try {
      const stats = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
      const seen = stats === undefined ? "none" : identityOf(stats);
      if (seen === this.#seen) return;
      // A restored backup may have made it readable for others.
      if (stats !== undefined && (stats.mode & 0o077n) !== 0n) chmodSync(this.#path, 0o600);
      this.#known = this.#read()
        .filter((token) => token.revokedAt === undefined)
        .map((token) => ({
          token: withoutHash(token),
          hash: Buffer.from(token.sha256, "hex"),
          expiresAtUs: expiryUs(token),
        }));
      this.#seen = seen;
      this.#fault = "";
    } catch (error) {
      this.#known = [];
      this.#seen = "";
      const message = error instanceof Error ? error.message : String(error);
      if (message !== this.#fault) this.#options.onFault?.(`no API token is good: ${message}`);
      this.#fault = message;
    }
  }
}

interface Change<Result> {
  /** The same array = nothing changes. */
  tokens: StoredToken[];
  result: Result;
  /** For the audit chain. */
  detail: AuditDetail;
}

function describe(done: "created" | "revoked", token: Token, reason: string): AuditDetail {
  const { id, name, rights, expiresAt } = token;
  return {
    done,
    token: id,
    name,
    rights,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(reason !== "" && { reason: maskNumbersIn(reason) }),
  };
}

/** For the service's start: a token with all rights when the data folder has never had any. Its secret is to be shown once. */
export function ensureFirstToken(store: TokenStore): string | undefined {
  return store.createFirst();
}

function withoutHash({ sha256: _, ...token }: StoredToken): Token {
  return token;
}

function expiryUs(token: Token): number {
  return token.expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(token.expiresAt) * 1000;
}

function unusedId(tokens: readonly StoredToken[]): string {
  for (;;) {
    const id = randomBytes(6).toString("hex");
    if (!tokens.some((token) => token.id === id)) return id;
  }
}

/** Changes with every write, since each makes a new file. */
function identityOf(stats: BigIntStats): string {
  return `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}

function giveTo(owner: { uid: number; gid: number }, path: string): void {
  if (process.getuid?.() === 0 && owner.uid !== 0) chownSync(path, owner.uid, owner.gid);
}

/** Another command holds it for milliseconds. */
function takeLock(folder: string): FolderLock {
  for (let attempt = 1; ; attempt++) {
    try {
      return FolderLock.take(folder);
    } catch (error) {
      if (!(error instanceof SidetoneError)) throw error;
      if (attempt === LOCK_ATTEMPTS)
        throw new SidetoneError("data-in-use", "another command is changing the tokens: try again", { cause: error });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_RETRY_MS);
    }
  }
}

/** Undefined when there is no such file; throws SidetoneError `data-unwritable` when it cannot be read or is too long. */
function readBounded(path: string): string | undefined {
  const buffer = Buffer.allocUnsafe(MAX_FILE_BYTES + 1);
  let length = 0;
  try {
    const descriptor = openSync(path, "r");
    try {
      for (let read = -1; read !== 0 && length < buffer.length; length += read)
        read = readSync(descriptor, buffer, length, buffer.length - length, null);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new SidetoneError("data-unwritable", `${path} cannot be read (${code ?? String(cause)})`, { cause });
  }
  if (length > MAX_FILE_BYTES)
    throw new SidetoneError("data-unwritable", `${path} is larger than ${MAX_FILE_BYTES} bytes`);
  return buffer.toString("utf8", 0, length);
}
