// The build: whether dist/ is younger than all that it is made of, and the compiler when not.
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { digest, readStamp, runStep, SetupFault, say, writeStamp } from "./step.mjs";

/** Stands for the build's result. */
const PRODUCT = "dist/device/main.js";
const SOURCE_FOLDERS = ["device", "host", "test"];
const stampPath = (root) => join(root, "dist/.sidetone-stamp.json");

/** Changes whenever the build's result would: every source's path, size and time. About 1 ms per 100 files. */
export function sourceKey(root) {
  const parts = [];
  const visit = (folder) => {
    if (!existsSync(join(root, folder))) return;
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) visit(path);
      else if (entry.name.endsWith(".ts")) parts.push(path);
    }
  };
  for (const folder of SOURCE_FOLDERS) visit(folder);
  parts.push("tsconfig.json", "package-lock.json");
  return digest(
    parts.sort().map((path) => {
      const { size, mtimeMs } = statSync(join(root, path));
      return `${path} ${size} ${mtimeMs}`;
    }),
  );
}

export function isBuilt(root) {
  return existsSync(join(root, PRODUCT)) && readStamp(stampPath(root)) === sourceKey(root);
}

/** Does nothing when `isBuilt`. */
export function build(root) {
  if (isBuilt(root)) return;
  say("building");
  // Taken before the build, so that what changes meanwhile is built the next time.
  const key = sourceKey(root);
  // The compiler believes its notes, not the folder: what somebody deleted it would not write again.
  if (!existsSync(join(root, PRODUCT))) rmSync(join(root, "dist/.tsbuildinfo"), { force: true });
  const compiler = join(root, "node_modules/.bin/tsc");
  runStep("the build", compiler, ["-p", "tsconfig.json", "--pretty", "false"], { cwd: root });
  if (!existsSync(join(root, PRODUCT))) throw new SetupFault(`the build made no ${PRODUCT}`);
  writeStamp(stampPath(root), key);
}
