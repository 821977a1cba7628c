// The program after the set-up: in the foreground, in the user's folder, with the user's signals and exit code.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { EXIT_INTERNAL } from "./step.mjs";

/** A terminal's Ctrl-C reaches npm, this process and the program at once, and npm sends it on as well. */
const SIGNAL_MERGE_MS = 1000;

/** Where the user stood: npm itself goes to the package's root first and says where it came from. */
export function userFolder(root, cwd, environment) {
  return cwd === root && environment.INIT_CWD ? environment.INIT_CWD : cwd;
}

/** Exit code of a child that ended with `code` or by `signal`. */
export function exitCodeOf(code, signal) {
  return signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? EXIT_INTERNAL);
}

/** Runs a Node program in the foreground and resolves with its exit code. */
export function runProgram(script, programArguments, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...programArguments], { cwd, stdio: "inherit" });
    const sentMs = new Map();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      process.on(signal, () => {
        const nowMs = performance.now();
        if (nowMs - (sentMs.get(signal) ?? Number.NEGATIVE_INFINITY) < SIGNAL_MERGE_MS) return;
        sentMs.set(signal, nowMs);
        child.kill(signal);
      });
    }
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(exitCodeOf(code, signal)));
  });
}
