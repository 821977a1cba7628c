// Whether a time server sets this box's clock: asks systemd, chrony, whichever there is, once a minute. Sets no clock.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import type { AlarmDesk } from "../contract/alarms.js";
import type { ClockState } from "../contract/manifest.js";

/** Made by systemd-timesyncd once it has set the clock (systemd-timesyncd.service(8)). */
const TIMESYNC_FILE = "/run/systemd/timesync/synchronized";
const ASK_EVERY_MS = 60_000;
const ASK_TIMEOUT_MS = 5000;
/** Last field of `chronyc -c tracking`: the leap status (chronyc(1)). */
const CHRONY_UNSYNCHRONISED = "Not synchronised";

/** The output of a program, undefined when it is not there or fails. */
export type Ask = (command: string, args: readonly string[]) => Promise<string | undefined>;

export class ClockWatch {
  private readonly alarms: AlarmDesk;
  private readonly ask: Ask;
  private readonly file: string;
  private timer: NodeJS.Timeout | undefined;
  private current: ClockState = "unknown";

  constructor(alarms: AlarmDesk, ask: Ask = run, file = TIMESYNC_FILE) {
    this.alarms = alarms;
    this.ask = ask;
    this.file = file;
  }

  get state(): ClockState {
    return this.current;
  }

  start(): void {
    this.timer = setInterval(() => void this.look(), ASK_EVERY_MS);
    this.timer.unref();
    void this.look();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  async look(): Promise<void> {
    this.current = await this.read();
    if (this.current === false) this.alarms.raise("clock-unsynchronized");
    else this.alarms.clear("clock-unsynchronized");
  }

  private async read(): Promise<ClockState> {
    if (existsSync(this.file)) return true;
    // The kernel's own word (adjtimex(2)), whoever sets the clock.
    const said = (await this.ask("timedatectl", ["show", "--property=NTPSynchronized", "--value"]))?.trim();
    if (said === "yes" || said === "no") return said === "yes";
    const leap = (await this.ask("chronyc", ["-c", "tracking"]))?.trim().split(",").at(-1);
    return leap === undefined || leap === "" ? "unknown" : leap !== CHRONY_UNSYNCHRONISED;
  }
}

function run(command: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(command, [...args], { timeout: ASK_TIMEOUT_MS }, (error, stdout) => resolve(error ? undefined : stdout));
  });
}
