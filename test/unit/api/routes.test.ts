// What reaches the desk, and what the desk's answers become.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OPERATIONS, type Operation, ROUTES } from "../../../device/contract/api.js";
import { MAX_BODY_BYTES, PROBLEMS, problemSchema } from "../../../device/contract/api-problems.js";
import { API_PREFIX, RIGHTS, type RouteContract } from "../../../device/contract/api-route.js";
import type { CommandError, CommandResult } from "../../../device/contract/commands.js";
import { ApiBench, activeCall, CALL_ID, idFor, OTHER_ID } from "./api-kit.js";

const GRANT = { effect: "granted", reason: "said so on the phone" };

let bench: ApiBench;
beforeEach(() => {
  bench = new ApiBench();
});
afterEach(() => bench.close());

const pathOf = (operation: Operation, id: string = idFor(ROUTES[operation].path)) =>
  API_PREFIX + ROUTES[operation].path.replace("{id}", encodeURIComponent(id));
const bodyFor = (operation: Operation) => (operation === "setConsent" ? GRANT : undefined);
const ask = (operation: Operation, secret?: string, body: unknown = bodyFor(operation), id?: string) =>
  bench.ask(ROUTES[operation].method, pathOf(operation, id), secret, body);

describe("what reaches the desk", () => {
  it.each<[Operation, unknown, object]>([
    ["listActiveCalls", undefined, { verb: "calls" }],
    ["setConsent", GRANT, { verb: "consent", call: { id: CALL_ID }, party: "caller", ...GRANT }],
    [
      "setConsent",
      { party: 1, effect: "withdrawn", purpose: "quality", reason: "asked" },
      { verb: "consent", call: { id: CALL_ID }, party: 1, effect: "withdrawn", purpose: "quality", reason: "asked" },
    ],
    ["pauseCall", undefined, { verb: "pause", call: { id: CALL_ID }, reason: "" }],
    ["pauseCall", { reason: "card" }, { verb: "pause", call: { id: CALL_ID }, reason: "card" }],
    ["resumeCall", {}, { verb: "resume", call: { id: CALL_ID }, reason: "" }],
    ["startCall", { reason: "complaint" }, { verb: "start", call: { id: CALL_ID }, reason: "complaint" }],
    ["stopCall", undefined, { verb: "stop", call: { id: CALL_ID }, reason: "" }],
    ["pauseAllCalls", { reason: "cards" }, { verb: "pause", call: "all", reason: "cards" }],
    ["resumeAllCalls", undefined, { verb: "resume", call: "all", reason: "" }],
  ])("%s %j", async (operation, body, command) => {
    expect((await ask(operation, bench.token("front-desk", ...RIGHTS), body)).status).toBe(200);
    expect(bench.desk.commands).toEqual([{ body: command, source: "api", by: "token front-desk" }]);
  });

  it("a body says neither who, nor where from, nor which call", async () => {
    const secret = bench.token("t", "command");
    for (const extra of [{ by: "boss" }, { source: "panel" }, { call: { id: OTHER_ID } }, { verb: "resume" }]) {
      const { status, body } = await ask("setConsent", secret, { ...GRANT, ...extra });
      expect(status).toBe(422);
      expect(JSON.stringify(body.errors)).toContain(Object.keys(extra)[0]);
    }
    expect(bench.desk.commands).toEqual([]);
  });
});

