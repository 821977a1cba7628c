// `npm run panel`: a front panel without hardware, on a pseudo terminal that the service is told as panel.port. In a terminal it
// shows itself and takes keys; otherwise it takes orders, one JSON line each, and says each change as one.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { drawPanel } from "./panel/drawing.js";
import { PanelEmulator } from "./panel/emulator.js";
import { MODULES } from "./panel/module.js";
import { type PanelOrder, parseOrder } from "./panel/orders.js";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const POLL_MS = 20;
const USAGE = `usage: npm run panel [-- --port PATH] [--model ${Object.keys(MODULES).join("|")}] [--script FILE]`;
const KEYS: Readonly<Record<string, string>> = {
  "\x1b[A": "up",
  "\x1b[B": "down",
  "\x1b[D": "left",
  "\x1b[C": "right",
  "\r": "enter",
  "\x7f": "exit",
  x: "exit",
};

interface Wanted {
  port: string;
  model: string;
  script: string | undefined;
}

function readArguments(argv: readonly string[]): Wanted {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      port: { type: "string", default: "/tmp/sidetone-panel" },
      model: { type: "string", default: "cfa635" },
      script: { type: "string" },
    },
  });
  if (MODULES[values.model] === undefined) throw new RangeError(`there is no model ${values.model}`);
  return { port: resolve(values.port), model: values.model, script: values.script };
}

async function main(): Promise<number> {
  let wanted: Wanted;
  let orders: PanelOrder[] | undefined;
  try {
    wanted = readArguments(process.argv.slice(2));
    const lines = wanted.script === undefined ? undefined : readFileSync(wanted.script, "utf8").split("\n");
    orders = lines?.flatMap((line) => parseOrder(line) ?? []);
  } catch (error) {
    process.stderr.write(`panel: ${(error as Error).message}\n${USAGE}\n`);
    return EXIT_USAGE;
  }
  const isShown = process.stdout.isTTY && process.stdin.isTTY && orders === undefined;
  const panel: PanelEmulator = new PanelEmulator(wanted.model, wanted.port, () => show(panel, isShown));
  try {
    await panel.plug();
    if (!isShown) process.stdout.write(`${JSON.stringify({ port: wanted.port })}\n`);
    if (isShown) return await showAndTakeKeys(panel);
    return await obey(panel, orders ?? readOrders());
  } catch (error) {
    process.stderr.write(`panel: ${(error as Error).message}\n`);
    return EXIT_FAILED;
  } finally {
    await panel.close();
  }
}

function show(panel: PanelEmulator, isShown: boolean): void {
  const { picture, module } = panel;
  if (!isShown) {
    process.stdout.write(`${JSON.stringify({ ...picture, hostFate: module.hostFate })}\n`);
    return;
  }
  const lines = [
    ...drawPanel(picture, module.hostFate, true),
    "",
    `panel.port: ${panel.terminal.path}${panel.terminal.isPlugged ? "" : " (unplugged)"}`,
    "arrows, Enter, x = exit; u = unplug and plug; p = hold left and right; q = quit",
  ];
  process.stdout.write(`\x1b[H\x1b[2J${lines.join("\r\n")}\r\n`);
}

async function* readOrders(): AsyncGenerator<PanelOrder> {
  for await (const line of createInterface({ input: process.stdin })) {
    const order = parseOrder(line);
    if (order !== undefined) yield order;
  }
}

async function obey(panel: PanelEmulator, orders: Iterable<PanelOrder> | AsyncIterable<PanelOrder>): Promise<number> {
  for await (const order of orders) {
    if ("end" in order) break;
    if ("press" in order) panel.press(order.press);
    else if ("release" in order) panel.release(order.release);
    else if ("tap" in order) panel.tap(order.tap);
    else if ("plug" in order) await (order.plug ? panel.plug() : panel.unplug());
    else if ("waitMs" in order) await pass(order.waitMs);
    else if ("show" in order)
      process.stdout.write(`${drawPanel(panel.picture, panel.module.hostFate, false).join("\n")}\n`);
    else if (!(await awaitText(panel, order.await, order.withinMs))) {
      process.stderr.write(`panel: waited in vain for ${order.await}\n`);
      return EXIT_FAILED;
    }
  }
  return 0;
}

async function awaitText(panel: PanelEmulator, text: string, withinMs: number): Promise<boolean> {
  const untilMs = performance.now() + withinMs;
  while (!panel.picture.rows.some((row) => row.includes(text))) {
    if (performance.now() > untilMs) return false;
    await pass(POLL_MS);
  }
  return true;
}

function showAndTakeKeys(panel: PanelEmulator): Promise<number> {
  show(panel, true);
  process.stdin.setRawMode(true);
  return new Promise((done) => {
    process.stdin.on("data", (bytes: Buffer) => {
      const text = bytes.toString();
      if (text === "q" || text === "\x03") {
        process.stdin.setRawMode(false);
        process.stdin.pause();
        done(0);
      } else void take(panel, text);
    });
  });
}

async function take(panel: PanelEmulator, text: string): Promise<void> {
  const key = KEYS[text];
  if (key !== undefined && panel.module.kind.keys[key] !== undefined) panel.tap(key);
  if (text === "u") await (panel.terminal.isPlugged ? panel.unplug() : panel.plug());
  if (text === "p") {
    for (const held of ["left", "right"]) if (panel.module.kind.keys[held]) panel.press(held);
    await pass(1500);
    for (const held of ["left", "right"]) if (panel.module.kind.keys[held]) panel.release(held);
  }
  show(panel, true);
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

process.exitCode = await main();
