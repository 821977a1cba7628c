// Whether a time server sets this box's clock: asks systemd, chrony, whichever there is, once a minute. Sets no clock.
import { existsSync } from "node:fs";
import { type Ask, askProgram } from "../base/ask-program.js";
import type { AlarmDesk } from "../contract/alarms.js";
import type { ClockState } from "../contract/manifest.js";

/** Made by systemd-timesyncd once it has set the clock (systemd-timesyncd.service(8)). */
const TIMESYNC_FILE = "/run/systemd/timesync/synchronized";
const ASK_EVERY_MS = 60_000;
/** Last field of `chronyc -c tracking`: the leap status (chronyc(1)). */
const CHRONY_UNSYNCHRONISED = "Not synchronised";

export class ClockWatch {
  private readonly alarms: AlarmDesk;
  private readonly ask: Ask;
  private readonly file: string;
  private timer: NodeJS.Timeout | undefined;
  private current: ClockState = "unknown";
  private offset: number | null = null;

  constructor(alarms: AlarmDesk, ask: Ask = askProgram, file = TIMESYNC_FILE) {
    this.alarms = alarms;
    this.ask = ask;
    this.file = file;
  }

  get state(): ClockState {
    return this.current;
  }

  /** Of the clock to the time server's, ms; null while nobody says. Above 0 = ahead. */
  get offsetMs(): number | null {
    return this.offset;
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
    const tracking = await this.ask("chronyc", ["-c", "tracking"]);
    this.offset = chronyOffsetMs(tracking) ?? timesyncOffsetMs(await this.askTimesync(tracking)) ?? null;
    this.current = await this.read(tracking);
    if (this.current === false) this.alarms.raise("clock-unsynchronized");
    else this.alarms.clear("clock-unsynchronized");
  }

  private askTimesync(tracking: string | undefined): Promise<string | undefined> {
    return tracking === undefined ? this.ask("timedatectl", ["timesync-status"]) : Promise.resolve(undefined);
  }

  private async read(tracking: string | undefined): Promise<ClockState> {
    if (existsSync(this.file)) return true;
    // The kernel's own word (adjtimex(2)), whoever sets the clock.
    const said = (await this.ask("timedatectl", ["show", "--property=NTPSynchronized", "--value"]))?.trim();
    if (said === "yes" || said === "no") return said === "yes";
    const leap = tracking?.trim().split(",").at(-1);
    return leap === undefined || leap === "" ? "unknown" : leap !== CHRONY_UNSYNCHRONISED;
  }
}

/** Fifth field of `chronyc -c tracking`: by how many seconds the system's clock is behind the server's. */
function chronyOffsetMs(tracking: string | undefined): number | undefined {
  const fields = tracking?.trim().split(",") ?? [];
  const seconds = Number(fields[4]);
  return fields.length > 5 && Number.isFinite(seconds) ? Math.round(-seconds * 1e6) / 1000 : undefined;
}

const TIMESYNC_UNITS_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, min: 60_000 };

/** "Offset: -1.234ms" of `timedatectl timesync-status`, the server's ahead of ours; longer ones are "1min 2.5s". */
function timesyncOffsetMs(status: string | undefined): number | undefined {
  const [, sign, text] = /^\s*Offset: ([+-]?)(\S.*)$/m.exec(status ?? "") ?? [];
  const parts = [...(text ?? "").matchAll(/([\d.]+)(us|ms|min|s)\b/g)];
  if (parts.length === 0) return undefined;
  const ms = parts.reduce((sum, [, value, unit]) => sum + Number(value) * TIMESYNC_UNITS_MS[unit!]!, 0);
  return Math.round((sign === "-" ? ms : -ms) * 1000) / 1000;
}
