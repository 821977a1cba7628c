// Debian's `age` and `age-keygen`: what opens our files must be a program that is not ours. Keys that it makes are in files as
// their holder has them.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Why tests with it cannot run here, or undefined. */
export function ageObstacle(): string | undefined {
  return spawnSync("age", ["--version"]).error ? "age is not installed" : undefined;
}

export interface AgeKey {
  identityFile: string;
  recipient: string;
  /** AGE-SECRET-KEY-1… */
  secret: string;
}

export function makeAgeKey(folder: string, name: string): AgeKey {
  const identityFile = join(folder, `${name}.txt`);
  run("age-keygen", ["-o", identityFile]);
  const text = readFileSync(identityFile, "utf8");
  const [recipient] = /age1[a-z0-9]+/.exec(text)!;
  const [secret] = /^AGE-SECRET-KEY-1.*$/m.exec(text)!;
  return { identityFile, recipient, secret };
}

/** What `age -d` makes of a file; throws with what it says otherwise. */
export function ageDecrypt(file: string | Buffer, { identityFile }: AgeKey): Buffer {
  return typeof file === "string"
    ? run("age", ["-d", "-i", identityFile, file])
    : run("age", ["-d", "-i", identityFile], file);
}

export function ageEncrypt(content: Buffer, recipients: readonly string[]): Buffer {
  return run(
    "age",
    recipients.flatMap((recipient) => ["-r", recipient]),
    content,
  );
}

function run(command: string, args: string[], input?: Buffer): Buffer {
  const { status, stdout, stderr } = spawnSync(command, args, { maxBuffer: 1 << 28, ...(input && { input }) });
  if (status !== 0) throw new Error(`${command}: ${stderr.toString().trim()}`);
  return stdout;
}
