// Whatever is changed, removed, added, swapped or cut off in a data folder: both verifiers name the file, and neither finds
// anything in a folder that nobody touched.
import { createPublicKey, type KeyObject } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chooseKey } from "../../device/store/verify/key-choice.js";
import { verifyDataFolder } from "../../device/store/verify/verify.js";
import { verifyFolder } from "../../host/verify/verify-folder.js";
import { makeRandom } from "../fakes/random.js";
import {
  copyTo,
  cut,
  filesIn,
  flip,
  makeSignedFolder,
  type NamedFiles,
  remove,
  swap,
  withTampered,
} from "../fakes/signed-folder.js";
import { authorityObstacle, TimeStampAuthority } from "../fakes/time-stamp-authority.js";

const VERIFIERS: [string, NamedFiles][] = [
  [
    "sidetoned verify",
    (dataFolder) =>
      verifyDataFolder({ dataFolder, publicKey: chooseKey(dataFolder) }).findings.map(
        ({ file, kind, what }) => `${file} ${kind}: ${what}`,
      ),
  ],
  [
    "sidetone verify",
    (dataFolder) =>
      verifyFolder(dataFolder, publicKey).findings.map(({ file, kind, what }) => `${file} ${kind}: ${what}`),
  ],
];
/** Offsets looked at in each file, the first and the last among them; of small files that have a check of their own more. */
const OFFSETS = 8;
const WHOLE = /^(?:chain\.json|audit\/head\.json|keys\/.+|registers\/.+|carried\.json)$/;
/** Every one by the offline verifier, every third by the box's. */
const STEPS = [3, 1];
const SMALL_BYTES = 4096;
const TIMEOUT_MS = 120_000;

let folder: string;
let files: string[];
let authorities: string;
let publicKey: KeyObject;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-tamper-"));
  const obstacle = authorityObstacle();
  if (obstacle) console.log(`tampering without time stamps: ${obstacle}`);
  authorities = mkdtempSync(join(tmpdir(), "sidetone-tamper-"));
  await makeSignedFolder(folder, obstacle ? undefined : TimeStampAuthority.make(authorities));
  files = filesIn(folder);
  publicKey = createPublicKey(readFileSync(join(folder, "keys/device.pub")));
});
afterAll(() => {
  for (const path of [folder, authorities]) rmSync(path, { recursive: true, force: true });
});

/** A finding names the file itself, or the recording that it belongs to by its id. */
function names(findings: readonly string[], file: string): boolean {
  const id = /([0-9A-Z]{26}\.\w+)$/.exec(file)?.[1];
  return findings.some(
    (one) => one.startsWith(`${file} `) || (id !== undefined && one.split(" ")[0]!.endsWith(`/${id}`)),
  );
}

