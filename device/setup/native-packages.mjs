// The npm packages with native code: where their compilers put it, whether it loads, and with which environment npm
// compiles it: always here, from the sources in the package, with the headers of the Node that is installed. Nothing is
// downloaded but what npm's registry has.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** `probe`: JavaScript that throws unless the native code loads. */
export const NATIVE_PACKAGES = [
  { name: "pcap", binding: "pcap/build/Release/pcap_binding.node", probe: "require('pcap')" },
  {
    name: "better-sqlite3",
    binding: "better-sqlite3/build/Release/better_sqlite3.node",
    probe: "new (require('better-sqlite3'))(':memory:')",
  },
];

/** Names of the packages that are not compiled in `root`. */
export function uncompiledPackages(root) {
  return NATIVE_PACKAGES.filter(({ binding }) => !existsSync(join(root, "node_modules", binding))).map(
    ({ name }) => name,
  );
}

/** Whether this Node loads them all. About 100 ms. */
export function areLoadable(root) {
  const script = NATIVE_PACKAGES.map(({ probe }) => probe).join(";");
  return spawnSync(process.execPath, ["-e", script], { cwd: root, stdio: "ignore" }).status === 0;
}

/**
 * What npm must have in its environment. `npm_config_build_from_source` keeps better-sqlite3 from looking for a compiled
 * one elsewhere; `JOBS` lets node-gyp use all processors.
 */
export function compileEnvironment(execPath = process.execPath, version = process.version) {
  const prefix = dirname(dirname(execPath));
  const headers = hasHeaders(prefix, version) ? { npm_config_nodedir: prefix } : {};
  return { npm_config_build_from_source: "true", JOBS: "max", ...headers };
}

/** Whether the headers of exactly this Node lie where its own distribution puts them. */
function hasHeaders(prefix, version) {
  try {
    const text = readFileSync(join(prefix, "include/node/node_version.h"), "utf8");
    const numbers = ["MAJOR", "MINOR", "PATCH"].map((part) => text.match(`NODE_${part}_VERSION (\\d+)`)?.[1]);
    return `v${numbers.join(".")}` === version;
  } catch {
    return false;
  }
}
