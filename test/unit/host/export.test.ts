// `sidetone export` against the real API over the network of this computer: CSV that a reader of its own grammar takes and no spreadsheet
// obeys, JSON lines, vCons, and everything about a number, whole and checked or not there.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { StoredCall } from "../../../device/contract/api-recordings.js";
import { API_PREFIX } from "../../../device/contract/api-route.js";
import { vconSchema } from "../../../device/contract/vcon.js";
import { TarWriter } from "../../../device/store/tar.js";
import { CSV_COLUMNS, csvHeader, csvLine } from "../../../host/export/csv.js";
import { TarCheck } from "../../../host/export/tar-check.js";
import { readCsv } from "../../fakes/csv-reader.js";
import { HOSTILE_TEXTS } from "../../fakes/hostile-calls.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { ApiBench, STORED } from "../api/api-kit.js";
import { runHere } from "./host-kit.js";

/** What a terminal or a reader of lines would obey. */
const UNSAFE = /[\p{Cc}\p{Cf}\u2028\u2029]/u;
const FORMULA = /^\s*[=+\-@\uff0b\uff0d\uff1d\uff20]/u;
const RECORDED = STORED.filter(({ manifest }) => manifest !== undefined).map(({ line }) => line.id);

function callWith(text: string): StoredCall {
  const party = { role: "caller", side: "originator", identifiedBy: text, consent: "unknown", recordedMs: 0 } as const;
  return {
    id: STORED[0]!.line.id,
    sipCallIds: [text],
    startedAt: "2026-11-21T09:00:00.000000Z",
    answeredAt: "",
    endedAt: "2026-11-21T09:00:00.000000Z",
    endReason: "bye",
    rejectStatus: 0,
    policy: "agent-only",
    outcome: "no-consent",
    durationMs: 0,
    parties: [
      { ...party, number: text, name: text },
      { ...party, number: "21", name: "", role: "agent", side: "answerer" },
    ],
    tags: [],
    warnings: [],
    acknowledgements: [],
  } as unknown as StoredCall;
}

describe("CSV", () => {
  it("has the columns of the contract, in its order", () => {
    expect(csvHeader).toBe(
      "id,startedAt,answeredAt,endedAt,durationMs,outcome,endReason,rejectStatus,policy,agentNumber,agentName,agentSide,agentConsent,agentRecordedMs,otherNumber,otherName,otherSide,otherConsent,otherRecordedMs,bytes,sha256,isEncrypted,sampleRateHz,policyRule,purpose,retention,tags,warnings,sipCallIds\r\n",
    );
  });

  const cells = (line: string) => {
    const [record, ...more] = readCsv(line);
    expect([more.length, record!.length]).toEqual([0, CSV_COLUMNS.length]);
    return Object.fromEntries(CSV_COLUMNS.map(({ name }, i) => [name, record![i]!]));
  };

  it("is one record whatever is in a text, and no cell of it is a formula or has marks that do something", () => {
    const text = fc.oneof(
      fc.constantFrom(...Object.values(HOSTILE_TEXTS)),
      fc.string({
        unit: fc.constantFrom("=", "+", "-", "@", "\t", "\r", "\n", '"', ",", " ", "'", "a", "\u202e", "\uff1d"),
      }),
      fc.string({ unit: "binary" }),
    );
    fc.assert(
      fc.property(text, (hostile) => {
        const texts = Object.values(cells(csvLine(callWith(hostile), false)));
        expect(texts.filter((cell) => FORMULA.test(cell) || UNSAFE.test(cell))).toEqual([]);
        const raw = cells(csvLine(callWith(hostile), true));
        expect([raw["otherNumber"], raw["otherName"], raw["sipCallIds"]]).toEqual([hostile, hostile, hostile]);
      }),
    );
  });

  it("keeps what is harmless as it is", () => {
    const { otherName, otherNumber } = cells(csvLine(callWith(`Zoë "Z" Müller, 李`), false));
    expect([otherName, otherNumber]).toEqual([`Zoë "Z" Müller, 李`, `Zoë "Z" Müller, 李`]);
    expect(cells(csvLine(callWith("+4930123456"), false))["otherNumber"]).toBe("'+4930123456");
    expect(cells(csvLine(callWith("+4930123456"), true))["otherNumber"]).toBe("+4930123456");
  });
});

