// Who has the box's own key can rewrite both chains, or put an older copy of them back, and everything verifies. What the box had
// stated of its chains before, kept elsewhere or stamped, names it: for both verifiers, and for what they say on the command line.
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { SidetoneError } from "../../../device/base/errors.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { readAnchorFile, readAuthorities } from "../../../device/store/verify/anchors.js";
import { chooseKey } from "../../../device/store/verify/key-choice.js";
import { verifyDataFolder } from "../../../device/store/verify/verify.js";
import { readAuthorities as readHostAuthorities, readStatements } from "../../../host/verify/anchors.js";
import { verifyFolder } from "../../../host/verify/verify-folder.js";
import { stampHeads, stateHeads } from "../../fakes/signed-folder.js";
import { authorityObstacle, opensslVerifies, TimeStampAuthority } from "../../fakes/time-stamp-authority.js";
import { callFrom, keep } from "./retention/deletion-kit.js";
import { makeFolder, publicKeyOf, removeFolder } from "./store-kit.js";

const obstacle = authorityObstacle();
if (obstacle) console.log(`skipped: time stamps in a data folder: ${obstacle}`);

/** What both verifiers find with proofs from outside, and what each cannot check. */
type Verify = (folder: string, anchors?: string[], authorityFile?: string) => { found: string[]; notes: string[] };
const VERIFIERS: [string, Verify][] = [
  [
    "sidetoned verify",
    (dataFolder, anchors = [], authorityFile) => {
      const { findings, notes } = verifyDataFolder({
        dataFolder,
        publicKey: chooseKey(dataFolder),
        anchors: anchors.flatMap(readAnchorFile),
        authorities: authorityFile === undefined ? undefined : readAuthorities(authorityFile),
      });
      return { found: findings.map(({ kind, file, what }) => `${kind} ${file}: ${what}`), notes };
    },
  ],
  [
    "sidetone verify",
    (folder, anchors = [], authorityFile) => {
      const { findings, unchecked } = verifyFolder(folder, publicKeyOf(folder), {
        anchors: anchors.flatMap(readStatements),
        authorities: authorityFile === undefined ? undefined : readHostAuthorities(authorityFile),
      });
      return { found: findings.map(({ kind, file, what }) => `${kind} ${file}: ${what}`), notes: unchecked };
    },
  ],
];

let parent: string;
let folder: string;
let authority: TimeStampAuthority;
let other: TimeStampAuthority;
beforeAll(() => {
  parent = makeFolder();
  if (obstacle) return;
  authority = TimeStampAuthority.make(join(parent, "authority"));
  other = TimeStampAuthority.make(join(parent, "other"));
});
afterAll(() => removeFolder(parent));
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const open = (path = folder): RecordingStore => RecordingStore.open(path, { device: "box", gatherMs: 0 });
const below = (...names: string[]): string => join(folder, ...names);

/** The folder after two recordings, its copy, and then two more; what was stated at its end is in `anchor.jsonl`. */
async function makeHistory(copy: string, isStamped = false): Promise<{ anchor: string }> {
  const store = open();
  for (const number of [1, 2]) await keep(store, callFrom(number));
  const first = await stateHeads(store);
  store.close();
  cpSync(folder, copy, { recursive: true });
  const again = open();
  for (const number of [3, 4]) await keep(again, callFrom(number));
  if (isStamped) await stampHeads(again, folder, authority);
  const second = await stateHeads(again);
  again.close();
  const anchor = join(parent, "anchor.jsonl");
  // As logs of brokers are: with topics, with other messages, the same again.
  const [one, two] = [first, second].map(({ bytes }) => bytes.toString("utf8"));
  writeFileSync(anchor, `sidetone/box/anchor ${one}\nsidetone/box/state {"state":"online"}\n\n${two}${two}`);
  return { anchor };
}

