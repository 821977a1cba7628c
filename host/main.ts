#!/usr/bin/env node
// The command `sidetone`, for the computer of whoever installs, integrates or audits a box: Linux, macOS or Windows. Loads
// nothing native.
import { homedir } from "node:os";
import { runTool } from "./run.js";
import { StopSignal } from "./stop-signal.js";

// A reader of ours that has read enough (head) is no fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

process.exitCode = await runTool(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  input: process.stdin,
  environment: process.env,
  platform: process.platform,
  homeFolder: homedir(),
  stopSignal: new StopSignal().ask,
});
