// Finished calls and recordings as the API lists them: every filter, page by page, masked for whoever may not see numbers.
import { afterAll, beforeAll, expect, it } from "vitest";
import { storedCallSchema } from "../../../device/contract/api-recordings.js";
import { arrivalCursor } from "../../../device/store/index/arrival.js";
import { generateCalls } from "../../fakes/indexed-calls.js";
import { ApiBench, STORED, STORED_ID } from "./api-kit.js";

const CALLS = [...STORED, ...generateCalls({ seed: 9, count: 400, firstUs: 1_790_100_000_000_000, spanUs: 9e10 })];

let bench: ApiBench;
let see: string;
let all: string;
beforeAll(() => {
  bench = new ApiBench({ stored: CALLS, config: { requestsPerMinute: 100_000 } });
  see = bench.token("see", "see");
  all = bench.token("all", "see", "download");
});
afterAll(() => bench.close());

const get = (path: string, secret = all) => bench.ask("GET", `/api/v1${path}`, secret);
const idsOf = (body: { calls: { id: string }[] }) => body.calls.map(({ id }) => id);

async function everyPage(path: string, limit: number): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor = ""; ; ) {
    const { status, body } = await get(`${path}${path.includes("?") ? "&" : "?"}limit=${limit}&cursor=${cursor}`);
    expect(status).toBe(200);
    ids.push(...idsOf(body));
    if (body.next === "") return ids;
    expect(body.calls.length).toBe(limit);
    cursor = body.next;
  }
}

it("lists every call once, the newest first, and recordings alone", async () => {
  const newest = [...CALLS].sort((a, b) => (a.line.startedAt < b.line.startedAt ? 1 : -1)).map(({ line }) => line);
  expect(await everyPage("/calls", 37)).toEqual(newest.map(({ id }) => id));
  const recorded = newest.filter(({ noAudio }) => noAudio === "").map(({ id }) => id);
  expect(await everyPage("/recordings", 100)).toEqual(recorded);
});

it("lists in order of arrival, and goes on behind the last one whenever it is asked", async () => {
  expect(await everyPage("/calls?order=arrival", 37)).toEqual(CALLS.map(({ line }) => line.id));
  const recorded = CALLS.filter(({ manifest }) => manifest).map(({ line }) => line.id);
  expect(await everyPage("/recordings?order=arrival", 100)).toEqual(recorded);
  const { body } = await get("/recordings?order=arrival&limit=500");
  expect([body.calls.length, body.next]).toEqual([recorded.length, ""]);
  const later = (await get(`/recordings?order=arrival&cursor=${body.resume}`)).body;
  expect(later).toEqual({ calls: [], next: "", resume: body.resume });
  expect((await get("/recordings?limit=1")).body.resume).toBe("");
});

it("finds what the token that asks has, or has not, said to have", async () => {
  const { sha256 } = STORED[0]!.manifest!.audio;
  await bench.store!.acknowledgements!.give({ call: STORED_ID, by: "all", sha256 }, async () => {});
  const found = (await get("/recordings?acknowledged=yes")).body;
  expect(found.calls).toMatchObject([{ id: STORED_ID, acknowledgements: [{ by: "all" }] }]);
  expect(idsOf((await get("/recordings?acknowledged=yes", see)).body)).toEqual([]);
  for (const order of ["time", "arrival"]) {
    expect(await everyPage(`/recordings?acknowledged=no&order=${order}`, 500)).not.toContain(STORED_ID);
    expect(idsOf((await get(`/recordings?acknowledged=no&order=${order}&limit=500`, see)).body)).toContain(STORED_ID);
  }
});

it.each<[string, (call: (typeof CALLS)[number]) => boolean]>([
  ["policy=both-parties", ({ line }) => line.policy === "both-parties"],
  ["agent=21", ({ line }) => line.parties.some(({ role, number }) => role === "agent" && number === "21")],
  ["minDurationMs=60000&maxDurationMs=600000", ({ line }) => line.durationMs >= 60_000 && line.durationMs <= 600_000],
  ["outcome=not-answered", ({ line }) => line.noAudio === "not-answered"],
  ["from=2026-09-22T18:00:00Z", ({ line }) => line.startedAt >= "2026-09-22T18:00:00"],
  ["to=2026-09-22", ({ line }) => line.startedAt < "2026-09-23"],
])("filters by %s", async (query, fits) => {
  const wanted = CALLS.filter(fits).map(({ line }) => line.id);
  expect(wanted.length).toBeGreaterThan(0);
  expect((await everyPage(`/calls?${query}`, 50)).sort()).toEqual(wanted.sort());
});