describe("what the desk answers", () => {
  const STATUS: Record<CommandError, number> = {
    "call-not-found": 404,
    "call-ambiguous": 409,
    "party-not-found": 422,
    "caller-unknown": 409,
    "not-on-demand": 409,
    "not-allowed": 403,
    "engine-unavailable": 503,
  };

  it.each(Object.entries(STATUS) as [CommandError, number][])("%s is %i", async (error, expected) => {
    bench.desk.answer = async () => ({ ok: false, error, message: "in words" });
    const { status, body, headers } = await ask("setConsent", bench.token("t", "command"));
    expect(status).toBe(expected);
    expect(headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect(problemSchema.parse(body)).toMatchObject({
      type: "about:blank",
      status: expected,
      code: error,
      detail: "in words",
    });
    expect(bench.audited).toMatchObject([{ kind: "command", by: "token t", call: CALL_ID, outcome: error }]);
  });

  it("the party that is not there is the field at fault", async () => {
    bench.desk.answer = async () => ({ ok: false, error: "party-not-found", message: "there are two parties" });
    const { body } = await ask("setConsent", bench.token("t", "command"), { ...GRANT, party: 7 });
    expect(body.errors).toEqual([{ field: "party", message: "there are two parties" }]);
  });

  it("a desk that fails is 500 and says nothing of the reason, but the log does", async () => {
    bench.desk.answer = () => Promise.reject(new Error("secret detail"));
    const { status, body } = await ask("pauseCall", bench.token("t", "command"));
    expect([status, body.code]).toEqual([500, "internal"]);
    expect(JSON.stringify(body)).not.toContain("secret detail");
    expect(bench.log.lines.join()).toContain("secret detail");
  });

  it("a desk that does not answer is 503 after its time", async () => {
    const slow = new ApiBench({ deskTimeoutMs: 30 });
    slow.desk.answer = () => new Promise<CommandResult>(() => {});
    const { status, body } = await slow.ask("POST", pathOf("pauseCall"), slow.token("t", "command"));
    expect([status, body.code]).toEqual([503, "engine-unavailable"]);
    await slow.close();
  });

  it("only what the contract lists leaves the box", async () => {
    const call = { ...activeCall(), inside: "x" };
    bench.desk.answer = async () => ({ ok: true, calls: [call] });
    const { body } = await ask("listActiveCalls", bench.token("t", "see", "listen"));
    expect(body).toEqual({ calls: [activeCall()] });
  });

  it.each(RIGHTS)("numbers for a token that may %s as well", async (right) => {
    const { body } = await ask("listActiveCalls", bench.token("t", "see", right));
    const inFull = right === "listen" || right === "download" || right === "administer";
    expect(body.calls[0].parties.map(({ number }: { number: string }) => number)).toEqual([
      inFull ? "+4930123456" : "•••456",
      "21",
    ]);
  });
});

describe("refusals", () => {
  it.each<[string, unknown, string]>([
    ["nothing", undefined, "effect"],
    ["an unknown effect", { ...GRANT, effect: "maybe" }, "effect"],
    ["no reason", { effect: "granted" }, "reason"],
    ["an empty reason", { ...GRANT, reason: "" }, "reason"],
    ["a reason over two lines", { ...GRANT, reason: "a\nb" }, "reason"],
    ["a long reason", { ...GRANT, reason: "a".repeat(257) }, "reason"],
    ["a party of its own", { ...GRANT, party: "agent" }, "party"],
    ["a list", [GRANT], ""],
    ["null", null, ""],
  ])("422 names the field: %s", async (_, given, field) => {
    const { status, body } = await ask("setConsent", bench.token("t", "command"), given === undefined ? {} : given);
    expect([status, body.code]).toEqual([422, "invalid"]);
    expect(body.errors.map((fault: { field: string }) => fault.field)).toContain(field);
    expect(bench.desk.commands).toEqual([]);
  });

  it.each(["x", CALL_ID.toLowerCase(), `${CALL_ID}0`, "../../etc/passwd", "...", "%00", "ٱ"])(
    "404 for the id %s, which never reaches the desk",
    async (id) => {
      const { status, body } = await ask("pauseCall", bench.token("t", "command"), undefined, id);
      expect([status, body.code]).toEqual([404, "call-not-found"]);
      expect(bench.desk.commands).toEqual([]);
    },
  );

  it.each([
    "/",
    "/api",
    "/api/v1",
    "/api/v1/",
    "/api/v2/health",
    "/api/v1/health/",
    "/api/v1//health",
    "/API/v1/health",
    "/api/v1/../../../../etc/passwd",
    "/api/v1/calls/%2e%2e/%2e%2e/etc/passwd",
    `/api/v1/calls/${CALL_ID}/delete`,
  ])("404 for %s", async (path) => {
    const { status, body } = await bench.ask("GET", path, bench.token("t", ...RIGHTS));
    expect([status, body.code]).toEqual([404, "not-found"]);
  });

  it.each([
    ["POST", "/api/v1/health", "GET, HEAD"],
    ["DELETE", "/api/v1/calls/active", "GET, HEAD"],
    ["GET", `/api/v1/calls/${CALL_ID}/pause`, "POST"],
    ["OPTIONS", "/api/v1/calls/pause-all", "POST, GET, HEAD"],
    ["PROPFIND", "/api/v1/health?x=1", "GET, HEAD"],
  ])("405 for %s %s says what there is", async (method, path, allow) => {
    const { status, headers } = await bench.ask(method, path, bench.token("t", ...RIGHTS));
    expect([status, headers["allow"]]).toEqual([405, allow]);
  });

  it("413, from the length alone and from what came", async () => {
    const secret = bench.token("t", "command");
    const fits = { reason: "a".repeat(200) };
    expect((await ask("pauseCall", secret, `${JSON.stringify(fits)}${" ".repeat(MAX_BODY_BYTES - 213)}`)).status).toBe(
      200,
    );
    const { status, body } = await ask("pauseCall", secret, " ".repeat(MAX_BODY_BYTES + 1));
    expect([status, body.code]).toEqual([413, "body-too-large"]);
  });

  it.each([
    [{ "content-type": "text/plain" }],
    [{ "content-type": "application/x-www-form-urlencoded" }],
    [{ "content-type": "application/jsonp" }],
    [{ "content-type": "" }],
    [{ "content-type": "application/json", "content-encoding": "gzip" }],
  ])("415 for %j", async (headers) => {
    const { status, body } = await bench.ask("POST", pathOf("pauseCall"), bench.token("t", "command"), "{}", headers);
    expect([status, body.code]).toEqual([415, "media-type-unsupported"]);
  });

  it.each(["{", '{"reason":"a"', "[1,]", "nonsense", '{"reason":"\u0001"}', "\ufeff\ufeff{}"])(
    "400 for the body %j",
    async (body) => {
      const answer = await ask("pauseCall", bench.token("t", "command"), body);
      expect([answer.status, answer.body.code]).toEqual([400, "malformed"]);
    },
  );

  it("400 for a body that is not UTF-8", async () => {
    const { statusCode } = await bench.server.app.inject({
      method: "POST",
      url: pathOf("pauseCall"),
      headers: { authorization: `Bearer ${bench.token("t", "command")}`, "content-type": "application/json" },
      payload: Buffer.from('{"reason":"caf\xe9"}', "latin1"),
    });
    expect(statusCode).toBe(400);
    expect(bench.desk.commands).toEqual([]);
  });

  it("names that mean something to JavaScript are unknown fields like others", async () => {
    for (const text of ['{"__proto__":{"reason":"a"}}', '{"constructor":{"prototype":{}}}', '{"toString":1}']) {
      expect((await ask("pauseCall", bench.token(`t${text.length}`, "command"), text)).status).toBe(422);
    }
    expect(({} as { reason?: string }).reason).toBeUndefined();
  });
});

it("commands are audited with their outcome, looking is not, and a token without the right is", async () => {
  const secret = bench.token("all", ...RIGHTS);
  await ask("listActiveCalls", secret);
  await ask("pauseAllCalls", secret);
  await ask("pauseCall", bench.token("viewer", "see"));
  await ask("pauseCall", secret, undefined, "nonsense");
  expect(bench.audited).toMatchObject([
    { operation: "pauseAllCalls", by: "token all", call: "all", outcome: "done" },
    { operation: "pauseCall", by: "token viewer", call: CALL_ID, outcome: "right-missing" },
    { operation: "pauseCall", by: "token all", outcome: "call-not-found" },
  ]);
  expect(JSON.stringify(bench.audited)).not.toMatch(/st_|\+49/);
});

it("no answer may be kept by anybody on the way", async () => {
  for (const operation of OPERATIONS) {
    const { headers } = await ask(operation);
    expect(headers["cache-control"]).toBe("no-store");
  }
});

it("every problem's status is an error's and every code of a route is in the table", () => {
  for (const { status } of Object.values(PROBLEMS)) expect(status).toBeGreaterThanOrEqual(400);
  for (const operation of OPERATIONS)
    for (const code of (ROUTES[operation] as RouteContract).problems) expect(PROBLEMS[code]).toBeDefined();
});

it("fastify is loaded in one place, and not before it is needed", () => {
  const root = fileURLToPath(new URL("../../../device", import.meta.url));
  const mentions = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) =>
      readFileSync(join(root, name), "utf8")
        .split("\n")
        .filter((line) => /["']fastify["']/.test(line))
        .map((line) => `${name}: ${line.trim()}`),
    );
  expect(mentions).toEqual([
    'api/server.ts: import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";',
    'api/server.ts: const { fastify } = createRequire(import.meta.url)("fastify") as typeof import("fastify");',
  ]);
});
