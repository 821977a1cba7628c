// The host tool's way to a box: whose certificate is trusted, what is tried again and what is not, and what a box, or something
// else that answers there, may answer.
import type { IncomingMessage } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parseFingerprint, parsePin, shownFingerprint, type Trust } from "../../../host/certificates.js";
import { BoxClient } from "../../../host/client.js";
import { HOST_EXIT, HostError } from "../../../host/errors.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { type Certificate, FakeBox, json, makeCertificate, problem } from "./fake-box.js";

let folder: string;
let own: Certificate;
let other: Certificate;
beforeAll(() => {
  folder = makeFolder();
  own = makeCertificate(folder, "own");
  other = makeCertificate(folder, "other");
});
afterAll(() => removeFolder(folder));

const started: { stop(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
});

async function box(certificate?: Certificate): Promise<{ box: FakeBox; url: URL }> {
  const fake = new FakeBox(certificate);
  fake.answers(json({ well: true }));
  started.push(fake);
  return { box: fake, url: await fake.start() };
}

const waits: number[] = [];
function client(url: URL, trust: Trust = { kind: "plain" }, silenceLimitMs = 10_000): BoxClient {
  waits.length = 0;
  const made = new BoxClient(
    { url, token: "st_secret", trust },
    { sleep: async (ms) => void waits.push(ms), answerLimitMs: 10_000, silenceLimitMs },
  );
  started.unshift({ stop: () => made.close() });
  return made;
}

async function fault(promise: Promise<unknown>): Promise<HostError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HostError);
  return error as HostError;
}

describe("certificates", () => {
  it("takes the pinned one, whoever signed it, on every connection", async () => {
    const { box: fake, url } = await box(own);
    const one = client(url, { kind: "pinned", fingerprint: own.fingerprint });
    expect(await one.json("GET", "/info")).toEqual({ well: true });
    expect(await Promise.all([1, 2, 3].map(() => one.json("GET", "/info")))).toHaveLength(3);
    expect(fake.requests).toHaveLength(4);
  });

  it("takes a new certificate with the key that is pinned", async () => {
    const { url } = await box(makeCertificate(folder, "anew", "own"));
    const pin = parsePin(`sha256//${own.keyPin}`);
    expect(await client(url, { kind: "pinned", ...pin }).json("GET", "/info")).toEqual({ well: true });
    const { fingerprint, keyPin } = own;
    expect(await client(url, { kind: "pinned", fingerprint, keyPin }).json("GET", "/info")).toEqual({ well: true });
    expect((await fault(client(url, { kind: "pinned", fingerprint }).json("GET", "/info"))).code).toBe("untrusted");
  });

  it.each<[string, () => Trust]>([
    ["one without the pinned key", () => ({ kind: "pinned", keyPin: other.keyPin })],
    ["anything where nothing is pinned", () => ({ kind: "pinned" })],
    ["another one than the pinned", () => ({ kind: "pinned", fingerprint: other.fingerprint })],
    ["one that nobody vouches for", () => ({ kind: "signed" })],
    ["one of another authority", () => ({ kind: "signed", authorities: other.cert })],
  ])("sends nothing to %s", async (_name, trust) => {
    const { box: fake, url } = await box(own);
    const { code, exitCode } = await fault(client(url, trust()).json("GET", "/info"));
    expect([code, exitCode]).toEqual(["untrusted", HOST_EXIT.untrusted]);
    expect([fake.requests, waits]).toEqual([[], []]);
  });

  it("takes what its authority signed, for this name only", async () => {
    const { url } = await box(own);
    const trust: Trust = { kind: "signed", authorities: own.cert };
    expect(await client(url, trust).json("GET", "/info")).toEqual({ well: true });
    const elsewhere = new URL(url);
    elsewhere.hostname = "127.0.0.2";
    expect((await fault(client(elsewhere, trust).json("GET", "/info"))).code).toMatch(/untrusted|network/);
  });

  it("says so where there is no TLS", async () => {
    const { url } = await box();
    url.protocol = "https:";
    const { code, message } = await fault(
      client(url, { kind: "pinned", fingerprint: own.fingerprint }).json("GET", "/"),
    );
    expect([code, message]).toEqual(["network", expect.stringContaining("http://?")]);
  });

  it.each([`SHA256:${"AB:".repeat(31)}AB`, "ab".repeat(32), `sha256=${"aB ".repeat(32)}`])("reads %s", (text) => {
    expect(parseFingerprint(text)).toBe("ab".repeat(32));
    expect(shownFingerprint(parseFingerprint(text))).toMatch(/^(?:AB:){31}AB$/);
  });
  it.each(["", "ab", "g".repeat(64), "ab".repeat(33)])("refuses %j as a fingerprint", (text) => {
    expect(() => parseFingerprint(text)).toThrow(/64 hexadecimal/);
  });
});

