// What nobody should ask, of every route that there is: ids that are pieces of paths, queries that are unknown, doubled or too long, cursors
// that no listing gave, bodies that are none. Each is a 4xx that is a problem of the contract, and nothing else happens.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OPERATIONS, type Operation, ROUTES } from "../../../device/contract/api.js";
import {
  MAX_BODY_BYTES,
  PROBLEM_MEDIA_TYPE,
  type ProblemCode,
  problemSchema,
} from "../../../device/contract/api-problems.js";
import { API_PREFIX, RIGHTS, type RouteContract } from "../../../device/contract/api-route.js";
import { readAudit } from "../store/audit-kit.js";
import { ApiBench, CALL_ID, STORED } from "./api-kit.js";
import { EXAMPLES, exampleOf } from "./examples.js";

let bench: ApiBench;
let secret: string;
beforeAll(() => {
  bench = new ApiBench({ stored: STORED, config: { requestsPerMinute: 1_000_000, badTokensPerMinute: 100_000 } });
  secret = bench.token("all", ...RIGHTS);
});
afterAll(async () => {
  expect(bench.log.lines.filter((line) => line.startsWith("error"))).toEqual([]);
  await bench.close();
});

const contractOf = (operation: Operation): RouteContract => ROUTES[operation];
/** What any route may answer whatever it is about. */
const ANYWHERE: readonly ProblemCode[] = ["malformed", "not-found", "uri-too-long", "invalid", "method-not-allowed"];

