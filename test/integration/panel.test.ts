// The front panel over a real serial device: the service drives a panel without hardware through a pseudo terminal, which is
// unplugged, replaced by something else, and plugged again; and Debian's lcdproc, which knows nothing of us, drives the same panel.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { HealthStatus } from "../../device/contract/health.js";
import { PanelEmulator } from "../../host/panel/emulator.js";
import { LcdDaemon, panelObstacle } from "../fakes/lcdproc.js";
import { Mosquitto, mosquittoObstacle } from "../fakes/mosquitto.js";
import { waitUntil } from "../fakes/office-program.js";
import { makeFolder, PROJECT_ROOT, RunningProgram, removeFolder } from "../fakes/program.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle = panelObstacle();
if (obstacle) console.log(`skipped: front panel on a pseudo terminal: ${obstacle}`);
const liveObstacle = obstacle ?? liveTestObstacle() ?? mosquittoObstacle();
if (liveObstacle && !obstacle) console.log(`skipped: front panel of a running service: ${liveObstacle}`);

let folder: string;
let running: { stop(): Promise<unknown> }[] = [];
beforeAll(() => {
  folder = makeFolder();
});
afterEach(async () => {
  for (const part of running) await part.stop();
  running = [];
});
afterAll(() => removeFolder(folder));

function emulator(name: string, model = "cfa635"): PanelEmulator {
  const panel = new PanelEmulator(model, join(folder, name));
  running.unshift({ stop: () => panel.close() });
  return panel;
}

const rowsOf = (panel: PanelEmulator): string[] => panel.picture.rows.map((row) => row.trimEnd());

