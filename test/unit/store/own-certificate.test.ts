// The box's own certificate over its life: made once, kept, made anew for a reason only, and then with the same key.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Clock } from "../../../device/base/clock.js";
import {
  type CertificateNames,
  endsInDays,
  isEnding,
  openOwnCertificate,
  ownCertificatePath,
} from "../../../device/store/own-certificate.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

let folder: string;
let now: string;
const clock: Clock = { nowUs: () => Date.parse(now) * 1000, monotonicMs: () => 0 };
const names: CertificateNames = { device: "office-1", required: ["office-1", "192.0.2.7"], further: ["localhost"] };
const open = (more: Partial<CertificateNames> = {}) => openOwnCertificate(folder, { ...names, ...more }, clock);
const keyPath = (): string => join(folder, "keys", "api-tls.key");

beforeEach(() => {
  folder = makeFolder();
  now = "2026-11-28T12:00:00Z";
});
afterEach(() => removeFolder(folder));

it("is made at first, for the owner only, and kept", () => {
  const { certificate, cert, key, made } = open();
  expect(made).toBe("there is no usable key");
  expect(readFileSync(ownCertificatePath(folder), "utf8")).toBe(cert);
  expect(statSync(keyPath()).mode & 0o777).toBe(0o600);
  expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect([certificate.checkHost("localhost"), certificate.checkIP("192.0.2.7")]).toEqual(["localhost", "192.0.2.7"]);
  expect(new Date(certificate.validTo).toISOString()).toBe("2036-11-25T12:00:00.000Z");
  expect(open({ further: ["192.0.2.99"] })).toEqual({ certificate, cert, key });
});

it("is made anew, with the same key, before it ends, for another name, and when it is damaged", () => {
  const first = open();
  now = "2036-09-25T12:00:00Z";
  expect(isEnding(first.certificate, clock)).toBe(false);
  expect(open().cert).toBe(first.cert);
  now = "2036-09-27T12:00:00Z";
  const second = open();
  expect([second.made, second.key === first.key]).toEqual(["it ends soon", true]);
  expect(Math.round(endsInDays(second.certificate, clock))).toBe(3650);
  const third = open({ required: ["office-2"] });
  expect([third.made, third.key === first.key]).toEqual(["it does not name office-2", true]);
  writeFileSync(ownCertificatePath(folder), "nothing");
  expect(open({ required: ["office-2"] })).toMatchObject({ made: "there is no usable certificate", key: first.key });
});

it("has another key when the key is gone, damaged or another's", () => {
  const first = open();
  rmSync(keyPath());
  const second = open();
  expect([second.made, second.key === first.key]).toEqual(["there is no usable key", false]);
  writeFileSync(keyPath(), "nothing");
  expect(open().made).toBe("there is no usable key");
  writeFileSync(keyPath(), first.key);
  expect(open()).toMatchObject({ made: "it is of another key", key: first.key });
});

it("a clock that nobody has set does not make one that has ended already", () => {
  now = "1970-01-01T00:00:10Z";
  const { certificate } = open();
  expect(new X509Certificate(certificate.toString()).validTo).toMatch(/2035 GMT$/);
  expect(new Date(certificate.validFrom) < new Date("2024-01-02")).toBe(true);
  now = "2026-11-28T12:00:00Z";
  expect(open().made).toBeUndefined();
});

it("a key that others may read is for the owner only again", () => {
  open();
  chmodSync(keyPath(), 0o644);
  open();
  expect(statSync(keyPath()).mode & 0o777).toBe(0o600);
});

it("says in one line that it cannot be made", () => {
  writeFileSync(join(folder, "keys"), "");
  expect(() => open()).toThrow(/^the API's certificate cannot be made: .*\(ENOTDIR|EEXIST\)/);
});
