// Tokens at the door: bad ones, too many of them, too many requests, and what changes while the service runs.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../device/api/access.js";
import { ApiBench, apiConfig, HandClock } from "./api-kit.js";

let bench: ApiBench;
beforeEach(() => {
  bench = new ApiBench({ config: { badTokensPerMinute: 3, lockOutS: 20, requestsPerMinute: 60 } });
});
afterEach(() => bench.close());

const LIST = "/api/v1/calls/active";
const GUESS = `st_${"A".repeat(43)}`;
const list = (secret?: string, headers?: Record<string, string>) => bench.ask("GET", LIST, secret, undefined, headers);

describe("a bad token", () => {
  it.each([
    "Bearer",
    "Bearer ",
    `Bearer ${GUESS}`,
    `Basic ${Buffer.from("admin:admin").toString("base64")}`,
    `Token ${GUESS}`,
    `Bearer ${GUESS} ${GUESS}`,
    "Bearer st_",
    `Bearer ${"A".repeat(4000)}`,
  ])("%s", async (authorization) => {
    const { status, body, headers } = await list(undefined, { authorization });
    expect([status, body.code]).toEqual([401, "token-invalid"]);
    expect(headers["www-authenticate"]).toBe('Bearer realm="sidetone", error="invalid_token"');
    expect(bench.server.counters()["api.token-invalid"]).toBe(1);
  });

  it("is not one because of its scheme's case or blanks around it", async () => {
    const secret = bench.token("t", "see");
    for (const authorization of [`bearer ${secret}`, `BEARER   ${secret}`, `Bearer ${secret} `])
      expect((await list(undefined, { authorization })).status).toBe(200);
  });

  it("is the same whether unknown, revoked or expired", async () => {
    const { token, secret } = bench.tokens.create({ name: "gone", rights: ["see"] });
    bench.tokens.revoke(token.id);
    const short = bench.tokens.create({ name: "short", rights: ["see"], days: 1 }).secret;
    expect((await list(short)).status).toBe(200);
    bench.clock.ms += 86_400_000;
    const answers = [await list(secret), await list(short)];
    expect(answers[0]!.body).toEqual(answers[1]!.body);
    bench.clock.ms += 60_000;
    expect((await list(GUESS)).body).toEqual(answers[0]!.body);
    expect(answers[0]!.status).toBe(401);
  });

  it("in the query is no token", async () => {
    const secret = bench.token("t", "see");
    expect((await bench.ask("GET", `${LIST}?access_token=${secret}`)).status).toBe(401);
  });
});

describe("the lock-out", () => {
  it("shuts an address out after so many bad tokens, good ones included, for its time", async () => {
    const secret = bench.token("t", "see", "command");
    for (let i = 0; i < 3; i++) expect((await list(GUESS)).status).toBe(401);
    const { status, body, headers } = await list(secret);
    expect([status, body.code, headers["retry-after"]]).toEqual([429, "address-locked", "20"]);
    expect((await bench.ask("GET", "/api/v1/health")).status).toBe(200);
    bench.clock.ms += 19_999;
    expect((await list(secret)).headers["retry-after"]).toBe("1");
    bench.clock.ms += 1;
    expect((await list(secret)).status).toBe(200);
    expect(bench.audited).toEqual([
      { kind: "address-locked", atUs: expect.any(Number), address: "127.0.0.1", badTokens: 3, forS: 20 },
    ]);
    expect(bench.log.lines).toHaveLength(1);
  });

  it("counts within a minute only, and not what comes without a token", async () => {
    for (let i = 0; i < 20; i++) expect((await list()).status).toBe(401);
    for (let i = 0; i < 20; i++) {
      expect((await list(GUESS)).status).toBe(401);
      bench.clock.ms += 30_000;
    }
  });

  it("is of an IPv4 address, or of an IPv6 network, and of no other", () => {
    const clock = new HandClock();
    const locked: string[] = [];
    const access = new Access({
      config: apiConfig({ badTokensPerMinute: 2 }),
      tokens: { find: () => undefined },
      clock,
      locked: (address) => locked.push(address),
    });
    const codes = (...addresses: string[]) =>
      addresses.map((address) => access.admit(`Bearer ${GUESS}`, address, "see").problem?.code);
    expect(codes("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2")).toEqual([
      "token-invalid",
      "token-invalid",
      "address-locked",
      "token-invalid",
    ]);
    expect(codes("2001:db8::1", "2001:db8::2:3:4:5", "2001:db8::9", "2001:db8:0:1::1")).toEqual([
      "token-invalid",
      "token-invalid",
      "address-locked",
      "token-invalid",
    ]);
    expect(codes("fe80::1%eth0", "fe80::2%eth0", "fe80::3%eth1")[2]).toBe("address-locked");
    expect(codes("", "", "")[2]).toBe("address-locked");
    expect(locked).toHaveLength(4);
  });
});

describe("the rate", () => {
  it("is of a token: another one goes on, and Retry-After is true", async () => {
    const [busy, calm] = [bench.token("busy", "see"), bench.token("calm", "see")];
    for (let i = 0; i < 60; i++) expect((await list(busy)).status).toBe(200);
    const { status, body, headers } = await list(busy);
    expect([status, body.code]).toEqual([429, "rate-limited"]);
    expect((await list(calm)).status).toBe(200);
    bench.clock.ms += Number(headers["retry-after"]) * 1000;
    expect((await list(busy)).status).toBe(200);
    expect((await list(busy)).status).toBe(429);
  });
});

describe("while it runs", () => {
  it("notices a new token and a revoked one within a second", async () => {
    expect((await list(GUESS)).status).toBe(401);
    const { token, secret } = new ApiBenchTokens(bench).create();
    expect((await list(secret)).status).toBe(401);
    bench.clock.ms += 1000;
    expect((await list(secret)).status).toBe(200);
    new ApiBenchTokens(bench).revoke(token.id);
    bench.clock.ms += 1000;
    expect((await list(secret)).status).toBe(401);
  });
});

/** Another process's view of the same folder. */
class ApiBenchTokens {
  readonly #store;
  constructor({ tokens, folder, clock }: ApiBench) {
    this.#store = new (tokens.constructor as new (options: object) => typeof tokens)({ dataFolder: folder, clock });
  }
  create = () => this.#store.create({ name: "late", rights: ["see"] });
  revoke = (id: string) => this.#store.revoke(id);
}
