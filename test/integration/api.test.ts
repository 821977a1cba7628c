// The API over real sockets, with the programs that people use: curl, plain and with TLS; clients that are slow, too many
// or speak no HTTP; start and stop. The desk behind it is a fake, for the engine is not what is looked at.
import { execFile, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { EventHub } from "../../device/api/event-hub.js";
import { ApiFace } from "../../device/api/face.js";
import { apiCertificate } from "../../device/api-certificate.js";
import { systemClock } from "../../device/base/clock.js";
import { certificateText } from "../../device/console/certificate-command.js";
import { PROBLEM_MEDIA_TYPE, problemSchema } from "../../device/contract/api-problems.js";
import { RIGHTS } from "../../device/contract/api-route.js";
import type { CommandResult } from "../../device/contract/commands.js";
import { type Config, configSchema } from "../../device/contract/config.js";
import { AlarmBook } from "../../device/health/alarms.js";
import { ownCertificatePath } from "../../device/store/own-certificate.js";
import { ensureFirstToken, TokenStore } from "../../device/store/tokens.js";
import {
  logLines,
  makeFolder,
  PROJECT_ROOT,
  RunningProgram,
  readRecordings,
  removeFolder,
  runProgram,
} from "../fakes/program.js";
import { activeCall, apiConfig, CALL_ID, FakeDesk, LogLines } from "../unit/api/api-kit.js";
import { readAudit } from "../unit/store/audit-kit.js";
import { liveTestObstacle } from "./veth-pair.js";

const has = (program: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`]);
    return true;
  } catch {
    return false;
  }
};
const run = promisify(execFile);

let folder: string;
let desk: FakeDesk;
let log: LogLines;
let face: ApiFace;
let secret: string;
let address: string;
const sockets: Socket[] = [];
beforeEach(() => {
  folder = makeFolder();
  desk = new FakeDesk();
  log = new LogLines();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await face?.stop();
  removeFolder(folder);
});

async function start(
  settings: Partial<Config["api"]> = {},
  certificate?: ReturnType<typeof apiCertificate>,
  events?: EventHub,
): Promise<void> {
  const tokens = new TokenStore({ dataFolder: folder, clock: systemClock });
  secret = ensureFirstToken(tokens) ?? secret;
  face = new ApiFace({
    config: apiConfig(settings),
    desk,
    tokens,
    logger: log,
    certificateLookMs: 50,
    ...(certificate && { certificate }),
    ...(events && { events }),
  });
  ({ address } = await face.start());
}

interface Raw {
  text: string;
  /** From the connection's start until it was closed. */
  tookMs: number;
}

/** Writes and reads until the server closes. */
function speak(bytes: Buffer | string, { dripMs = 0 } = {}): Promise<Raw> {
  const { hostname, port } = new URL(address);
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    let text = "";
    let timer: NodeJS.Timeout | undefined;
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(timer);
      resolve({ text, tookMs: performance.now() - startedAt });
    });
    if (dripMs === 0) {
      socket.write(bytes);
      return;
    }
    let at = 0;
    timer = setInterval(() => socket.write(bytes.slice(at, ++at)), dripMs);
  });
}

const statusesIn = ({ text }: Raw): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, code]) => Number(code));
const problemIn = ({ text }: Raw) => {
  expect(text).toContain(`Content-Type: ${PROBLEM_MEDIA_TYPE}`);
  return problemSchema.parse(JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)));
};

describe.skipIf(!has("curl"))("curl", () => {
  const curl = async (...args: string[]) => {
    const format = "\n%{http_code} %{content_type}";
    const { stdout } = await run("curl", ["-sS", "--path-as-is", "-m", "10", "-w", format, ...args]);
    const [status, ...type] = stdout.slice(stdout.lastIndexOf("\n") + 1).split(" ");
    const body = stdout.slice(0, stdout.lastIndexOf("\n"));
    return { status: Number(status), type: type.join(" "), body: body === "" ? null : JSON.parse(body) };
  };
  const bearer = () => ["-H", `Authorization: Bearer ${secret}`];
  const json = ["-H", "Content-Type: application/json", "--data-binary"];

  it("sees the calls, sets consent, pauses and resumes, as the first token may", async () => {
    await start();
    expect(await curl(`${address}/api/v1/health`)).toMatchObject({ status: 200, body: { status: "ok" } });
    expect((await curl(`${address}/api/v1/openapi.json`)).body.openapi).toBe("3.1.0");
    const seen = await curl(...bearer(), `${address}/api/v1/calls/active`);
    expect(seen).toMatchObject({
      status: 200,
      type: "application/json; charset=utf-8",
      body: { calls: [activeCall()] },
    });
    const call = `${address}/api/v1/calls/${CALL_ID}`;
    const consent = '{"effect":"granted","reason":"said yes"}';
    expect((await curl(...bearer(), ...json, consent, `${call}/consent`)).status).toBe(200);
    expect((await curl(...bearer(), "-X", "POST", `${call}/pause`)).status).toBe(200);
    expect((await curl(...bearer(), ...json, '{"reason":"card read"}', `${call}/resume`)).status).toBe(200);
    expect((await curl(...bearer(), "-X", "POST", `${address}/api/v1/calls/pause-all`)).status).toBe(200);
    expect(desk.commands.map(({ body, by, source }) => [body.verb, by, source])).toEqual(
      ["calls", "consent", "pause", "resume", "pause"].map((verb) => [verb, "token first-start", "api"]),
    );
    const head = await run("curl", ["-sSI", ...bearer(), `${address}/api/v1/calls/active`]);
    expect(head.stdout).toMatch(/^HTTP\/1\.1 200/);
  });

  it("follows events", async () => {
    const events = new EventHub();
    await start({ requestTimeoutMs: 1000 }, undefined, events);
    const curl = spawn("curl", ["-sSN", ...bearer(), `${address}/api/v1/events`]);
    let text = "";
    curl.stdout.on("data", (chunk) => {
      text += chunk;
    });
    const until = async (isDone: () => boolean): Promise<void> => {
      while (!isDone()) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    await until(() => text.includes("retry: 3000\n\n"));
    events.publish("call-started", { call: CALL_ID, at: "2026-11-28T09:00:00.000000Z" });
    await until(() => /^id: \w+-1\nevent: call-started\ndata: \{"call":"\w+","at":"[^"]+"\}\n\n$/m.test(text));
    const ended = new Promise((resolve) => curl.once("exit", resolve));
    await face.stop();
    expect(await ended).toBe(0);
  });

  it("meets problems", async () => {
    await start();
    const call = `${address}/api/v1/calls/${CALL_ID}`;
    const big = join(folder, "big");
    writeFileSync(big, Buffer.alloc(200_000, 0x20));
    const refusals: [number, string, string[]][] = [
      [401, "token-missing", [`${address}/api/v1/calls/active`]],
      [401, "token-invalid", ["-u", "admin:admin", `${address}/api/v1/calls/active`]],
      [404, "not-found", [...bearer(), `${address}/api/v1/../../../etc/passwd`]],
      [404, "call-not-found", [...bearer(), "-X", "POST", `${address}/api/v1/calls/../pause`]],
      [405, "method-not-allowed", [...bearer(), "-X", "DELETE", `${call}/pause`]],
      [413, "body-too-large", [...bearer(), ...json, `@${big}`, `${call}/pause`]],
      [413, "body-too-large", [...bearer(), "-H", "Transfer-Encoding: chunked", ...json, `@${big}`, `${call}/pause`]],
      [415, "media-type-unsupported", [...bearer(), "-d", "reason=x", `${call}/pause`]],
      [422, "invalid", [...bearer(), ...json, '{"effect":"granted"}', `${call}/consent`]],
      [400, "malformed", [...bearer(), `${address}/api/v1/%zz`]],
      [417, "expectation-failed", [...bearer(), "-H", "Expect: miracles", ...json, "{}", `${call}/pause`]],
      [431, "headers-too-large", [...bearer(), "-H", `X-Long: ${"a".repeat(9000)}`, `${call}/pause`]],
    ];
    for (const [status, code, args] of refusals) {
      const answer = await curl(...args);
      expect([answer.status, answer.body?.code, args.at(-1)]).toEqual([status, code, args.at(-1)]);
      expect(answer.type).toMatch(/^application\/problem\+json/);
      problemSchema.parse(answer.body);
    }
    expect(desk.commands).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  it.skipIf(!has("openssl"))("with a configured certificate, which may change meanwhile", async () => {
    const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const make = (): void => {
      const how = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"];
      const subject = ["-subj", "/CN=sidetone", "-addext", "subjectAltName=IP:127.0.0.1"];
      const files = ["-keyout", keyFile, "-out", certFile];
      execFileSync("openssl", ["req", "-x509", ...how, ...subject, ...files], { stdio: "ignore" });
    };
    make();
    await start({ host: "0.0.0.0", certFile, keyFile });
    const { port, protocol } = new URL(address);
    expect(protocol).toBe("https:");
    const health = `https://127.0.0.1:${port}/api/v1/health`;
    const answer = await curl("--cacert", certFile, ...bearer(), `https://127.0.0.1:${port}/api/v1/calls/active`);
    expect(answer.status).toBe(200);
    await expect(curl(health)).rejects.toThrow(/certificate/);
    await expect(curl(health.replace("https", "http"))).rejects.toThrow(/reply|reset|closed/i);
    await expect(curl("--cacert", certFile, "--tls-max", "1.1", health)).rejects.toThrow();

    const before = face.tls!.fingerprint;
    make();
    while (face.tls!.fingerprint === before) await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await curl("--cacert", certFile, health)).status).toBe(200);
    await face.stop();

    writeFileSync(keyFile, readFileSync(certFile));
    const mixed = new ApiFace({
      config: apiConfig({ certFile, keyFile }),
      desk,
      tokens: { find: () => undefined },
      logger: log,
    });
    await expect(mixed.start()).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(/^api\.certFile .* do not make a TLS server/),
    });
  });

  it.skipIf(!has("openssl"))("with the box's own certificate, by its file, its fingerprint or its key", async () => {
    const alarms = new AlarmBook({ clock: systemClock });
    const shown: string[] = [];
    const config = apiConfig({ host: "0.0.0.0" });
    const parts = { config, device: "office-1", dataFolder: folder, alarms, logger: log };
    await start({ host: "0.0.0.0" }, apiCertificate({ ...parts, show: (fingerprint) => shown.push(fingerprint) }));
    const { port } = new URL(address);
    const health = (host: string): string => `https://${host}:${port}/api/v1/health`;
    const tell = (json: boolean): string =>
      certificateText({ json, pem: false, dataFolder: folder }, configSchema.parse({ api: config }).api, folder);
    const facts = JSON.parse(tell(true));
    expect(tell(false)).toContain(`SHA-256     ${shown[0]}\npublic key  sha256//${facts.publicKeyPin}\n`);
    expect(facts).toMatchObject({ isSelfSigned: true, fingerprint: face.tls!.fingerprint });

    const certificate = ownCertificatePath(folder);
    expect((await curl("--cacert", certificate, health("127.0.0.1"))).status).toBe(200);
    const named = ["--resolve", `office-1.local:${port}:127.0.0.1`];
    expect((await curl("--cacert", certificate, ...named, health("office-1.local"))).status).toBe(200);
    await expect(
      curl("--cacert", certificate, "--resolve", `other:${port}:127.0.0.1`, health("other")),
    ).rejects.toThrow();
    const pin = (key: string): string[] => ["--insecure", "--pinnedpubkey", `sha256//${key}`];
    expect((await curl(...pin(facts.publicKeyPin), health("127.0.0.1"))).status).toBe(200);
    await expect(curl(...pin(Buffer.alloc(32).toString("base64")), health("127.0.0.1"))).rejects.toThrow();

    const openssl = (...args: string[]): string => execFileSync("openssl", args, { encoding: "utf8" });
    expect(openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", certificate, certificate)).toMatch(
      /: OK/,
    );
    expect(openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256")).toContain(`=${shown[0]}\n`);
  });
});

