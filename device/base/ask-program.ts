// Asks a program of the system for what it prints. Bounded in time; a program that is not there is no fault.
import { execFile } from "node:child_process";

const TIMEOUT_MS = 5000;

/** What the program printed; undefined when it is not there, fails or takes too long. */
export type Ask = (command: string, args: readonly string[]) => Promise<string | undefined>;

export const askProgram: Ask = (command, args) =>
  new Promise((resolve) => {
    execFile(command, [...args], { timeout: TIMEOUT_MS }, (error, stdout) => resolve(error ? undefined : stdout));
  });
