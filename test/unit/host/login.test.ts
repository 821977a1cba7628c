// Boxes that the host tool knows: how login comes to trust one, where it is kept and how, and which one a command means.
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connect, readBoxUrl } from "../../../host/connection.js";
import { HOST_EXIT } from "../../../host/errors.js";
import { configFolder } from "../../../host/profiles.js";
import { filesBelow, makeFolder, removeFolder } from "../../fakes/program.js";
import { type Certificate, FakeBox, json, makeCertificate, problem } from "./fake-box.js";
import { type HereResult, runHere } from "./host-kit.js";

const TOKEN = `st_${"a".repeat(43)}`;
const pem = (): string => generateKeyPairSync("ed25519").publicKey.export({ format: "pem", type: "spki" }).toString();

let certificates: string;
let certificate: Certificate;
beforeAll(() => {
  certificates = makeFolder();
  certificate = makeCertificate(certificates, "box");
});
afterAll(() => removeFolder(certificates));

let home: string;
let tokenFile: string;
const boxes: FakeBox[] = [];
beforeEach(() => {
  home = makeFolder();
  tokenFile = join(home, "token");
  writeFileSync(tokenFile, `${TOKEN}\n`);
});
afterEach(async () => {
  for (const box of boxes.splice(0)) await box.stop();
  removeFolder(home);
});

async function startBox(publicKey = pem(), secured = true) {
  const box = new FakeBox(secured ? certificate : undefined);
  boxes.push(box);
  const url = await box.start();
  box.answers((request, response, body) => {
    const isKnown = request.headers.authorization === `Bearer ${TOKEN}`;
    const answer = isKnown
      ? json({ device: "office-1", version: "0.1.0", publicKey: { pem: publicKey } })
      : problem(401, "token-invalid");
    answer(request, response, body);
  });
  return { box, url: url.href, publicKey };
}

const tool = (argv: string[], environment: Record<string, string> = {}): Promise<HereResult> =>
  runHere(argv, { homeFolder: home, environment });
const stored = (): string => join(home, ".config/sidetone/boxes.json");

