// Changes of registers and tokens reach the audit chain with who and what, without numbers and secrets, whoever is killed.
import { spawnSync } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../device/base/clock.js";
import { makeCallId } from "../../../device/base/ids.js";
import { CONSENT_REGISTER, type ConsentEntry } from "../../../device/consent/register-line.js";
import type { AuditEntry } from "../../../device/contract/audit.js";
import { FILE_CHANGE, type FileChange, fileChangeKind, SpoolTrail } from "../../../device/store/file-change.js";
import { sha256OfFile } from "../../../device/store/file-hash.js";
import { RecordingStore } from "../../../device/store/recordings.js";
import { AgentsRegisterFile, ConsentRegisterFile } from "../../../device/store/register-file.js";
import { SpoolDesk } from "../../../device/store/spool-desk.js";
import { SpoolFiles } from "../../../device/store/spool-files.js";
import { SpoolKeeper } from "../../../device/store/spool-keeper.js";
import { TokenStore } from "../../../device/store/tokens.js";
import { WatchedFiles } from "../../../device/store/watched-files.js";
import { BERLIN } from "../consent/register-kit.js";
import { readAudit } from "./audit-kit.js";
import { filesBelow, makeFolder, removeFolder } from "./store-kit.js";

const NUMBER = "+4930123456";
let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const trail = () => new SpoolTrail(new SpoolDesk(folder), "cli alice");
const settings = () => ({
  folder: join(folder, "registers"),
  numbers: BERLIN,
  maxEntries: 1000,
  clock: systemClock,
  trail: trail(),
});
const consent = () => new ConsentRegisterFile(settings());
const tokens = () => new TokenStore({ dataFolder: folder, clock: systemClock, trail: trail() });
const registerPath = () => join(folder, "registers/consent.jsonl");

function granted(number: string, source = "signed form"): ConsentEntry {
  return { number, purpose: "recording", effect: "granted", validFrom: "2026-01-01", source };
}
async function grant(...entries: ConsentEntry[]): Promise<void> {
  await consent().enter(
    entries.map((entry) => {
      const checked = CONSENT_REGISTER.check(entry as unknown as Record<string, string>);
      if (!checked.ok) throw new Error(checked.problem);
      return checked.statement;
    }),
  );
}

/** A service's start and end; what the files' last look leaves unexplained. */
async function serve(): Promise<string[]> {
  const store = RecordingStore.open(folder, { audit: { gatherMs: 5 } });
  const watched = new WatchedFiles(folder);
  const faults: string[] = [];
  const kinds = { [FILE_CHANGE]: fileChangeKind(store.audit, folder, watched) };
  const keeper = new SpoolKeeper({ dataFolder: folder, kinds, onFault: (message) => faults.push(message) });
  await keeper.drain();
  await keeper.stop();
  expect(faults).toEqual([]);
  store.close();
  const file = "registers/consent.jsonl";
  const found = watched.settle(file, sha256OfFile(join(folder, file)));
  watched.save();
  return found.map(({ how }) => how);
}
/** Without what the store itself has the chain say of its files. */
const entries = (): AuditEntry[] => readAudit(folder).filter(({ kind }) => kind !== "witnessed");

