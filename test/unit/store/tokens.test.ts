// The tokens' file: what is in it and what is never, who may read it, damage, limits, and changes by several processes.
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RIGHTS } from "../../../device/contract/api-route.js";
import { FolderLock } from "../../../device/store/folder-lock.js";
import { ensureFirstToken, MAX_TOKENS, TokenStore } from "../../../device/store/tokens.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

let folder: string;
let path: string;
let ms: number;
const clock = { nowUs: () => 1_795_000_000_000_000 + ms * 1000, monotonicMs: () => ms };
const faults: string[] = [];
const open = () => new TokenStore({ dataFolder: folder, clock, onFault: (message) => faults.push(message) });
beforeEach(() => {
  folder = makeFolder();
  path = join(folder, "keys/tokens.json");
  ms = 0;
  faults.length = 0;
});
afterEach(() => removeFolder(folder));

describe("a token", () => {
  it("is kept as its hash only, for the owner only", () => {
    const { token, secret } = open().create({ name: "front-desk", rights: ["see", "command"], days: 90 });
    expect(secret).toMatch(/^st_[A-Za-z0-9_-]{43}$/);
    expect(Buffer.from(secret.slice(3), "base64url")).toHaveLength(32);
    const text = readFileSync(path, "utf8");
    expect(text).not.toContain(secret.slice(3));
    expect(JSON.parse(text)).toEqual({
      schema: "sidetone.tokens/1",
      tokens: [
        {
          id: token.id,
          name: "front-desk",
          rights: ["see", "command"],
          createdAt: "2026-11-18T11:06:40.000000Z",
          expiresAt: "2027-02-16T11:06:40.000000Z",
          sha256: createHash("sha256").update(secret).digest("hex"),
        },
      ],
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "keys")).mode & 0o777).toBe(0o700);
    expect("sha256" in token).toBe(false);
    expect(open().list()).toEqual([token]);
  });

  it("is found by its secret and by nothing like it", () => {
    const store = open();
    const made = ["a", "b", "c"].map((name) => store.create({ name, rights: ["see"] }));
    for (const { token, secret } of made) {
      expect(store.find(secret)).toEqual(token);
      for (const wrong of [secret.slice(0, -1), `${secret}A`, secret.toUpperCase(), ` ${secret}`, secret.slice(3), ""])
        expect(store.find(wrong)).toBeUndefined();
    }
    expect(new Set(made.map(({ secret }) => secret)).size).toBe(3);
    const { tokens } = JSON.parse(readFileSync(path, "utf8")) as { tokens: { sha256: string }[] };
    expect(store.find(tokens[0]!.sha256)).toBeUndefined();
  });

  it("ends with all others when access is reset, and a new one with every right is the only good one", () => {
    const store = open();
    const first = ensureFirstToken(store)!;
    const others = ["a", "b"].map((name) => store.create({ name, rights: ["see"] }).secret);
    const service = open();
    expect(service.find(first)).toBeDefined();
    const secret = store.resetAll("reset at the front panel");
    // A service that runs notices within a second.
    ms = 1000;
    expect(service.find(secret)?.rights).toEqual(RIGHTS);
    for (const old of [first, ...others]) expect(service.find(old)).toBeUndefined();
    expect(store.list().filter((token) => store.isGood(token))).toHaveLength(1);
    const again = store.resetAll("");
    expect([store.find(secret), store.find(again)?.name]).toEqual([undefined, "first-start"]);
  });

  it("is forgotten with all others, and the next start makes a first one, once", () => {
    const store = open();
    const first = ensureFirstToken(store)!;
    const other = store.create({ name: "a", rights: ["see"] }).secret;
    store.forgetAll("factory reset");
    for (const old of [first, other]) expect(store.find(old)).toBeUndefined();
    expect(store.list()).toEqual([]);
    const again = ensureFirstToken(store)!;
    expect(store.find(again)?.rights).toEqual(RIGHTS);
    expect(ensureFirstToken(store)).toBeUndefined();
  });

  it("ends when it expires, and when it is revoked", () => {
    const store = open();
    const short = store.create({ name: "short", rights: ["see"], days: 1 });
    const long = store.create({ name: "long", rights: ["see"] });
    ms = 86_400_000 - 1;
    expect(store.find(short.secret)).toBeDefined();
    expect(store.isGood(short.token)).toBe(true);
    ms = 86_400_000;
    expect(store.find(short.secret)).toBeUndefined();
    expect(store.isGood(short.token)).toBe(false);
    expect(store.find(long.secret)).toBeDefined();
    const revoked = store.revoke(long.token.id);
    expect(store.find(long.secret)).toBeUndefined();
    ms += 5000;
    expect(store.revoke(long.token.id)).toEqual(revoked);
    expect(store.list().map(({ revokedAt }) => revokedAt)).toEqual([undefined, "2026-11-19T11:06:40.000000Z"]);
  });

  it("has a name of its own while it is good", () => {
    const store = open();
    const { token } = store.create({ name: "desk", rights: ["see"] });
    expect(() => store.create({ name: "desk", rights: ["see"] })).toThrow(/there is a token desk already/);
    store.revoke(token.id);
    expect(store.create({ name: "desk", rights: ["see"] }).token.id).not.toBe(token.id);
  });

  it("has no duplicate rights, in one order", () => {
    expect(open().create({ name: "t", rights: ["administer", "see", "see"] }).token.rights).toEqual([
      "see",
      "administer",
    ]);
  });

  it("cannot be made with what is no name, no right, no number of days, or without a data folder", () => {
    const store = open();
    for (const name of ["", "a b", "-a", "../x", "a\n", "a".repeat(65)])
      expect(() => store.create({ name, rights: ["see"] })).toThrow(RangeError);
    expect(() => store.create({ name: "a", rights: [] })).toThrow(RangeError);
    for (const days of [0, -1, 1.5, Number.NaN, 3651])
      expect(() => store.create({ name: "a", rights: ["see"], days })).toThrow(RangeError);
    expect(existsSync(path)).toBe(false);
    const lost = new TokenStore({ dataFolder: join(folder, "typo"), clock });
    expect(() => lost.create({ name: "a", rights: ["see"] })).toThrow(/typo does not exist/);
    expect(existsSync(join(folder, "typo"))).toBe(false);
    expect(() => store.revoke("000000000000")).toThrow(/no token with this id/);
  });
});

