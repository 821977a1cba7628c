// Word to systemd (sd_notify(3)): that the service is ready, what it does, that it lives. Node has no datagrams over UNIX sockets,
// so systemd's own program says it; the unit needs NotifyAccess=all. Without systemd nothing happens.
import { execFile } from "node:child_process";

const TIMEOUT_MS = 5000;
/** A service that begins anew in the same process is ready again by then, or its watchdog may bite. */
const RESTART_PATIENCE_MS = 120_000;

export type RunNotify = (args: readonly string[]) => Promise<boolean>;

export interface ServiceManagerOptions {
  environment: Readonly<Record<string, string | undefined>>;
  processId: number;
  run?: RunNotify;
  /** Whether the recorder does its work: while it does not, the watchdog is not fed. */
  isHealthy(): boolean;
  /** One line, when systemd cannot be told. */
  onFault(message: string): void;
}

export class ServiceManager {
  private readonly options: ServiceManagerOptions;
  private readonly run: RunNotify;
  private timer: NodeJS.Timeout | undefined;
  private hasFailed = false;
  private status = "";

  constructor(options: ServiceManagerOptions) {
    this.options = options;
    this.run = options.run ?? notify;
  }

  private get isThere(): boolean {
    return (this.options.environment["NOTIFY_SOCKET"] ?? "") !== "";
  }

  /** Period of the watchdog, ms; 0 = it is off, or another process's (sd_watchdog_enabled(3)). */
  get watchdogMs(): number {
    const { WATCHDOG_USEC: period, WATCHDOG_PID: pid } = this.options.environment;
    if (pid !== undefined && Number(pid) !== this.options.processId) return 0;
    const ms = Number(period) / 1000;
    return Number.isFinite(ms) && ms > 0 ? ms : 0;
  }

  ready(): void {
    this.say(["READY=1"]);
    const { watchdogMs } = this;
    if (!this.isThere || watchdogMs === 0 || this.timer !== undefined) return;
    // Half the period, as sd_watchdog_enabled(3) advises.
    this.timer = setInterval(() => {
      if (this.options.isHealthy()) this.say(["WATCHDOG=1"]);
    }, watchdogMs / 2);
    this.timer.unref();
  }

  /** One line for `systemctl status`; said when it is another one. */
  show(status: string): void {
    const line = status.replaceAll(/\p{Cc}/gu, " ");
    if (line === this.status) return;
    this.status = line;
    this.say([`STATUS=${line}`]);
  }

  stopping(): void {
    clearInterval(this.timer);
    this.say(["STOPPING=1"]);
  }

  /**
   * The service ends and begins anew in this process: to systemd it is reloading until another one of these says READY=1
   * (sd_notify(3)); STOPPING=1 would have it killed. The watchdog is fed meanwhile, for a while.
   */
  restarting(): void {
    clearInterval(this.timer);
    const { watchdogMs } = this;
    this.say(["RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`, "STATUS=starting anew"]);
    if (!this.isThere || watchdogMs === 0) return;
    this.say(["WATCHDOG=1"]);
    const timer = setInterval(() => this.say(["WATCHDOG=1"]), watchdogMs / 2).unref();
    setTimeout(() => clearInterval(timer), RESTART_PATIENCE_MS).unref();
  }

  private say(words: readonly string[]): void {
    if (!this.isThere) return;
    // The words are about this process, not about the program that says them.
    void this.run([`--pid=${this.options.processId}`, ...words]).then((isSaid) => {
      if (isSaid || this.hasFailed) return;
      this.hasFailed = true;
      this.options.onFault("systemd cannot be told: systemd-notify fails; the unit needs NotifyAccess=all");
    });
  }
}

function notify(args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile("systemd-notify", [...args], { timeout: TIMEOUT_MS }, (error) => resolve(!error));
  });
}
