// The audit chain page by page: whatever the page's size, the direction, the filter and the damage, together the pages hold what a plain
// reading of the files holds, in order and once; and a long chain's last page costs no more than a short one's.
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CallId, makeCallId } from "../../../device/base/ids.js";
import { AUDIT_SCHEMA, type AuditEntry } from "../../../device/contract/audit.js";
import { auditFolder, parseEntry } from "../../../device/store/audit-files.js";
import { type AuditQuestion, readAuditPage } from "../../../device/store/audit-pages.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
  mkdirSync(auditFolder(folder), { recursive: true });
});
afterEach(() => removeFolder(folder));

const CALLS = [7, 8].map((byte) => makeCallId(1_795_000_000_000_000, Buffer.alloc(10, byte)));
const KINDS = ["listen", "download", "consent"] as const;

function lineOf(seq: number, at: string, padding = 0): string {
  const kind = KINDS[seq % 3]!;
  const call: { call?: CallId } = seq % 5 === 0 ? {} : { call: CALLS[seq % 2]! };
  const detail: AuditEntry["detail"] = padding === 0 ? {} : { text: "é".repeat(padding) };
  const entry: AuditEntry = {
    schema: AUDIT_SCHEMA,
    seq,
    at,
    kind,
    actor: "service",
    ...call,
    detail,
    previous: "",
    signature: "x",
  };
  return JSON.stringify(entry);
}

/** `count` entries, so many a month from September 2026 on; `junk` after every so many. */
function write(count: number, { perMonth = 1000, junkAfter = 0, padding = 0 } = {}): void {
  const months = new Map<string, string[]>();
  for (let seq = 1; seq <= count; seq++) {
    const month = new Date(Date.UTC(2026, 8 + Math.floor((seq - 1) / perMonth), 1)).toISOString().slice(0, 7);
    const day = 1 + (Math.floor(((seq - 1) % perMonth) / (perMonth / 28)) % 28);
    const lines = months.get(month) ?? [];
    lines.push(
      lineOf(seq, `${month}-${String(day).padStart(2, "0")}T10:00:00.${String(seq % 1e6).padStart(6, "0")}Z`, padding),
    );
    if (junkAfter > 0 && seq % junkAfter === 0)
      lines.push(...['{"schema":"other"}', "", "\u0000".repeat(3000), "x".repeat(300_000)]);
    months.set(month, lines);
  }
  for (const [month, lines] of months)
    writeFileSync(join(auditFolder(folder), `${month}.jsonl`), lines.map((line) => `${line}\n`).join(""));
}

async function allPages(
  question: Partial<AuditQuestion>,
): Promise<{ lines: string[]; pages: number; damaged: number }> {
  const lines: string[] = [];
  let [pages, damaged] = [0, 0];
  for (let after: number | undefined; ; pages++) {
    const page = await readAuditPage(folder, {
      ...{ order: "newest", head: Number.MAX_SAFE_INTEGER - 1, limit: 100 },
      ...question,
      ...(after !== undefined && { after }),
    });
    expect(page.lines.length).toBeLessThanOrEqual(question.limit ?? 100);
    lines.push(...page.lines);
    damaged += page.damaged;
    if (page.next === undefined) return { lines, pages: pages + 1, damaged };
    expect(page.next).not.toBe(after);
    after = page.next;
  }
}

const seqs = (lines: readonly string[]): number[] => lines.map((line) => JSON.parse(line).seq);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

