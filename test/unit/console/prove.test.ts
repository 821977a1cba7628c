import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PROVE_USAGE, parseProveCommand, runProveCommand } from "../../../device/console/prove-report.js";
import type { Proof } from "../../../device/store/prove-check.js";
import { changeSample, makeRecordings } from "../store/prove-kit.js";

const ID = "01KAJ5QX00ABCDEFGHJKMNPQRS";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-prove-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("the command line", () => {
  expect(parseProveCommand([ID])).toEqual({ id: ID, json: false });
  expect(parseProveCommand([ID.toLowerCase(), "--json", "--data", "d", "--key=k", "--config", "c"])).toEqual({
    id: ID,
    json: true,
    dataFolder: "d",
    keyFile: "k",
    configFile: "c",
  });
  for (const [argv, message] of [
    [[], "prove needs the id of a recording: sidetoned prove ID"],
    [["x\u001b[2J"], "x?[2J: not the id of a recording (26 characters)"],
    [[ID, ID], `${ID}: unexpected argument after prove ID`],
    [[ID, "--jsn"], "--jsn: unknown flag, did you mean --json?"],
    [[ID, "--data"], "--data needs a value: --data DIR"],
    [[ID, "--data", "--json"], "--data needs a value: --data DIR"],
    [[ID, "--json=1"], "--json takes no value"],
    [[ID, "--json", "--json"], "--json is given twice"],
  ] as const) {
    let error: unknown;
    try {
      parseProveCommand(argv);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "usage" });
    expect((error as Error).message).toContain(message.split(", did")[0]);
  }
  expect(PROVE_USAGE.endsWith("\n")).toBe(true);
});

async function run(argv: readonly string[]): Promise<{ code: number; text: string }> {
  let text = "";
  const code = runProveCommand(parseProveCommand(argv), folder, (piece) => {
    text += piece;
  });
  return { code, text };
}

test("a proof in words, and what fails; exit code 0 or 5", async () => {
  const id = await makeRecordings(folder);
  const proved = await run([id]);
  expect(proved.code).toBe(0);
  const lines = proved.text.split("\n");
  expect(lines[0]).toBe(`Recording ${id}`);
  expect(lines.slice(1, 17).every((line) => line.startsWith("  ok    "))).toBe(true);
  expect(lines.at(-2)).toBe("Proved: all 17 checks hold.");
  expect(proved.text).toMatch(
    /every packet seen is accounted for +2 streams: 1027 seen = 650 recorded \+ 374 discarded/,
  );
  expect(proved.text).toMatch(/digital silence outside open spans, right +40040 samples, 0 audible/);

  changeSample(folder, id, 1, 36_000, 5);
  const failed = await run([id]);
  expect(failed.code).toBe(5);
  expect(failed.text).toContain("  FAIL  digital silence outside open spans, right");
  expect(failed.text).toContain(
    "\n          1 of 40040 samples outside the open spans are no silence, the first is sample 36000",
  );
  expect(failed.text).toContain("NOT PROVED: 2 of 17 checks fail.");
  const json = await run([id, "--json"]);
  const proof = JSON.parse(json.text) as Proof;
  expect([json.code, proof.schema, proof.proved]).toEqual([5, "sidetone.proof/1", false]);
  expect(proof.checks.filter(({ passed }) => !passed).map(({ name }) => name)).toEqual(["audio", "silence"]);
});

test("the key may come from elsewhere; what is none, or a private one, is refused", async () => {
  const id = await makeRecordings(folder);
  const key = join(folder, "copy.pub");
  const own = join(folder, "keys/device.pub");
  writeFileSync(key, readFileSync(own));
  rmSync(own);
  expect((await run([id, "--key", key])).code).toBe(0);
  await expect(run([id])).rejects.toMatchObject({ code: "usage", exitCode: 2 });
  await expect(run([id, "--key", join(folder, "keys/device.key")])).rejects.toThrow("is no Ed25519 public key");
  writeFileSync(key, "nonsense");
  await expect(run([id, "--key", key])).rejects.toThrow("is no Ed25519 public key");
});

test("an unknown id is bad usage", async () => {
  await makeRecordings(folder);
  await expect(run([ID])).rejects.toMatchObject({ code: "usage", exitCode: 2 });
  await expect(run([ID])).rejects.toThrow(`there is no recording ${ID} in ${folder}`);
});
