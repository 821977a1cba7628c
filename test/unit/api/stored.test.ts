// What is done with a recording once it is stored, through the API: each route does what it says, in the token's name, and says in a
// code of the contract why it does not.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PROBLEMS, type ProblemCode } from "../../../device/contract/api-problems.js";
import { RIGHTS } from "../../../device/contract/api-route.js";
import { MAX_NOTES } from "../../../device/contract/note.js";
import { readAudit } from "../store/audit-kit.js";
import { ApiBench, STORED, STORED_ID } from "./api-kit.js";

const UNKNOWN = "01KAJ5QX00ABCDEFGHJKMNPQRS";
const SILENT = STORED.find(({ manifest }) => !manifest)!.line.id;
const [CALL, OTHER] = [STORED[0]!, STORED[1]!];
/** Keeps what is younger than ten years. */
const LONG = { minDays: 3650, maxDays: 3650 };
const CLASSES = { classes: ["long", "short"].map((name) => ({ name, ...LONG })), defaultClass: "long" };

let bench: ApiBench;
let all: string;
beforeEach(async () => {
  bench = new ApiBench({ stored: STORED, config: { requestsPerMinute: 100_000 } });
  all = bench.token("desk", ...RIGHTS);
  await bench.store!.index!.caughtUp();
});
afterEach(() => bench.close());

const ask = (method: string, path: string, body?: unknown, secret = all) =>
  bench.ask(method, `/api/v1${path}`, secret, body);
const about = (method: string, path: string, body?: unknown, id: string = STORED_ID) =>
  ask(method, `/recordings/${id}${path}`, body);
async function expectProblem(answer: ReturnType<typeof ask>, code: ProblemCode, field?: string): Promise<void> {
  const { status, body } = await answer;
  expect([status, body.code], JSON.stringify(body)).toEqual([PROBLEMS[code].status, code]);
  if (field !== undefined) expect(body.errors.map((one: { field: string }) => one.field)).toContain(field);
}
const entries = (kind: string) => readAudit(bench.folder).filter((entry) => entry.kind === kind);

describe("tags", () => {
  it("are put on, taken off and said, of a call without audio too", async () => {
    expect((await about("POST", "/tags", { add: ["vip", "b"] })).body).toEqual({ tags: ["b", "vip"] });
    expect((await about("POST", "/tags", { remove: ["b"] })).body).toEqual({ tags: ["vip"] });
    expect((await about("POST", "/tags")).body).toEqual({ tags: ["vip"] });
    expect((await about("POST", "/tags", { add: ["x"] }, SILENT)).status).toBe(200);
    expect((await ask("GET", "/recordings?tag=vip")).body.calls).toMatchObject([{ id: STORED_ID, tags: ["vip"] }]);
    expect(entries("tagged").map(({ actor, call }) => [actor, call])).toEqual([
      ["token desk", STORED_ID],
      ["token desk", STORED_ID],
      ["token desk", SILENT],
    ]);
  });

  it("are refused with a reason", async () => {
    await expectProblem(about("POST", "/tags", { add: ["UPPER"] }), "invalid", "add.0");
    await expectProblem(about("POST", "/tags", { set: ["a"] }), "invalid");
    await expectProblem(about("POST", "/tags", { add: ["a"] }, UNKNOWN), "recording-not-found");
    await expectProblem(about("POST", "/tags", { add: ["a"] }, "..%2f..%2fetc"), "recording-not-found");
    const many = Array.from({ length: 32 }, (_, i) => `t${i}`);
    await about("POST", "/tags", { add: many });
    await expectProblem(about("POST", "/tags", { add: ["one-more"] }), "too-many-tags");
  });
});

