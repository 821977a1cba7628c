// Calls whose people call themselves HTML, formulas, escapes of terminals, pieces of paths, ten kilobytes and bytes that are no UTF-8,
// recorded by the real service from a wire: wherever such a name or address comes out (the API's JSON, a vCon, CSV, the terminal, the
// log, MQTT, names of files), it is text, and does nothing else.
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../device/base/clock.js";
import { type StoredCall, storedCallsAnswerSchema } from "../../device/contract/api-recordings.js";
import { API_PREFIX } from "../../device/contract/api-route.js";
import type { Manifest } from "../../device/contract/manifest.js";
import { vconSchema } from "../../device/contract/vcon.js";
import { TokenStore } from "../../device/store/tokens.js";
import { CaptureFile } from "../fakes/capture-file.js";
import { readCsv } from "../fakes/csv-reader.js";
import { HOSTILE_TEXTS, hostileCalls } from "../fakes/hostile-calls.js";
import { freePort, Mosquitto, mosquittoObstacle, type Subscriber } from "../fakes/mosquitto.js";
import {
  filesBelow,
  logLines,
  makeFolder,
  PROJECT_ROOT,
  RunningProgram,
  removeFolder,
  runProgram,
} from "../fakes/program.js";
import { liveTestObstacle, VethPair } from "./veth-pair.js";

const obstacle = liveTestObstacle() ?? mosquittoObstacle();
if (obstacle) console.log(`skipped: hostile content: ${obstacle}`);

const TOOL = join(PROJECT_ROOT, "dist/host/main.js");
const CALLS = Object.keys(HOSTILE_TEXTS).length;
/** What a terminal, or whoever reads lines, would obey: controls, marks that turn text round, ends of lines. */
const OBEYED = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}]/gu;
/** And what cannot be seen. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** Which of them a text has, in hexadecimal. */
const found = (shown: string, marks = OBEYED): string[] =>
  [...shown.matchAll(marks)].map(([mark]) => mark.codePointAt(0)!.toString(16));
/** Valid UTF-8, or it throws. */
const text = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
const run = promisify(execFile);