describe("what is no request", () => {
  it.each<[string, string | Buffer, number[], string]>([
    ["words", "hello there, how do you do?\r\n\r\n", [400], "malformed"],
    ["TLS to a plain port", Buffer.from("16030100c8010000c40303", "hex"), [400], "malformed"],
    ["a method that there is not", "BREW /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n", [400], "malformed"],
    [
      "two lengths",
      "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
      [400],
      "malformed",
    ],
    [
      "a length and chunks",
      "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      [400],
      "malformed",
    ],
    ["CONNECT", "CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", [405], "method-not-allowed"],
    ["endless headers", `GET / HTTP/1.1\r\n${"X: y\r\n".repeat(5000)}`, [431], "headers-too-large"],
    ["an endless path", `GET /${"a".repeat(20_000)} HTTP/1.1\r\n`, [431], "headers-too-large"],
  ])("%s", async (_, bytes, statuses, code) => {
    await start();
    const answer = await speak(bytes);
    expect(statusesIn(answer)).toEqual(statuses);
    expect(problemIn(answer).code).toBe(code);
  });

  it("noise gets a 4xx or nothing, and others go on", async () => {
    await start({ requestTimeoutMs: 300 });
    const beginnings = [
      "",
      "GET ",
      "POST /api/v1/calls/pause-all HTTP/1.1\r\nHost: x\r\n",
      "GET /api/v1/health HTTP/1.1\r\n",
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...beginnings), fc.uint8Array({ maxLength: 300 }), async (start, noise) => {
        const answer = await speak(Buffer.concat([Buffer.from(start), noise, Buffer.from("\r\n\r\n")]));
        for (const status of statusesIn(answer)) {
          expect(status).toBeGreaterThanOrEqual(400);
          expect(status).toBeLessThan(500);
        }
      }),
      { numRuns: 60 },
    );
    expect((await fetch(`${address}/api/v1/health`)).status).toBe(200);
    expect(desk.commands).toEqual([]);
    expect(log.lines).toEqual([]);
  });
});

