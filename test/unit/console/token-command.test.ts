// The command line of `sidetoned token`, and what it prints.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { parseTokenCommand, runTokenCommand } from "../../../device/console/token-command.js";
import { TokenStore } from "../../../device/store/tokens.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

const parse = (line: string) => parseTokenCommand(line === "" ? [] : line.split(" "));

describe("what was asked for", () => {
  it.each<[string, object]>([
    ["list", { verb: "list", json: false }],
    ["list --json --data /x --config /y", { verb: "list", json: true, dataFolder: "/x", configFile: "/y" }],
    ["create desk --rights command,see", { verb: "create", name: "desk", rights: ["command", "see"], json: false }],
    ["create --days 90 --rights=see desk", { verb: "create", name: "desk", rights: ["see"], days: 90, json: false }],
    ["revoke 0123456789ab", { verb: "revoke", id: "0123456789ab", json: false }],
  ])("token %s", (line, command) => expect(parse(line)).toEqual(command));

  it.each<[string, RegExp]>([
    ["", /^token : the commands are token create, token list, token revoke$/],
    ["creat", /did you mean create\?$/],
    ["create", /needs a name/],
    ["create desk", /--rights needs a value: one or more of see,listen/],
    ["create desk --rights", /--rights needs a value: --rights LIST$/],
    ["create desk --rights --days 3", /--rights needs a value: --rights LIST$/],
    ["create desk --rights ,", /--rights needs a value/],
    ["create desk --rights sea", /--rights sea: not one of .*; did you mean see\?$/],
    ["create desk --rights see --rights listen", /--rights is given twice/],
    ["create desk --rights see --days 0", /--days 0: not a whole number from 1 to 3650/],
    ["create desk --rights see --days 1e3", /--days 1e3: not a whole number/],
    ["create desk --rights see --days 9999", /--days 9999: not a whole number/],
    ["create desk --right see", /--right: unknown flag of token; did you mean --rights\?$/],
    ["create a/b --rights see", /a\/b: a token's name has/],
    ["create desk more --rights see", /more: unexpected argument after token create/],
    ["list all", /all: unexpected argument after token list/],
    ["list --rights see", /--rights goes with token create only/],
    ["list --json=yes", /--json takes no value/],
    ["revoke", /needs the token's id/],
  ])("token %s: one line that says what is wrong", (line, words) => {
    let message = "";
    try {
      parse(line);
    } catch (error) {
      expect(error).toBeInstanceOf(SidetoneError);
      expect((error as SidetoneError).code).toBe("usage");
      message = (error as SidetoneError).message;
    }
    expect(message).toMatch(words);
    expect(message).not.toContain("\n");
  });

  it("does not print control characters back", () => {
    expect(() => parseTokenCommand(["create", "a\u001b[31m", "--rights", "see"])).toThrow(/^a\?\[31m: /);
  });
});

describe("what is done", () => {
  let folder: string;
  let store: TokenStore;
  let ms = 0;
  const out: string[] = [];
  const notes: string[] = [];
  beforeEach(() => {
    folder = makeFolder();
    ms = 0;
    store = new TokenStore({
      dataFolder: folder,
      clock: { nowUs: () => 1_795_000_000_000_000 + ms * 1000, monotonicMs: () => ms },
    });
  });
  afterEach(() => removeFolder(folder));
  const run = (line: string) => {
    out.length = 0;
    notes.length = 0;
    runTokenCommand(parse(line), store, { out: (text) => out.push(text), note: (text) => notes.push(text) });
  };

  it("the secret stands alone on standard output", () => {
    run("create desk --rights see,command --days 90");
    expect(out).toHaveLength(1);
    expect(store.find(out[0]!)?.name).toBe("desk");
    expect(notes).toEqual([
      expect.stringMatching(/^token desk \([0-9a-f]{12}\) may see, command and expires 2027-02-16;/),
    ]);
    expect(notes[0]).not.toContain(out[0]);
  });

  it("as JSON with all about it", () => {
    run("create desk --rights see --json");
    const { secret, ...token } = JSON.parse(out[0]!);
    expect(store.find(secret)).toEqual(token);
    expect(notes).toEqual([]);
    run("list --json");
    expect(JSON.parse(out[0]!)).toEqual({ tokens: [token] });
    run(`revoke ${token.id} --json`);
    expect(JSON.parse(out[0]!)).toEqual({ ...token, revokedAt: "2026-11-18T11:06:40.000000Z" });
  });

  it("lists what there is and how it stands, never a secret", () => {
    run("create desk --rights see,command");
    const secret = out[0]!;
    run("create short --rights see --days 1");
    run("create old --rights see");
    run(`revoke ${store.list()[2]!.id}`);
    expect(notes[0]).toMatch(/^token old \(.*\) is revoked/);
    ms = 86_400_000;
    run("list");
    expect(out.map((line) => line.replace(/^[0-9a-f]{12}/, "ID"))).toEqual([
      "id            name   created     state               rights",
      "ID  desk   2026-11-18  good                see,command",
      "ID  short  2026-11-18  expired 2026-11-19  see",
      "ID  old    2026-11-18  revoked 2026-11-18  see",
    ]);
    expect(out.join()).not.toContain(secret.slice(3));
  });

  it("an unknown id is bad usage", () => {
    expect(() => run("revoke 000000000000")).toThrow(/no token with this id/);
  });
});
