// `carried.json`: read back as written, for the owner only, and what is damaged is said to be damaged.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CarriedState } from "../../../device/contract/engine-messages.js";
import { CarriedFile } from "../../../device/store/carried-file.js";
import { type DeviceKey, openDeviceKey } from "../../../device/store/device-key.js";
import { signLine } from "../../../device/store/signed-line.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

let folder: string;
let path: string;
let key: DeviceKey;
beforeEach(() => {
  folder = makeFolder();
  path = join(folder, "carried.json");
  key = openDeviceKey(folder);
});
afterEach(() => removeFolder(folder));

const pause = { endsUs: 1_700_000_000_000_000, source: "api" as const, by: "token front-desk", reason: "card data" };
const STATE: CarriedState = {
  calls: [
    { sipCallIds: ["a@x", "b@y"], pause, refusals: [], isStopped: false },
    { sipCallIds: ["c"], refusals: ["dtmf", "sip-header"], isStopped: true },
  ],
  pauseOfAll: pause,
};

describe("carried.json", () => {
  it("holds nothing before it is written, and what was written from then on", () => {
    expect(new CarriedFile(folder, key).read()).toEqual({ calls: [] });
    new CarriedFile(folder, key).write(STATE);
    expect(new CarriedFile(folder, key).read()).toEqual(STATE);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ schema: "sidetone.carried/1" });
  });

  it("is written when something has changed, and not otherwise", () => {
    const file = new CarriedFile(folder, key);
    file.write(STATE);
    const first = statSync(path).ino;
    file.write(STATE);
    expect(statSync(path).ino).toBe(first);
    file.write({ calls: [] });
    expect(file.read()).toEqual({ calls: [] });
  });

  it.each([
    ["cut short", '{"schema":"sidetone.carried/1","calls":['],
    ["of another kind", '{"schema":"sidetone.carried/2","calls":[]}'],
    [
      "with a source that nobody can refuse by",
      '{"schema":"sidetone.carried/1","calls":[{"sipCallIds":[],"refusals":["rule"],"isStopped":false}]}',
    ],
  ])("%s is refused", (_, text) => {
    const isWhole = text.endsWith("}");
    writeFileSync(path, isWhole ? `${signLine(JSON.parse(text) as object, key.privateKey)}\n` : text);
    expect(() => new CarriedFile(folder, key).read()).toThrow();
  });

  it("is refused when any byte of it is another than was written", () => {
    new CarriedFile(folder, key).write(STATE);
    const bytes = readFileSync(path);
    for (let at = 0; at < bytes.length - 1; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = changed[at]! ^ 1;
      writeFileSync(path, changed);
      expect(() => new CarriedFile(folder, key).read(), `byte ${at}`).toThrow();
    }
  });
});
