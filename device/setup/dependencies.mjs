// node_modules: whether it is what package-lock.json asks for and was compiled for this Node, and `npm ci` when not.
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { areLoadable, compileEnvironment, uncompiledPackages } from "./native-packages.mjs";
import { digest, readJson, readStamp, runStep, SetupFault, say, writeStamp } from "./step.mjs";

const stampPath = (root) => join(root, "node_modules/.sidetone-stamp.json");

/** Changes whenever node_modules must be installed anew: the lock file, or what native code is compiled for. */
export function dependencyKey(lockText, versions = process.versions, platform = process.platform, arch = process.arch) {
  return digest([lockText, versions.modules, platform, arch]);
}

/**
 * Whether what npm says is installed (node_modules/.package-lock.json) is what package-lock.json asks for; optional
 * packages may be missing, because most are for other platforms.
 */
export function isLockSatisfied(lock, installed) {
  const wanted = lock?.packages ?? {};
  const present = installed?.packages ?? {};
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue;
    const isMissing = !Object.hasOwn(present, path);
    if (isMissing && !(entry.optional || entry.devOptional)) return false;
    if (!isMissing && present[path].version !== entry.version) return false;
  }
  return Object.keys(present).every((path) => Object.hasOwn(wanted, path));
}

/** Whether node_modules fits. Adopts what `npm install` by hand has made, if it fits as well. */
export function isInstalled(root) {
  if (uncompiledPackages(root).length > 0) return false;
  const lockText = readFileSync(join(root, "package-lock.json"), "utf8");
  const key = dependencyKey(lockText);
  if (readStamp(stampPath(root)) === key) return true;
  const installed = readJson(join(root, "node_modules/.package-lock.json"));
  if (!isLockSatisfied(JSON.parse(lockText), installed)) return false;
  if (!areLoadable(root)) return false;
  writeStamp(stampPath(root), key);
  return true;
}

/** Does nothing when `isInstalled`. */
export function installDependencies(root) {
  if (isInstalled(root)) return;
  say("installing npm packages (npm ci)");
  const options = ["ci", "--include=dev", "--no-audit", "--no-fund"];
  const npmScript = process.env.npm_execpath ?? "";
  const isNpm = /^npm-cli\.[cm]?js$/.test(basename(npmScript)) && existsSync(npmScript);
  const where = { cwd: root, environment: compileEnvironment() };
  if (isNpm) runStep("npm ci", process.execPath, [npmScript, ...options], where);
  else runStep("npm ci", "npm", options, where);
  const uncompiled = uncompiledPackages(root);
  if (uncompiled.length > 0) {
    const names = uncompiled.join(" ");
    throw new SetupFault(
      `npm installed ${names} without compiling; allow the install scripts (npm rebuild ${names}) and try again`,
    );
  }
  writeStamp(stampPath(root), dependencyKey(readFileSync(join(root, "package-lock.json"), "utf8")));
}