describe("attempts", () => {
  it("repeats what may be repeated, and waits as the box says", async () => {
    const { box: fake, url } = await box();
    fake.answers(
      problem(503, "engine-unavailable"),
      problem(429, "rate-limited", { "retry-after": "7" }),
      json({ n: 1 }),
    );
    expect(await client(url).json("GET", "/span")).toEqual({ n: 1 });
    expect(fake.requests).toEqual(new Array(3).fill("GET /api/v1/span"));
    expect(waits).toEqual([expect.any(Number), 7000]);
  });

  it("sends a command again only when it was certainly not carried out", async () => {
    const { box: fake, url } = await box();
    fake.answers(problem(503, "engine-unavailable"));
    const { code, problem: told } = await fault(client(url).json("POST", "/calls/pause-all", { body: {} }));
    expect([code, told, fake.requests.length]).toEqual(["network", "engine-unavailable", 1]);
    fake.answers(problem(429, "rate-limited", { "retry-after": "1" }), json({ calls: [] }));
    expect(await client(url).json("POST", "/calls/pause-all", { body: {} })).toEqual({ calls: [] });
    fake.answers((_request, response) => response.destroy());
    expect((await fault(client(url).json("POST", "/calls/pause-all", { body: {} }))).code).toBe("network");
    expect(fake.requests).toHaveLength(4);
  });

  it("gives up after some time, longer each time", async () => {
    const { box: fake, url } = await box();
    await fake.stop();
    started.length = 0;
    const { code, exitCode, message } = await fault(client(url).json("GET", "/info"));
    expect([code, exitCode]).toEqual(["network", HOST_EXIT.network]);
    expect(message).toMatch(/^localhost:\d+ refuses the connection.*\(ECONNREFUSED\)$/);
    expect(waits).toHaveLength(5);
    expect(waits[4]!).toBeGreaterThan(waits[0]!);
    expect(Math.max(...waits)).toBeLessThanOrEqual(8000);
  });

  it("does not bother a box that has locked the address, or asks for too much patience", async () => {
    const { box: fake, url } = await box();
    fake.answers(problem(429, "address-locked", { "retry-after": "1" }));
    expect((await fault(client(url).json("GET", "/info"))).code).toBe("unauthorised");
    fake.answers(problem(503, "engine-unavailable", { "retry-after": "3600" }));
    expect((await fault(client(url).json("GET", "/info"))).code).toBe("network");
    expect([fake.requests.length, waits]).toEqual([2, []]);
  });

  it("stops at once when it is told to", async () => {
    const { box: fake, url } = await box();
    const stop = new AbortController();
    fake.answers(() => stop.abort(new HostError("interrupted", "interrupted")));
    expect((await fault(client(url).json("GET", "/info", { signal: stop.signal }))).exitCode).toBe(
      HOST_EXIT.interrupted,
    );
    expect((await fault(client(url).json("GET", "/info", { signal: stop.signal }))).code).toBe("interrupted");
    expect(fake.requests).toHaveLength(1);
  });
});

