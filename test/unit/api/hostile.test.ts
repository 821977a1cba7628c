// Whatever is asked, by whatever method, with whatever body: either it is a request of the contract, or the answer is a 4xx
// that is a problem of the contract. Nothing is 5xx, nothing unknown reaches the desk.
import { METHODS } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { OPERATIONS, ROUTES } from "../../../device/contract/api.js";
import { problemSchema } from "../../../device/contract/api-problems.js";
import { API_PREFIX, RIGHTS } from "../../../device/contract/api-route.js";
import { commandSchema } from "../../../device/contract/commands.js";
import { ApiBench, CALL_ID, idFor, STORED } from "./api-kit.js";

let bench: ApiBench;
let secret: string;
beforeAll(() => {
  bench = new ApiBench({ config: { requestsPerMinute: 100_000 }, stored: STORED });
  secret = bench.token("all", ...RIGHTS);
});
afterAll(() => bench.close());

const known = OPERATIONS.map(
  (operation) => API_PREFIX + ROUTES[operation].path.replace("{id}", idFor(ROUTES[operation].path)),
);
const segment = fc.oneof(
  fc.constantFrom(
    "..",
    ".",
    "",
    "%2e%2e",
    "%2f",
    "%00",
    "%",
    "%zz",
    "%c0%ae",
    "calls",
    "active",
    "pause",
    "api",
    "v1",
    CALL_ID,
  ),
  fc.constantFrom(
    "etc",
    "passwd",
    "..%5c",
    "..;",
    "~",
    "*",
    ":id",
    "{id}",
    "//",
    "a".repeat(500),
    "\u00e4",
    "__proto__",
  ),
  fc.webSegment(),
);
const path = fc.oneof(
  fc.constantFrom(...known),
  fc
    .tuple(fc.constantFrom(...known), fc.string({ maxLength: 8 }))
    .map(([start, end]) => start + encodeURIComponent(end)),
  fc.array(segment, { maxLength: 8 }).map((segments) => `/${segments.join("/")}`),
  fc.array(segment, { maxLength: 4 }).map((segments) => `${API_PREFIX}/calls/${segments.join("/")}/pause`),
);
const body = fc.oneof(
  fc.constant(undefined),
  fc.jsonValue({ maxDepth: 6 }).map((value) => JSON.stringify(value)),
  fc.string({ maxLength: 200 }),
  fc.constantFrom(
    "[".repeat(16_000),
    `{"reason":${"[".repeat(8000)}${"]".repeat(8000)}}`,
    "a".repeat(20_000),
    "\0",
    "{}",
  ),
  fc.constantFrom('{"effect":"granted","reason":"x"}', '{"effect":"granted","reason":"x","party":1e400}'),
);
const headers = fc.dictionary(
  fc.constantFrom(
    "accept",
    "content-encoding",
    "x-http-method-override",
    "range",
    "if-none-match",
    "cookie",
    "origin",
    "upgrade",
  ),
  fc.stringMatching(/^[ -~]{0,40}$/),
  { noNullPrototype: true },
);
const mediaType = fc.constantFrom(
  "application/json",
  "application/json; charset=utf-16",
  "text/plain",
  "x",
  "",
  "multipart/form-data",
);

it("is answered with what the contract says", async () => {
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...METHODS.filter((method) => method !== "CONNECT")),
      fc.boolean(),
      path,
      body,
      headers,
      mediaType,
      fc.boolean(),
      async (method, isPost, path, payload, extra, type, hasToken) => {
        bench.desk.commands.length = 0;
        const asked = isPost ? "POST" : method;
        const { statusCode, body, headers } = await bench.server.app.inject({
          method: asked as "GET",
          // Not what a client makes of it: what is on the wire.
          url: { pathname: path } as never,
          headers: {
            ...extra,
            "content-type": type,
            ...(hasToken && { authorization: `Bearer ${secret}` }),
          },
          ...(payload !== undefined && { payload }),
        });
        seen.set(statusCode, (seen.get(statusCode) ?? 0) + 1);
        for (const command of bench.desk.commands) expect(commandSchema.safeParse(command.body).success).toBe(true);
        if (statusCode === 200) return;
        expect(statusCode).toBeGreaterThanOrEqual(400);
        expect(statusCode).toBeLessThan(500);
        expect(bench.desk.commands).toEqual([]);
        if (asked === "HEAD") return;
        expect(headers["content-type"]).toMatch(/^application\/problem\+json/);
        expect(problemSchema.parse(JSON.parse(body)).status).toBe(statusCode);
      },
    ),
    { numRuns: 3000 },
  );
  expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 400, 401, 404, 405, 413, 415, 422]));
  expect(bench.log.lines).toEqual([]);
});
