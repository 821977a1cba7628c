// The demo as a newcomer runs it: real phones, real sockets, loopback; it checks its own claims by tone detection.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeFolder, PROJECT_ROOT, removeFolder } from "../fakes/program.js";

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log("skipped: the demo captures on the loopback interface, which needs root");

describe.skipIf(!isRoot)("demo", () => {
  it("records the consenting caller, silences the others, and says why", () => {
    const folder = makeFolder();
    try {
      const demo = spawnSync(process.execPath, [join(PROJECT_ROOT, "dist/host/demo.js"), "--data", folder], {
        encoding: "utf8",
        timeout: 60_000,
      });
      expect(demo.status, demo.stdout + demo.stderr).toBe(0);
      const lines = demo.stdout.split("\n");
      expect(lines.filter((line) => /\.wav .*right: caller .* — caller consents/.test(line)).length).toBe(1);
      expect(lines.filter((line) => /\.wav .*right: silence — .*dropped before the disk/.test(line)).length).toBe(2);
      expect(lines.filter((line) => /no file .*agent-unknown/.test(line)).length).toBe(1);
    } finally {
      removeFolder(folder);
    }
  }, 60_000);
});