describe("answers", () => {
  it.each([
    [401, "token-invalid", HOST_EXIT.unauthorised],
    [403, "right-missing", HOST_EXIT.unauthorised],
    [404, "call-not-found", HOST_EXIT.refused],
    [409, "digest-mismatch", HOST_EXIT.refused],
    [500, "internal", HOST_EXIT.refused],
  ])("%s %s ends with %s", async (status, code, exit) => {
    const { box: fake, url } = await box();
    fake.answers(problem(status, code));
    const { exitCode, problem: told, message } = await fault(client(url).json("GET", "/info"));
    expect([exitCode, told]).toEqual([exit, code]);
    expect(message).toBe(`${url.host}: detail of ${code} (${code})`);
  });

  it("names the fields at fault", async () => {
    const { box: fake, url } = await box();
    fake.answers((_request, response) => {
      response.writeHead(422, { "content-type": "application/problem+json; charset=utf-8" });
      response.end(
        JSON.stringify({ code: "invalid", detail: "bad", errors: [{ field: "reason", message: "missing" }] }),
      );
    });
    expect((await fault(client(url).json("POST", "/x", { body: {} }))).message).toMatch(
      /bad: reason: missing \(invalid\)$/,
    );
  });

  it.each<[string, (request: IncomingMessage, response: import("node:http").ServerResponse) => void, RegExp]>([
    ["another server's page", (_, response) => response.end("<html>"), /did not answer in JSON/],
    [
      "a redirection",
      (_, response) => response.writeHead(302, { location: "http://evil/" }).end(),
      /answers 302, and not as/,
    ],
    ["another server's error", (_, response) => response.writeHead(418).end("x"), /answers 418, and not as/],
    ["more than anybody needs", (_, response) => response.end(Buffer.alloc(17 * 1024 * 1024, 32)), /more than/],
    [
      "problem details that are none",
      (_, response) => {
        response.writeHead(400, { "content-type": "application/problem+json" });
        response.end("[1]");
      },
      /answers 400/,
    ],
  ])("%s", async (_name, answer, expected) => {
    const { box: fake, url } = await box();
    fake.answers(answer);
    const { code, message } = await fault(client(url).json("GET", "/info"));
    expect([code, message]).toEqual(["bad-answer", expect.stringMatching(expected)]);
    expect(fake.requests).toHaveLength(1);
  });

  it("does not wait for the rest of an answer for ever", async () => {
    const { box: fake, url } = await box();
    fake.answers((_, response) => response.writeHead(200).write("{"));
    const { code, message } = await fault(client(url, { kind: "plain" }, 100).json("POST", "/x", { body: {} }));
    expect([code, message]).toEqual(["network", expect.stringContaining("silent")]);
  });

  it("is a stream for what asks for bytes, and says where they end too early", async () => {
    const { box: fake, url } = await box();
    fake.answers((request, response) => {
      response.writeHead(206, { "content-length": "10", "x-range": request.headers.range ?? "" });
      response.write("12345");
      setTimeout(() => response.destroy(), 20);
    });
    const response = await client(url).open("/recordings/1/file", { headers: { range: "bytes=5-" } });
    expect([response.statusCode, response.headers["x-range"]]).toEqual([206, "bytes=5-"]);
    let text = "";
    const reading = (async () => {
      for await (const piece of response) text += piece;
    })();
    await expect(reading).rejects.toThrow(/aborted/);
    expect(text).toBe("12345");
  });
});

describe("pages", () => {
  it("gives every entry once, and the cursor back as it came", async () => {
    const { box: fake, url } = await box();
    fake.answers(
      json({ calls: [1, 2], next: "a/+=&?" }),
      json({ calls: [], next: "b" }),
      json({ calls: [3], next: "" }),
    );
    const seen: number[] = [];
    for await (const entry of client(url).pages<number>("/calls", "calls", { limit: 2, agent: undefined }))
      seen.push(entry);
    expect(seen).toEqual([1, 2, 3]);
    const cursors = fake.requests.map((line) => new URL(line.slice(4), url).searchParams.get("cursor"));
    expect(cursors).toEqual([null, "a/+=&?", "b"]);
  });

  it.each([
    ["a page that leads to itself", [json({ calls: [1], next: "a" })], /same page/],
    ["no listing", [json({ well: true })], /no list of calls/],
    ["nothing", [json(null)], /no list of calls/],
  ])("refuses %s", async (_name, answers, expected) => {
    const { box: fake, url } = await box();
    fake.answers(...answers);
    const all = (async () => {
      for await (const _entry of client(url).pages("/calls", "calls")) {
        // Taken.
      }
    })();
    expect((await fault(all)).message).toMatch(expected);
  });
});
