// `sidetone` run in this process: what it wrote, and with what it ended.
import { runTool } from "../../../host/run.js";

export interface HereResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface HereOptions {
  environment?: Record<string, string>;
  homeFolder?: string;
  signal?: AbortSignal;
}

export async function runHere(argv: readonly string[], options: HereOptions = {}): Promise<HereResult> {
  const texts = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr") => ({
    write: (text: string) => {
      texts[name] += text;
      return true;
    },
  });
  const exitCode = await runTool(argv, {
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    input: process.stdin,
    environment: options.environment ?? {},
    platform: "linux",
    homeFolder: options.homeFolder ?? "/nowhere",
    stopSignal: () => options.signal ?? new AbortController().signal,
  });
  return { exitCode, ...texts };
}
