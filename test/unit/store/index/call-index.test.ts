// The index beside what it is made of: it takes in what it missed, forgets what is gone, outlives damage, other versions and a
// disk that refuses it, and always comes to have what a rebuild would have.
import {
  appendFileSync,
  chmodSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openForWriting } from "../../../../device/store/index/database.js";
import { IndexFiles } from "../../../../device/store/index/index-files.js";
import { migrate, SCHEMA_VERSION } from "../../../../device/store/index/schema.js";
import { type GeneratedCall, generateCalls, storeCall, storeManifest } from "../../../fakes/indexed-calls.js";
import {
  contentAt,
  contentOf,
  DAY_US,
  FIRST_US,
  makeDataFolder,
  NUMBERS,
  newestOf,
  openIndex,
  rebuilt,
  takeBackToVersion2,
} from "./index-kit.js";

let folder: string;
let calls: GeneratedCall[];
beforeEach(() => {
  folder = makeDataFolder();
  calls = [...generateCalls({ seed: 1, count: 120, firstUs: FIRST_US, spanUs: 3 * DAY_US })];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function indexAll(): Promise<void> {
  for (const call of calls) storeCall(folder, call);
  const { index } = openIndex(folder);
  await index.caughtUp();
  index.close();
}

function expectAsRebuilt(): void {
  expect(contentAt(newestOf(folder))).toEqual(contentOf(rebuilt(folder)));
}

test("written call by call or taken in from the files afterwards, it is the same", async () => {
  const { index } = openIndex(folder);
  await index.caughtUp();
  for (const call of calls) {
    storeCall(folder, call);
    index.write(call.line);
  }
  expect(index.listing!.count().calls).toBe(calls.length);
  index.close();
  expectAsRebuilt();
  expect(statSync(newestOf(folder)).mode & 0o777).toBe(0o600);
  expect(contentAt(newestOf(folder))["strays"]).toEqual([]);
});

test("a call that is logged while older ones are still being taken in is not lost", async () => {
  for (const call of calls.slice(0, -1)) storeCall(folder, call);
  const { index } = openIndex(folder);
  storeCall(folder, calls.at(-1)!);
  index.write(calls.at(-1)!.line);
  await index.caughtUp();
  index.close();
  expectAsRebuilt();
});

test("closed before all is taken in, it goes on at the next start", async () => {
  for (const call of calls) storeCall(folder, call);
  const { index } = openIndex(folder);
  index.close();
  await index.caughtUp();
  const again = openIndex(folder).index;
  await again.caughtUp();
  again.close();
  expectAsRebuilt();
});

test("at a start only days that changed are read again", async () => {
  await indexAll();
  // What an index of unchanged days must not look at.
  const database = new Sqlite(newestOf(folder));
  database.prepare("UPDATE calls SET end_reason = 'untouched'").run();
  database.close();
  storeCall(folder, [...generateCalls({ seed: 2, count: 1, firstUs: FIRST_US, spanUs: 1 })][0]!);
  const { index } = openIndex(folder);
  await index.caughtUp();
  index.close();
  const reasons = contentAt(newestOf(folder))["calls"] as { end_reason: string; started_us: number }[];
  for (const { end_reason, started_us } of reasons)
    expect(end_reason === "untouched").toBe(started_us >= FIRST_US + DAY_US);
});

test("after an orderly end nothing is read again, also of days written to", async () => {
  const { index } = openIndex(folder);
  await index.caughtUp();
  for (const call of calls) {
    storeCall(folder, call);
    index.write(call.line);
  }
  index.close();
  const database = new Sqlite(newestOf(folder));
  database.prepare("UPDATE calls SET end_reason = 'untouched'").run();
  database.close();
  const again = openIndex(folder).index;
  await again.caughtUp();
  again.close();
  for (const row of contentAt(newestOf(folder))["calls"] as { end_reason: string }[])
    expect(row.end_reason).toBe("untouched");
});

test("what is gone from the disk goes from the index, and so do numbers that nobody has any longer", async () => {
  await indexAll();
  const { line } = calls.find(({ manifest }) => manifest)!;
  const day = line.startedAt.slice(0, 10);
  rmSync(join(folder, "calls", `${day}.jsonl`));
  rmSync(join(folder, "recordings", ...day.split("-")), { recursive: true });
  const { index } = openIndex(folder);
  await index.caughtUp();
  expect(index.listing!.find(line.id)).toBeUndefined();
  index.close();
  expectAsRebuilt();
});

test("a recording whose log line was lost, and a line that was torn, leave the rest as it is", async () => {
  const recorded = calls.find(({ manifest }) => manifest)!;
  storeManifest(folder, recorded.line, recorded.manifest);
  for (const call of calls.filter((one) => one !== recorded)) storeCall(folder, call);
  appendFileSync(join(folder, "calls", `${calls.at(-1)!.line.startedAt.slice(0, 10)}.jsonl`), '{"schema":"sidetone.c');
  writeFileSync(join(folder, "recordings", "2026", "11", "01", "01KAJ5QX00ABCDEFGHJKMNPQRS.json"), '{"parties":3}');
  const { index } = openIndex(folder);
  await index.caughtUp();
  expect(index.listing!.count().calls).toBe(calls.length);
  expect(index.listing!.find(recorded.line.id)).toMatchObject({
    file: recorded.line.file,
    durationMs: recorded.line.durationMs,
    recording: { purpose: "quality" },
  });
  index.close();
});

test("a deleted recording leaves times and counts, and nothing that names anybody, as a rebuild has it", async () => {
  await indexAll();
  const { line } = calls.find(({ manifest }) => manifest)!;
  const { index } = openIndex(folder);
  await index.caughtUp();
  index.changeTags(line.id, { added: ["complaint"], removed: [] });
  index.setDelivery(line.id, { target: "crm", state: "done", attempts: 1, atUs: FIRST_US, note: "" });
  index.markDeleted(line.id, "erasure");
  const left = index.listing!.find(line.id)!;
  expect(left).toMatchObject({ deleted: "erasure", file: "", sipCallIds: [], tags: [], durationMs: line.durationMs });
  expect(left.recording).toBeUndefined();
  for (const { number, name, identifiedBy } of left.parties) expect([number, name, identifiedBy]).toEqual(["", "", ""]);
  // What retention leaves on the disk.
  const path = join(folder, "calls", `${line.startedAt.slice(0, 10)}.jsonl`);
  const redactedLine = {
    ...line,
    sipCallIds: [],
    file: "",
    parties: line.parties.map((party) => ({ ...party, number: "", identifiedBy: "" })),
    deleted: "erasure",
  };
  writeFileSync(path, readFileSync(path, "utf8").replace(JSON.stringify(line), JSON.stringify(redactedLine)));
  const manifest = join(folder, "recordings", ...line.startedAt.slice(0, 10).split("-"), `${line.id}.json`);
  unlinkSync(manifest);
  writeFileSync(manifest.replace(/json$/, "deleted"), JSON.stringify({ id: line.id, reason: "erasure" }));
  index.close();
  expectAsRebuilt();
  expect(readFileSync(newestOf(folder)).includes(line.parties[1]!.number)).toBe(false);
});

test("tags and deliveries stay with their call when it is indexed again", async () => {
  await indexAll();
  const { line } = calls[5]!;
  const { index } = openIndex(folder);
  await index.caughtUp();
  expect(index.changeTags(line.id, { added: ["b", "a", "b"], removed: [] })).toBe(true);
  expect(index.changeTags("01KAJ5QX00ABCDEFGHJKMNPQRS" as typeof line.id, { added: ["a"], removed: [] })).toBe(false);
  index.write(line);
  expect(index.listing!.find(line.id)!.tags).toEqual(["a", "b"]);
  expect(index.listing!.list({ tag: "a" }).calls.map(({ id }) => id)).toEqual([line.id]);
  index.changeTags(line.id, { added: [], removed: ["a"] });
  expect(index.listing!.list({ tag: "a" }).calls).toEqual([]);
  index.remove(line.id);
  expect(index.listing!.find(line.id)).toBeUndefined();
  index.close();
});

test("a database of an older version is brought to this one, and kept as it was beside it", async () => {
  for (const call of calls) storeCall(folder, call);
  const path = new IndexFiles(folder).create();
  const old = new Sqlite(path);
  migrate(old, 1);
  old.prepare("INSERT INTO meta VALUES ('kept', 'yes')").run();
  old.close();
  const { index, said } = openIndex(folder);
  await index.caughtUp();
  expect(index.changeTags(calls[0]!.line.id, { added: ["a"], removed: [] })).toBe(true);
  index.changeTags(calls[0]!.line.id, { added: [], removed: ["a"] });
  index.close();
  expect(newestOf(folder)).toBe(path);
  expect([said.notices, said.faults]).toEqual([[], []]);
  const kept = (file: string): unknown[] => {
    const database = new Sqlite(file, { readonly: true });
    const found = [
      database.pragma("user_version", { simple: true }),
      database.prepare("SELECT value FROM meta WHERE name = 'kept'").pluck().get(),
    ];
    database.close();
    return found;
  };
  expect(kept(path)).toEqual([SCHEMA_VERSION, "yes"]);
  expect(kept(`${path}.v1.backup`)).toEqual([1, "yes"]);
  expect(statSync(`${path}.v1.backup`).mode & 0o777).toBe(0o600);
  expectAsRebuilt();
});

test("calls of an older version are found by what only this version knows, without being read again", async () => {
  await indexAll();
  const path = newestOf(folder);
  const expected = contentAt(path);
  takeBackToVersion2(path);
  openForWriting(path, new IndexFiles(folder)).close();
  expect(contentAt(path)).toEqual(expected);
});

test.each<[string, (path: string) => void]>([
  ["is no database", (path) => writeFileSync(path, "x".repeat(5000))],
  [
    "is of a newer version",
    (path) => {
      const database = new Sqlite(path);
      database.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
      database.close();
    },
  ],
  [
    "lacks its tables",
    (path) => {
      const database = new Sqlite(path);
      database.exec("DROP TABLE meta");
      database.close();
    },
  ],
])("one that %s is set aside and made anew, which is said in one line", async (_, spoil) => {
  await indexAll();
  const before = newestOf(folder);
  spoil(before);
  const { index, said } = openIndex(folder);
  await index.caughtUp();
  index.close();
  expect(said.faults).toEqual([]);
  expect(said.notices).toHaveLength(1);
  expect(said.notices[0]).toMatch(/set aside and is made anew/);
  expect(newestOf(folder)).not.toBe(before);
  expect(existsSync(`${before}.damaged`)).toBe(true);
  expectAsRebuilt();
});

test("damage inside is found after a crash, and the index made anew out of the files", async () => {
  await indexAll();
  const path = newestOf(folder);
  const database = new Sqlite(path);
  database.prepare("UPDATE meta SET value = '0' WHERE name = 'clean'").run();
  const { rootpage } = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'evidence'").get() as {
    rootpage: number;
  };
  const size = database.pragma("page_size", { simple: true }) as number;
  database.close();
  const descriptor = openSync(path, "r+");
  writeSync(descriptor, Buffer.alloc(size, 0xa5), 0, size, (rootpage - 1) * size);
  const { index, said } = openIndex(folder);
  await index.caughtUp();
  expect(said.notices.join()).toMatch(/malformed|damaged/);
  index.write(calls[0]!.line);
  await index.caughtUp();
  index.close();
  expect(said.recoveries).toBe(1);
  expectAsRebuilt();
});

test("a disk that refuses the index is reported once; what was missed is taken in when it accepts it again", async () => {
  let nowMs = 0;
  writeFileSync(join(folder, "index"), "in the way");
  const { index, said } = openIndex(folder, { clock: { nowUs: () => 0, monotonicMs: () => nowMs } });
  for (const call of calls) {
    storeCall(folder, call);
    index.write(call.line);
    nowMs += 1000;
  }
  expect(said.faults).toHaveLength(1);
  expect(index.listing).toBeUndefined();
  unlinkSync(join(folder, "index"));
  nowMs += 60_000;
  index.write(calls[0]!.line);
  await index.caughtUp();
  expect([said.faults.length, said.recoveries]).toEqual([1, 1]);
  index.close();
  expectAsRebuilt();
});

test("another way of writing numbers makes the index anew", async () => {
  await indexAll();
  const { index } = openIndex(folder, { numbers: { ...NUMBERS, countryCode: "43" } });
  await index.caughtUp();
  index.close();
  expect(contentAt(newestOf(folder))["parties"]).toEqual(contentOf(rebuilt(folder))["parties"]);
});

test("only the index and what is kept beside it stays in its folder", async () => {
  await indexAll();
  const files = new IndexFiles(folder);
  const stale = newestOf(folder);
  const fresh = files.create();
  expect(fresh > stale).toBe(true);
  writeFileSync(join(folder, "index", "README"), "");
  const { index } = openIndex(folder);
  await index.caughtUp();
  index.close();
  expect(readdirSync(join(folder, "index")).map((name) => join(folder, "index", name))).toEqual([fresh]);
  chmodSync(fresh, 0o600);
  openForWriting(fresh, files).close();
});

test("it rehearses: a call is taken, found and gone, nobody sees it, and its file takes writes", async () => {
  await indexAll();
  const { index, said } = openIndex(folder);
  await index.caughtUp();
  const before = contentAt(newestOf(folder));
  const [call] = generateCalls({ seed: 9, count: 40, firstUs: FIRST_US, spanUs: DAY_US });
  const other = new Sqlite(newestOf(folder), { readonly: true });
  const meta = (): unknown => other.prepare("SELECT * FROM meta WHERE name = 'self-test'").get();
  expect(index.rehearse({ ...call!, folder: "self-test" })).toBe("");
  expect(index.listing!.find(call!.line.id)).toBeUndefined();
  expect(other.prepare("SELECT 1 FROM calls WHERE id = ?").get(call!.line.id)).toBeUndefined();
  expect(meta()).toBeUndefined();
  expect(contentAt(newestOf(folder))).toEqual(before);
  // A real call goes in as ever, of whatever the rehearsal had in mind.
  for (const one of generateCalls({ seed: 9, count: 40, firstUs: FIRST_US, spanUs: DAY_US })) {
    storeCall(folder, one);
    index.write(one.line);
  }
  index.close();
  other.close();
  expectAsRebuilt();
  expect(said.faults).toEqual([]);
});

test("it says why it cannot rehearse: no call, or a file that takes no writes", async () => {
  await indexAll();
  const { index, said } = openIndex(folder);
  await index.caughtUp();
  const [call] = generateCalls({ seed: 9, count: 1, firstUs: FIRST_US, spanUs: DAY_US });
  expect(index.rehearse({ line: { ...call!.line, startedAt: "yesterday" }, folder: "self-test" })).toBe(
    "it takes such a call for none",
  );
  const holder = new Sqlite(newestOf(folder));
  holder.prepare("BEGIN EXCLUSIVE").run();
  expect(index.rehearse({ ...call!, folder: "self-test" })).toBe("it cannot be used at the moment");
  expect(said.faults).toHaveLength(1);
  holder.prepare("ROLLBACK").run();
  holder.close();
  index.close();
});