describe("pages", () => {
  it("hold every entry once, in either order, over files and damage, as the bytes stand", async () => {
    for (const junkAfter of [0, 7]) {
      write(250, { perMonth: 60, junkAfter, padding: 40 });
      const oldest = await allPages({ order: "oldest", limit: 9 });
      const newest = await allPages({ order: "newest", limit: 9 });
      expect(seqs(oldest.lines)).toEqual(numbers(250));
      expect(newest.lines).toEqual(oldest.lines.toReversed());
      expect([oldest.pages, newest.pages]).toEqual([28, 28]);
      const months = ["09", "10", "11", "12"].map((month) => `2026-${month}.jsonl`).concat("2027-01.jsonl");
      const files = months.map((name) => readFileSync(join(auditFolder(folder), name), "utf8")).join("");
      const entries = files.split("\n").filter((line) => parseEntry(Buffer.from(line)) !== undefined);
      expect(oldest.lines).toEqual(entries);
      if (junkAfter > 0) expect(oldest.damaged).toBeGreaterThan(100);
      else expect(oldest.damaged + newest.damaged).toBe(0);
    }
  });

  it("end where the chain does: not with what is torn, and not with what is not durable yet", async () => {
    write(30);
    const path = join(auditFolder(folder), "2026-09.jsonl");
    appendFileSync(path, lineOf(31, "2026-09-29T10:00:00.000000Z").slice(0, 60));
    for (const order of ["oldest", "newest"] as const) {
      expect(seqs((await allPages({ order })).lines).sort((a, b) => a - b)).toEqual(numbers(30));
      expect(seqs((await allPages({ order, head: 28, limit: 5 })).lines).sort((a, b) => a - b)).toEqual(numbers(28));
    }
    expect(await readAuditPage(folder, { order: "newest", head: 0, limit: 5 })).toEqual({
      lines: [],
      next: undefined,
      damaged: 0,
    });
    removeFolder(auditFolder(folder));
    expect((await allPages({})).lines).toEqual([]);
  });

  it("filter by kind, call and time, each with the others", async () => {
    write(500, { perMonth: 200 });
    const all = seqs((await allPages({ order: "oldest" })).lines);
    const call = CALLS[0] as CallId;
    const times = { from: "2026-09-10T00:00:00.000", to: "2026-10-02T00:00:00.000" };
    const entries = (await allPages({ order: "oldest" })).lines.map((line) => JSON.parse(line) as AuditEntry);
    expect(all).toHaveLength(500);
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          order: fc.constantFrom("newest", "oldest"),
          limit: fc.integer({ min: 1, max: 50 }),
          filters: fc.record(
            { kind: fc.constantFrom(...KINDS), call: fc.constant(call), ...map(times) },
            { requiredKeys: [] },
          ),
        }),
        async ({ order, limit, filters }) => {
          const { kind, call: wanted, from = "", to = "9" } = filters as Partial<AuditQuestion>;
          const expected = entries
            .filter(
              (entry) => (kind === undefined || entry.kind === kind) && (wanted === undefined || entry.call === wanted),
            )
            .filter(({ at }) => at >= from && at < to)
            .map(({ seq }) => seq);
          const found = seqs((await allPages({ order: order as "newest", limit, ...filters })).lines);
          expect(order === "newest" ? found.reverse() : found).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("a page of long entries ends before it is full", async () => {
    write(120, { padding: 15_000 });
    const { lines, pages } = await allPages({ order: "oldest" });
    expect(seqs(lines)).toEqual(numbers(120));
    expect(pages).toBe(4);
  });
});

it("of 40,000 entries the last page, one in the middle and the first cost milliseconds", async () => {
  write(40_000, { perMonth: 30_000, padding: 200 });
  const questions: [Partial<AuditQuestion>, number][] = [
    [{ order: "newest" }, 40_000],
    [{ order: "newest", after: 20_001 }, 20_000],
    [{ order: "oldest", after: 29_999 }, 30_000],
    [{ order: "oldest" }, 1],
  ];
  const startedAt = performance.now();
  for (const [question, first] of questions) {
    const { lines } = await readAuditPage(folder, { order: "newest", head: 40_000, limit: 100, ...question });
    expect(seqs(lines)[0]).toBe(first);
    expect(lines).toHaveLength(100);
  }
  expect(performance.now() - startedAt).toBeLessThan(400);
});

function map<Value>(values: Record<string, Value>): Record<string, fc.Arbitrary<Value>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fc.constant(value)]));
}
