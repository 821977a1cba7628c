// The command `sidetoned certificate` where there is nothing to show, and the file as it is.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { certificateText, parseCertificateCommand } from "../../../device/console/certificate-command.js";
import { type Config, configSchema } from "../../../device/contract/config.js";
import { openOwnCertificate } from "../../../device/store/own-certificate.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const show = (api: Partial<Config["api"]>, ...argv: string[]): string =>
  certificateText(parseCertificateCommand(argv), configSchema.parse({ api }).api, folder);

it("says that there is none, and why", () => {
  for (const api of [{}, { host: "0.0.0.0", allowPlain: true }, { host: "0.0.0.0", enabled: false }])
    expect(() => show(api)).toThrow(/^the API speaks no TLS as it is configured/);
  expect(() => show({ host: "0.0.0.0" })).toThrow(/api-tls\.crt \(ENOENT\): it is made at the service's first start$/);
  mkdirSync(join(folder, "keys"));
  writeFileSync(join(folder, "keys", "api-tls.crt"), "nothing");
  expect(() => show({ host: "0.0.0.0" })).toThrow(/api-tls\.crt is no certificate$/);
  expect(() => parseCertificateCommand(["--pem", "--json"])).toThrow("--pem and --json contradict each other");
  expect(() => parseCertificateCommand(["show"])).toThrow("show: unexpected argument after certificate");
});

it("shows the file itself, for a program that is to trust it", () => {
  const clock = { nowUs: () => Date.parse("2026-11-28T12:00:00Z") * 1000, monotonicMs: () => 0 };
  const names = { device: "office-1", required: ["office-1"], further: ["192.0.2.7"] };
  const { cert, certificate } = openOwnCertificate(folder, names, clock);
  expect(show({ host: "0.0.0.0" }, "--pem")).toBe(cert);
  expect(show({ host: "0.0.0.0" })).toContain("good until  2036-11-25\nnames       office-1, 192.0.2.7\n");
  expect(JSON.parse(show({ host: "::" }, "--json"))).toMatchObject({
    fingerprint: certificate.fingerprint256,
    names: ["office-1", "192.0.2.7"],
  });
});
