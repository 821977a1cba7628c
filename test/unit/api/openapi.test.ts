// The document against the server that it describes and the committed copy, and its schemas, as an independent validator
// (ajv) reads them, against what the server takes and gives.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeApi } from "../../../device/api/openapi.js";
import { OPERATIONS, type Operation, ROUTES } from "../../../device/contract/api.js";
import { CALL_ROUTES } from "../../../device/contract/api-calls.js";
import { API_PREFIX, RIGHTS, type RouteContract } from "../../../device/contract/api-route.js";
import { VCON_MEDIA_TYPE } from "../../../device/contract/vcon.js";
import { ApiBench, STORED } from "./api-kit.js";
import { EXAMPLES, exampleOf } from "./examples.js";

interface Schema {
  $ref?: string;
}
interface Described {
  operationId: string;
  security: object[];
  requestBody?: { required: boolean; content: { "application/json": { schema: Schema } } };
  responses: Record<string, Answer | Schema>;
}
interface Answer {
  content: Record<string, { schema: Schema }>;
}
const committedPath = fileURLToPath(new URL("../../../device/contract/openapi.json", import.meta.url));
// As it goes over the wire.
const document = JSON.parse(JSON.stringify(describeApi())) as {
  openapi: string;
  paths: Record<string, Record<string, Described>>;
  components: { responses: Record<string, Answer>; schemas: Record<string, object>; securitySchemes: object };
};
const answerOf = ({ responses }: Described, status: number): Answer => {
  const found = responses[String(status)]!;
  return "$ref" in found ? document.components.responses[found.$ref!.split("/").at(-1)!]! : (found as Answer);
};
const described = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

let bench: ApiBench;
let secret: string;
beforeAll(() => {
  bench = new ApiBench({ config: { requestsPerMinute: 100_000 }, stored: STORED });
  secret = bench.token("all", ...RIGHTS);
});
afterAll(() => bench.close());

it("is the committed one; UPDATE_OPENAPI=1 writes it anew", () => {
  if (process.env["UPDATE_OPENAPI"]) writeFileSync(committedPath, `${JSON.stringify(document, null, 2)}\n`);
  expect(JSON.parse(readFileSync(committedPath, "utf8"))).toEqual(document);
});

it("is what is served", async () => {
  expect((await bench.ask("GET", "/api/v1/openapi.json")).body).toEqual(document);
});

it("describes exactly the routes that there are", () => {
  const served = [...bench.server.app.printRoutes({ commonPrefix: false }).matchAll(/(\/\S*) \(([^)]*)\)/g)];
  const methods = served.flatMap(([, , list]) => list!.split(", ")).filter((method) => method !== "HEAD");
  expect(methods.length).toBe(described.length);
  for (const { path, method } of described) {
    const url = API_PREFIX + path.replaceAll(/\{(\w+)\}/g, ":$1");
    expect(bench.server.app.hasRoute({ method: method as "GET", url }), `${method} ${url}`).toBe(true);
  }
  expect(described.map(({ operation }) => operation.operationId).sort()).toEqual([...OPERATIONS].sort());
});

it("refers to nothing that is not there", () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target!);
  expect(references.length).toBeGreaterThan(10);
  for (const target of references) {
    const keys = target.replace(/^#\//, "").split("/");
    const found = keys.reduce<unknown>((node, key) => (node as Record<string, unknown>)?.[key], document);
    expect(found, target).toBeTypeOf("object");
  }
  expect(JSON.stringify(document)).not.toMatch(/\$defs|"\$schema"|"\$id"/);
});

