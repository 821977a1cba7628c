// The demo: runs the recorder on the loopback interface, places four short calls with different consent, and shows what
// is in the recordings and why, checked against the files. Ends in under 20 seconds and takes the recorder with it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { AGENT_NETWORK, placeDemoCalls } from "./demo/scenario.js";
import { ServiceProcess } from "./demo/service-process.js";
import { type DemoCall, judge, readCallLog } from "./demo/verdict.js";

const SERVICE_SCRIPT = fileURLToPath(new URL("../device/main.js", import.meta.url));
const READY_LIMIT_MS = 5000;
const SEALED_LIMIT_MS = 4000;
const EXIT_USAGE = 2;
const EXIT_FAILED = 1;
const EXIT_STORAGE = 4;

async function main(): Promise<number> {
  let dataFolder: string;
  try {
    const { values } = parseArgs({ options: { data: { type: "string", default: join("data", "demo") } } });
    dataFolder = resolve(values.data);
  } catch (error) {
    console.error(`${(error as Error).message}\nusage: npm run demo [-- --data FOLDER]`);
    return EXIT_USAGE;
  }
  let configPath: string;
  try {
    configPath = writeConfiguration(dataFolder);
  } catch (error) {
    console.error(`the demo cannot write into ${dataFolder}: ${(error as Error).message}`);
    return EXIT_STORAGE;
  }
  const args = ["--interface", "lo", "--data", dataFolder, "--config", configPath, "--agents", AGENT_NETWORK, "--json"];
  const service = new ServiceProcess(SERVICE_SCRIPT, args, withoutOwnSettings(process.env));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(EXIT_FAILED));
  try {
    return await runDemo(service, dataFolder);
  } catch (error) {
    console.error((error as Error).message);
    return EXIT_FAILED;
  } finally {
    await service.stop();
  }
}

async function runDemo(service: ServiceProcess, dataFolder: string): Promise<number> {
  const readiness = await service.waitFor((line) => line.message === "capturing", READY_LIMIT_MS);
  if (readiness !== "seen") {
    console.error(readiness === "ended" ? service.complaint : "the service was not ready in time");
    return (readiness === "ended" && (await service.ended)) || EXIT_FAILED;
  }
  console.log("Four calls on the loopback interface: agents beep twice at 440 Hz, callers three times at 1000 Hz.");
  const calls = await placeDemoCalls();
  await sealed(service, dataFolder, calls);
  const exitCode = await service.stop();
  if (exitCode !== 0) console.error(`the service ended with ${exitCode ?? "a signal"}: ${service.complaint}`);
  const areAllWell = report(dataFolder, calls);
  return areAllWell && exitCode === 0 ? 0 : EXIT_FAILED;
}

/** Waits until the call log knows every call; what is missing in the end is the verdict's to say. */
async function sealed(service: ServiceProcess, dataFolder: string, calls: readonly DemoCall[]): Promise<void> {
  const ids = calls.map((call) => call.sipCallId);
  const isComplete = (): boolean => readCallLog(dataFolder, ids).size === ids.length;
  if (!isComplete()) await service.waitFor((line) => line.message === "call" && isComplete(), SEALED_LIMIT_MS);
}

/** One line for each call, and one for each thing that is not as it should be. */
function report(dataFolder: string, calls: readonly DemoCall[]): boolean {
  const log = readCallLog(
    dataFolder,
    calls.map((call) => call.sipCallId),
  );
  let isWell = true;
  console.log(`Recordings below ${dataFolder}:`);
  for (const call of calls) {
    const verdict = judge(dataFolder, log.get(call.sipCallId), call);
    console.log(`  ${verdict.line}`);
    for (const fault of verdict.faults) console.log(`    WRONG: ${fault}`);
    isWell &&= verdict.faults.length === 0;
  }
  console.log(isWell ? "Each line was checked against its file." : "Not every file holds what it should.");
  return isWell;
}

/** The demo shows the built-in policy, whatever this computer's own configuration says. */
function writeConfiguration(dataFolder: string): string {
  mkdirSync(dataFolder, { recursive: true });
  const path = join(dataFolder, "demo.yaml");
  writeFileSync(path, "consent:\n  policy: agent-only\n");
  return path;
}

function withoutOwnSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("SIDETONE_")));
}

process.exitCode = await main();
