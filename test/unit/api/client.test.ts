// A client that another program has made of the OpenAPI document alone, against the server over a socket: it has a function for every
// route, and what they answer is what the document says. The document itself is OpenAPI 3.1 as an independent validator has it.
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { Validator } from "@seriousme/openapi-schema-validator";
import type { AxiosResponse } from "axios";
import { afterAll, beforeAll, expect, it } from "vitest";
import { OPERATIONS, type Operation } from "../../../device/contract/api.js";
import { PROBLEM_MEDIA_TYPE } from "../../../device/contract/api-problems.js";
import { API_PREFIX, RIGHTS } from "../../../device/contract/api-route.js";
import { bearing, makeDocumentClient, type Operate } from "../../fakes/document-client.js";
import { ApiBench, STORED } from "./api-kit.js";
import { EXAMPLES, parametersOf } from "./examples.js";

const require = createRequire(import.meta.url);
const Ajv = require("ajv/dist/2020").default as typeof import("ajv/dist/2020.js").default;
const addFormats = require("ajv-formats").default as typeof import("ajv-formats").default;
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);

interface Answer {
  content?: Record<string, { schema: { $ref: string } }>;
}

let bench: ApiBench;
let served: Record<string, unknown>;
let client: Readonly<Record<string, Operate>>;
let secret: string;
beforeAll(async () => {
  bench = new ApiBench({ stored: STORED, config: { requestsPerMinute: 100_000 } });
  secret = bench.token("all", ...RIGHTS);
  await bench.server.app.listen({ host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${(bench.server.app.server.address() as AddressInfo).port}${API_PREFIX}`;
  ({ document: served, operations: client } = await makeDocumentClient(url, { responseType: "arraybuffer" }));
  ajv.addSchema({ ...served, $id: "https://sidetone.invalid/openapi" });
});
afterAll(() => bench.close());

/** Whether a text is what the document says of such an answer. */
function isDescribed(operation: Operation, { status, headers, data }: AxiosResponse<unknown>): boolean {
  const text = new TextDecoder("utf-8", { fatal: false }).decode(data as Uint8Array);
  const paths = served["paths"] as Record<string, Record<string, { operationId: string; responses: object }>>;
  const described = Object.values(paths).flatMap((methods) => Object.values(methods));
  const { responses } = described.find(({ operationId }) => operationId === operation)!;
  const own = (responses as Record<string, Answer & { $ref?: string }>)[String(status)];
  const name = own?.$ref?.split("/").at(-1);
  const { responses: shared } = served["components"] as { responses: Record<string, Answer> };
  const answer = name === undefined ? own : shared[name];
  if (answer === undefined) return false;
  if (answer.content === undefined) return text === "";
  const named = String(headers["content-type"]);
  const media = named in answer.content ? named : named.replace("; charset=utf-8", "");
  const schema = answer.content[media]?.schema;
  if (schema === undefined) return false;
  const isJson = /json$|\/vcon$/.test(media);
  return check(schema.$ref)(isJson ? JSON.parse(text) : text) === true;
}

function check(reference: string): (value: unknown) => unknown {
  return ajv.compile({ $ref: `https://sidetone.invalid/openapi${reference}` });
}

it("is of a document that is OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(served));
  expect([valid, validator.version, errors]).toEqual([true, "3.1", undefined]);
});

it.each(OPERATIONS)("%s: asked with a token, and without", async (operation) => {
  const { status = 200, body, right } = EXAMPLES[operation];
  const call = client[operation]!;
  const parameters = parametersOf(operation);
  const answer = await call(parameters, body, bearing(secret));
  expect(answer.status).toBe(status);
  expect(isDescribed(operation, answer)).toBe(true);
  const refused = await call(parameters, body);
  expect(refused.status).toBe(right === undefined ? status : 401);
  expect(isDescribed(operation, refused)).toBe(true);
  if (right !== undefined) expect(refused.headers["content-type"]).toContain(PROBLEM_MEDIA_TYPE);
});

it("goes through a listing page by page as the document's cursor has it, each call once", async () => {
  const seen: string[] = [];
  for (let cursor = ""; ; ) {
    const { data } = await client["listCalls"]!({ limit: 7, cursor }, undefined, {
      ...bearing(secret),
      responseType: "json",
    });
    const { calls, next } = data as unknown as { calls: { id: string }[]; next: string };
    seen.push(...calls.map(({ id }) => id));
    if (next === "") break;
    cursor = next;
  }
  expect(seen.sort()).toEqual(STORED.map(({ line }) => line.id).sort());
});
