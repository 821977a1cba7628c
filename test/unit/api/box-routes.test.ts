// Routes about the box: what reaches its desk, what its refusals become, who sees numbers; the audit chain as it is signed; tokens that
// give no more than they have.
import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PROBLEMS, problemSchema } from "../../../device/contract/api-problems.js";
import { RIGHTS } from "../../../device/contract/api-route.js";
import { BOX_ERRORS, type BoxError } from "../../../device/contract/box-commands.js";
import { isSignedLine } from "../../../device/store/signed-line.js";
import { TokenRefused } from "../../../device/store/tokens.js";
import { ApiBench, STORED } from "./api-kit.js";

const DAY_MS = 86_400_000;
let bench: ApiBench;
let all: string;
beforeEach(() => {
  bench = new ApiBench({ stored: STORED, deskTimeoutMs: 40 });
  all = bench.token("boss", ...RIGHTS);
});
afterEach(() => bench.close());

const ask = (method: string, path: string, body?: unknown, secret = all) =>
  bench.ask(method, `/api/v1${path}`, secret, body);

describe("commands about the box", () => {
  it.each<[string, string, unknown, object]>([
    ["GET", "/box", undefined, { verb: "health" }],
    ["GET", "/span", undefined, { verb: "span" }],
    [
      "GET",
      "/completeness?from=2026-11-01&by=hour",
      undefined,
      { verb: "completeness", from: "2026-11-01", by: "hour" },
    ],
    ["POST", "/self-test", undefined, { verb: "self-test" }],
    ["GET", "/alarms", undefined, { verb: "alarms" }],
    [
      "POST",
      "/alarms/no-agents/acknowledgement",
      undefined,
      { verb: "alarms", action: "acknowledge", code: "no-agents" },
    ],
    ["GET", "/configuration?section=mqtt", undefined, { verb: "configuration", action: "get", section: "mqtt" }],
    [
      "PATCH",
      "/configuration",
      { values: { "call.tailMs": null }, dryRun: true },
      { verb: "configuration", action: "set", values: { "call.tailMs": null }, dryRun: true },
    ],
    ["POST", "/restart", { reason: "update" }, { verb: "restart", when: "idle", reason: "update" }],
  ])("%s %s", async (method, path, body, command) => {
    expect((await ask(method, path, body)).status).toBe(200);
    const expected = { body: command, source: "api", by: "token boss", wholeNumbers: false };
    expect(bench.box.commands).toEqual([expected]);
  });

  it.each(Object.keys(BOX_ERRORS) as BoxError[])("refused with %s", async (error) => {
    bench.box.answer = async () => ({ ok: false, error, message: "in words", field: "values.a" });
    const { status, body } = await ask("PATCH", "/configuration", { values: { a: 1 } });
    expect(status).toBe(PROBLEMS[error].status);
    expect(problemSchema.parse(body)).toMatchObject({
      code: error,
      detail: "in words",
      errors: [{ field: "values.a", message: "in words" }],
    });
  });

  it("an alarm that there is not, a section and a time that are none", async () => {
    const refusals: [string, string, number, string][] = [
      ["POST", "/alarms/nothing/acknowledgement", 404, "alarm-not-standing"],
      ["GET", "/configuration?section=a%20b", 422, "invalid"],
      ["GET", "/configuration?sektion=mqtt", 422, "invalid"],
      ["GET", "/completeness?from=yesterday", 422, "invalid"],
    ];
    for (const [method, path, status, code] of refusals)
      expect(await ask(method, path)).toMatchObject({ status, body: { code } });
    expect(bench.box.commands).toEqual([]);
  });

  it("a desk that does not answer is 503, and says that the command may take effect", async () => {
    bench.box.answer = () => new Promise(() => {});
    const { status, body } = await ask("GET", "/box");
    expect([status, body.code, body.detail]).toEqual([
      503,
      "unavailable",
      "no result came in time; the command may still take effect",
    ]);
  });

  it("numbers in settings are masked for who does not see them", async () => {
    const setting = { value: ["+4930123456", "10.0.0.0/24"], source: "file", settable: false } as const;
    bench.box.answer = async () => ({
      ok: true,
      verb: "configuration",
      data: { action: "get", file: "", settings: { "agents.match": setting }, omitted: [], pending: [] },
    });
    const values = async (secret: string) =>
      (await ask("GET", "/configuration", undefined, secret)).body.settings["agents.match"].value;
    expect(await values(all)).toEqual(["+4930123456", "10.0.0.0/24"]);
    expect(await values(bench.token("installer", "configure"))).toEqual(["•••456", "10.0.0.0/24"]);
    expect(bench.box.commands.map(({ wholeNumbers }) => wholeNumbers)).toEqual([false, true]);
  });
});

it("says which box it is, and what it signs with", async () => {
  const { body } = await ask("GET", "/info");
  const der = createPublicKey(readFileSync(join(bench.folder, "keys", "device.pub"))).export({
    type: "spki",
    format: "der",
  });
  expect(body).toMatchObject({
    device: "office-1",
    version: "0.0.0",
    publicKey: { sha256: createHash("sha256").update(der).digest("hex") },
    tls: null,
  });
  expect(createPublicKey(body.publicKey.pem).export({ type: "spki", format: "der" })).toEqual(der);
});

