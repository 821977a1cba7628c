// `sidetone decrypt` against files that Debian's age has made: the same bytes, nothing of what was changed, and no file replaced
// unasked.
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HOST_EXIT } from "../../../host/errors.js";
import { type AgeKey, ageEncrypt, ageObstacle, makeAgeKey } from "../../fakes/age-program.js";
import { filesBelow, makeFolder, removeFolder } from "../../fakes/program.js";
import { runHere } from "./host-kit.js";

const obstacle = ageObstacle();
if (obstacle) console.warn(`skipped: ${obstacle}`);

describe.skipIf(obstacle !== undefined)("decrypt", () => {
  let folder: string;
  let key: AgeKey;
  let other: AgeKey;
  beforeEach(() => {
    folder = makeFolder();
    [key, other] = [makeAgeKey(folder, "key"), makeAgeKey(folder, "other")];
  });
  afterEach(() => removeFolder(folder));

  function encrypted(name: string, content: Buffer): string {
    const path = join(folder, `${name}.age`);
    writeFileSync(path, ageEncrypt(content, [other.recipient, key.recipient]));
    return path;
  }
  const pattern = (bytes: number): Buffer =>
    Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 8)) & 255));
  const run = (...argv: string[]) => runHere(["decrypt", "--identity", key.identityFile, ...argv]);

  it.each([0, 1, 65535, 65536, 65537, 131072, 3 * (1 << 20) + 5])("%s bytes", async (bytes) => {
    const content = pattern(bytes);
    const { exitCode, stdout } = await run(encrypted("x.wav", content), "--json");
    expect([exitCode, JSON.parse(stdout)["bytes"]]).toEqual([HOST_EXIT.ok, bytes]);
    expect(readFileSync(join(folder, "x.wav")).equals(content)).toBe(true);
    expect(statSync(join(folder, "x.wav")).mode & 0o777).toBe(0o600);
  });

  it("leaves nothing of a file that was changed, cut, or is for somebody else, and goes on with the next", async () => {
    const changed = encrypted("changed.wav", pattern(200_000));
    const bytes = readFileSync(changed);
    bytes[150_000]! ^= 1;
    writeFileSync(changed, bytes);
    const cut = encrypted("cut.wav", pattern(200_000));
    // At the end of a chunk, where only the last chunk's mark tells.
    truncateSync(cut, statSync(cut).size - (200_000 - 3 * 65536 + 16));
    const foreign = join(folder, "foreign.wav.age");
    writeFileSync(foreign, ageEncrypt(pattern(10), [makeAgeKey(folder, "third").recipient]));
    const none = join(folder, "none.age");
    writeFileSync(none, "hello");
    const good = encrypted("good.wav", pattern(10));
    const before = filesBelow(folder);
    for (const [file, exit] of [
      [changed, HOST_EXIT.unproved],
      [cut, HOST_EXIT.unproved],
      [foreign, HOST_EXIT.unreadable],
      [none, HOST_EXIT.unreadable],
      [join(folder, "missing.age"), HOST_EXIT.unreadable],
      [key.identityFile, HOST_EXIT.usage],
    ] as const)
      expect([file, (await run(file)).exitCode]).toEqual([file, exit]);
    expect(filesBelow(folder)).toEqual(before);
    const { exitCode, stdout } = await run(cut, foreign, good, "--json");
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(exitCode).toBe(HOST_EXIT.unproved);
    expect(lines.map(({ error }) => error)).toEqual(["unproved", "file-unreadable", undefined]);
    expect(filesBelow(folder)).toEqual([...before, "good.wav"].sort());
  });

  it("replaces a file only when it is told to", async () => {
    const file = encrypted("x.wav", pattern(10));
    writeFileSync(join(folder, "x.wav"), "mine");
    expect((await run(file)).exitCode).toBe(HOST_EXIT.unwritable);
    expect(readFileSync(join(folder, "x.wav"), "utf8")).toBe("mine");
    expect((await run(file, "--output", join(folder, "y", "z.wav"))).exitCode).toBe(HOST_EXIT.unwritable);
    expect((await run(file, "--force")).exitCode).toBe(HOST_EXIT.ok);
    expect(readFileSync(join(folder, "x.wav")).equals(pattern(10))).toBe(true);
    expect((await run(file, "--output", join(folder, "other.wav"))).exitCode).toBe(HOST_EXIT.ok);
    expect(existsSync(join(folder, "other.wav"))).toBe(true);
  });

  it("never shows what is in a key file", async () => {
    writeFileSync(join(folder, "bad.txt"), `${key.secret}X\n`);
    const { exitCode, stderr } = await runHere(["decrypt", "a.age", "--identity", join(folder, "bad.txt")]);
    expect([exitCode, stderr.includes(key.secret.slice(20, 40))]).toEqual([HOST_EXIT.usage, false]);
  });
});
