// Splits the recorder's CPU by stage: one more run under V8's sampling profiler, each sample counted for the folder of
// device/ whose code it was in or was called by. Shares are exact enough to tell where the rest goes; the profiler itself
// costs a few percent, so totals come from the runs without it.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

export interface StageSplit {
  /** CPU µs per packet by stage; "runtime" is Node itself (start, garbage collection, IPC). */
  usPerPacket: Record<string, number>;
  /** Share of all samples that were not idle, 0…1, by stage. */
  share: Record<string, number>;
}

const IDLE = new Set(["(idle)", "(root)"]);
const STAGE_PATTERN = /\/device\/([a-z]+)\//;

/** Runs the recorder once more; `cpuUsPerPacket` is the measured total that is split. */
export function splitStages(
  script: string,
  args: readonly string[],
  folder: string,
  cpuUsPerPacket: number,
): StageSplit {
  const profiles = join(folder, "profiles");
  mkdirSync(profiles);
  const command = ["--cpu-prof", `--cpu-prof-dir=${profiles}`, script, ...args];
  spawnSync(process.execPath, command, { stdio: "ignore", maxBuffer: 1 << 28 });
  const totals = new Map<string, number>();
  for (const name of readdirSync(profiles))
    addProfile(JSON.parse(readFileSync(join(profiles, name), "utf8")) as Profile, totals);
  rmSync(profiles, { recursive: true, force: true });
  const sum = [...totals.values()].reduce((a, b) => a + b, 0);
  const sorted = [...totals].sort((a, b) => b[1] - a[1]);
  const share = Object.fromEntries(sorted.map(([stage, us]) => [stage, us / sum]));
  const usPerPacket = Object.fromEntries(sorted.map(([stage, us]) => [stage, (us / sum) * cpuUsPerPacket]));
  return { usPerPacket, share };
}

function addProfile(profile: Profile, totals: Map<string, number>): void {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)),
  );
  const stages = new Map<number, string>();
  const stageOf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const stage = STAGE_PATTERN.exec(nodes.get(at)!.callFrame.url)?.[1];
      if (stage) return stage;
    }
    return "runtime";
  };
  for (const [i, id] of profile.samples.entries()) {
    if (IDLE.has(nodes.get(id)!.callFrame.functionName)) continue;
    const stage = stages.get(id) ?? stageOf(id);
    stages.set(id, stage);
    totals.set(stage, (totals.get(stage) ?? 0) + profile.timeDeltas[i]!);
  }
}
