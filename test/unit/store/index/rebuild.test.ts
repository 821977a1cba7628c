// An index built beside the one in use takes its place whole, or leaves it as it is; tags, which no manifest says, come out of the
// audit chain.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SidetoneError } from "../../../../device/base/errors.js";
import { type CallId, makeCallId } from "../../../../device/base/ids.js";
import { runCallsCommand } from "../../../../device/console/calls-command.js";
import { formatRebuild, runReindexCommand } from "../../../../device/console/reindex-command.js";
import { MAX_TAGS } from "../../../../device/contract/listing.js";
import { IndexRebuild } from "../../../../device/store/index/rebuild.js";
import { REINDEX, reindexKind } from "../../../../device/store/index/reindex-request.js";
import { type TagBody, tagKind } from "../../../../device/store/index/tag-request.js";
import { RecordingPaths } from "../../../../device/store/recording-paths.js";
import { RecordingStore } from "../../../../device/store/recordings.js";
import type { SpoolContext, SpoolResult } from "../../../../device/store/spool-kinds.js";
import { type GeneratedCall, generateCalls, storeCall } from "../../../fakes/indexed-calls.js";
import { readAudit } from "../audit-kit.js";
import { contentAt, contentOf, DAY_US, FIRST_US, makeDataFolder, NUMBERS, newestOf, rebuilt } from "./index-kit.js";

const quiet = { onFault: () => {}, onRecovery: () => {}, onNotice: () => {} };
const command = { json: false };
let folder: string;
let store: RecordingStore;
let calls: GeneratedCall[];
let asked = 0;
let looks = 0;