describe.each(VERIFIERS)("%s", (_, verify) => {
  // The private key has no business in a copy: the box looks at it, the offline verifier says that it does not.
  const checked = (): string[] => files.filter((file) => verify !== VERIFIERS[1]![1] || file !== "keys/device.key");
  const expectNamed = (file: string, what: string): void => {
    const findings = verify(folder);
    if (!names(findings, file)) expect.fail(`${file}, ${what}: found ${JSON.stringify(findings)}`);
  };

  it("finds nothing in a folder that nobody touched", () => {
    expect(verify(folder)).toEqual([]);
    expect(files.length).toBeGreaterThan(17);
  });

  it(
    "names a file of which any byte is another",
    () => {
      const random = makeRandom(7);
      const step = STEPS[VERIFIERS.findIndex(([, one]) => one === verify)]!;
      for (const file of checked()) {
        const size = statSync(join(folder, file)).size;
        const offsets = new Set([0, size - 1]);
        const isWhole = WHOLE.test(file) && size <= SMALL_BYTES;
        for (let at = 0; isWhole && at < size; at += step) offsets.add(at);
        while (offsets.size < Math.min(size, OFFSETS)) offsets.add(Math.floor(random() * size));
        for (const at of offsets)
          withTampered(
            folder,
            [file],
            () => flip(folder, file, at, 1 << Math.floor(random() * 7)),
            () => expectNamed(file, `byte ${at} of ${size}`),
          );
      }
    },
    TIMEOUT_MS,
  );

  it("names a file that is gone, or cut off anywhere", () => {
    for (const file of checked()) {
      withTampered(
        folder,
        [file],
        () => remove(folder, file),
        () => expectNamed(file, "gone"),
      );
      const size = statSync(join(folder, file)).size;
      for (const length of new Set([0, 1, size >> 1, size - 1]))
        withTampered(
          folder,
          [file],
          () => cut(folder, file, length),
          () => expectNamed(file, `cut to ${length}`),
        );
    }
  });

  it("names a file at whose end something was added", () => {
    for (const file of checked())
      for (const more of ["\n", '{"a":1}\n'])
        withTampered(
          folder,
          [file],
          () => writeFileSync(join(folder, file), Buffer.concat([readFileSync(join(folder, file)), Buffer.from(more)])),
          () => expectNamed(file, `with ${JSON.stringify(more)} more`),
        );
  });

  it("names a file that was added: a copy under another name, at another place, or a foreign one", () => {
    const added = files.flatMap((file) => {
      const other = file.replace(/[0-9A-Z]{26}/, (id) => `${id.slice(0, -1)}Z`);
      return [`${file}.bak`, ...(other === file ? [] : [other])].map((to) => [file, to] as const);
    });
    for (const [file, to] of added) {
      copyTo(folder, file, to);
      try {
        expectNamed(to, "added");
      } finally {
        remove(folder, to);
      }
    }
  });

  it("names a foreign file in every folder", () => {
    const folders = new Set(["", ...files.map((file) => dirname(file)).filter((name) => name !== ".")]);
    expect(folders.size).toBeGreaterThan(6);
    for (const name of folders) {
      const file = join(name, "foreign.bin");
      writeFileSync(join(folder, file), "x");
      try {
        expectNamed(file, "added");
      } finally {
        remove(folder, file);
      }
    }
  });

  it("names both of two files of a kind that have changed places", () => {
    const kinds = [/\.wav$/, /recordings.*\.json$/, /^calls\//];
    for (const kind of kinds) {
      const some = files.filter((file) => kind.test(file));
      const pairs = some.flatMap((one, i) => some.slice(i + 1).map((other) => [one, other] as const));
      for (const [one, other] of pairs) {
        withTampered(
          folder,
          [one, other],
          () => swap(folder, one, other),
          () => {
            expectNamed(one, "swapped");
            expectNamed(other, "swapped");
          },
        );
      }
    }
  });

  it("names what is missing when a whole recording, or the newest with the chain's head put back, is gone", () => {
    const manifests = files.filter((file) => /recordings.*\.json$/.test(file));
    for (const file of manifests) {
      const wav = file.replace(".json", ".wav");
      const { previous } = JSON.parse(readFileSync(join(folder, file), "utf8")) as { previous: string };
      withTampered(
        folder,
        [file, wav, "chain.json"],
        () => {
          remove(folder, file);
          remove(folder, wav);
          writeFileSync(
            join(folder, "chain.json"),
            `${JSON.stringify({ schema: "sidetone.chain/1", head: previous, next: [] })}\n`,
          );
        },
        () => expectNamed(file, "gone with its audio"),
      );
    }
  });

  it("names the line of the audit chain that was taken out, doubled or moved", () => {
    const file = files.find((name) => /^audit\/\d/.test(name))!;
    const lines = readFileSync(join(folder, file), "utf8").trimEnd().split("\n");
    const put = (changed: string[]): void => writeFileSync(join(folder, file), `${changed.join("\n")}\n`);
    for (let i = 0; i < lines.length; i++) {
      withTampered(
        folder,
        [file],
        () => put(lines.toSpliced(i, 1)),
        () => expectNamed(file, `without line ${i}`),
      );
      withTampered(
        folder,
        [file],
        () => put(lines.toSpliced(i, 0, lines[i]!)),
        () => expectNamed(file, `line ${i} twice`),
      );
      if (i > 0)
        withTampered(
          folder,
          [file],
          () => put(lines.toSpliced(i - 1, 2, lines[i]!, lines[i - 1]!)),
          () => expectNamed(file, `lines ${i - 1} and ${i} swapped`),
        );
    }
  });

  it("names a recording that was moved to another day", () => {
    const file = files.find((name) => /recordings.*\.json$/.test(name))!;
    const day = files
      .filter((name) => /recordings.*\.json$/.test(name))
      .at(-1)!
      .slice(0, "recordings/2026/11/21".length);
    const moved = `${day}/${file.split("/").at(-1)}`;
    expect(moved).not.toBe(file);
    for (const end of [".json", ".wav"])
      renameSync(join(folder, file.replace(".json", end)), join(folder, moved.replace(".json", end)));
    try {
      expectNamed(moved, "moved");
    } finally {
      for (const end of [".json", ".wav"])
        renameSync(join(folder, moved.replace(".json", end)), join(folder, file.replace(".json", end)));
    }
  });
});
