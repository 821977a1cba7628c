// The lock that keeps two set-ups in one folder from working at once. A folder, because making one is atomic; a dead owner's
// is taken over.
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SetupFault, say } from "./step.mjs";

const TIMEOUT_MS = 15 * 60_000;
/** A lock folder without its pid file is believed this long: its owner may be about to write it. */
const GRACE_MS = 5000;
const POLL_MS = 200;

/** Runs `work` while this process holds the lock folder; waits for a living owner, takes over a dead one's. */
export function withLock(folder, work, patience = { graceMs: GRACE_MS, timeoutMs: TIMEOUT_MS }) {
  const startedMs = Date.now();
  let isWaiting = false;
  while (!tryLock(folder, patience.graceMs)) {
    if (Date.now() - startedMs > patience.timeoutMs) {
      throw new SetupFault(`another set-up does not end; if there is none, remove ${folder}`);
    }
    if (!isWaiting && Date.now() - startedMs > POLL_MS) {
      say("waiting for another set-up");
      isWaiting = true;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
  try {
    return work();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tryLock(folder, graceMs) {
  try {
    mkdirSync(folder);
  } catch (error) {
    // Where no lock can be made nothing can be installed either: the step that tries says so.
    if (error.code !== "EEXIST") return true;
    if (!isLockAlive(folder, graceMs)) discardLock(folder);
    return false;
  }
  writeFileSync(join(folder, "pid"), String(process.pid));
  return true;
}

function isLockAlive(folder, graceMs) {
  try {
    const text = readFileSync(join(folder, "pid"), "utf8");
    if (text !== "") {
      process.kill(Number(text), 0);
      return true;
    }
  } catch (error) {
    if (error.code === "EPERM") return true;
    if (error.code === "ESRCH") return false;
  }
  try {
    return Date.now() - statSync(folder).mtimeMs < graceMs;
  } catch {
    return false;
  }
}

function discardLock(folder) {
  const grave = `${folder}.${process.pid}`;
  try {
    // Renaming succeeds for one of several that find the same dead lock.
    renameSync(folder, grave);
    rmSync(grave, { recursive: true, force: true });
  } catch {
    // Another one was faster.
  }
}
