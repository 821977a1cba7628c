// The tool runs wherever Node does: nothing that it loads, by whatever way, is native or needs to be built.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const BOX_ONLY = ["better-sqlite3", "pcap", "serialport", "fastify", "aedes", "sip"];
/** Static, re-exporting and lazy ones; those of types alone are no longer there when it runs. */
const IMPORT = /(?:^|[\s;}])(?:import|export)\s+(?!type\s)(?:[^"';]*?\sfrom\s*)?"([^"]+)"|import\(\s*"([^"]+)"/g;

interface Graph {
  files: Set<string>;
  packages: Set<string>;
}

function walk(file: string, graph: Graph): Graph {
  if (graph.files.has(file)) return graph;
  graph.files.add(file);
  for (const [, fixed, lazy] of readFileSync(join(ROOT, file), "utf8").matchAll(IMPORT)) {
    const target = (fixed ?? lazy)!;
    if (target.startsWith(".")) walk(relative(ROOT, join(ROOT, dirname(file), target.replace(/\.js$/, ".ts"))), graph);
    else if (!isBuiltin(target)) graph.packages.add(/^(?:@[^/]+\/)?[^/]+/.exec(target)![0]);
  }
  return graph;
}

/** A folder and those that it is in, the nearest first. */
function placesAbove(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...placesAbove(above)];
}

/** Folders of a package and of all that it depends on. */
function folders(name: string, from: string, found: Map<string, string>): Map<string, string> {
  const folder = placesAbove(from)
    .map((place) => join(place, "node_modules", name))
    .find((place) => existsSync(join(place, "package.json")));
  if (folder === undefined || found.has(folder)) return found;
  found.set(folder, name);
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
  };
  for (const dependency of Object.keys(dependencies)) folders(dependency, folder, found);
  return found;
}

describe("what `sidetone` loads", () => {
  const graph = walk("host/main.ts", { files: new Set(), packages: new Set() });

  it("is of host/, and of device/ what belongs to nobody", () => {
    expect(graph.files.size).toBeGreaterThan(10);
    expect([...graph.files].filter((file) => !/^(?:host|device\/(?:base|contract|age))\//.test(file))).toEqual([]);
  });

  it("has nothing native in it", () => {
    const all = new Map<string, string>();
    for (const name of graph.packages) folders(name, ROOT, all);
    for (const name of graph.packages) expect([...all.values()]).toContain(name);
    expect([...all.values()].filter((name) => BOX_ONLY.includes(name))).toEqual([]);
    for (const [folder, name] of all) {
      const { scripts = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        scripts?: Record<string, string>;
      };
      expect([name, existsSync(join(folder, "binding.gyp")), "install" in scripts]).toEqual([name, false, false]);
      const binaries = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
        file.endsWith(".node"),
      );
      expect([name, binaries]).toEqual([name, []]);
    }
  });
});