describe("login", () => {
  it("keeps what was accepted, for its owner only, and says what it is", async () => {
    const { url, publicKey } = await startBox();
    const { exitCode, stdout } = await tool(["login", url, "--token-file", tokenFile, "--accept", "--json"]);
    expect(exitCode).toBe(HOST_EXIT.ok);
    expect(JSON.parse(stdout)).toEqual({
      name: "office-1",
      url,
      device: "office-1",
      version: "0.1.0",
      fingerprint: certificate.fingerprint,
      publicKeySha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(statSync(stored()).mode & 0o777).toBe(0o600);
    expect(statSync(join(stored(), "..")).mode & 0o777).toBe(0o700);
    expect(filesBelow(join(home, ".config"))).toEqual(["sidetone/boxes.json"]);
    expect(JSON.parse(readFileSync(stored(), "utf8"))).toEqual({
      schema: "sidetone.boxes/1",
      current: "office-1",
      boxes: {
        "office-1": {
          url,
          token: TOKEN,
          trust: { kind: "pinned", fingerprint: certificate.fingerprint, keyPin: certificate.keyPin },
          device: "office-1",
          publicKey,
        },
      },
    });
    const list = await tool(["boxes"]);
    expect(list.stdout).toMatch(/^\* +office-1 +https:/m);
    expect(list.stdout + (await tool(["boxes", "--json"])).stdout).not.toContain(TOKEN);
  });

  it("sends no token to a box that nobody has accepted", async () => {
    const { box, url } = await startBox();
    const unasked = await tool(["login", url, "--token-file", tokenFile]);
    expect(unasked.exitCode).toBe(HOST_EXIT.untrusted);
    expect(unasked.stderr.replaceAll(":", "").toLowerCase()).toContain(certificate.fingerprint);
    const wrong = await tool(["login", url, "--token-file", tokenFile, "--fingerprint", "00".repeat(32)]);
    expect(wrong.exitCode).toBe(HOST_EXIT.untrusted);
    const signed = await tool(["login", url, "--token-file", tokenFile, "--ca", join(certificates, "box.key")]);
    expect(signed.exitCode).toBe(HOST_EXIT.usage);
    expect(box.requests).toEqual([]);
    expect(filesBelow(join(home, ".config"))).toEqual([]);
  });

  it("takes a fingerprint of certificate or key, or an authority, and a token from the environment", async () => {
    const { url } = await startBox();
    const environment = { SIDETONE_TOKEN: TOKEN };
    expect(
      (await tool(["login", url, "--fingerprint", certificate.fingerprint, "--name", "a"], environment)).exitCode,
    ).toBe(0);
    expect(
      (await tool(["login", url, "--ca", join(certificates, "box.crt"), "--name", "b"], environment)).exitCode,
    ).toBe(0);
    const byKey = ["login", url, "--fingerprint", `sha256//${certificate.keyPin}`, "--name", "a"];
    expect((await tool(byKey, environment)).exitCode).toBe(0);
    expect(
      (await tool(["login", url, "--name", "b", "--ca", join(certificates, "box.crt")], environment)).exitCode,
    ).toBe(0);
    const { boxes: list } = JSON.parse((await tool(["boxes", "--json"])).stdout);
    expect(list.map(({ name, trust, isCurrent }: Record<string, unknown>) => [name, trust, isCurrent])).toEqual([
      ["a", "pinned", false],
      ["b", "signed", true],
    ]);
    expect((await tool(["logout", "b"])).exitCode).toBe(0);
    expect((await tool(["logout", "b"])).exitCode).toBe(HOST_EXIT.usage);
  });

  it("stores nothing with a bad token, and nothing over a box with another key unasked", async () => {
    const { url } = await startBox();
    writeFileSync(join(home, "bad"), "st_bad");
    expect((await tool(["login", url, "--accept", "--token-file", join(home, "bad")])).exitCode).toBe(
      HOST_EXIT.unauthorised,
    );
    expect((await tool(["login", url, "--accept"])).exitCode).toBe(HOST_EXIT.unauthorised);
    for (const token of ["a b", "\u00e9", "a\r\nx: y"])
      expect((await tool(["login", url, "--accept"], { SIDETONE_TOKEN: token })).exitCode).toBe(HOST_EXIT.usage);
    const { url: second } = await startBox();
    const pin = ["--token-file", tokenFile, "--fingerprint", certificate.fingerprint];
    expect((await tool(["login", url, ...pin])).exitCode).toBe(0);
    const before = readFileSync(stored(), "utf8");
    const changed = await tool(["login", second, ...pin]);
    expect([changed.exitCode, readFileSync(stored(), "utf8")]).toEqual([HOST_EXIT.untrusted, before]);
    expect(changed.stderr).toMatch(/was known with the signing key/);
    writeFileSync(stored(), before.replaceAll(url, second));
    const status = await tool(["status"]);
    expect([status.exitCode, status.stdout]).toEqual([HOST_EXIT.untrusted, ""]);
    expect(status.stderr).toMatch(/another one than at login/);
  });

  it("does not speak plainly to another computer unless that is meant", async () => {
    const { exitCode, stderr } = await tool(["login", "http://192.0.2.1:8385", "--token-file", tokenFile]);
    expect([exitCode, stderr]).toEqual([HOST_EXIT.untrusted, expect.stringContaining("--plain")]);
    const { url } = await startBox(pem(), false);
    expect((await tool(["login", url, "--token-file", tokenFile])).exitCode).toBe(HOST_EXIT.ok);
  });

  it("says when its file was damaged, and does not quote it", async () => {
    const { url } = await startBox();
    await tool(["login", url, "--accept", "--token-file", tokenFile]);
    writeFileSync(stored(), readFileSync(stored(), "utf8").slice(0, -20));
    const { exitCode, stderr } = await tool(["boxes"]);
    expect(exitCode).toBe(HOST_EXIT.unreadable);
    expect(stderr).not.toContain(TOKEN);
  });
});

describe("which box", () => {
  const chosen = (flags: Record<string, string>, environment: Record<string, string> = {}) => {
    const given = {
      arguments: [],
      has: (flag: string) => flag in flags,
      text: (flag: string) => flags[flag],
      texts: (flag: string) => (flags[flag] === undefined ? [] : [flags[flag]]),
    };
    const host = { environment, platform: "linux", homeFolder: home } as unknown as Parameters<typeof connect>[1];
    const { name, client } = connect(given, host);
    client.close();
    return [name, client.url.href];
  };

  it("is the flag's, then the environment's, then the stored one", async () => {
    expect(() => chosen({})).toThrow(/no box is known: sidetone login URL/);
    const { url } = await startBox();
    for (const name of ["a", "b"]) await tool(["login", url, "--accept", "--token-file", tokenFile, "--name", name]);
    expect(chosen({})).toEqual(["b", url]);
    expect(chosen({ box: "a" })).toEqual(["a", url]);
    expect(chosen({}, { SIDETONE_BOX: "a" })).toEqual(["a", url]);
    expect(chosen({ box: "b" }, { SIDETONE_BOX: "a", SIDETONE_URL: "https://x" })).toEqual(["b", url]);
    expect(chosen({ url: "box.example" }, { SIDETONE_TOKEN: TOKEN })).toEqual(["", "https://box.example:8385/"]);
    expect(() => chosen({ url: "box.example" })).toThrow(/no token/);
    expect(() => chosen({ box: "c" })).toThrow(/there is no box c/);
    expect(() => chosen({ box: "a", url: "x" })).toThrow(/contradict/);
    await tool(["logout", "b"]);
    expect(chosen({})).toEqual(["a", url]);
  });

  it.each([
    ["box.local", "https://box.local:8385/"],
    ["192.0.2.1", "https://192.0.2.1:8385/"],
    ["2001:db8::1", "https://[2001:db8::1]:8385/"],
    ["box:443", "https://box/"],
    ["https://box/api", "https://box/api"],
    ["http://127.0.0.1:1", "http://127.0.0.1:1/"],
  ])("reads %s", (text, href) => {
    expect(readBoxUrl(text).href).toBe(href);
  });
  it.each(["", "ftp://box", "https://user:pw@box", "https://box/?x", "a b"])("refuses %j", (text) => {
    expect(() => readBoxUrl(text)).toThrow(/a box is given as/);
  });
});

describe("the configuration folder", () => {
  it.each([
    ["linux", {}, "/home/u/.config/sidetone"],
    ["linux", { XDG_CONFIG_HOME: "/c" }, "/c/sidetone"],
    ["linux", { XDG_CONFIG_HOME: "c" }, "/home/u/.config/sidetone"],
    ["darwin", {}, "/home/u/Library/Application Support/sidetone"],
    ["win32", { APPDATA: "C:\\Users\\u\\AppData\\Roaming" }, "C:\\Users\\u\\AppData\\Roaming\\sidetone"],
  ] as [NodeJS.Platform, Record<string, string>, string][])("%s %j", (platform, environment, folder) => {
    expect(configFolder({ platform, environment, homeFolder: "/home/u" })).toBe(folder);
  });
});
