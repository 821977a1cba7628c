// The box's check of itself with the real program behind it: what it finds in a folder as it was signed, and in one that was changed.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { makeFolder, PROJECT_ROOT, removeFolder } from "../fakes/program.js";
import { makeSignedFolder } from "../fakes/signed-folder.js";

type Checker = typeof import("../../device/integrity-watch.js");

it("finds nothing in a folder as it was signed, names what was changed, and ends when it is told to", {
  timeout: 90_000,
}, async () => {
  const folder = makeFolder();
  try {
    await makeSignedFolder(folder);
    const built = pathToFileURL(join(PROJECT_ROOT, "dist/device/integrity-watch.js")).href;
    const { verifyInProcess } = (await import(built)) as Checker;
    const { signal } = new AbortController();
    expect(await verifyInProcess(folder, signal)).toEqual({ findings: 0, first: "" });
    const name = readdirSync(folder, { recursive: true, encoding: "utf8" }).find((file) => file.endsWith(".wav"))!;
    const bytes = readFileSync(join(folder, name));
    bytes[100]! ^= 1;
    writeFileSync(join(folder, name), bytes);
    expect(await verifyInProcess(folder, signal)).toEqual({ findings: 1, first: `changed ${name}` });
    await expect(verifyInProcess(join(folder, "nowhere"), signal)).rejects.toThrow("and said nothing");
    await expect(verifyInProcess(folder, AbortSignal.abort())).rejects.toThrow("abort");
  } finally {
    removeFolder(folder);
  }
});