describe("a tar", () => {
  async function archive(change: (contents: { files: { name: string; sha256: string }[] }) => void = () => {}) {
    const pieces: Buffer[] = [];
    const writer = new TarWriter((bytes) => void pieces.push(Buffer.from(bytes)));
    const files: { name: string; bytes: number; sha256: string }[] = [];
    for (const size of [0, 1, 511, 512, 513, 5000]) {
      const name = `recordings/${size}.wav`;
      const sha256 = await writer.add({ name, size, modifiedAtMs: 0, chunks: [Buffer.alloc(size, 7)] });
      files.push({ name, bytes: size, sha256 });
    }
    const contents = { schema: "sidetone.export/1", files };
    change(contents);
    const text = Buffer.from(JSON.stringify(contents));
    await writer.add({ name: "contents.json", size: text.length, modifiedAtMs: 0, chunks: [text] });
    return { written: await writer.end(), bytes: Buffer.concat(pieces) };
  }
  const check = (bytes: Buffer, size = bytes.length) => {
    const tar = new TarCheck();
    for (let at = 0; at < bytes.length; at += size) tar.add(bytes.subarray(at, at + size));
    return tar.end();
  };

  it("is whole, in pieces of any size", async () => {
    const { bytes, written } = await archive();
    for (const size of [1, 7, 511, 512, 1000, bytes.length])
      expect(check(bytes, size)).toEqual({ files: 7, bytes: written.bytes, sha256: written.sha256 });
  });

  it("is not, cut anywhere or with any byte of it changed", async () => {
    const { bytes } = await archive();
    for (const end of [0, 1, 512, 513, 3000, bytes.length - 1024, bytes.length - 512, bytes.length - 1])
      expect(() => check(bytes.subarray(0, end)), String(end)).toThrow();
    const altered = (at: number) => {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1;
      return copy;
    };
    // The name of a file, its type, a byte of one, one of contents.json, and of the end.
    for (const at of [
      3,
      156,
      bytes.indexOf(Buffer.alloc(5000, 7)) + 4000,
      bytes.indexOf("sha256") + 10,
      bytes.length - 700,
    ])
      expect(() => check(altered(at)), String(at)).toThrow();
    expect(() => check(Buffer.concat([bytes, bytes]))).toThrow("behind its end");
  });

  it("is not, with more or less in it than it says", async () => {
    for (const change of [
      (contents: { files: unknown[] }) => contents.files.pop(),
      (contents: { files: object[] }) => contents.files.push({ name: "x", bytes: 0, sha256: "" }),
      (contents: object) => Object.assign(contents, { schema: "another/1" }),
    ]) {
      const { bytes } = await archive(change);
      expect(() => check(bytes)).toThrow();
    }
  });
});