describe("its schemas", () => {
  const require = createRequire(import.meta.url);
  const Ajv = require("ajv/dist/2020").default;
  const ajv = new Ajv({ strict: false, allErrors: true });
  require("ajv-formats").default(ajv);
  ajv.addSchema({ ...document, $id: "https://sidetone.invalid/openapi" });
  const checks = (schema: Schema): ((value: unknown) => boolean) =>
    ajv.compile({ $ref: `https://sidetone.invalid/openapi${schema.$ref}` });

  it.each(OPERATIONS)("%s: answers and refusals are as described", async (name) => {
    const { operation } = described.find((one) => one.operation.operationId === name)!;
    const { status: expected = 200 } = EXAMPLES[name];
    const { method, url, body } = exampleOf(name);
    const good = await bench.ask(method, url, secret, body);
    expect(good.status, good.text.slice(0, 500)).toBe(expected);
    if (good.text !== "") {
      const type = String(good.headers["content-type"]).replace("; charset=utf-8", "");
      const content = answerOf(operation, expected).content[type];
      expect(content, type).toBeDefined();
      const isJson = type.includes("json") || type === VCON_MEDIA_TYPE;
      expect(checks(content!.schema)(isJson ? JSON.parse(good.text) : good.text), good.text.slice(0, 500)).toBe(true);
    }
    if (operation.security.length === 0) return;
    const refused = [
      await bench.ask(method, url, undefined, body),
      ...(operation.requestBody ? [await bench.ask(method, url, secret, { nonsense: 1 })] : []),
    ];
    for (const { status, body } of refused) {
      const { schema } = answerOf(operation, status).content["application/problem+json"]!;
      expect(checks(schema)(body), JSON.stringify(body)).toBe(true);
    }
  });

  const part = fc.oneof(
    fc.constantFrom("granted", "refused", "caller", "agent", "", "card", "a\u0007b"),
    fc.string(),
    fc.nat(70),
    fc.constant(null),
  );
  /** Of operations whose bodies are not about calls in progress. */
  const BODIES: Partial<Record<Operation, fc.Arbitrary<unknown>>> = {
    changeConfiguration: fc.record(
      {
        values: fc.dictionary(fc.constantFrom("call.tailMs", "log", "a.b.c.d", "a.b.c.d.e", "constructor", "a"), part, {
          maxKeys: 3,
          noNullPrototype: true,
        }),
        dryRun: fc.constantFrom(true, false, true, 0),
      },
      { requiredKeys: ["values"], noNullPrototype: true },
    ),
    restartService: fc.record(
      { when: fc.constantFrom("now", "idle", "later"), reason: part },
      { requiredKeys: [], noNullPrototype: true },
    ),
    createToken: fc.record(
      {
        name: fc.constantFrom("made", "a b", "", "x".repeat(65), "front-desk"),
        rights: fc.subarray(["see", "listen", "root"]),
        days: fc.constantFrom(1, 0, 3650, 3651, 1.5),
      },
      { requiredKeys: ["name", "rights"], noNullPrototype: true },
    ),
  };
  const random = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record(
        {
          effect: fc.constantFrom("granted", "refused", "withdrawn"),
          reason: fc.constantFrom("card", "said so", "a".repeat(256), "a".repeat(257)),
          party: fc.constantFrom("caller", 0, 63, 64, -1, 1.5),
          purpose: fc.constantFrom("", "quality", "b".repeat(65)),
        },
        { requiredKeys: ["effect", "reason"], noNullPrototype: true },
      ),
    },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
    {
      weight: 6,
      arbitrary: fc.record(
        {
          party: part,
          effect: fc.oneof(fc.constantFrom("granted", "refused", "withdrawn"), part),
          purpose: part,
          reason: part,
          by: part,
        },
        { requiredKeys: ["effect"], noNullPrototype: true },
      ),
    },
    { weight: 5, arbitrary: fc.record({ reason: part }, { requiredKeys: [], noNullPrototype: true }) },
  );
  const hasBodies = (operation: string): boolean => operation in CALL_ROUTES || operation in BODIES;
  it.each(described.filter(({ operation }) => hasBodies(operation.operationId) && operation.requestBody))(
    "$method $path takes the bodies that its schema takes, and no others",
    async ({ method, operation }) => {
      const { url } = exampleOf(operation.operationId as Operation);
      const takes = checks(operation.requestBody!.content["application/json"].schema);
      const seen = { taken: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(BODIES[operation.operationId as Operation] ?? random, async (body) => {
          const { status } = await bench.ask(method, url, secret, JSON.stringify(body));
          // A second token of the name is refused for another reason.
          expect([200, 409, 422]).toContain(status);
          const isTaken = status !== 422;
          expect(isTaken, JSON.stringify(body)).toBe(takes(body));
          seen[isTaken ? "taken" : "refused"]++;
        }),
        { numRuns: 150 },
      );
      expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(3);
    },
  );
});

it("names the right of each route that needs one", () => {
  for (const { operation } of described) {
    const { right }: RouteContract = ROUTES[operation.operationId as keyof typeof ROUTES];
    expect(operation.security.length > 0).toBe(right !== undefined);
    expect("401" in operation.responses && "403" in operation.responses).toBe(right !== undefined);
  }
});
