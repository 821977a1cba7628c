// The OpenAPI 3.1 document, made from the contract's tables alone. The copy in device/contract/openapi.json is compared
// with it by a test.
import { z } from "zod";
import { OPERATIONS, ROUTES, SCHEMAS } from "../contract/api.js";
import { PROBLEM_MEDIA_TYPE, PROBLEMS, type ProblemCode, problemSchema } from "../contract/api-problems.js";
import { API_PREFIX, callIdSchema, type RouteContract } from "../contract/api-route.js";

const TAKEN = Object.entries(SCHEMAS.taken);
const GIVEN = Object.entries(SCHEMAS.given);
const ACCESS_PROBLEMS: readonly ProblemCode[] = [
  "token-missing",
  "token-invalid",
  "right-missing",
  "rate-limited",
  "address-locked",
];
const BODY_PROBLEMS: readonly ProblemCode[] = ["malformed", "body-too-large", "media-type-unsupported", "invalid"];

const QUERY_PROBLEMS: readonly ProblemCode[] = ["malformed", "invalid"];

export type OpenApiDocument = { openapi: string } & Record<string, unknown>;

export function describeApi(): OpenApiDocument {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of OPERATIONS) {
    const route: RouteContract = ROUTES[operation];
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: describeRoute(operation, route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Sidetone",
      version: "1",
      description:
        "Errors are problem details (RFC 9457); a program decides by their code. Every answer is about the moment it was given.",
    },
    servers: [{ url: API_PREFIX }],
    paths,
    components: {
      responses: describeRefusals(),
      schemas: { ...schemasOf(TAKEN, "input"), ...schemasOf(GIVEN, "output") },
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "made by sidetoned token create" } },
    },
  };
}

function describeRoute(operation: string, route: RouteContract): Record<string, unknown> {
  return {
    operationId: operation,
    summary: route.summary,
    ...(route.right && { description: `Needs the right ${route.right}.` }),
    security: route.right ? [{ token: [] }] : [],
    ...parametersOf(route),
    ...(route.body && {
      requestBody: {
        // A body whose every field has a default may be left out.
        required: !route.body.safeParse({}).success,
        content: { "application/json": { schema: reference(route.body) } },
      },
    }),
    responses: {
      200: { description: "done", ...answerHeaders(route), content: contentOf(route) },
      ...(route.conditions === "ranges" && {
        206: { description: "the range asked for", ...answerHeaders(route), content: contentOf(route) },
      }),
      ...(route.conditions && { 304: { description: "as If-None-Match has it" } }),
      ...describeProblems(route),
    },
  };
}

function contentOf(route: RouteContract): object {
  return Object.fromEntries(mediaOf(route).map((media) => [media, { schema: reference(route.answer) }]));
}

function answerHeaders({ conditions }: RouteContract): { headers?: object } {
  if (conditions === undefined) return {};
  const names = ["ETag", "Repr-Digest", "Content-Disposition", ...(conditions === "ranges" ? ["Accept-Ranges"] : [])];
  return { headers: Object.fromEntries(names.map((name) => [name, { schema: { type: "string" } }])) };
}

function mediaOf({ media = "application/json" }: RouteContract): readonly string[] {
  return typeof media === "string" ? [media] : media;
}

function parametersOf({ path, parameters = {}, query, conditions }: RouteContract): { parameters?: object[] } {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    ...{ name, in: "path", required: true },
    schema: ofText(parameters[name!] ?? callIdSchema),
  }));
  const inQuery = Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    ...{ name, in: "query", required: !(schema as z.ZodType).safeParse(undefined).success },
    schema: ofText(schema as z.ZodType),
  }));
  const headers = conditions === undefined ? [] : ["If-Match", "If-None-Match"];
  if (conditions === "ranges") headers.push("Range", "If-Range");
  const inHeaders = headers.map((name) => ({ name, in: "header", required: false, schema: { type: "string" } }));
  const all = [...inPath, ...inQuery, ...inHeaders];
  return all.length === 0 ? {} : { parameters: all };
}

/** As it is once read: a number in a URL is a number. */
function ofText(schema: z.ZodType): object {
  return withoutIdentity(z.toJSONSchema(schema, { io: "output" }) as Record<string, unknown>);
}

/** One component for each set of codes that share a status; most routes share them. */
function describeProblems(route: RouteContract): Record<string, { $ref: string }> {
  const refusals = refusalsOf(route).map(({ status, name }) => [status, { $ref: `#/components/responses/${name}` }]);
  return Object.fromEntries(refusals);
}

function describeRefusals(): Record<string, unknown> {
  const all = OPERATIONS.flatMap((operation) => refusalsOf(ROUTES[operation]));
  return Object.fromEntries(
    all.map(({ status, name, codes }) => [
      name,
      {
        description: codes.map((code) => `${code}: ${PROBLEMS[code].meaning}.`).join(" "),
        ...(status === 401 && { headers: { "WWW-Authenticate": { schema: { type: "string" } } } }),
        ...(status === 429 && { headers: { "Retry-After": { schema: { type: "integer" }, description: "seconds" } } }),
        content: { [PROBLEM_MEDIA_TYPE]: { schema: reference(problemSchema) } },
      },
    ]),
  );
}

function refusalsOf(route: RouteContract): { status: number; name: string; codes: ProblemCode[] }[] {
  const codes: ProblemCode[] = [
    ...(route.right ? ACCESS_PROBLEMS : []),
    ...(route.body ? BODY_PROBLEMS : []),
    ...(route.query && !route.body ? QUERY_PROBLEMS : []),
    ...route.problems,
    "internal",
  ];
  const statuses = [...new Set(codes.map((code) => PROBLEMS[code].status))];
  return statuses.map((status) => {
    const own = codes.filter((code) => PROBLEMS[code].status === status);
    return { status, name: own.join("."), codes: own };
  });
}

function reference(schema: z.ZodType): { $ref: string } {
  const named = [...TAKEN, ...GIVEN].find(([, candidate]) => candidate === schema);
  if (named === undefined) throw new Error("a route has a schema without a name");
  return { $ref: schemaUri(named[0]) };
}

function schemaUri(name: string): string {
  return `#/components/schemas/${name}`;
}

function schemasOf(list: readonly [string, z.ZodType][], io: "input" | "output"): Record<string, unknown> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of list) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io,
    uri: schemaUri,
    // Answers may get more fields within this version.
    override: ({ jsonSchema }) => {
      if (io === "output") delete jsonSchema.additionalProperties;
    },
  });
  return Object.fromEntries(list.map(([name]) => [name, withoutIdentity(schemas[name]!)]));
}

/** OpenAPI names its schemas by their place. */
function withoutIdentity({ $schema: _, $id: __, ...schema }: Record<string, unknown>): Record<string, unknown> {
  return schema;
}