describe("the command", () => {
  let bench: ApiBench;
  let url: string;
  let folder: string;
  beforeAll(async () => {
    bench = new ApiBench({ stored: STORED, config: { requestsPerMinute: 100_000 } });
    await bench.server.app.listen({ host: "127.0.0.1", port: 0 });
    url = `http://127.0.0.1:${(bench.server.app.server.address() as AddressInfo).port}`;
  });
  afterAll(() => bench.close());
  beforeEach(() => {
    folder = makeFolder();
    return () => removeFolder(folder);
  });

  const sidetone = (words: readonly string[], rights: Parameters<ApiBench["token"]>[1][] = ["see", "download"]) => {
    const environment = { SIDETONE_URL: url, SIDETONE_TOKEN: bench.token(`t${Math.random()}`.slice(0, 20), ...rights) };
    return runHere(["export", ...words], { environment });
  };

  it("writes every call as CSV and as JSON lines, into a file or to stdout", async () => {
    const csv = join(folder, "a.csv");
    expect(await sidetone(["csv", csv])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^20 calls, \d+ bytes/),
    });
    const [header, ...records] = readCsv(readFileSync(csv, "utf8"));
    expect(header).toEqual(CSV_COLUMNS.map(({ name }) => name));
    expect(records.map(([id]) => id).sort()).toEqual(STORED.map(({ line }) => line.id).sort());
    if (process.platform !== "win32") expect(statSync(csv).mode & 0o777).toBe(0o600);

    const { stdout, stderr } = await sidetone(["jsonl", "-", "--outcome", "recorded", "--json"]);
    const calls = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as StoredCall);
    expect(calls.map(({ id }) => id).sort()).toEqual([...RECORDED].sort());
    expect(JSON.parse(stderr)).toMatchObject({ form: "jsonl", target: "-", calls: RECORDED.length });
    const answer = await bench.ask(
      "GET",
      `${API_PREFIX}/calls?limit=1&outcome=recorded`,
      bench.token("x", "see", "listen"),
    );
    expect(calls[0]).toEqual(answer.body.calls[0]);
  });

  it("leaves a file that is there alone, unless it is told", async () => {
    const csv = join(folder, "a.csv");
    writeFileSync(csv, "mine");
    expect(await sidetone(["csv", csv])).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("--force") });
    expect(readFileSync(csv, "utf8")).toBe("mine");
    expect((await sidetone(["csv", csv, "--force"])).exitCode).toBe(0);
    expect(readFileSync(csv, "utf8")).toContain(csvHeader);
    expect(readdirSync(folder)).toEqual(["a.csv"]);
  });

  it("writes a vCon for each recording, and once more only what is not there", async () => {
    const vcons = join(folder, "vcons");
    const first = await sidetone(["vcon", vcons, "--json"]);
    expect(JSON.parse(first.stdout)).toMatchObject({
      calls: RECORDED.length,
      files: RECORDED.length,
      kept: 0,
      gone: 0,
    });
    expect(readdirSync(vcons).sort()).toEqual(RECORDED.map((id) => `${id}.vcon.json`).sort());
    for (const name of readdirSync(vcons)) {
      const vcon = vconSchema.parse(JSON.parse(readFileSync(join(vcons, name), "utf8")));
      expect(vcon.dialog[0]).toMatchObject({ url: `${url}${API_PREFIX}/recordings/${name.slice(0, 26)}/file` });
    }
    writeFileSync(join(vcons, `${RECORDED[0]}.vcon.json`), "mine");
    expect((await sidetone(["vcon", vcons])).exitCode).toBe(4);
    const again = await sidetone(["vcon", vcons, "--force", "--json"]);
    expect(JSON.parse(again.stdout)).toMatchObject({ files: 1, kept: RECORDED.length - 1 });
  });

  it("writes everything about a number, checked", async () => {
    const file = join(folder, "a.tar");
    const words = ["number", file, "--number", "+49301234567", "--reason", "letter of the 3rd"];
    const { exitCode, stdout } = await sidetone([...words, "--json"], ["administer"]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ form: "number", files: 1, bytes: statSync(file).size });
    const check = new TarCheck();
    check.add(readFileSync(file));
    expect(check.end().sha256).toBe(JSON.parse(stdout).sha256);
  });

  it.each<[string[], Parameters<ApiBench["token"]>[1][], number, RegExp]>([
    [["number", "a.tar", "--number", "030123456"], ["administer"], 2, /--number and --reason/],
    [["number", "a.tar", "--number", "030123456", "--reason", "x"], ["download"], 8, /right-missing/],
    [["number", "a.tar", "--number", "anonymous", "--reason", "x"], ["administer"], 9, /names nobody/],
    [["number", "-", "--number", "030123456", "--reason", "x"], ["administer"], 2, /to a file/],
    [["csv", "a.csv", "--reason", "x"], ["see"], 2, /--reason does not go with csv/],
    [["vcon", "v", "--outcome", "recorded"], ["see"], 2, /--outcome does not go with vcon/],
    [["xml", "a.xml"], ["see"], 2, /not one of csv, jsonl, vcon, number/],
    [["csv", "missing/a.csv"], ["see"], 4, /ENOENT/],
  ])("%j ends with one line and leaves nothing", async (words, rights, expected, said) => {
    const [form, target, ...rest] = words as [string, string, ...string[]];
    const path = target === "-" ? target : join(folder, target);
    const { exitCode, stderr, stdout } = await sidetone([form, path, ...rest], rights);
    expect([exitCode, stdout]).toEqual([expected, ""]);
    expect(stderr).toMatch(said);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(existsSync(path) && statSync(path).isFile()).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith(".partial"))).toEqual([]);
  });
});
