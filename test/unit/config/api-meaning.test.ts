// Settings of the API that would let others read along, or do nothing.
import { expect, it } from "vitest";
import { findApiFaults, speaksTls } from "../../../device/config/api-meaning.js";
import { type Config, configSchema } from "../../../device/contract/config.js";

const faults = (api: Partial<Config["api"]>): string[] =>
  findApiFaults(configSchema.parse({ api })).map(({ path, text }) => `${path.join(".")}: ${text}`);
const speaks = (api: Partial<Config["api"]>): boolean => speaksTls(configSchema.parse({ api }).api);
const tls = { certFile: "/etc/sidetone/api.pem", keyFile: "/etc/sidetone/api.key" };

it.each(["127.0.0.1", "127.8.8.8", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost"])(
  "%s is this box",
  (host) => {
    expect(faults({ host })).toEqual([]);
    expect([{}, tls].map((more) => speaks({ host, ...more }))).toEqual([false, true]);
  },
);

it.each(["0.0.0.0", "::", "192.0.2.7", "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "128.0.0.1", "::2"])(
  "%s is beyond it: with TLS, unless that may be missing",
  (host) => {
    for (const settings of [{}, { allowPlain: true }, tls]) expect(faults({ host, ...settings })).toEqual([]);
    expect(
      [{}, tls, { allowPlain: true }, { ...tls, allowPlain: true }].map((more) => speaks({ host, ...more })),
    ).toEqual([true, true, false, true]);
    expect(faults({ host, enabled: false })).toEqual([]);
  },
);

it.each(["", "sidetone.example", "eth0", "127.0.0.1:8385", "10.0.0.0/8", "fe80::1%eth0"])(
  "%j is no address",
  (host) => {
    expect(faults({ host, allowPlain: true })).toEqual([expect.stringMatching(/^api\.host: is no IP address/)]);
  },
);

it("certificate and key go together", () => {
  expect(faults({ certFile: tls.certFile })).toEqual(["api.certFile: needs its private key in api.keyFile"]);
  expect(faults({ keyFile: tls.keyFile })).toEqual(["api.keyFile: has no effect without api.certFile"]);
  expect(faults(tls)).toEqual([]);
});
