import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readLogLine, ServiceProcess } from "../../../host/demo/service-process.js";

const LIMIT_MS = 10_000;
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sidetone-service-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A stand-in for the service that does what the script says. */
function service(script: string, ownerPid = process.pid): ServiceProcess {
  const path = join(folder, "service.cjs");
  writeFileSync(path, `const say = (level, message) => console.error(JSON.stringify({ level, message }));\n${script}`);
  return new ServiceProcess(path, [], process.env, ownerPid);
}

describe("the service as a child", () => {
  it("is waited for by its log lines and stopped by SIGTERM", async () => {
    const child = service(
      `process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000);
       console.log("not looked at"); console.error("no JSON"); say("info", "capturing");`,
    );
    expect(await child.waitFor((line) => line.message === "capturing", LIMIT_MS)).toBe("seen");
    expect(await child.waitFor((line) => line.message === "call", 1)).toBe("late");
    expect(await child.stop()).toBe(7);
  });

  it("that ends early is noticed, with its last error and its code", async () => {
    const child = service(`say("error", "may not capture"); say("info", "goodbye"); process.exitCode = 3;`);
    expect(await child.waitFor((line) => line.message === "capturing", LIMIT_MS)).toBe("ended");
    expect([child.complaint, await child.ended]).toEqual(["may not capture", 3]);
    expect(await child.stop()).toBe(3);
  });

  it("that cannot be started is noticed", async () => {
    const child = new ServiceProcess(join(folder, "missing.js"), [], process.env);
    expect(await child.waitFor(() => true, LIMIT_MS)).toBe("ended");
    expect(await child.ended).toBe(1);
  });

  it("does not outlive an owner that is killed", async () => {
    const owner = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    const child = service(
      `process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); say("info", "x");`,
      owner.pid,
    );
    await child.waitFor((line) => line.message === "x", LIMIT_MS);
    owner.kill("SIGKILL");
    expect(await child.ended).toBe(7);
  });

  it("is killed when it does not listen", async () => {
    const child = service(`process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); say("info", "capturing");`);
    await child.waitFor((line) => line.message === "capturing", LIMIT_MS);
    expect(await child.stop(50)).toBe(null);
  });
});

describe("log lines", () => {
  it("are objects with level and message", () => {
    expect(readLogLine('{"level":"info","message":"call","id":"x"}')).toEqual({
      level: "info",
      message: "call",
      id: "x",
    });
    for (const text of [
      "",
      "text",
      "null",
      "[1]",
      '{"level":"info"}',
      '{"level":"info","message":1}',
      '{"message":"x"',
    ]) {
      expect(readLogLine(text), text).toBeUndefined();
    }
  });
});