describe.skipIf(obstacle !== undefined)("hostile names and addresses", () => {
  const folder = obstacle === undefined ? makeFolder() : "";
  const data = join(folder, "data");
  const pair = new VethPair("hostile");
  let broker: Mosquitto;
  let admin: Subscriber;
  let service: RunningProgram;
  let url: string;
  let token: string;
  let calls: StoredCall[];

  beforeAll(async () => {
    pair.create();
    broker = await Mosquitto.start(folder);
    admin = await broker.subscribe("#");
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    mkdirSync(data);
    const tokens = new TokenStore({ dataFolder: data, clock: systemClock });
    token = tokens.create({ name: "hostile", rights: ["see", "listen", "download", "administer"] }).secret;
    const config = join(folder, "sidetone.yaml");
    const settings = {
      agents: { match: ["10.0.0.7"] },
      api: { port },
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}`, numbers: "full" },
    };
    writeFileSync(config, JSON.stringify(settings));
    service = new RunningProgram(["--interface", pair.near, "--data", data, "--config", config, "--json"]);
    await service.waitFor("the API", (stderr) => logLines(stderr, "the API listens")[0]);
    await pair.replayLater(hostileCalls(Date.now() * 1000));
    await vi.waitFor(async () => expect(await listed()).toHaveLength(CALLS), { timeout: 30_000, interval: 300 });
    calls = await listed();
  });
  afterAll(async () => {
    await service?.stop();
    await admin?.stop();
    await broker?.stop();
    pair.remove();
    removeFolder(folder);
  });

  async function ask(path: string): Promise<{ response: Response; text: string }> {
    const response = await fetch(`${url}${API_PREFIX}${path}`, { headers: { authorization: `Bearer ${token}` } });
    return { response, text: text(new Uint8Array(await response.arrayBuffer())) };
  }
  async function listed(): Promise<StoredCall[]> {
    const answer = await ask("/recordings?limit=500");
    return (JSON.parse(answer.text) as { calls: StoredCall[] }).calls;
  }
  const environment = () => ({ ...process.env, SIDETONE_URL: url, SIDETONE_TOKEN: token, NO_COLOR: "1" });
  const sidetone = async (...words: string[]) =>
    run(process.execPath, [TOOL, ...words], { env: environment(), encoding: "buffer", maxBuffer: 1 << 26 });
  const namesOf = ({ parties }: StoredCall) => parties.filter(({ role }) => role !== "agent").map(({ name }) => name);

  it("are recorded like any other, and arrive in the API's JSON as text", async () => {
    const { response, text: body } = await ask("/recordings?limit=500");
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(found(body)).toEqual([]);
    const answer = storedCallsAnswerSchema.strict().parse(JSON.parse(body));
    const names = answer.calls.flatMap(namesOf);
    expect(names).toHaveLength(CALLS);
    for (const plain of [
      "html",
      "formula with a sign",
      "path pieces",
      "path pieces of Windows",
      "json",
      "sql",
      "prototype",
    ])
      expect(names).toContain(HOSTILE_TEXTS[plain]);
    expect(names).toContain("bad ��������");
    expect(names.find((name) => name.startsWith("long "))).toMatch(/^long A{200,251}$/);
    expect(Math.max(...answer.calls.map((call) => JSON.stringify(call).length))).toBeLessThan(8000);
  });

  it("arrive in vCons and in what is stored as text, under names that the box has made", async () => {
    for (const { id } of calls) {
      const { response, text: body } = await ask(`/recordings/${id}/vcon`);
      expect([response.status, response.headers.get("x-content-type-options")]).toEqual([200, "nosniff"]);
      // An address is evidence, and stands as it was signalled: in JSON marks are text.
      expect(found(body, CONTROLS)).toEqual([]);
      vconSchema.parse(JSON.parse(body));
    }
    const files = filesBelow(data);
    expect(files.filter((name) => !/^[A-Za-z0-9./_-]+$/.test(name))).toEqual([]);
    for (const name of files.filter((name) => /^recordings\/.*\.json$|^calls\/|^audit\/.*l$/.test(name)))
      expect(found(text(readFileSync(join(data, name))).replaceAll("\n", ""), CONTROLS), name).toEqual([]);
  });

  it("arrive in CSV as cells that are no formulas, and in JSON lines as they were signalled", async () => {
    const csv = join(folder, "calls.csv");
    await sidetone("export", "csv", csv);
    const [header, ...records] = readCsv(text(readFileSync(csv)));
    expect(records).toHaveLength(CALLS);
    for (const record of records) {
      expect(record).toHaveLength(header!.length);
      expect(
        record.filter((cell) => /^\s*[=+\-@\uff0b\uff0d\uff1d\uff20]/u.test(cell) || found(cell, UNSEEN).length > 0),
      ).toEqual([]);
    }
    expect(records.map((record) => record[header!.indexOf("otherName")])).toContain(
      `'${HOSTILE_TEXTS["formula with a sign"]}`,
    );
    const { stdout } = await sidetone("export", "jsonl", "-");
    const lines = text(stdout).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as StoredCall)).toEqual(calls);
  });

  it("move nothing on a terminal", async () => {
    const terminal = async (program: string, ...words: string[]) => {
      const command = [process.execPath, join(PROJECT_ROOT, program), ...words].map((word) => `'${word}'`).join(" ");
      const options = { env: environment(), encoding: "buffer", maxBuffer: 1 << 26 } as const;
      const { stdout } = await run("script", ["-qec", `stty cols 200; ${command}`, "/dev/null"], options);
      const shown = text(stdout);
      expect(found(shown.replaceAll("\r\n", ""), UNSEEN)).toEqual([]);
      return shown;
    };
    const shown = await terminal("dist/host/main.js", "calls");
    expect(shown).toContain("__proto__");
    // A line each, and the one above them.
    expect(shown.trimEnd().split("\r\n")).toHaveLength(CALLS + 1);
    expect(await terminal("dist/device/main.js", "calls", "--data", data)).toContain("__proto__");
  });

  it("become no names of files, whatever is made of them", async () => {
    const target = join(folder, "pulled");
    const beside = readdirSync(folder);
    const key = ["--public-key", join(data, "keys/device.pub")];
    await sidetone("pull", target, "--name", "{caller}/{number} {caller} {agent}", ...key);
    const files = filesBelow(target).filter((name) => name.endsWith(".wav"));
    expect(files).toHaveLength(CALLS);
    for (const name of files) {
      const pieces = name.split("/");
      expect(pieces.length).toBeLessThanOrEqual(2);
      for (const piece of pieces) {
        expect(found(piece, UNSEEN), piece).toEqual([]);
        expect(piece).not.toMatch(/[<>:"\\|?*]|^\.|[. ]$|^(?:con|nul|aux|prn|com\d|lpt\d)(?:\.|$)/i);
        expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(255);
      }
    }
    expect(readdirSync(folder).filter((name) => !beside.includes(name))).toEqual([relative(folder, target)]);
  });

  it("arrive over MQTT as JSON, in no topic, and in answers to requests as text", async () => {
    broker.publish("sidetone/box/request/recordings", JSON.stringify({ transaction: "1", limit: 100 }));
    const device = admin.received.map(({ topic }) => /^sidetone\/([^/]+)\/state$/.exec(topic)?.[1]).find(Boolean)!;
    broker.publish(`sidetone/${device}/request/recordings`, JSON.stringify({ transaction: "2", limit: 100 }));
    const answer = await admin.next<{ data?: unknown }>(`sidetone/${device}/response/recordings`);
    expect(JSON.stringify(answer)).toContain("__proto__");
    for (const { topic, payload } of admin.received) {
      expect(topic).toMatch(/^[A-Za-z0-9/_.-]+$/);
      expect(found(payload), topic).toEqual([]);
      if (payload !== "" && topic.startsWith(`sidetone/${device}/`)) JSON.parse(payload);
    }
  });

  it("arrive in the stream of events as one line of JSON each", async () => {
    const { response, text: body } = await ask("/events?follow=false");
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const lines = body.split("\n").filter((line) => line !== "");
    for (const line of lines) {
      expect(found(line), line.slice(0, 200)).toEqual([]);
      expect(line).toMatch(/^(?:id|event|data|retry): ?|^:/);
    }
    const data = lines.filter((line) => line.startsWith("data:")).map((line) => JSON.parse(line.slice(5)) as object);
    expect(data.filter((one) => "parties" in one && "outcome" in one)).toHaveLength(CALLS);
  });

  it("are one line of the log each, as JSON and as text", async () => {
    const lines = service.stderr.trimEnd().split("\n");
    for (const line of lines) {
      expect(found(line), line.slice(0, 200)).toEqual([]);
      expect(JSON.parse(line)).toHaveProperty("level");
    }
    expect(logLines(service.stderr, "call")).toHaveLength(CALLS);
    const capture = join(folder, "hostile.pcap");
    new CaptureFile().addAll(hostileCalls()).write(capture);
    const replayed = join(folder, "replayed");
    mkdirSync(replayed);
    const { exitCode, stderr, stdout } = await runProgram([
      "--read",
      capture,
      "--data",
      replayed,
      "--agents",
      "10.0.0.7",
    ]);
    expect(exitCode).toBe(0);
    expect(found(`${stderr}${stdout}`.replaceAll("\n", ""), UNSEEN)).toEqual([]);
    const manifests = filesBelow(replayed).filter((name) => /^recordings\/.*\.json$/.test(name));
    expect(manifests).toHaveLength(CALLS);
    for (const name of manifests) {
      const { parties } = JSON.parse(text(readFileSync(join(replayed, name)))) as Manifest;
      expect(parties.every((party) => party.name.length <= 256 && party.uri.length <= 1024)).toBe(true);
    }
  });
});
