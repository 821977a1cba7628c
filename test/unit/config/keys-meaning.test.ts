// Codes of keys that could not be pressed, because another one is complete before them.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findKeyFaults } from "../../../device/config/keys-meaning.js";
import { loadConfig } from "../../../device/config/load.js";
import { KeyCodes } from "../../../device/consent/key-codes.js";
import { type Config, configSchema } from "../../../device/contract/config.js";

type Sections = { [Section in "dtmf" | "pause" | "onDemand"]?: Partial<Config["consent"][Section]> };
const faultsOf = (consent: Sections) => findKeyFaults(configSchema.parse({ consent }));
const faults = (consent: Sections): string[] =>
  faultsOf(consent).map(({ path, text }) => `${path.slice(1).join(".")}: ${text}`);
const ON = { mode: "start-stopped" } as const;

describe("codes of the caller", () => {
  it.each([
    ["the same", "1", "1"],
    ["at the beginning of the other", "*1", "*12"],
    ["at its end", "12", "*12"],
    ["in its middle", "1", "*1*"],
  ])("%s", (_name, granted, withdrawn) => {
    expect(faults({ dtmf: { granted, withdrawn } })).toEqual([
      `dtmf.withdrawn: cannot be pressed: consent.dtmf.granted (${granted}) is complete before it`,
    ]);
  });

  it("name the longer one, wherever it stands, and the one that is in its way", () => {
    expect(faultsOf({ dtmf: { granted: "*12", refused: "*1" } })).toEqual([
      { path: ["consent", "dtmf", "granted"], related: ["consent", "dtmf", "refused"], text: expect.any(String) },
    ]);
  });

  it("are named for each that is in the way", () => {
    expect(faults({ dtmf: { granted: "1", refused: "2", withdrawn: "12" } })).toHaveLength(2);
    expect(faults({ dtmf: { granted: "1", refused: "1", withdrawn: "1" } })).toHaveLength(3);
  });

  it("that only overlap, or are none, are fine", () => {
    expect(faults({})).toEqual([]);
    expect(faults({ dtmf: { granted: "12", refused: "21", withdrawn: "" } })).toEqual([]);
  });
});

describe("codes of the agent", () => {
  it("may be the caller's as well", () => {
    const dtmf = { granted: "1", withdrawn: "2" };
    expect(faults({ dtmf, pause: { pauseKeys: "1", resumeKeys: "12" } })).toHaveLength(1);
    expect(faults({ dtmf, pause: { pauseKeys: "1", resumeKeys: "2" } })).toEqual([]);
  });

  it("toggle when both of a pair are the same", () => {
    expect(faults({ pause: { pauseKeys: "*7", resumeKeys: "*7" } })).toEqual([]);
    expect(faults({ onDemand: { ...ON, startKeys: "*7", stopKeys: "*7" } })).toEqual([]);
    expect(
      faults({
        pause: { pauseKeys: "*7", resumeKeys: "*7" },
        onDemand: { ...ON, startKeys: "*8", stopKeys: "*8" },
      }),
    ).toEqual([]);
  });

  it("do not toggle across pairs, nor when one holds the other", () => {
    expect(faults({ pause: { pauseKeys: "*7" }, onDemand: { ...ON, startKeys: "*7", stopKeys: "*8" } })).toEqual([
      "onDemand.startKeys: cannot be pressed: consent.pause.pauseKeys (*7) is complete before it",
    ]);
    expect(faults({ pause: { pauseKeys: "7", resumeKeys: "77" } })).toHaveLength(1);
  });

  it("of recording on demand, which are there by default, count only where it is switched on", () => {
    const pause = { pauseKeys: "*1", resumeKeys: "*2" };
    expect(faults({ pause })).toEqual([]);
    for (const mode of ["start-stopped", "start-recording"] as const)
      expect(faults({ pause, onDemand: { mode } })).toHaveLength(2);
  });
});

it("is asked when the configuration is loaded, and says where to look", () => {
  const load = (environment: Record<string, string>) =>
    loadConfig({ environment, defaultFile: "/nonexistent/sidetone.yaml" });
  expect(() => load({ SIDETONE_CONSENT_DTMF_GRANTED: "1", SIDETONE_CONSENT_DTMF_WITHDRAWN: "*1" })).toThrow(
    /consent\.dtmf\.granted \(1\) is complete before it/,
  );
  expect(load({ SIDETONE_CONSENT_DTMF_GRANTED: "1" }).config.consent.dtmf.granted).toBe("1");
});

it("finds no fault exactly where every code can be pressed", () => {
  const code = fc.string({ unit: fc.constantFrom("1", "2", "*"), maxLength: 3 });
  const seen = { fine: 0, faulty: 0 };
  fc.assert(
    fc.property(code, code, code, (granted, refused, withdrawn) => {
      const codes = Object.entries({ granted, refused, withdrawn }).map(([meaning, keys]) => ({ keys, meaning }));
      // Whichever of them is asked first.
      const canBePressed = [codes, codes.toReversed()].every((order) =>
        codes.every(({ keys, meaning }) => {
          const presses = new KeyCodes(order, 1000);
          const found = [...keys].map((key, i) => presses.press(key, i));
          return found.every((one, i) => one?.meaning === (i === keys.length - 1 ? meaning : undefined));
        }),
      );
      const isFine = faults({ dtmf: { granted, refused, withdrawn } }).length === 0;
      expect(isFine).toBe(canBePressed);
      seen[isFine ? "fine" : "faulty"]++;
    }),
    { numRuns: 1000 },
  );
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(100);
});