beforeEach(async () => {
  folder = makeDataFolder();
  calls = [...generateCalls({ seed: 4, count: 300, firstUs: FIRST_US, spanUs: 2 * DAY_US })];
  for (const call of calls) storeCall(folder, call);
  await open();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(): Promise<void> {
  store = RecordingStore.open(folder, { index: { numbers: NUMBERS, ...quiet } });
  await store.index!.caughtUp();
}

async function reopen(): Promise<void> {
  store.close();
  await open();
}

function context(mayBeRepeat = false, id = makeCallId(FIRST_US + asked++ * 1e6)): SpoolContext {
  return { id, actor: "cli test", atUs: FIRST_US, mayBeRepeat, signal: new AbortController().signal };
}

async function tag(call: CallId, change: Partial<TagBody>, how = context()): Promise<SpoolResult> {
  return tagKind(store.tags!, store.audit, folder).carryOut({ call, add: [], remove: [], ...change }, how);
}

/** As the command does it, with this store as the running service. */
async function reindex(
  signal = new AbortController().signal,
  write: (text: string) => void = () => {},
): Promise<string> {
  const out: string[] = [];
  await runReindexCommand(command, folder, NUMBERS, {
    write: (text) => void out.push(text),
    terminal: { isTTY: true, columns: 120, write },
    ask: async (kind, body) => {
      expect(kind).toBe(REINDEX);
      return { state: "done", result: await reindexKind(store.index!).carryOut(body, context()) };
    },
    clock: { monotonicMs: () => 900 * looks++ },
    signal,
  });
  return out.join("");
}

function tagged(name: string): CallId[] {
  return store.index!.listing!.list({ tag: name }).calls.map(({ id }) => id);
}

test("a rebuilt index takes the place of the one in use, with calls that came in meanwhile, tags and deliveries", async () => {
  const [one, other] = [calls[3]!.line.id, calls[250]!.line.id];
  await tag(one, { add: ["vip", "complaint"] });
  await tag(other, { add: ["vip"] });
  await tag(one, { remove: ["vip"] });
  store.index!.setDelivery(one, { target: "crm", state: "done", attempts: 1, atUs: FIRST_US, note: "" });
  const before = newestOf(folder);
  const rebuild = new IndexRebuild(new RecordingPaths(folder), NUMBERS);
  for (const _ of rebuild.steps());
  const [late] = [...generateCalls({ seed: 9, count: 1, firstUs: FIRST_US + 5 * DAY_US, spanUs: 1 })];
  storeCall(folder, late!);
  store.index!.write(late!.line);
  const result = await reindexKind(store.index!).carryOut({ name: rebuild.name }, context());
  expect(result).toMatchObject({ calls: calls.length + 1 });
  expect(newestOf(folder) > before).toBe(true);
  expect([tagged("vip"), tagged("complaint")]).toEqual([[other], [one]]);
  expect(readdirSync(join(folder, "index")).filter((name) => /\.(sqlite|partial)$/.test(name))).toHaveLength(1);
  // Asked again after a kill: it has been done.
  await reindexKind(store.index!).carryOut({ name: rebuild.name }, context(true));
  await expect(reindexKind(store.index!).carryOut({ name: rebuild.name }, context())).rejects.toThrow(
    /run sidetoned reindex again/,
  );
  store.close();
  expect(contentAt(newestOf(folder))["calls"]).toEqual(contentOf(rebuilt(folder))["calls"]);
  await open();
});

test("the command shows how far it is and ends with counts, rate and time", async () => {
  const drawn: string[] = [];
  const out = await reindex(undefined, (text) => void drawn.push(text));
  expect(out).toMatch(/^indexed: 300 calls from \d+ files in \d+\.\d s \(\d+ calls\/s\)\n$/);
  expect(drawn.join("")).toMatch(/\d+ files, \d+ calls, \d+% done, \d+ calls\/s/);
  expect(formatRebuild({ files: 3, calls: 400, doneBytes: 1, totalBytes: 4, unreadable: 0 }, 2000)).toBe(
    "3 files, 400 calls, 25% done, 200 calls/s",
  );
});

test("interrupted, or with what cannot be adopted, the old index stays and nothing else", async () => {
  const before = newestOf(folder);
  const interrupt = new AbortController();
  const interrupted = reindex(interrupt.signal);
  setTimeout(() => interrupt.abort(new SidetoneError("interrupted", "interrupted")), 1);
  await expect(interrupted).rejects.toThrow("interrupted");
  const halfway = new IndexRebuild(new RecordingPaths(folder), NUMBERS);
  halfway.steps().next();
  await expect(reindexKind(store.index!).carryOut({ name: halfway.name }, context())).rejects.toMatchObject({
    code: "index-unusable",
  });
  halfway.giveUp();
  expect(newestOf(folder)).toBe(before);
  expect(readdirSync(join(folder, "index")).filter((name) => name.includes("partial"))).toEqual([]);
  expect(store.index!.listing!.count().calls).toBe(calls.length);
});

test("tags outlive the index: damaged, lost, or with its last writes gone", async () => {
  const ids = calls.slice(0, 3).map(({ line }) => line.id);
  for (const id of ids) await tag(id, { add: ["vip"] });
  store.close();
  writeFileSync(newestOf(folder), "x".repeat(5000));
  await open();
  expect(tagged("vip")).toEqual([...ids].reverse());
  store.close();
  rmSync(join(folder, "index"), { recursive: true });
  await open();
  expect(tagged("vip")).toEqual([...ids].reverse());
  // As after a power cut: entered durably, and then not in the index.
  store.close();
  const path = newestOf(folder);
  const before = readFileSync(path);
  await open();
  await tag(ids[0]!, { add: ["late"], remove: ["vip"] });
  store.close();
  writeFileSync(path, before);
  await open();
  expect([tagged("late"), tagged("vip")]).toEqual([[ids[0]], [ids[2], ids[1]]]);
});

test("a tag is entered once, however often it is asked for; what changes nothing is not entered", async () => {
  const { id } = calls[7]!.line;
  const request = context();
  expect(await tag(id, { add: ["vip"] }, request)).toEqual({ call: id, tags: ["vip"] });
  store.index!.changeTags(id, { added: [], removed: ["vip"] });
  expect(await tag(id, { add: ["vip"] }, { ...request, mayBeRepeat: true })).toEqual({ call: id, tags: ["vip"] });
  await tag(id, { add: ["vip"] });
  await tag(id, { remove: ["other"] });
  expect(tagged("vip")).toEqual([id]);
  await store.audit.flush();
  expect(readAudit(folder).filter(({ kind }) => kind === "tagged")).toHaveLength(1);
});

test("a call that is unknown or deleted takes no tags, and none takes too many", async () => {
  const { id } = calls[7]!.line;
  await expect(tag("01KAJ5QX00ABCDEFGHJKMNPQRS" as CallId, { add: ["a"] })).rejects.toMatchObject({ code: "usage" });
  await tag(id, { add: Array.from({ length: MAX_TAGS }, (_, i) => `t${i}`) });
  await expect(tag(id, { add: ["one-more"] })).rejects.toThrow(/at most 32/);
  await tag(id, { add: ["one-more"], remove: ["t0"] });
  store.index!.markDeleted(id, "request");
  await expect(tag(id, { add: ["a"] })).rejects.toThrow(/was deleted/);
  await reopen();
  expect(tagged("one-more")).toEqual([]);
});

test("calls lists a page as a table or JSON, beside the running service", async () => {
  await tag(calls[299]!.line.id, { add: ["vip"] });
  const list = (json: boolean, limit = 2, cursor = ""): string => {
    const out: string[] = [];
    runCallsCommand({ json, limit, cursor, filter: { tag: "vip" } }, folder, (text) => void out.push(text));
    return out.join("");
  };
  const page = JSON.parse(list(true));
  expect(page).toMatchObject({
    schema: "sidetone.calls/1",
    next: "",
    calls: [{ id: calls[299]!.line.id, tags: ["vip"] }],
  });
  const lines = list(false).split("\n");
  expect(lines[0]).toMatch(/^call +began \(UTC\) +length +agent +others +consent +policy +outcome +tags$/);
  expect(lines[1]).toContain(calls[299]!.line.parties[1]!.number);
  expect(() => list(false, 2, "x")).toThrow(/--cursor/);
});

test.each<[string, () => void, string]>([
  ["there is none", () => rmSync(join(folder, "index"), { recursive: true }), "index-missing"],
  ["it is damaged", () => writeFileSync(newestOf(folder), "x".repeat(5000)), "index-unusable"],
])("without an index that can be read the command says what to do: %s", async (_, spoil, code) => {
  store.close();
  spoil();
  const list = (): unknown => runCallsCommand({ ...command, limit: 1, cursor: "", filter: {} }, folder, () => {});
  expect(list).toThrow(
    expect.objectContaining({ code, exitCode: 4, message: expect.stringContaining("run sidetoned reindex") }),
  );
  await open();
});