describe("the audit chain", () => {
  beforeEach(async () => {
    const { audit } = bench.store!;
    for (let i = 0; i < 30; i++) {
      const kind = i % 3 === 0 ? "listen" : "consent";
      audit.append({ kind, actor: "token ü", ...(i % 2 === 0 && { call: STORED[0]!.line.id }), detail: { i } });
    }
    await audit.flush();
  });

  it("goes out as it was signed, every entry once, in either order", async () => {
    const { key } = bench.store!;
    for (const order of ["newest", "oldest"]) {
      const seqs: number[] = [];
      for (let cursor = ""; ; ) {
        const { status, text, body } = await ask(
          "GET",
          `/audit?order=${order}&limit=7${cursor && `&cursor=${cursor}`}`,
        );
        expect(status).toBe(200);
        const lines = text.slice('{"entries":['.length, text.lastIndexOf("]")).split(/(?<=\}),(?=\{"schema")/);
        for (const line of lines) expect(isSignedLine(Buffer.from(line), key.publicKey), line).toBe(true);
        seqs.push(...body.entries.map(({ seq }: { seq: number }) => seq));
        expect(body.damaged).toBe(0);
        cursor = body.next;
        if (cursor === "") break;
      }
      const expected = Array.from({ length: bench.store!.audit.head.seq }, (_, at) => at + 1);
      expect(order === "newest" ? seqs.reverse() : seqs).toEqual(expected);
    }
  });

  it("is filtered", async () => {
    const found = async (query: string) => (await ask("GET", `/audit?${query}`)).body.entries;
    expect(await found("kind=listen")).toHaveLength(10);
    expect(await found(`kind=listen&call=${STORED[0]!.line.id}`)).toHaveLength(5);
    const today = new Date().toISOString().slice(0, 10);
    expect((await found(`from=${today}&kind=consent`)).length).toBe(20);
    expect(await found("to=2020-01-01")).toEqual([]);
  });

  it.each([
    "limit=0",
    "limit=1001",
    "cursor=x",
    "cursor=-1",
    "kind=nothing",
    "call=x",
    "from=2026-02-30",
    "order=up",
    "page=2",
  ])("refuses %s", async (query) => {
    expect(await ask("GET", `/audit?${query}`)).toMatchObject({ status: 422, body: { code: "invalid" } });
  });

  it("refuses a time that ends before it begins", async () => {
    expect((await ask("GET", "/audit?from=2026-11-02&to=2026-11-01")).body.errors).toEqual([
      { field: "to", message: "is not after from" },
    ]);
  });
});

describe("tokens", () => {
  const make = (body: object, secret = all) => ask("POST", "/tokens", body, secret);

  it("are made, listed and revoked; the secret is shown once, and works", async () => {
    const made = await make({ name: "crm", rights: ["see", "download"], days: 30 });
    expect(made.status).toBe(200);
    const { token, secret } = made.body;
    expect(token).toMatchObject({ name: "crm", rights: ["see", "download"], isGood: true });
    expect((await ask("GET", "/alarms", undefined, secret)).status).toBe(200);
    const listed = await ask("GET", "/tokens");
    expect(listed.body.tokens.map(({ name }: { name: string }) => name)).toEqual(["boss", "crm"]);
    expect(listed.text).not.toMatch(/st_|sha256/);
    expect((await ask("DELETE", `/tokens/${token.id}`)).body).toMatchObject({ id: token.id, isGood: false });
    bench.clock.ms += 1100;
    expect((await ask("GET", "/alarms", undefined, secret)).status).toBe(401);
    expect((await ask("DELETE", `/tokens/${token.id}`)).status).toBe(200);
  });

  it("give no right that the asking one lacks, and none for longer", async () => {
    const limited = bench.tokens.create({ name: "week", rights: ["administer", "see"], days: 7 }).secret;
    expect(await make({ name: "x", rights: ["see", "listen", "delete"] }, limited)).toMatchObject({
      status: 403,
      body: { code: "right-not-yours", detail: "the asking token itself lacks listen, delete" },
    });
    expect((await make({ name: "x", rights: ["see"], days: 8 }, limited)).body.code).toBe("right-not-yours");
    expect((await make({ name: "x", rights: ["see"], days: 7 }, limited)).status).toBe(200);
    bench.clock.ms += DAY_MS;
    const { body } = await make({ name: "y", rights: ["see"] }, limited);
    const days = (Date.parse(body.token.expiresAt) - bench.clock.nowUs() / 1000) / DAY_MS;
    expect([days > 5.99, days <= 6]).toEqual([true, true]);
    bench.clock.ms += 5.5 * DAY_MS;
    expect((await make({ name: "z", rights: ["see"] }, limited)).body.code).toBe("right-not-yours");
  });

  it("are refused with a code for each reason", async () => {
    expect((await make({ name: "boss", rights: ["see"] })).body.code).toBe("token-exists");
    for (const id of ["0123456789ab", "x", "..%2f"])
      expect(await ask("DELETE", `/tokens/${id}`)).toMatchObject({ status: 404, body: { code: "token-not-found" } });
    const own = bench.tokens.list()[0]!.id;
    expect(await ask("DELETE", `/tokens/${own}`)).toMatchObject({ status: 409, body: { code: "last-administrator" } });
    await make({ name: "other", rights: ["administer"], days: 1 });
    expect((await ask("DELETE", `/tokens/${own}`)).status).toBe(200);
    expect(() => bench.tokens.revoke(own, "", { keepOneWith: "administer" })).not.toThrow();
    expect(() => bench.tokens.revoke("0123456789ab")).toThrow(TokenRefused);
  });

  it.each([
    {},
    { name: "x" },
    { name: "x", rights: [] },
    { name: "x y", rights: ["see"] },
    { name: "x", rights: ["root"] },
  ])("%j is refused", async (body) => {
    expect(await make(body)).toMatchObject({ status: 422, body: { code: "invalid" } });
  });
});