describe("the registers", () => {
  it("leave who, which entries and what was done, and nobody's number", async () => {
    await grant(granted(NUMBER, `said so on ${NUMBER} and 030 123456, 2026-03-15`));
    await consent().revoke("030 123456", "recording", "letter of 1.3.2026");
    expect(await serve()).toEqual([]);
    const [first, second] = entries();
    expect(first).toMatchObject({
      kind: "register",
      actor: "cli alice",
      detail: {
        file: "registers/consent.jsonl",
        before: "",
        entered: 1,
        revoked: 0,
        entries: [
          {
            done: "entered",
            effect: "granted",
            purpose: "recording",
            source: "said so on •••456 and •••456, 2026-03-15",
          },
        ],
      },
    });
    expect(second!.detail).toMatchObject({
      before: first!.detail["sha256"],
      sha256: sha256OfFile(registerPath()),
      entered: 1,
      revoked: 1,
      entries: [{ done: "revoked" }, { done: "entered", effect: "refused", source: "letter of 1.3.2026" }],
    });
    for (const name of filesBelow(join(folder, "audit")))
      expect(readFileSync(join(folder, "audit", name), "utf8")).not.toMatch(/123456/);
  });

  it("name the agents' entries, not the agents", async () => {
    const checked = { agent: "alice.smith", to: "works agreement", agreedAt: "2026-01-01" };
    const times = { fromUs: 0, toUs: Number.POSITIVE_INFINITY, revokedUs: Number.POSITIVE_INFINITY };
    const file = new AgentsRegisterFile(settings());
    await file.enter([{ entry: checked, times }]);
    const [filed] = file.entries();
    await serve();
    expect(entries()[0]!.detail).toMatchObject({
      file: "registers/agents.jsonl",
      entries: [{ done: "entered", entry: filed!.id, to: "works agreement" }],
    });
    expect(JSON.stringify(entries())).not.toContain("smith");
  });

  it("name the first of a long import, and the rest by their hash", async () => {
    await grant(...Array.from({ length: 500 }, (_, at) => granted(`+49301000${at}`, "x".repeat(256))));
    await serve();
    const [{ detail }] = entries() as [AuditEntry];
    expect(detail).toMatchObject({ entered: 500, entriesSha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(detail["entries"]).toHaveLength(20);
  });

  it("leave nothing when nothing changes, and are not changed when nothing can be left", async () => {
    await grant(granted(NUMBER));
    await grant(granted(NUMBER));
    await serve();
    expect(entries()).toHaveLength(1);
    const before = readFileSync(registerPath(), "utf8");
    for (let count = 0; count < 1000; count++)
      writeFileSync(join(folder, "spool", `${makeCallId(count * 1000)}.json`), "");
    await expect(grant(granted("+4930999999"))).rejects.toMatchObject({ code: "data-unwritable" });
    expect(readFileSync(registerPath(), "utf8")).toBe(before);
    expect(filesBelow(join(folder, "registers"))).toEqual(["consent.jsonl"]);
  });

  it("tell changes by hand from those of commands, whichever comes first", async () => {
    await grant(granted(NUMBER));
    expect(await serve()).toEqual([]);
    appendFileSync(registerPath(), "by hand\n");
    expect(await serve()).toEqual(["by hand"]);
    appendFileSync(registerPath(), "by hand\n");
    await grant(granted("+4930999999"));
    expect(await serve()).toEqual(["by hand"]);
    await grant(granted("+4930888888"));
    appendFileSync(registerPath(), "by hand\n");
    expect(await serve()).toEqual(["by hand"]);
    expect(entries()).toHaveLength(3);
  });
});

describe("a command that is killed", () => {
  /** Leaves the intent and dies; with `act` after it had done what it was about to. */
  async function killed(number: string, hasActed: boolean): Promise<void> {
    const dead = { pid: spawnSync("true").pid, startedAt: "a boot 1" };
    const atUs = Date.now() * 1000;
    let change: FileChange | undefined;
    const dying = {
      intend(wanted: FileChange) {
        change = wanted;
        new SpoolFiles(folder).make();
        new SpoolFiles(folder).writeRequest({
          id: makeCallId(atUs),
          kind: FILE_CHANGE,
          actor: "cli dead",
          atUs,
          isAwaited: false,
          writer: dead,
          body: wanted,
        });
        if (!hasActed) throw new Error("killed");
        return { confirm: () => {}, withdraw: () => {} };
      },
    };
    const file = new ConsentRegisterFile({ ...settings(), trail: dying });
    await file.revoke(number, "*", "letter").catch(() => {});
    expect(change).toBeDefined();
  }

  it("before its change leaves no entry", async () => {
    await killed(NUMBER, false);
    expect(await serve()).toEqual([]);
    expect(entries()).toEqual([]);
  });

  it("after its change leaves its entry", async () => {
    await killed(NUMBER, true);
    expect(await serve()).toEqual([]);
    expect(entries()).toMatchObject([
      { kind: "register", actor: "cli dead", detail: { sha256: sha256OfFile(registerPath()) } },
    ]);
  });

  it("after its change leaves its entry also when another command has gone on from there", async () => {
    await killed(NUMBER, true);
    await new Promise((resolve) => setTimeout(resolve, 2));
    await grant(granted("+4930999999"));
    expect(await serve()).toEqual([]);
    expect(entries().map(({ actor }) => actor)).toEqual(["cli dead", "cli alice"]);
  });

  it("after its change leaves its entry also when the next is killed in the same way", async () => {
    for (const number of [NUMBER, "+4930777777", "+4930666666"]) {
      await killed(number, true);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await serve()).toEqual([]);
    expect(entries().map(({ actor }) => actor)).toEqual(["cli dead", "cli dead", "cli dead"]);
  });

  it("after its change shows at least as by hand when somebody has gone on by hand", async () => {
    await grant(granted(NUMBER));
    await serve();
    await killed(NUMBER, true);
    appendFileSync(registerPath(), "by hand\n");
    expect(await serve()).toEqual(["by hand"]);
  });
});

describe("the tokens", () => {
  it("leave who, which token, its rights and why, and no secret", async () => {
    const { token, secret } = tokens().create({ name: "front-desk", rights: ["see"] }, "for the new phone 0301234567");
    tokens().revoke(token.id, "lost");
    tokens().revoke(token.id, "again");
    await serve();
    expect(entries()).toMatchObject([
      {
        kind: "token",
        actor: "cli alice",
        detail: { done: "created", token: token.id, rights: ["see"], before: "", reason: "for the new phone •••567" },
      },
      { kind: "token", detail: { done: "revoked", token: token.id, reason: "lost", file: "keys/tokens.json" } },
    ]);
    expect(entries()).toHaveLength(2);
    expect(JSON.stringify(entries())).not.toContain(secret.slice(3));
    expect(entries()[1]!.detail["sha256"]).toBe(sha256OfFile(join(folder, "keys/tokens.json")));
  });

  it("leave the first one as well", async () => {
    tokens().createFirst();
    await serve();
    expect(entries()).toMatchObject([{ detail: { done: "created", name: "first-start" } }]);
  });
});