describe("the first token", () => {
  it("has all rights and is made once, not again when it is revoked", () => {
    const secret = ensureFirstToken(open())!;
    const store = open();
    expect(store.find(secret)?.rights).toEqual(RIGHTS);
    expect(ensureFirstToken(store)).toBeUndefined();
    store.revoke(store.list()[0]!.id);
    expect(ensureFirstToken(store)).toBeUndefined();
    expect(store.list()).toHaveLength(1);
  });

  it("is not made where there are others", () => {
    open().create({ name: "made-before", rights: ["see"] });
    expect(ensureFirstToken(open())).toBeUndefined();
  });
});

describe("the running service", () => {
  it("looks at the file once a second at most, and then sees every change", () => {
    const service = open();
    const other = open();
    expect(service.find(`st_${"A".repeat(43)}`)).toBeUndefined();
    const { token, secret } = other.create({ name: "late", rights: ["see"] });
    ms = 999;
    expect(service.find(secret)).toBeUndefined();
    ms = 1000;
    expect(service.find(secret)).toBeDefined();
    other.revoke(token.id);
    ms = 1999;
    expect(service.find(secret)).toBeDefined();
    ms = 2000;
    expect(service.find(secret)).toBeUndefined();
    const again = other.create({ name: "again", rights: ["see"] });
    ms = 3000;
    expect(service.find(again.secret)).toBeDefined();
    rmSync(path);
    ms = 4000;
    expect(service.find(again.secret)).toBeUndefined();
    expect(faults).toEqual([]);
  });

  it("takes a file back that others may read", () => {
    const { secret } = open().create({ name: "t", rights: ["see"] });
    chmodSync(path, 0o644);
    const service = open();
    expect(service.find(secret)).toBeDefined();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    ms = 1000;
    expect(service.find(secret)).toBeDefined();
  });

  it("lets nobody in while the file is damaged, says so once, and goes on when it is whole", () => {
    const service = open();
    const { secret } = service.create({ name: "t", rights: ["see"] });
    const whole = readFileSync(path);
    expect(service.find(secret)).toBeDefined();
    for (let length = 0; length < whole.length - 2; length += 7) {
      truncateSync(path, length);
      ms += 1000;
      expect(service.find(secret), `${length} bytes`).toBeUndefined();
      writeFileSync(path, whole);
    }
    ms += 1000;
    expect(service.find(secret)).toBeDefined();
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^no API token is good: .*tokens\.json is damaged/);
  });

  it.each<[string, (text: string) => string]>([
    ["another schema", (text) => text.replace("tokens/1", "tokens/2")],
    ["a right that there is not", (text) => text.replace('"see"', '"everything"')],
    ["a hash that is none", (text) => text.replace(/"sha256": "../, '"sha256": "zz')],
    ["a time that is none", (text) => text.replace("2026-", "tomorrow-")],
    [
      "more tokens than there may be",
      (text) => {
        const file = JSON.parse(text) as { tokens: object[] };
        return JSON.stringify({ ...file, tokens: Array(MAX_TOKENS + 1).fill(file.tokens[0]) });
      },
    ],
    ["a megabyte of blanks", (text) => text + " ".repeat(1024 * 1024)],
  ])("lets nobody in for %s, and changes nothing", (_, damage) => {
    const { secret } = open().create({ name: "t", rights: ["see"] });
    writeFileSync(path, damage(readFileSync(path, "utf8")));
    const before = readFileSync(path, "utf8");
    const service = open();
    expect(service.find(secret)).toBeUndefined();
    expect(faults).toHaveLength(1);
    expect(() => service.list()).toThrow(/tokens\.json is (damaged|larger)/);
    expect(() => service.create({ name: "b", rights: ["see"] })).toThrow(/tokens\.json is (damaged|larger)/);
    expect(ensureFirstToken(service)).toBeUndefined();
    expect(readFileSync(path, "utf8")).toBe(before);
  });

  it("says so when the file is a folder", () => {
    mkdirSync(path, { recursive: true });
    expect(open().find(`st_${"A".repeat(43)}`)).toBeUndefined();
    expect(faults[0]).toMatch(/cannot be read \(EISDIR\)/);
  });
});

it("makes room by forgetting those that are no longer good, the oldest first, and never a good one", () => {
  const store = open();
  const { token } = store.create({ name: "t0", rights: ["see"] });
  const file = JSON.parse(readFileSync(path, "utf8")) as { tokens: { id: string }[] };
  const many = Array.from({ length: MAX_TOKENS }, (_, index) => ({
    ...file.tokens[0],
    id: index.toString(16).padStart(12, "0"),
    name: `t${index}`,
    ...((index === 5 || index === 9) && { revokedAt: "2026-11-19T11:06:40.000000Z" }),
  }));
  writeFileSync(path, JSON.stringify({ ...file, tokens: many }));
  const ids = () => store.list().map(({ id }) => id);
  store.create({ name: "new-1", rights: ["see"] });
  expect(ids()).toHaveLength(MAX_TOKENS);
  expect(ids()).not.toContain("000000000005");
  expect(ids()).toContain("000000000009");
  store.create({ name: "new-2", rights: ["see"] });
  expect(ids()).not.toContain("000000000009");
  expect(() => store.create({ name: "new-3", rights: ["see"] })).toThrow(/1000 good tokens/);
  expect(ids()).not.toContain(token.id);
});

it("waits for another command's change, and gives up with one line", () => {
  const store = open();
  store.create({ name: "a", rights: ["see"] });
  const lock = FolderLock.take(join(folder, "keys"));
  expect(() => store.create({ name: "b", rights: ["see"] })).toThrow(/another command is changing the tokens/);
  lock.release();
  expect(store.create({ name: "b", rights: ["see"] }).token.name).toBe("b");
  expect(existsSync(join(folder, "keys/lock"))).toBe(false);
});