/** Waits for rows that these are, or match. */
async function awaitRows(panel: PanelEmulator, ...wanted: (string | RegExp)[]): Promise<void> {
  const fits = (row: string, want: string | RegExp): boolean =>
    typeof want === "string" ? row === want : want.test(row);
  await waitUntil(`the panel to show ${wanted.join(" / ")}`, () =>
    wanted.every((want, index) => fits(rowsOf(panel)[index]!, want)) ? true : undefined,
  ).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}; it shows\n${rowsOf(panel).join("\n")}`);
  });
}

describe.skipIf(liveObstacle !== undefined)("the panel of a running service", () => {
  it("shows every screen, pauses, is unplugged, mistaken and plugged again, and recording goes on", async () => {
    const broker = await Mosquitto.start(folder);
    running.unshift(broker);
    const subscriber = await broker.subscribe("sidetone/+/health");
    running.unshift(subscriber);
    const port = join(folder, "panel");
    const data = join(folder, "data");
    const configFile = join(folder, "sidetone.yaml");
    const lines = [
      `panel: { port: ${port}, pauseKeys: [left, right], brightness: 60, allowReset: true }`,
      `mqtt: { url: "mqtt://127.0.0.1:${broker.port}" }`,
      "api: { port: 0 }",
      "health: { intervalS: 5 }",
      "device: { id: box-7 }",
    ];
    writeFileSync(configFile, `${lines.join("\n")}\n`);
    const args = ["--interface", "lo", "--data", data, "--config", configFile, "--agents", "10.99.0.0/24", "--json"];
    const service = new RunningProgram(args);
    running.unshift(service);
    await service.waitFor("capture", (stderr) => (stderr.includes('"message":"capturing"') ? true : undefined));
    const said = (pattern: RegExp) => service.waitFor(String(pattern), (log) => (pattern.test(log) ? true : undefined));
    await said(/"no front panel","reason":"[^"]* is not there"/);

    const panel = emulator("panel");
    await panel.plug();
    await awaitRows(panel, /^RECORDING ON \d\d:\d\d >$/, /^\d+ calls?$/, /^Disk /);
    expect(panel.picture.backlight).toBe(60);
    // The text comes first.
    const ledIs = (place: number, colour: string) =>
      waitUntil(`LED ${place} to be ${colour}`, () => (panel.picture.leds[place] === colour ? true : undefined));
    await ledIs(0, "green");
    await ledIs(2, "green");
    panel.tap("right");
    await awaitRows(panel, /^Addresses/);
    panel.tap("right");
    await awaitRows(panel, /^Mirror port/);
    panel.tap("right");
    await awaitRows(panel, /^\d+ calls/, "Nobody on the line");
    panel.tap("right");
    await awaitRows(panel, /^Alarm/);
    panel.tap("right");
    await awaitRows(panel, "First token", "Press Enter to show", "it once.");
    panel.tap("enter");
    await awaitRows(panel, /^st_/, /./, /./, "Exit: gone for good");
    const secret = rowsOf(panel).slice(0, 3).join("");
    const tokens = readFileSync(join(data, "keys/tokens.json"), "utf8");
    expect(tokens).toContain(createHash("sha256").update(secret).digest("hex"));
    panel.tap("exit");
    await awaitRows(panel, /^RECORDING ON/);

    for (const key of ["left", "right"]) panel.press(key);
    await awaitRows(panel, "All recording is", "paused");
    for (const key of ["left", "right"]) panel.release(key);
    panel.tap("exit");
    await awaitRows(panel, /^PAUSED/);
    await waitUntil("the pause on the disk", () => {
      const text = existsSync(join(data, "carried.json")) ? readFileSync(join(data, "carried.json"), "utf8") : "";
      return text.includes('"by":"front panel"') ? true : undefined;
    });
    await ledIs(2, "amber");
    panel.tap("enter");
    await awaitRows(panel, "Resume all?");
    panel.tap("enter");
    await awaitRows(panel, "Recording goes on");
    for (const key of ["exit", "left"]) panel.tap(key);
    await awaitRows(panel, /^Reset access/);
    panel.tap("enter");
    await awaitRows(panel, "Revoke all tokens?");
    panel.tap("enter");
    await awaitRows(panel, "Press Up to do it");
    panel.tap("up");
    await awaitRows(panel, /^st_/, /./, /./, "Exit: gone for good");
    const hash = createHash("sha256").update(rowsOf(panel).slice(0, 3).join("")).digest("hex");
    expect(readFileSync(join(data, "keys/tokens.json"), "utf8")).toContain(hash);
    await waitUntil("the reset in the audit chain", () => {
      const chain = readdirSync(join(data, "audit")).filter((name) => name.endsWith(".jsonl"));
      const lines = chain.flatMap((name) => readFileSync(join(data, "audit", name), "utf8").split("\n"));
      const isEntered = (line: string): boolean => /"actor":"front panel"/.test(line) && /"allRevoked":1/.test(line);
      return lines.some(isEntered) ? true : undefined;
    });
    panel.tap("exit");
    await awaitRows(panel, /^RECORDING ON/);
    expect(panel.module.junkBytes).toBe(0);

    const healthIs = (state: string) =>
      waitUntil(`health to say ${state}`, () => {
        const last = subscriber.received.at(-1);
        return last !== undefined && (JSON.parse(last.payload) as HealthStatus).panel === state ? true : undefined;
      });
    await panel.unplug();
    await said(/"no front panel","reason":"[^"]* went away/);
    // As fast as a pseudo terminal goes, without an end.
    const noise = plugOther(port, "EXEC:cat /dev/urandom");
    running.unshift(noise);
    await said(/"no front panel","reason":"what comes from the port is no panel's/);
    await noise.stop();
    const echo = plugOther(port, "EXEC:cat");
    running.unshift(echo);
    await said(/"no front panel","reason":"the port sends back what it is sent/);
    await healthIs("failing");
    await echo.stop();
    await panel.plug();
    await awaitRows(panel, /^RECORDING ON|^Recording goes on/);
    await healthIs("ok");
    // The service has been the same all the while.
    expect(service.stderr.match(/"message":"capturing"/g)).toHaveLength(1);

    // As at the first start, in the same process, with another first token; the panel's own settings stay.
    const before = readFileSync(configFile, "utf8");
    for (const key of ["exit", "left", "left"]) panel.tap(key);
    await awaitRows(panel, /^Factory reset/);
    for (const key of ["enter", "enter"]) panel.tap(key);
    await awaitRows(panel, "Press Up to do it");
    panel.tap("up");
    await service.waitFor("another start", (log) => log.match(/"message":"capturing"/g)?.length === 2 || undefined);
    await awaitRows(panel, /^RECORDING ON/);
    panel.tap("left");
    panel.tap("left");
    panel.tap("left");
    await awaitRows(panel, "First token", "Press Enter to show", "it once.");
    panel.tap("enter");
    await awaitRows(panel, /^st_/, /./, /./, "Exit: gone for good");
    const first = createHash("sha256").update(rowsOf(panel).slice(0, 3).join("")).digest("hex");
    const { tokens: left } = JSON.parse(readFileSync(join(data, "keys/tokens.json"), "utf8"));
    expect(left).toMatchObject([{ name: "first-start", sha256: first }]);
    expect(readFileSync(`${configFile}.before-reset`, "utf8")).toBe(before);
    const settings = readFileSync(configFile, "utf8");
    expect(settings).not.toMatch(/url|intervalS/);
    for (const kept of [port, "box-7"]) expect(settings).toContain(kept);
    expect(await service.stop()).toBe(0);
    expect(rowsOf(panel)).toEqual(["Sidetone is stopped", "Nothing is recorded", "", ""]);
    expect(panel.picture.leds).toEqual(["off", "off", "off", "off"]);
    expect(panel.module.hostFate).toBe("");
  });
});

/** Another device on the port, by socat's address. */
function plugOther(path: string, device: string): { stop(): Promise<void> } {
  const child: ChildProcess = spawn("socat", [`PTY,link=${path},raw,echo=0`, device], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  return {
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

describe.skipIf(obstacle !== undefined)("lcdproc on the same panel", () => {
  it.each([
    ["cfa635", "635", 4],
    ["cfa633", "633", 2],
  ])("shows what LCDd sends, and LCDd hears its keys: %s", async (model, number, height) => {
    const panel = emulator(`lcd-${model}`, model);
    await panel.plug();
    const daemon = await LcdDaemon.start(folder, { port: panel.terminal.path, model: number });
    running.unshift(daemon);
    daemon.send("client_add_key -exclusively Up");
    daemon.send("screen_add s");
    daemon.send("screen_set s -heartbeat off -priority foreground");
    for (let row = 1; row <= height; row++) daemon.send(`widget_add s w${row} string`);
    const texts = ["Hello, Sidetone", "tel_0@x [7] $", "third row", "fourth row"].slice(0, height);
    for (const [index, text] of texts.entries()) daemon.send(`widget_set s w${index + 1} 1 ${index + 1} {${text}}`);
    await awaitRows(panel, ...texts);
    panel.tap("up");
    await waitUntil("LCDd to tell of the key", () => (daemon.told.includes("key Up") ? true : undefined));
    expect(panel.module.hostFate).toBe("");
    expect(panel.module.junkBytes).toBe(0);
  });
});

describe.skipIf(obstacle !== undefined)("npm run panel", () => {
  it("obeys a script, says each change as a line, and ends with what it came to", async () => {
    const port = join(folder, "scripted");
    const script = join(folder, "script.jsonl");
    writeFileSync(
      script,
      '{"await":"CFA635","withinMs":2000}\n{"tap":"enter"}\n{"plug":false}\n{"plug":true}\n{"show":true}\n',
    );
    const run = async (args: string[]): Promise<{ code: number | null; out: string; err: string }> => {
      const child = spawn(process.execPath, [join(PROJECT_ROOT, "dist/host/panel.js"), ...args], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      let [out, err] = ["", ""];
      child.stdout.on("data", (chunk: Buffer) => {
        out += chunk.toString();
      });
      child.stderr.on("data", (chunk: Buffer) => {
        err += chunk.toString();
      });
      const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
      return { code, out, err };
    };
    const { code, out } = await run(["--port", port, "--script", script]);
    expect(code).toBe(0);
    expect(JSON.parse(out.split("\n")[0]!)).toEqual({ port });
    expect(out).toContain("│CFA635:h1.4,k1.7    │ (off)");
    expect(existsSync(port)).toBe(false);
    const wrong = await run(["--model", "cfa999"]);
    expect([wrong.code, wrong.err.split("\n")[0]]).toEqual([2, "panel: there is no model cfa999"]);
  });
});
