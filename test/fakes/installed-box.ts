// A box to install on: the root of this machine under a layer in memory that takes every change, in a mount namespace and a network
// namespace of its own. No systemd runs there. Needs root, unshare, nsenter, iproute2 and overlayfs; nothing is left behind.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { PROJECT_ROOT } from "./program.js";

const READY_WITHIN_MS = 10_000;
/** Root is $1, the project's folder $2. */
const MAKE_ROOT = `set -e
mount -t tmpfs -o mode=755 layers "$1"
mkdir "$1/up" "$1/work" "$1/project-up" "$1/project-work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
mount -t tmpfs -o mode=1777 tmpfs "$1/root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$1/root/run"
mkdir -p "$1/root$2"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/project-up,workdir=$1/project-work" "$1/root$2"
mount -t proc proc "$1/root/proc"
mount -t sysfs sysfs "$1/root/sys"
mount --rbind /dev "$1/root/dev"
rm -rf "$1/root/var/lib/sidetone" "$1/root/etc/sidetone" "$1/root/usr/lib/sidetone"
echo ready
cat`;

export interface BoxResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Why there can be none, or undefined. */
export function boxObstacle(folder: string): string | undefined {
  if (process.getuid?.() !== 0) return "not root";
  for (const tool of ["ip", "nft", "ethtool", "setpriv", "systemd-analyze", "systemd-socket-activate"])
    if (spawnSync(tool, ["--version"]).error) return `${tool} is not installed`;
  const script =
    'mount -t tmpfs t "$1" && mkdir "$1/u" "$1/w" "$1/m" && mount -t overlay o -o "lowerdir=/etc,upperdir=$1/u,workdir=$1/w" "$1/m"';
  const attempt = spawnSync("unshare", ["-m", "-n", "sh", "-c", script, "sh", folder]);
  return attempt.status === 0 ? undefined : "mount namespaces or overlay file systems are not allowed";
}

export class InstalledBox {
  readonly #keeper: ChildProcess;
  readonly #root: string;
  readonly #children: ChildProcess[] = [];

  private constructor(keeper: ChildProcess, root: string) {
    this.#keeper = keeper;
    this.#root = root;
  }

  /** `folder` is empty, and stays so outside of the box's namespace. */
  static async open(folder: string): Promise<InstalledBox> {
    const command = [
      "-m",
      "-n",
      "--propagation",
      "private",
      "sh",
      "-c",
      MAKE_ROOT,
      "sh",
      folder,
      PROJECT_ROOT.replace(/\/$/, ""),
    ];
    const keeper = spawn("unshare", command, { stdio: ["pipe", "pipe", "pipe"] });
    let said = "";
    keeper.stderr!.on("data", (text: Buffer) => {
      said += text.toString();
    });
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the box is not ready: ${said}`)), READY_WITHIN_MS);
      keeper.once("exit", (code) => reject(new Error(`the box cannot be made (exit code ${code}): ${said}`)));
      keeper.stdout!.once("data", () => {
        clearTimeout(timer);
        resolve();
      });
    });
    return new InstalledBox(keeper, `${folder}/root`);
  }

  /** Runs a command in the box, as root, to its end. */
  run(command: readonly string[], environment: Record<string, string> = {}): BoxResult {
    const [first, ...rest] = this.#inside(command);
    const { status, stdout, stderr } = spawnSync(first!, rest, {
      encoding: "utf8",
      env: { ...process.env, ...environment },
      maxBuffer: 64 * 1024 * 1024,
    });
    return { status, stdout, stderr };
  }

  /** The same for a few lines of shell; throws unless they succeed. */
  shell(script: string): string {
    const { status, stdout, stderr } = this.run(["sh", "-ec", script]);
    if (status !== 0) throw new Error(`exit code ${status}: ${script}\n${stderr}`);
    return stdout;
  }

  /** Starts a command in the box; `close` ends it if it still runs. */
  start(command: readonly string[], environment: Record<string, string> = {}): ChildProcess {
    const [first, ...rest] = this.#inside(command);
    const child = spawn(first!, rest, { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
    this.#children.push(child);
    return child;
  }

  write(path: string, text: string): void {
    const [first, ...rest] = this.#inside(["sh", "-c", 'cat > "$1"', "sh", path]);
    execFileSync(first!, rest, { input: text });
  }

  exists(path: string): boolean {
    return this.run(["test", "-e", path]).status === 0;
  }

  read(path: string): string {
    return this.shell(`cat '${path}'`);
  }

  async close(): Promise<void> {
    for (const child of this.#children) if (child.exitCode === null) child.kill("SIGKILL");
    const pid = this.#keeper.pid!;
    for (const other of inNamespaceOf(pid)) {
      try {
        process.kill(other, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    if (this.#keeper.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#keeper.once("exit", resolve));
    this.#keeper.stdin!.end();
    await gone;
  }

  #inside(command: readonly string[]): string[] {
    return ["nsenter", "-t", String(this.#keeper.pid), "-m", "-n", "chroot", this.#root, ...command];
  }
}

/** Processes in the same network namespace, but for itself and what it runs. */
function inNamespaceOf(pid: number): number[] {
  const { stdout } = spawnSync("sh", [
    "-c",
    `own=$(readlink /proc/${pid}/ns/net); for p in /proc/[0-9]*; do [ "$(readlink $p/ns/net 2>/dev/null)" = "$own" ] && echo "\${p#/proc/}"; done`,
  ]);
  const kept = new Set([pid, ...childrenOf(pid)]);
  return stdout
    .toString()
    .split("\n")
    .filter(Boolean)
    .map(Number)
    .filter((other) => !kept.has(other));
}

function childrenOf(pid: number): number[] {
  const text = execFileSync("cat", [`/proc/${pid}/task/${pid}/children`], { encoding: "utf8" });
  return text.trim().split(" ").filter(Boolean).map(Number);
}