it("shows a call as the contract has it, without a path of this box", async () => {
  const { body } = await get(`/recordings/${STORED_ID}`);
  expect(storedCallSchema.strict().parse(body)).toMatchObject({ id: STORED_ID, outcome: "recorded" });
  expect((await get(`/calls/${STORED_ID}`)).body).toEqual(body);
  expect(JSON.stringify(body)).not.toContain("recordings/");
});

it("masks numbers, names and reasons for who may only see, who finds whole numbers only", async () => {
  const [masked, full] = [await get(`/calls/${STORED_ID}`, see), await get(`/calls/${STORED_ID}`)];
  const caller = full.body.parties.find(({ role }: { role: string }) => role !== "agent");
  expect(caller.number).toMatch(/^\+4930\d{7}$/);
  expect(masked.text).not.toContain(caller.number.slice(0, -3));
  for (const { name, identifiedBy } of masked.body.parties) expect([name, identifiedBy]).toEqual(["", ""]);
  const end = encodeURIComponent(caller.number.slice(-4));
  expect(idsOf((await get(`/calls?number=${end}`)).body)).toContain(STORED_ID);
  expect(idsOf((await get(`/calls?number=${end}`, see)).body)).toEqual([]);
  expect(idsOf((await get(`/calls?number=${encodeURIComponent(caller.number)}`, see)).body)).toContain(STORED_ID);
});

it.each([
  ["cursor=abc", 400, "cursor-invalid", undefined],
  [`cursor=${"a".repeat(200)}`, 422, "invalid", "cursor"],
  ["limit=0", 422, "invalid", "limit"],
  ["limit=501", 422, "invalid", "limit"],
  ["limit=1.5", 422, "invalid", "limit"],
  ["limit=10&limit=20", 422, "invalid", "limit"],
  ["from=yesterday", 422, "invalid", "from"],
  ["from=2026-02-30", 422, "invalid", "from"],
  ["from=2026-11-02&to=2026-11-01", 422, "invalid", "to"],
  ["minDurationMs=5&maxDurationMs=4", 422, "invalid", "maxDurationMs"],
  ["tag=UPPER", 422, "invalid", "tag"],
  ["policy=sometimes", 422, "invalid", "policy"],
  ["number=1%0a2", 422, "invalid", "number"],
  ["order=size", 422, "invalid", "order"],
  ["acknowledged=maybe", 422, "invalid", "acknowledged"],
  ["order=arrival&cursor=MS4y", 400, "cursor-invalid", undefined],
  [`order=arrival&cursor=${arrivalCursor("0123456789abcdef", 3)}`, 410, "cursor-stale", undefined],
  [`cursor=${arrivalCursor("0123456789abcdef", 3)}`, 400, "cursor-invalid", undefined],
  ["colour=red", 422, "invalid", ""],
])("refuses %s with %i %s", async (query, expected, code, field) => {
  const { status, body } = await get(`/calls?${query}`);
  expect([status, body.code]).toEqual([expected, code]);
  if (field !== undefined) expect(body.errors.map((fault: { field: string }) => fault.field)).toContain(field);
});

it("says that there is nothing, or nothing yet", async () => {
  for (const id of ["x", STORED_ID.toLowerCase(), "01KAXXXXXXXXXXXXXXXXXXXXXX"]) {
    const { status, body } = await get(`/recordings/${id}`);
    expect([status, body.code]).toEqual([404, "recording-not-found"]);
  }
  const silent = CALLS.find(({ manifest }) => manifest === undefined)!.line.id;
  expect((await get(`/recordings/${silent}`)).status).toBe(404);
  expect((await get(`/calls/${silent}`)).status).toBe(200);
  const early = new ApiBench();
  const { status, body } = await early.ask("GET", "/api/v1/calls", early.token("t", "see"));
  expect([status, body.code]).toEqual([503, "unavailable"]);
  await early.close();
});
