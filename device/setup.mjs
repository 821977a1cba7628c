// What `npm start`, `npm test` and their like run: does the set-up that is missing (Debian packages, npm packages, build)
// and then the program. Plain JavaScript without dependencies, because it runs before there are any; its steps are in
// setup/. Downloads only through npm and apt.
import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, isBuilt } from "./setup/build.mjs";
import { installDependencies, isInstalled } from "./setup/dependencies.mjs";
import { withLock } from "./setup/lock.mjs";
import { runProgram, userFolder } from "./setup/program.mjs";
import { EXIT_INTERNAL, EXIT_USAGE, SetupFault, say } from "./setup/step.mjs";
import { hasTestTools, provideSystemPackages } from "./setup/system-packages.mjs";

const MINIMUM_NODE_MAJOR = 20;

/** `entry`: the program; `inUserFolder`: its relative paths mean what the user typed. */
const TASKS = {
  start: { builds: true, tests: false, entry: "dist/device/main.js", arguments: [], inUserFolder: true },
  demo: { builds: true, tests: false, entry: "dist/host/demo.js", arguments: [], inUserFolder: true },
  panel: { builds: true, tests: false, entry: "dist/host/panel.js", arguments: [], inUserFolder: true },
  bench: { builds: true, tests: false, entry: "dist/test/bench/run.js", arguments: [], inUserFolder: true },
  test: { builds: true, tests: true, entry: "node_modules/vitest/vitest.mjs", arguments: ["run"], inUserFolder: false },
  build: { builds: true, tests: false, entry: "" },
  // All but the build: for checks that look at the sources first.
  prepare: { builds: false, tests: true, entry: "" },
};

/** Task and the program's arguments; a leading "--" is dropped. */
export function parseTask(argv) {
  const [name = "", ...rest] = argv;
  if (!Object.hasOwn(TASKS, name)) {
    throw new SetupFault(`usage: node device/setup.mjs ${Object.keys(TASKS).join("|")} [-- arguments]`, EXIT_USAGE);
  }
  return { task: TASKS[name], programArguments: rest[0] === "--" ? rest.slice(1) : rest };
}

/** Why this Node cannot be used, or "". `version` like "v20.1.0". */
export function nodeProblem(version) {
  const major = Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0);
  return major >= MINIMUM_NODE_MAJOR ? "" : `Sidetone needs Node ${MINIMUM_NODE_MAJOR} or newer; this is ${version}`;
}

function setUp(root, task) {
  const isReady = (!task.tests || hasTestTools()) && isInstalled(root) && (!task.builds || isBuilt(root));
  if (isReady) return;
  withLock(join(root, ".setup-lock"), () => {
    provideSystemPackages({ forBuild: !isInstalled(root), forTests: task.tests });
    installDependencies(root);
    if (task.builds) build(root);
  });
}

async function main() {
  try {
    const problem = nodeProblem(process.version);
    if (problem !== "") throw new SetupFault(problem, EXIT_USAGE);
    const { task, programArguments } = parseTask(process.argv.slice(2));
    const root = dirname(dirname(fileURLToPath(import.meta.url)));
    setUp(root, task);
    if (task.entry === "") return;
    const entry = join(root, task.entry);
    if (!existsSync(entry)) throw new SetupFault(`there is no ${task.entry}`);
    const cwd = task.inUserFolder ? userFolder(root, process.cwd(), process.env) : root;
    process.exitCode = await runProgram(entry, [...task.arguments, ...programArguments], cwd);
  } catch (error) {
    say(error instanceof SetupFault ? error.message : error.stack);
    process.exitCode = error.exitCode ?? EXIT_INTERNAL;
  }
}

const isCommand = process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (isCommand) await main();
