// The chains' heads on their way out of the box: an authority of OpenSSL's, good and bad answers, alarms, restarts.
import type { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AnchorKeeper, type AnchorKeeperOptions } from "../../device/anchor-keeper.js";
import { systemClock } from "../../device/base/clock.js";
import { DerReader } from "../../device/base/der.js";
import type { AlarmCode, AlarmDetail } from "../../device/contract/alarms.js";
import type { AnchorStatement } from "../../device/contract/anchor.js";
import type { AuditEntry } from "../../device/contract/audit.js";
import { type Config, configSchema } from "../../device/contract/config.js";
import { timeStampRequest } from "../../device/contract/time-stamp.js";
import { certificatesOf } from "../../device/contract/time-stamp-signature.js";
import { RecordingStore } from "../../device/store/recordings.js";
import { isSignedLine } from "../../device/store/signed-line.js";
import { MAX_RESPONSE_BYTES, requestTimeStamp } from "../../device/time-stamp-client.js";
import { makeCertificates } from "../fakes/mosquitto.js";
import { waitUntil } from "../fakes/office-program.js";
import {
  type Answer,
  authorityObstacle,
  opensslVerifies,
  REPLY_TYPE,
  TimeStampAuthority,
} from "../fakes/time-stamp-authority.js";
import { callOf, makeFolder, publicKeyOf, publish, removeFolder } from "./store/store-kit.js";

const obstacle = authorityObstacle();
if (obstacle) console.log(`skipped: time stamps of the chains' heads: ${obstacle}`);

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Which alarms stand, with their reasons. */
class Desk {
  readonly standing = new Map<AlarmCode, AlarmDetail>();
  raise = (code: AlarmCode, detail: AlarmDetail = {}): void => void this.standing.set(code, detail);
  clear = (code: AlarmCode): void => void this.standing.delete(code);
}