describe("slow and many", () => {
  it.each<[string, string, number]>([
    ["says nothing", "", 0],
    ["sends its headers a byte at a time", `GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(1000)}`, 20],
    ["never sends its body", "POST /api/v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", 0],
  ])("who %s is cut off", async (_, bytes, dripMs) => {
    await start({ requestTimeoutMs: 400 });
    const answer = await speak(bytes, { dripMs });
    expect(answer.tookMs).toBeLessThan(4000);
    if (!bytes.startsWith("POST")) expect(statusesIn(answer)).toEqual([408]);
  });

  it("a body that drips is given up with 408", async () => {
    await start({ requestTimeoutMs: 400 });
    const head = `POST /api/v1/calls/pause-all HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\n`;
    const { hostname, port } = new URL(address);
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString();
    });
    socket.on("error", () => {});
    socket.write(`${head}Content-Type: application/json\r\nContent-Length: 9000\r\n\r\n`);
    const drip = setInterval(() => socket.write(" "), 50);
    await new Promise((resolve) => socket.on("close", resolve));
    clearInterval(drip);
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(desk.commands).toEqual([]);
  });

  it("more connections than there may be are closed, and there is room again afterwards", async () => {
    await start({ maxConnections: 4, requestTimeoutMs: 60_000 });
    const open = Array.from({ length: 4 }, () => speak(""));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const fifth = await speak("GET /api/v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(statusesIn(fifth)).toEqual([]);
    expect(face.counters()["api.connections-dropped"]).toBe(1);
    for (const socket of sockets.splice(0)) socket.destroy();
    await Promise.all(open);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await fetch(`${address}/api/v1/health`)).status).toBe(200);
  });

  it("many requests in one breath are all answered, in order", async () => {
    await start();
    const one = (path: string) => `GET /api/v1/${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const last = "GET /api/v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const answer = await speak(one("health").repeat(50) + one("calls/active") + last);
    expect(statusesIn(answer)).toEqual([...Array(50).fill(200), 401, 404]);
  });
});

describe("start and stop", () => {
  it("a port that is taken is one line", async () => {
    await start();
    const second = new ApiFace({
      config: apiConfig({ port: Number(new URL(address).port) }),
      desk,
      tokens: { find: () => undefined },
      logger: log,
    });
    await expect(second.start()).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(/^api\.port: \d+ on 127\.0\.0\.1 is taken/),
    });
    await second.stop();
  });

  it.each<[Partial<Config["api"]>, RegExp]>([
    [{ host: "0.0.0.0" }, /^api\.host: is reachable from other machines/],
    [{ host: "203.0.113.7", allowPlain: true }, /^api\.host: 203\.0\.113\.7 is no address of this box/],
    [
      { certFile: "/nonexistent/c", keyFile: "/nonexistent/k" },
      /^api\.certFile: \/nonexistent\/c cannot be read \(ENOENT\)/,
    ],
  ])("%j is refused", async (settings, words) => {
    await start();
    const other = new ApiFace({ config: apiConfig(settings), desk, tokens: { find: () => undefined }, logger: log });
    await expect(other.start()).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(words),
    });
  });

  it("stops while somebody waits, lets answers out, and frees its port", async () => {
    await start();
    let answer: (result: CommandResult) => void = () => {};
    desk.answer = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const idle = speak("");
    const waiting = fetch(`${address}/api/v1/calls/active`, { headers: { authorization: `Bearer ${secret}` } });
    while (desk.commands.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const stopped = face.stop();
    answer({ ok: true, calls: [] });
    expect(await (await waiting).json()).toEqual({ calls: [] });
    const startedAt = performance.now();
    await stopped;
    await idle;
    expect(performance.now() - startedAt).toBeLessThan(4000);
    await expect(fetch(`${address}/api/v1/health`)).rejects.toThrow();
    await start({ port: Number(new URL(address).port) });
    expect((await fetch(`${address}/api/v1/health`)).status).toBe(200);
  });

  it("stops in time though nobody answers", async () => {
    await start();
    desk.answer = () => new Promise(() => {});
    const waiting = fetch(`${address}/api/v1/calls/active`, { headers: { authorization: `Bearer ${secret}` } });
    const outcome = waiting.then(
      () => "answered",
      () => "cut",
    );
    while (desk.commands.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const startedAt = performance.now();
    await face.stop();
    expect(performance.now() - startedAt).toBeLessThan(4000);
    expect(await outcome).toBe("cut");
  });

  it("the first token has every right, and numbers are in full for it", async () => {
    await start();
    expect(new TokenStore({ dataFolder: folder, clock: systemClock }).find(secret)?.rights).toEqual(RIGHTS);
    const seen = await fetch(`${address}/api/v1/calls/active`, { headers: { authorization: `Bearer ${secret}` } });
    expect(await seen.text()).toContain("+4930123456");
  });
});

const noLive = liveTestObstacle() ?? (has("curl") && has("sox") && has("ffprobe") ? undefined : "curl, sox, ffprobe");
if (noLive) console.log(`skipped: a service whose recordings are listened to: ${noLive}`);

describe.skipIf(noLive !== undefined)("a service, over what it has recorded", () => {
  let data: string;
  let service: RunningProgram | undefined;
  let token: string;
  let base: string;
  let id: string;
  let wav: Buffer;
  let sha256: string;
  beforeAll(async () => {
    data = makeFolder();
    const capture = join(PROJECT_ROOT, "../shared/captures/goffinet_reinvites_directmedia_pcmu.pcapng");
    const replay = ["--read", capture, "--data", data, "--policy", "both-parties", "--agents", "172.16.98.181"];
    expect((await runProgram(replay)).exitCode).toBe(0);
    const [recording] = readRecordings(data);
    id = recording!.manifest.id;
    wav = readFileSync(recording!.wavPath);
    ({ sha256 } = recording!.manifest.audio);
    const config = join(data, "sidetone.yaml");
    writeFileSync(config, "api: { port: 0 }\n");
    service = new RunningProgram(["--interface", "lo", "--data", data, "--config", config, "--json"]);
    const listens = await service.waitFor("the API", (stderr) => logLines(stderr, "the API listens")[0]);
    base = `${listens["address"]}/api/v1/recordings/${id}`;
    token = /the API's first token, shown only now: (\S+)/.exec(service.stderr)![1]!;
  });
  afterAll(async () => {
    await service?.stop();
    removeFolder(data);
  });

  /** Into a file; what -w says. */
  const fetchTo = async (file: string, ...args: string[]) => {
    const said = "%{http_code} %{size_download} %header{content-range}";
    const bearer = ["-H", `Authorization: Bearer ${token}`];
    const { stdout } = await run("curl", ["-sS", "-m", "20", "-o", join(data, file), "-w", said, ...bearer, ...args]);
    return {
      said: stdout.trim(),
      bytes: existsSync(join(data, file)) ? readFileSync(join(data, file)) : Buffer.alloc(0),
    };
  };

  it("curl downloads, goes on where it stopped, and asks whether it is the same", async () => {
    const whole = await fetchTo(
      "whole.wav",
      "-D",
      join(data, "headers"),
      "--etag-save",
      join(data, "etag"),
      `${base}/file`,
    );
    expect(whole.said).toBe(`200 ${wav.length}`);
    expect(whole.bytes.equals(wav)).toBe(true);
    expect(createHash("sha256").update(whole.bytes).digest("hex")).toBe(sha256);
    const digest = Buffer.from(sha256, "hex").toString("base64");
    expect(readFileSync(join(data, "headers"), "utf8").toLowerCase()).toContain(
      `repr-digest: sha-256=:${digest.toLowerCase()}:`,
    );
    expect((await fetchTo("again.wav", "--etag-compare", join(data, "etag"), `${base}/file`)).said).toBe("304 0");

    writeFileSync(join(data, "half.wav"), wav.subarray(0, 50_001));
    const rest = await fetchTo("half.wav", "-C", "-", `${base}/file`);
    expect(rest.said).toBe(`206 ${wav.length - 50_001} bytes 50001-${wav.length - 1}/${wav.length}`);
    expect(rest.bytes.equals(wav)).toBe(true);
    const head = await fetchTo("head", "-I", `${base}/audio?channel=mix`);
    expect(head.bytes.toString()).toMatch(new RegExp(`content-length: ${44 + (wav.length - 44) / 2}\\r`, "i"));
  });

  it("channels are what sox makes of the file", async () => {
    writeFileSync(join(data, "stored.wav"), wav);
    for (const [channel, remix] of [
      ["agent", ["1"]],
      ["caller", ["2"]],
      ["mix", ["1v1,2v1"]],
    ] as const) {
      const { bytes } = await fetchTo(`${channel}.wav`, "-r", "0-", `${base}/audio?channel=${channel}`);
      const raw = async (file: string, ...effects: string[]) =>
        (
          await run("sox", ["-D", join(data, file), "-t", "raw", "-", ...effects], {
            encoding: "buffer",
            maxBuffer: 1 << 26,
          })
        ).stdout;
      expect(bytes.length).toBe(44 + (wav.length - 44) / 2);
      expect((await raw(`${channel}.wav`)).equals(await raw("stored.wav", "remix", ...remix)), channel).toBe(true);
    }
  });

  it("MP3 and Opus last as long and are what they say", async () => {
    const durationS = (wav.length - 44) / 32_000;
    for (const [format, codec] of [
      ["mp3", "mp3"],
      ["opus", "opus"],
    ] as const) {
      await fetchTo(`sound.${format}`, `${base}/audio?format=${format}&reason=speech%20pipeline`);
      const probe = ["-v", "error", "-show_entries", "stream=codec_name,channels:format=duration", "-of", "json"];
      const { stdout } = await run("ffprobe", [...probe, join(data, `sound.${format}`)]);
      const { streams, format: found } = JSON.parse(stdout);
      expect(streams[0]).toMatchObject({ codec_name: codec, channels: 2 });
      expect(Math.abs(Number(found.duration) - durationS)).toBeLessThan(0.3);
    }
  });

  const say = async (method: string, path: string, body?: object) => {
    const response = await fetch(
      base.replace(/\/recordings\/.*/, path.startsWith("/holds") ? path : `/recordings/${id}${path}`),
      {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) },
        ...(body && { body: JSON.stringify(body) }),
      },
    );
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const notesPath = () => readRecordings(data)[0]!.manifestPath.replace(/json$/, "notes");

  it("tags, notes, acknowledgements and holds, each durable before it is answered", async () => {
    expect(await say("POST", "/tags", { add: ["vip"] })).toMatchObject({ status: 200, body: { tags: ["vip"] } });
    expect(await say("POST", "/notes", { text: "call back" })).toMatchObject({ status: 200 });
    expect(readFileSync(notesPath(), "utf8")).toContain("call back");
    expect(await say("PUT", "/acknowledgement", { sha256: "0".repeat(64) })).toMatchObject({ status: 409 });
    expect(await say("PUT", "/acknowledgement", { sha256 })).toMatchObject({ status: 200 });
    const made = await say("POST", "/holds", { covers: { call: id }, reason: "court case" });
    expect(made).toMatchObject({ status: 200, body: { state: "done" } });
    expect(await say("DELETE", "?reason=x")).toMatchObject({ status: 409, body: { code: "on-hold" } });
    expect(await say("DELETE", `/holds/${String(made.body["hold"])}?reason=over`)).toMatchObject({ status: 200 });
    const kinds = readAudit(data).filter(({ actor }) => actor === "token first-start");
    expect(kinds.map(({ kind }) => kind).filter((kind) => !["listen", "download"].includes(kind))).toEqual(
      expect.arrayContaining(["tagged", "noted", "collected", "hold", "hold-lifted"]),
    );
  });

  it("all of it is in the audit chain, which holds", async () => {
    expect(
      (await fetchTo("manifest.json", `${base}/manifest`)).bytes.equals(
        readFileSync(readRecordings(data)[0]!.manifestPath),
      ),
    ).toBe(true);
    const notes = notesPath();
    expect(await say("DELETE", "?reason=letter")).toEqual({ status: 200, body: { state: "done" } });
    expect([existsSync(notes), (await say("GET", "/notes")).status]).toEqual([false, 410]);
    expect(await service!.stop()).toBe(0);
    // What the tests have fetched lies there as well.
    const { findings } = JSON.parse((await runProgram(["verify", "--data", data, "--json"])).stdout);
    expect(findings.filter(({ file }: { file: string }) => /^(recordings|audit|calls|retention)\//.test(file))).toEqual(
      [],
    );
    const { exitCode, stdout } = await runProgram(["audit", "verify", "--data", data]);
    expect([exitCode, stdout]).toEqual([0, expect.anything()]);
    const entries = readAudit(data).filter(({ kind }) => kind === "listen" || kind === "download");
    expect(
      entries.map(({ kind, actor, call, detail }) => [
        kind,
        actor,
        call,
        detail["channel"],
        detail["format"],
        detail["reason"],
      ]),
    ).toEqual([
      ["download", "token first-start", id, "both", "wav", ""],
      ["download", "token first-start", id, "both", "wav", ""],
      ...["agent", "caller", "mix"].map((channel) => ["listen", "token first-start", id, channel, "wav", ""]),
      ...["mp3", "opus"].map((format) => ["listen", "token first-start", id, "both", format, "speech pipeline"]),
    ]);
  });
});