describe("notes", () => {
  const HOSTILE = '<script>alert(1)</script>\n=HYPERLINK("x")\t☎ \u{1F600} ../../etc';

  it("are written, read by who may listen, and taken away", async () => {
    const { status, body: note } = await about("POST", "/notes", { text: HOSTILE });
    expect([status, note.by, note.text]).toEqual([200, "desk", HOSTILE]);
    const listener = bench.token("ears", "listen");
    const read = () => ask("GET", `/recordings/${STORED_ID}/notes`, undefined, listener);
    expect((await read()).body).toEqual({ notes: [note] });
    await expectProblem(ask("POST", `/recordings/${STORED_ID}/notes`, { text: "x" }, listener), "right-missing");
    expect((await about("DELETE", `/notes/${note.id}`)).body).toEqual({ left: 0 });
    await expectProblem(about("DELETE", `/notes/${note.id}`), "note-not-found");
    expect((await read()).body).toEqual({ notes: [] });
    expect(entries("noted").map(({ actor }) => actor)).toEqual(["token desk", "token desk"]);
    expect(readFileSync(join(bench.folder, "audit", "2026-11.jsonl"), "utf8")).not.toContain("HYPERLINK");
  });

  it.each([
    ["nothing", ""],
    ["blanks", " \n\t "],
    ["a control character", "a\u001b[2J"],
    ["half a character", "a\ud800"],
    ["too much", "x".repeat(2001)],
    ["no text", 7],
  ])("refuse %s", async (_, text) => {
    await expectProblem(about("POST", "/notes", { text }), "invalid", "text");
  });

  it("are of recordings only, and so many", async () => {
    await expectProblem(about("POST", "/notes", { text: "x" }, UNKNOWN), "recording-not-found");
    await expectProblem(about("GET", "/notes", undefined, SILENT), "recording-not-found");
    await expectProblem(about("DELETE", "/notes/..", undefined), "not-found");
    await expectProblem(about("DELETE", "/notes/x%2f..%2fy", undefined), "note-not-found");
    for (let i = 0; i < MAX_NOTES; i++) await bench.store!.notes.add(STORED_ID, { by: "x", text: "x" }, async () => {});
    await expectProblem(about("POST", "/notes", { text: "x" }), "too-many-notes");
  });
});

describe("acknowledgements", () => {
  const { sha256 } = CALL.manifest!.audio;

  it("are given once by each token and taken back", async () => {
    const crm = bench.token("crm", "download", "see");
    const put = (secret: string) => ask("PUT", `/recordings/${STORED_ID}/acknowledgement`, { sha256 }, secret);
    await put(all);
    expect((await put(crm)).body.acknowledgements.map(({ by }: { by: string }) => by)).toEqual(["crm", "desk"]);
    expect((await put(crm)).body.acknowledgements).toHaveLength(2);
    const { body } = await ask("GET", "/recordings?acknowledged=yes", undefined, crm);
    expect(body.calls.map(({ id }: { id: string }) => id)).toEqual([STORED_ID]);
    const left = await ask("DELETE", `/recordings/${STORED_ID}/acknowledgement`, undefined, crm);
    expect(left.body.acknowledgements).toMatchObject([{ by: "desk" }]);
    expect(entries("collected").map(({ actor, detail }) => [actor, detail["withdrawn"] ?? false])).toEqual([
      ["token desk", false],
      ["token crm", false],
      ["token crm", true],
    ]);
  });

  it("are refused for what somebody has not", async () => {
    await expectProblem(about("PUT", "/acknowledgement", { sha256: "0".repeat(64) }), "digest-mismatch");
    await expectProblem(about("PUT", "/acknowledgement", { sha256: sha256.toUpperCase() }), "invalid", "sha256");
    await expectProblem(about("PUT", "/acknowledgement"), "invalid", "sha256");
    await expectProblem(about("PUT", "/acknowledgement", { sha256 }, SILENT), "recording-not-found");
    await expectProblem(about("DELETE", "/acknowledgement", undefined, UNKNOWN), "recording-not-found");
  });
});

describe("deletion", () => {
  it("leaves a certificate in the token's name, and is gone for every route", async () => {
    await about("POST", "/notes", { text: "personal" });
    await about("PUT", "/acknowledgement", { sha256: CALL.manifest!.audio.sha256 });
    const cursor = (await ask("GET", "/calls?order=arrival&limit=500")).body.resume;
    const { status, body } = await about("DELETE", "?reason=letter%20of%20the%203rd");
    expect([status, body]).toEqual([200, { state: "done" }]);
    expect(
      entries("deleted").map(({ call, detail }) => [call, detail["by"], detail["text"], detail["reason"]]),
    ).toEqual([[STORED_ID, "token desk", "letter of the 3rd", "request"]]);
    for (const [method, path, sent] of [
      ["GET", "", undefined],
      ["GET", "/notes", undefined],
      ["POST", "/notes", { text: "x" }],
      ["POST", "/tags", { add: ["a"] }],
      ["PUT", "/acknowledgement", { sha256: CALL.manifest!.audio.sha256 }],
      ["DELETE", "?reason=again", undefined],
    ] as const)
      await expectProblem(about(method, path, sent), "recording-deleted");
    const { body: call } = await ask("GET", `/calls/${STORED_ID}`);
    expect(call).toMatchObject({ outcome: "deleted", acknowledgements: [], sipCallIds: [] });
    expect((await ask("GET", `/calls?order=arrival&cursor=${cursor}`)).body.calls).toEqual([]);
    expect(existsSync(join(bench.folder, CALL.line.file.replace(/wav$/, "notes")))).toBe(false);
  });

  it("is refused with a reason", async () => {
    await expectProblem(about("DELETE", ""), "invalid", "reason");
    await expectProblem(about("DELETE", "?reason=%20"), "invalid", "reason");
    await expectProblem(about("DELETE", "?reason=x&overridesMinimum=perhaps"), "invalid", "overridesMinimum");
    await expectProblem(about("DELETE", "?reason=x", undefined, UNKNOWN), "recording-not-found");
    await expectProblem(about("DELETE", "?reason=x", undefined, SILENT), "recording-not-found");
    const { body } = await ask("POST", "/holds", { covers: { call: STORED_ID }, reason: "court case" });
    await expectProblem(about("DELETE", "?reason=x&overridesMinimum=true"), "on-hold");
    expect((await ask("DELETE", `/holds/${body.hold}?reason=over`)).body).toEqual({ state: "done" });
    expect((await about("DELETE", "?reason=x")).status).toBe(200);
  });

  it("waits for a minimum age, unless it is told not to", async () => {
    const strict = new ApiBench({ stored: [OTHER], classes: CLASSES });
    const secret = strict.token("d", "delete");
    const path = `/api/v1/recordings/${OTHER.line.id}?reason=x`;
    await expectProblem(strict.ask("DELETE", path, secret), "minimum-retention");
    expect((await strict.ask("DELETE", `${path}&overridesMinimum=true`, secret)).body).toEqual({ state: "done" });
    await strict.close();
  });
});