describe.skipIf(obstacle !== undefined)("the chains' heads", () => {
  let parent: string;
  let folder: string;
  let authority: TimeStampAuthority;
  let other: TimeStampAuthority;
  let store: RecordingStore;
  beforeAll(async () => {
    parent = makeFolder();
    authority = await TimeStampAuthority.start(join(parent, "authority"));
    other = TimeStampAuthority.make(join(parent, "other"));
  });
  afterAll(async () => {
    await authority.stop();
    removeFolder(parent);
  });
  beforeEach(() => {
    folder = makeFolder();
    store = RecordingStore.open(folder, { gatherMs: 0 });
    store.audit.append({ kind: "started", actor: "service" });
  });
  afterEach(() => {
    authority.answer = undefined;
    authority.queries.length = 0;
    store.close();
    removeFolder(folder);
  });

  const stamping = (own: Partial<Config["integrity"]["timestamp"]> = {}): Config["integrity"] => ({
    ...configSchema.parse({}).integrity,
    timestamp: { url: authority.url, caFile: authority.caFile, hash: "sha256", timeoutMs: 5000, ...own },
  });
  const keeperOf = (config: Config["integrity"], more: Partial<AnchorKeeperOptions> = {}): AnchorKeeper =>
    new AnchorKeeper({ config, store, device: "box", logger: silent, clock: systemClock, ...more });
  const stamps = (): string[] => (existsSync(join(folder, "stamps")) ? readdirSync(join(folder, "stamps")).sort() : []);
  const entries = (): AuditEntry[] =>
    readdirSync(join(folder, "audit"))
      .filter((name) => /^\d/.test(name))
      .flatMap((name) =>
        readFileSync(join(folder, "audit", name), "utf8")
          .trimEnd()
          .split("\n"),
      )
      .map((line) => JSON.parse(line) as AuditEntry);

  it.each(["sha256", "sha512"] as const)(
    "are stamped, kept and entered, as OpenSSL verifies them (%s)",
    async (hash) => {
      await publish(store, callOf(1));
      const keeper = keeperOf(stamping({ hash }));
      await keeper.stop();
      const [json, tsr] = stamps();
      expect(stamps()).toHaveLength(2);
      expect(json).toMatch(/^\d{8}T\d{6}Z-2\.json$/);
      const line = readFileSync(join(folder, "stamps", json!));
      expect(isSignedLine(line.subarray(0, -1), publicKeyOf(folder))).toBe(true);
      const statement = JSON.parse(line.toString("utf8")) as AnchorStatement;
      expect(statement).toMatchObject({ schema: "sidetone.anchor/1", device: "box", audit: { seq: 2 } });
      expect(statement.manifests.sha256).toBe(store.manifestHead);
      expect(opensslVerifies(join(folder, "stamps", json!), join(folder, "stamps", tsr!), authority.caFile)).toBe(true);
      const entry = entries().at(-1)!;
      expect([entry.kind, entry.previous]).toEqual(["stamped", statement.audit.sha256]);
      const { files } = entry.detail as { files: { file: string; bytes: number }[] };
      expect(files.map(({ file }) => file)).toEqual([`stamps/${json}`, `stamps/${tsr}`]);
      expect(files[0]!.bytes).toBe(line.length);
      expect(authority.queries[0]!.contentType).toBe("application/timestamp-query");
    },
  );

  it("are stamped again only when something else than a stamp has moved them", async () => {
    const keeper = keeperOf(stamping());
    await keeper.stop();
    await keeper.stop();
    expect(stamps()).toHaveLength(2);
    store.audit.append({ kind: "download", actor: "token a" });
    await keeper.stop();
    await keeper.stop();
    expect([stamps().length, keeper.counters.stamps]).toEqual([4, 2]);
    await keeperOf(configSchema.parse({}).integrity).stop();
    expect(authority.queries).toHaveLength(2);
  });

  it("goes on where a killed run stopped: what is whole is entered, halves go", async () => {
    await keeperOf(stamping()).stop();
    const [json, tsr] = stamps();
    const at = (name: string): string => join(folder, "stamps", name);
    const entered = entries().length;
    for (const names of [[json!, tsr!], [json!]]) {
      for (const name of names) renameSync(at(name), at(`${name}.partial`));
      writeFileSync(at("20261128T000000Z-9.tsr.partial"), "half");
      writeFileSync(at("20261128T000000Z-8.json.partial"), "of another");
      writeFileSync(at("20261128T000000Z-8.tsr"), readFileSync(at(names.includes(tsr!) ? `${tsr}.partial` : tsr!)));
      const next = keeperOf(configSchema.parse({}).integrity);
      next.start(true);
      await next.stop();
      rmSync(at("20261128T000000Z-8.tsr"));
      expect(stamps()).toEqual([json, tsr]);
    }
    const kinds = entries().map(({ kind }) => kind);
    expect(kinds.slice(entered)).toEqual(["stamped", "stamped"]);
  });

  it("raises the alarm after the third failure in a row, asks on, and clears it when it works again", async () => {
    const alarms = new Desk();
    authority.answer = async () => ({ status: 500, body: Buffer.from("no") });
    const keeper = keeperOf(stamping(), { alarms, times: { firstAfterMs: 1, retryFirstMs: 5 } });
    keeper.start(true);
    await waitUntil("the alarm", () => alarms.standing.get("anchor-failed"));
    expect(alarms.standing.get("anchor-failed")).toEqual({ reason: "time stamp: HTTP 500" });
    expect(authority.queries.length).toBeGreaterThanOrEqual(3);
    expect(stamps()).toEqual([]);
    authority.answer = undefined;
    await waitUntil("the alarm to go", () => (alarms.standing.size === 0 ? true : undefined));
    await keeper.stop();
    expect([stamps().length, keeper.counters.stamps]).toEqual([2, 1]);
  });

  it("does not hold up a stop for longer than it may", async () => {
    authority.answer = async () => undefined;
    const keeper = keeperOf(stamping({ timeoutMs: 60_000 }), { times: { firstAfterMs: 1, stopMs: 100 } });
    keeper.start(true);
    await waitUntil("the request", () => authority.queries[0]);
    const before = performance.now();
    await keeper.stop();
    expect(performance.now() - before).toBeLessThan(1500);
    expect(stamps()).toEqual([]);
  });

  it("takes no authority's file that holds no certificate", async () => {
    const alarms = new Desk();
    const caFile = join(folder, "lock");
    const keeper = keeperOf(stamping({ caFile }), { alarms, times: { firstAfterMs: 1, retryFirstMs: 1 } });
    keeper.start(true);
    await waitUntil("the alarm", () => alarms.standing.get("anchor-failed"));
    await keeper.stop();
    expect(String(alarms.standing.get("anchor-failed")?.["reason"])).toContain("holds no certificate");
    expect(authority.queries).toEqual([]);
  });

  it("are published, and an alarm stands while the broker does not take them", async () => {
    const alarms = new Desk();
    const published: [AnchorStatement, () => void][] = [];
    const config: Config["integrity"] = { ...configSchema.parse({}).integrity, anchor: "mqtt" };
    let isThere = false;
    const publishOne = (statement: AnchorStatement, taken: () => void): boolean => {
      if (isThere) published.push([statement, taken]);
      return isThere;
    };
    const keeper = keeperOf(config, { alarms, publish: publishOne, times: { firstAfterMs: 1, brokerPatienceMs: 10 } });
    keeper.start(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(published).toEqual([]);
    isThere = true;
    await keeper.stop();
    expect(published[0]![0]).toMatchObject({ audit: store.audit.head, manifests: { sha256: "" } });
    const more = keeperOf(config, { alarms, publish: publishOne, times: { firstAfterMs: 1, brokerPatienceMs: 10 } });
    more.start(true);
    await waitUntil("the alarm", () => alarms.standing.get("anchor-failed"));
    published[1]![1]();
    expect([alarms.standing.size, more.counters.published]).toEqual([0, 1]);
    await more.stop();
    expect(published).toHaveLength(2);
  });

  const DATA = Buffer.from("data\n");
  const ask = (timeoutMs = 5000) => {
    const settings = { url: authority.url, hash: "sha256" as const, trusted: [], timeoutMs };
    return requestTimeStamp(settings, DATA, new AbortController().signal);
  };
  it.each<[string, (query: Buffer) => Promise<Answer | undefined>, RegExp]>([
    ["a refusal", async () => ({ body: await authority.reply(Buffer.from("no query")) }), /refuses \(status 2\)/],
    ["HTTP 500", async () => ({ status: 500, body: Buffer.from("no") }), /^HTTP 500$/],
    ["a redirect", async () => ({ status: 302, headers: { location: "/" }, body: Buffer.from("") }), /^HTTP 302$/],
    ["nothing", async () => ({ body: Buffer.alloc(0) }), /^it is no time stamp response/],
    ["no DER", async () => ({ body: Buffer.from("<html></html>") }), /^it is no time stamp response/],
    ["a huge body", async () => ({ body: Buffer.alloc(MAX_RESPONSE_BYTES + 1) }), /longer than 65536 bytes/],
    [
      "another content type",
      async (query) => ({ headers: { "content-type": "text/html" }, body: await authority.reply(query) }),
      /no application\/timestamp-reply/,
    ],
    ["silence", async () => undefined, /^no answer within 200 ms$/],
  ])("takes no %s for a time stamp", async (name, answer, expected) => {
    authority.answer = answer;
    const received = await ask(name === "silence" ? 200 : 5000);
    expect("fault" in received ? received.fault : "").toMatch(expected);
  });

  it("takes no stamp of something else, none of before, and none of another authority", async () => {
    const seen: Buffer[] = [];
    authority.answer = async (query) => {
      seen.push(query);
      return { headers: { "content-type": `${REPLY_TYPE}; charset=binary` }, body: await authority.reply(query) };
    };
    expect(await ask()).toHaveProperty("stamp");
    authority.answer = async () => ({ body: await authority.reply(seen[0]!) });
    expect(await ask()).toEqual({ fault: "the answer is one to another request" });
    authority.answer = async (query) => {
      const reader = new DerReader(query).enter();
      reader.readInteger();
      reader.read();
      return { body: await authority.reply(timeStampRequest(Buffer.from("other"), "sha256", reader.readInteger())) };
    };
    expect(await ask()).toEqual({ fault: "the answer is a stamp of something else" });
    authority.answer = async (query) => ({ body: await other.reply(query) });
    expect(await ask()).toHaveProperty("stamp");
    const keeper = keeperOf(stamping());
    await keeper.stop();
    expect([stamps(), keeper.counters.failures]).toEqual([[], 1]);
  });

  it("asks over TLS where the authority's file, or the system, vouches for the server", async () => {
    const tls = makeCertificates(parent, "tls");
    const server = createServer({ key: readFileSync(tls.keyFile), cert: readFileSync(tls.certFile) });
    server.on("request", async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      response.writeHead(200, { "content-type": REPLY_TYPE }).end(await authority.reply(Buffer.concat(pieces)));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const [own, ofServer] = [authority.caFile, tls.caFile].map((path) => certificatesOf(readFileSync(path, "utf8")));
    const askWith = (trusted: readonly X509Certificate[]) =>
      requestTimeStamp({ url, hash: "sha512", trusted, timeoutMs: 5000 }, DATA, new AbortController().signal);
    try {
      expect(await askWith([...own!, ...ofServer!])).toHaveProperty("stamp");
      expect(await askWith(own!)).toEqual({ fault: expect.stringContaining("certificate") });
      expect(await askWith(ofServer!)).toEqual({ fault: expect.stringMatching(/cannot be trusted: no authority/) });
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("says that nobody is there", async () => {
    const settings = { url: "http://127.0.0.1:1/", hash: "sha256" as const, trusted: [], timeoutMs: 5000 };
    const received = await requestTimeStamp(settings, DATA, new AbortController().signal);
    expect(received).toEqual({ fault: expect.stringContaining("ECONNREFUSED") });
  });
});
