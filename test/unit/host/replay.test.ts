// `sidetone replay` hands its words to the recorder that stands beside it, and says so when there is none.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Given } from "../../../host/command.js";
import { parseCommandLine } from "../../../host/command-line.js";
import { replay, replayCommand } from "../../../host/commands/replay.js";
import { HOST_EXIT } from "../../../host/errors.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));
const given = (...argv: string[]): Given => parseCommandLine(replayCommand, argv);
const host = { stopSignal: () => new AbortController().signal };

describe("replay", () => {
  it.each([0, 2, 3, 4])("passes words on and ends as the recorder does: %i", async (code) => {
    const [program, said] = [join(folder, "main.mjs"), join(folder, "said.json")];
    writeFileSync(
      program,
      `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(said)}, JSON.stringify(process.argv.slice(2))); process.exit(${code});`,
    );
    const words = given("a.pcap", "-x.pcap".slice(1), "--agents", "10.0.0.0/24,21", "--json", "--data=d");
    expect(await replay(words, host, pathToFileURL(program))).toBe(code);
    const { default: args } = await import(said, { with: { type: "json" } });
    expect(args).toEqual(["--read=a.pcap", "--read=x.pcap", "--agents=10.0.0.0/24,21", "--data=d", "--json"]);
  });

  it("says that there is no recorder", async () => {
    const none = pathToFileURL(join(folder, "none.js"));
    await expect(replay(given("a.pcap"), host, none)).rejects.toMatchObject({
      exitCode: HOST_EXIT.unreadable,
      message: expect.stringContaining("no recorder beside this tool"),
    });
  });
});