describe.each(VERIFIERS)("%s", (_, verify) => {
  let copy: string;
  beforeEach(() => {
    copy = join(parent, "copy");
  });
  afterEach(() => rmSync(copy, { recursive: true, force: true }));

  it("finds nothing where both chains hold what was stated, however they went on", async () => {
    const { anchor } = await makeHistory(copy);
    expect(verify(folder, [anchor]).found).toEqual([]);
    const store = open();
    await keep(store, callFrom(5));
    // Beside a running service, too.
    expect(verify(folder, [anchor]).found).toEqual([]);
    store.close();
    expect(verify(folder, [anchor, anchor]).found).toEqual([]);
  });

  it("names both chains where an older copy was put back, which verifies by itself", async () => {
    const { anchor } = await makeHistory(copy);
    expect(verify(copy).found).toEqual([]);
    expect(verify(copy, [anchor]).found).toEqual([
      expect.stringMatching(
        /^truncated audit\/\d{4}-\d\d\.jsonl: entry \d+, which the box stated at .*anchor\.jsonl:5\), is cut off$/,
      ),
      expect.stringMatching(/^missing recordings: the manifest [0-9a-f]{16}…, the last one that the box stated/),
    ]);
  });

  it("names both chains where they were cut off and written anew with the box's own key", async () => {
    const { anchor } = await makeHistory(copy);
    const store = open(copy);
    for (const number of [13, 14, 15, 16]) await keep(store, callFrom(number));
    store.close();
    expect(verify(copy).found).toEqual([]);
    expect(verify(copy, [anchor]).found).toEqual([
      expect.stringMatching(
        /^changed audit\/\d{4}-\d\d\.jsonl: entry \d+ is another than the box stated at .*rewritten since$/,
      ),
      expect.stringMatching(/^missing recordings: /),
    ]);
  });

  it("takes no statement that another key has signed, or that was changed", async () => {
    const { anchor } = await makeHistory(copy);
    const text = readFileSync(anchor, "utf8");
    writeFileSync(anchor, text.replaceAll('"seq":', '"seq":1'));
    expect(verify(folder, [anchor]).found).toEqual([
      expect.stringMatching(/^changed .*anchor\.jsonl:1: it is not what this box/),
      expect.stringMatching(/^changed .*anchor\.jsonl:5: it is not what this box/),
    ]);
  });

  it("says in one line what is wrong with a file that is named", () => {
    open().close();
    const empty = join(parent, "empty");
    writeFileSync(empty, '{"state":"online"}\n');
    for (const [anchors, ca, expected] of [
      [["/nowhere"], undefined, /^cannot read \/nowhere \(ENOENT\)/],
      [[parent], undefined, /^cannot read .* \(EISDIR\)/],
      [[empty], undefined, /empty holds no statement of a box/],
      [[], empty, /empty holds no certificate/],
      [[], "/nowhere", /^cannot read \/nowhere \(ENOENT\)/],
    ] as const) {
      const fault = thrownBy(() => verify(folder, [...anchors], ca)) as SidetoneError;
      expect([fault.code, fault.message]).toEqual(["usage", expect.stringMatching(expected)]);
      expect(fault.message).not.toContain("\n");
    }
  });

  it.skipIf(obstacle !== undefined)("checks time stamps, who signed them where the authority is named", async () => {
    await makeHistory(copy, true);
    const plain = verify(folder);
    expect(plain.found).toEqual([]);
    expect(plain.notes.join("\n")).toMatch(/who signed the time stamps/);
    const trusted = verify(folder, [], authority.caFile);
    expect(trusted.found).toEqual([]);
    expect(trusted.notes.join("\n")).not.toMatch(/who signed/);
    expect(trusted.notes.join("\n")).toMatch(/the newest time stamp is of \d{4}-/);
    const by = verify(folder, [], other.caFile).found;
    expect(by).toEqual([
      expect.stringMatching(/^changed stamps\/.*\.tsr: the time stamp cannot be trusted: no authority/),
    ]);
    // A stamp that was kept is a statement: it names the older copy.
    const [json, tsr] = readdirSync(below("stamps")).sort();
    expect(opensslVerifies(below("stamps", json!), below("stamps", tsr!), authority.caFile)).toBe(true);
    const kinds = verify(copy, [below("stamps", json!)]).found.map((one) => one.split(" ")[0]);
    expect(kinds).toEqual(["truncated", "missing"]);
    // And so it does where it lies in the folder itself, which does not know of it any more.
    cpSync(below("stamps"), join(copy, "stamps"), { recursive: true });
    expect(
      verify(copy)
        .found.map((one) => one.split(/[ :]/).slice(0, 2).join(" "))
        .sort(),
    ).toEqual(
      [
        `added stamps/${json}`,
        `added stamps/${tsr}`,
        "missing recordings",
        `truncated audit/${monthNow()}.jsonl`,
      ].sort(),
    );
  });

  it.skipIf(obstacle !== undefined)(
    "takes no stamp of another statement, none under another name, none that is gone",
    async () => {
      const store = open();
      await keep(store, callFrom(1));
      await stampHeads(store, folder, authority);
      await keep(store, callFrom(2));
      await stampHeads(store, folder, authority);
      store.close();
      const names = readdirSync(below("stamps")).sort();
      const [one, two] = names.filter((name) => name.endsWith(".tsr"));
      const swap = (): void => {
        renameSync(below("stamps", one!), below("aside"));
        renameSync(below("stamps", two!), below("stamps", one!));
        renameSync(below("aside"), below("stamps", two!));
      };
      swap();
      for (const name of [one, two])
        expect(verify(folder).found).toContainEqual(`changed stamps/${name}: it is a time stamp of something else`);
      swap();
      expect(verify(folder).found).toEqual([]);
      const renamed = names[0]!.replace(/Z-\d+/, "Z-999");
      renameSync(below("stamps", names[0]!), below("stamps", renamed));
      const found = verify(folder).found.join("\n");
      expect(found).toMatch(`misplaced stamps/${renamed}: it is the statement ${names[0]!.replace(".json", "")}`);
      expect(found).toMatch(`missing stamps/${names[0]}`);
      expect(found).toMatch(`added stamps/${renamed}`);
      rmSync(below("stamps"), { recursive: true });
      expect(verify(folder).found.map((text) => text.split(":")[0])).toEqual(
        names.map((name) => `missing stamps/${name}`),
      );
    },
  );

  it.skipIf(obstacle !== undefined)(
    "finds nothing wrong with a stamp that a killed service has not given its names yet",
    async () => {
      const store = open();
      await keep(store, callFrom(1));
      await stampHeads(store, folder, authority);
      for (const name of readdirSync(below("stamps")))
        renameSync(below("stamps", name), below("stamps", `${name}.partial`));
      expect(verify(folder).found).toEqual([]);
      store.close();
    },
  );
});

function monthNow(): string {
  return new Date().toISOString().slice(0, 7);
}

function thrownBy(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
