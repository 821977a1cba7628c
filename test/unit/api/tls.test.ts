// Which certificate the API shows: the configured one, taken over when it changes, kept when the new one is bad; what is said of it.
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ServerTls, type TlsMaterial } from "../../../device/api/tls.js";
import type { Clock } from "../../../device/base/clock.js";
import { makeSelfSigned } from "../../../device/base/self-signed.js";
import { openOwnCertificate } from "../../../device/store/own-certificate.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { apiConfig } from "./api-kit.js";

let folder: string;
let now: string;
const clock: Clock = { nowUs: () => Date.parse(now) * 1000, monotonicMs: () => 0 };
const said: string[] = [];
const applied: TlsMaterial[] = [];
let tls: ServerTls | undefined;

beforeEach(() => {
  folder = makeFolder();
  now = "2026-11-28T12:00:00Z";
  vi.useFakeTimers();
});
afterEach(() => {
  tls?.stop();
  vi.useRealTimers();
  removeFolder(folder);
  said.length = 0;
  applied.length = 0;
});

const files = () => ({ certFile: join(folder, "c.pem"), keyFile: join(folder, "k.pem") });

function pair(until = "2028-01-01"): TlsMaterial {
  const { privateKey: key } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const dates = { notBefore: new Date("2024-01-01"), notAfter: new Date(until) };
  const cert = makeSelfSigned({ key, commonName: "x", names: ["x"], ...dates });
  return { cert, key: key.export({ type: "pkcs8", format: "pem" }).toString() };
}

function put({ cert, key }: Partial<TlsMaterial>): void {
  if (cert !== undefined) writeFileSync(files().certFile, cert);
  if (key !== undefined) writeFileSync(files().keyFile, key);
}

function open(settings: Partial<ReturnType<typeof apiConfig>> = files()): ServerTls {
  tls = new ServerTls({
    config: apiConfig({ host: "0.0.0.0", ...settings }),
    clock,
    own: () => openOwnCertificate(folder, { device: "office-1", required: ["office-1"], further: [] }, clock),
    setFault: (text) => said.push(text.replaceAll(folder, "")),
    taken: (facts, why) => said.push(`taken ${facts.isSelfSigned ? "own" : "configured"} ${why}`),
  });
  tls.watch((material) => applied.push(material), 1000);
  return tls;
}

it("takes over a configured one that changes, and says when the new one is bad", () => {
  const [first, second, third] = [pair(), pair(), pair()];
  put(first);
  open();
  expect(said).toEqual(["taken configured api.certFile"]);
  vi.advanceTimersByTime(3000);
  put(second);
  vi.advanceTimersByTime(1000);
  expect([applied, tls!.current]).toEqual([[second], second]);
  put({ cert: third.cert });
  vi.advanceTimersByTime(1000);
  expect(said.splice(0)).toEqual(["taken configured api.certFile", "taken configured api.certFile"]);
  vi.advanceTimersByTime(5000);
  expect(said.splice(0)).toEqual([expect.stringMatching(/^api\.certFile \/c\.pem and .* do not make a TLS server/)]);
  expect([applied.length, tls!.current]).toEqual([1, second]);
  put({ key: third.key });
  vi.advanceTimersByTime(1000);
  expect([said, tls!.current]).toEqual([["taken configured api.certFile", ""], third]);
});

it("a pair whose halves come one after the other is no fault", () => {
  put(pair());
  open();
  const next = pair();
  put({ cert: next.cert });
  vi.advanceTimersByTime(1000);
  put({ key: next.key });
  vi.advanceTimersByTime(1000);
  expect([said, tls!.current]).toEqual([["taken configured api.certFile", "taken configured api.certFile"], next]);
});

it("says three weeks before that one ends, and that it has", () => {
  put(pair("2026-12-20"));
  open();
  now = "2026-11-30T12:00:00Z";
  vi.advanceTimersByTime(1000);
  now = "2026-12-21T12:00:00Z";
  vi.advanceTimersByTime(2000);
  put(pair());
  vi.advanceTimersByTime(1000);
  expect(said).toEqual([
    "taken configured api.certFile",
    "api.certFile: /c.pem ends on 2026-12-20T00:00:00.000Z",
    "api.certFile: /c.pem has ended on 2026-12-20T00:00:00.000Z",
    "taken configured api.certFile",
    "",
  ]);
});

it("makes its own where none is configured, and another one in time while it runs", () => {
  open({});
  const { key, cert } = tls!.current;
  now = "2036-11-01T12:00:00Z";
  vi.advanceTimersByTime(5000);
  expect(said).toEqual(["taken own made anew: there is no usable key", "taken own made anew: it ends soon"]);
  expect([applied.length, tls!.current.key === key, tls!.current.cert === cert]).toEqual([1, true, false]);
  expect(tls!.facts).toMatchObject({
    isSelfSigned: true,
    fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
  });
});

it.each<[string, () => void, RegExp]>([
  ["nothing", () => {}, /^api\.certFile: .* cannot be read \(ENOENT\)$/],
  ["no key", () => put({ cert: pair().cert }), /^api\.keyFile: .* cannot be read \(ENOENT\)$/],
  ["another's key", () => put({ cert: pair().cert, key: pair().key }), /do not make a TLS server/],
  ["noise", () => put({ cert: "x", key: "y" }), /do not make a TLS server/],
])("does not start with %s", (_, prepare, words) => {
  prepare();
  expect(() => open()).toThrow(words);
});