describe("holds", () => {
  it("are made, listed and lifted; who may not see numbers sees their ends", async () => {
    const number = "+4930123456789";
    const day = { from: "2026-11-01", to: "2026-11-02" };
    for (const covers of [{ call: STORED_ID }, { number }, day])
      expect((await ask("POST", "/holds", { covers, reason: "court case" })).status).toBe(200);
    const { holds } = (await ask("GET", "/holds")).body;
    expect(holds.map(({ by, covers }: { by: string; covers: object }) => [by, covers])).toEqual([
      ["token desk", { call: STORED_ID }],
      ["token desk", { number }],
      ["token desk", { from: "2026-11-01T00:00:00.000Z", to: "2026-11-02T23:59:59.999Z" }],
    ]);
    const masked = await ask("GET", "/holds", undefined, bench.token("d", "delete"));
    expect(masked.text).not.toContain("30123456");
    for (const { id } of holds) expect((await ask("DELETE", `/holds/${id}?reason=over`)).status).toBe(200);
    expect((await ask("GET", "/holds")).body).toEqual({ holds: [] });
    expect(entries("hold").map(({ actor }) => actor)).toEqual(["token desk", "token desk", "token desk"]);
    expect(JSON.stringify(entries("hold"))).not.toContain("30123456");
  });

  it.each<[object, string]>([
    [{ covers: { call: STORED_ID } }, "reason"],
    [{ covers: { call: "x" }, reason: "x" }, "covers.call"],
    [{ covers: {}, reason: "x" }, "covers"],
    [{ covers: { from: "2026-11-02", to: "2026-11-01" }, reason: "x" }, "covers.to"],
    [{ covers: { number: "+4930123456789" }, reason: "about 030 123456789" }, "reason"],
  ])("refuse %j", async (body, field) => {
    await expectProblem(ask("POST", "/holds", body), "invalid", field);
    expect((await ask("GET", "/holds")).body.holds).toEqual([]);
  });

  it("that are not there cannot be lifted, and those that cannot be read are said", async () => {
    await expectProblem(ask("DELETE", `/holds/${UNKNOWN}?reason=x`), "hold-not-found");
    await expectProblem(ask("DELETE", "/holds/x?reason=x"), "hold-not-found");
    await expectProblem(ask("DELETE", `/holds/${UNKNOWN}`), "invalid", "reason");
    mkdirSync(join(bench.folder, "retention"), { recursive: true });
    writeFileSync(join(bench.folder, "retention", "holds.json"), "{");
    await expectProblem(ask("GET", "/holds"), "data-unwritable");
    await expectProblem(about("DELETE", "?reason=x"), "data-unwritable");
    rmSync(join(bench.folder, "retention", "holds.json"));
  });
});

it("without a store, or without its index, is said", async () => {
  const early = new ApiBench();
  const secret = early.token("t", ...RIGHTS);
  for (const [method, path, body] of [
    ["POST", `/recordings/${STORED_ID}/tags`, {}],
    ["GET", `/recordings/${STORED_ID}/notes`, undefined],
    ["DELETE", `/recordings/${STORED_ID}?reason=x`, undefined],
    ["GET", "/holds", undefined],
  ] as const)
    await expectProblem(early.ask(method, `/api/v1${path}`, secret, body), "unavailable");
  await early.close();
});
