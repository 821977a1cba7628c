// One step of the set-up: says in one line what it does, runs it, and shows its output only when it fails. Also the stamps
// by which a step knows that it was done.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

export const EXIT_INTERNAL = 1;
export const EXIT_USAGE = 2;
/** The cause mostly stands at one end: npm's at the head, a compiler's at the tail. */
const SHOWN_HEAD_LINES = 20;
const SHOWN_TAIL_LINES = 40;

/** Ends the set-up with lines for the user. */
export class SetupFault extends Error {
  constructor(message, exitCode = EXIT_INTERNAL) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** To stderr: stdout belongs to the program. */
export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

/** Runs a step to its end. Its output is shown only when it fails. */
export function runStep(what, command, commandArguments, options = {}) {
  const result = spawnSync(command, commandArguments, {
    cwd: options.cwd,
    env: { ...process.env, ...options.environment },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status === 0) return;
  const shown = shorten(`${result.stdout ?? ""}${result.stderr ?? ""}`.trimEnd());
  const how = result.error?.message ?? (result.signal ? `ended by ${result.signal}` : `exit code ${result.status}`);
  throw new SetupFault(`${what} failed (${how})${shown === "" ? "" : `:\n${shown}`}`);
}

/** Head and tail of a long output. */
export function shorten(output) {
  const lines = output.split("\n");
  const left = lines.length - SHOWN_HEAD_LINES - SHOWN_TAIL_LINES;
  if (left <= 0) return output;
  return [...lines.slice(0, SHOWN_HEAD_LINES), `(${left} lines left out)`, ...lines.slice(-SHOWN_TAIL_LINES)].join(
    "\n",
  );
}

/** SHA-256 (hex) of the parts in order. */
export function digest(parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part}\0`);
  return hash.digest("hex");
}

/** undefined when there is no such file or it is no JSON. */
export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

export function readStamp(path) {
  return readJson(path)?.key;
}

export function writeStamp(path, key) {
  try {
    writeFileSync(path, `${JSON.stringify({ key })}\n`);
  } catch {
    // Somebody else's installation: without a stamp the next start looks again.
  }
}