async function refused(operation: Operation, url: string, body?: unknown, headers: Record<string, string> = {}) {
  const { method } = ROUTES[operation];
  // The path as it is on the wire, not what a client makes of it.
  const response = await bench.server.app.inject({
    method,
    url: { pathname: url.split("?")[0]!, ...(url.includes("?") && { search: `?${url.split("?")[1]}` }) } as never,
    headers: {
      authorization: `Bearer ${secret}`,
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { payload: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const where = `${method} ${url.slice(0, 120)} ${response.statusCode} ${response.body.slice(0, 200)}`;
  expect(response.statusCode, where).toBeGreaterThanOrEqual(400);
  expect(response.statusCode, where).toBeLessThan(500);
  expect(response.headers["content-type"], where).toContain(PROBLEM_MEDIA_TYPE);
  expect(response.headers["x-content-type-options"]).toBe("nosniff");
  const problem = problemSchema.parse(JSON.parse(response.body));
  expect(problem.status).toBe(response.statusCode);
  const own: readonly ProblemCode[] = contractOf(operation).problems;
  return { problem, where, isExpected: [...ANYWHERE, ...own].includes(problem.code) };
}

/** Nothing reached the engine, and nothing was entered. */
async function untouched(act: () => Promise<void>): Promise<void> {
  const entries = readAudit(bench.folder).length;
  bench.desk.commands.length = 0;
  await act();
  await bench.store!.audit.flush();
  expect(bench.desk.commands).toEqual([]);
  expect(
    readAudit(bench.folder)
      .slice(entries)
      .filter(({ actor }) => actor !== "service"),
  ).toEqual([]);
}

const IDS = [
  "..",
  ".",
  "%2e%2e",
  "..%2f..%2fetc%2fpasswd",
  "..%5c..%5cwindows",
  "%00",
  `${CALL_ID}%00`,
  `${CALL_ID}.json`,
  `${CALL_ID}%0d%0aX-Evil:%201`,
  CALL_ID.toLowerCase(),
  "__proto__",
  "constructor",
  "%zz",
  "%ff%fe",
  "%c0%ae%c0%ae%c0%af",
  "a".repeat(300),
  "%F0%9F%92%A9",
  "' OR 1=1 --".replaceAll(" ", "%20"),
];

describe.each(OPERATIONS.filter((operation) => ROUTES[operation].path.includes("{")))("%s", (operation) => {
  it("has nothing under ids that are none", async () => {
    const { path } = ROUTES[operation];
    const { query, body, path: given = {} } = EXAMPLES[operation];
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    await untouched(async () => {
      for (const name of names)
        for (const id of IDS) {
          const whole = path.replaceAll(/\{(\w+)\}/g, (_, other: string) =>
            other === name ? id : (given[other] ?? CALL_ID),
          );
          const url = `${API_PREFIX}${whole}${query === undefined ? "" : `?${query}`}`;
          const { isExpected, where, problem } = await refused(operation, url, body);
          expect(isExpected, where).toBe(true);
          if (/%zz|%ff|%c0/.test(id)) expect(problem.code, where).toBe("malformed");
        }
    });
  });
});

describe.each(OPERATIONS.filter((operation) => contractOf(operation).query !== undefined))("%s", (operation) => {
  const { body, query: good = "" } = EXAMPLES[operation];
  const [bare] = exampleOf(operation).url.split("?");
  const ask = (query: string) => refused(operation, `${bare}?${[good, query].filter(Boolean).join("&")}`, body);

  it("refuses what its query does not know, and what it has twice", async () => {
    await untouched(async () => {
      for (const unknown of [
        "colour=red",
        "limit[]=1",
        "__proto__=1",
        "constructor[prototype][x]=1",
        "%00=1",
        "Limit=1",
      ])
        expect((await ask(unknown)).problem.code, unknown).toBe("invalid");
      for (const name of Object.keys(contractOf(operation).query!.shape)) {
        const { problem, where } = await ask(`${name}=1&${name}=1`);
        expect(problem.code, where).toBe("invalid");
      }
    });
  });

  it("refuses values that are too long or hold controls", async () => {
    await untouched(async () => {
      for (const name of Object.keys(contractOf(operation).query!.shape))
        for (const value of ["a".repeat(5000), "%00", "%1b%5b31m", "1%0d%0aX:1"]) {
          const rest = good.split("&").filter((pair) => pair !== "" && !pair.startsWith(`${name}=`));
          const { problem, where } = await refused(
            operation,
            `${bare}?${[...rest, `${name}=${value}`].join("&")}`,
            body,
          );
          expect(["invalid", "cursor-invalid"], where).toContain(problem.code);
        }
    });
  });
});

const hasCursor = (operation: Operation) => "cursor" in (contractOf(operation).query?.shape ?? {});
it.each(OPERATIONS.filter(hasCursor))("%s: refuses cursors that no listing has given", async (operation) => {
  const { url } = exampleOf(operation);
  const cursors = ["nonsense", "../../etc/passwd", "eyJhIjoxfQ==", "-1", "1.5", "0x10", "%F0%9F%92%A9", "null", "NaN"];
  for (const cursor of cursors) {
    const { problem, where } = await refused(operation, `${url}?cursor=${cursor}`);
    expect(["cursor-invalid", "cursor-stale", "invalid"], where).toContain(problem.code);
  }
});

describe.each(OPERATIONS.filter((operation) => contractOf(operation).body !== undefined))("%s", (operation) => {
  const { url } = exampleOf(operation);

  it("refuses bodies that are none", async () => {
    await untouched(async () => {
      const cases: [string, string, Record<string, string>?][] = [
        ["malformed", "{"],
        ["malformed", "[".repeat(10_000)],
        ["malformed", "\u0000"],
        ["invalid", "[]"],
        ["invalid", "null"],
        ["invalid", '"text"'],
        ["invalid", '{"__proto__":{"isAdmin":true},"nonsense":1}'],
        ["invalid", `{"a":${"[".repeat(3000)}${"]".repeat(3000)}}`],
        ["body-too-large", " ".repeat(MAX_BODY_BYTES + 1)],
        ["media-type-unsupported", "{}", { "content-type": "text/plain" }],
        ["media-type-unsupported", "{}", { "content-encoding": "gzip" }],
        ["media-type-unsupported", "a=1", { "content-type": "application/x-www-form-urlencoded" }],
      ];
      for (const [code, body, headers] of cases) {
        const { problem, where } = await refused(operation, url, body, headers);
        expect(problem.code, where).toBe(code);
      }
    });
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });
});

const patternOf = (operation: Operation) =>
  new RegExp(`^${API_PREFIX}${ROUTES[operation].path.replaceAll(/\{\w+\}/g, "[^/]+")}$`);

it("methods that a path does not have are named with those that it has", async () => {
  for (const path of new Set(OPERATIONS.map((operation) => ROUTES[operation].path))) {
    const has = OPERATIONS.filter((operation) => ROUTES[operation].path === path).map(
      (name) => ROUTES[name].method as string,
    );
    const { url } = exampleOf(OPERATIONS.find((operation) => ROUTES[operation].path === path)!);
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((one) => !has.includes(one))) {
      // The same text may be an id under another path.
      if (OPERATIONS.some((other) => ROUTES[other].method === method && patternOf(other).test(url))) continue;
      const { status, body, headers } = await bench.ask(method, url, secret);
      expect([method, path, status, body.code]).toEqual([method, path, 405, "method-not-allowed"]);
      expect(String(headers["allow"]).split(", ")).toEqual(expect.arrayContaining(has));
    }
  }
});
