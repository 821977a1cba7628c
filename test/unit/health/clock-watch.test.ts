// Whether the clock is synchronised, by whoever can say, and the alarm for it.
import { expect, it } from "vitest";
import type { AlarmCode } from "../../../device/contract/alarms.js";
import { AlarmBook } from "../../../device/health/alarms.js";
import { ClockWatch } from "../../../device/health/clock-watch.js";

async function look(answers: Record<string, string>, file = "/nowhere/synchronized") {
  const standing = new AlarmBook({ clock: { nowUs: () => 0, monotonicMs: () => 0 } });
  const watch = new ClockWatch(standing, async (command) => answers[command], file);
  expect(watch.state).toBe("unknown");
  await watch.look();
  return { state: watch.state, alarms: standing.standing.map(({ code }): AlarmCode => code) };
}
const tracking = (leap: string) =>
  `D8EF2300,time.example,3,1795000000.1,0.00001,0.0,0.0,-1.2,0.0,0.1,0.01,0.01,64.2,${leap}\n`;

it.each([
  [{ timedatectl: "yes\n" }, true],
  [{ timedatectl: "no\n" }, false],
  [{ timedatectl: "\n", chronyc: tracking("Normal") }, true],
  [{ chronyc: tracking("Not synchronised") }, false],
  [{ timedatectl: "yes\n", chronyc: tracking("Not synchronised") }, true],
  [{}, "unknown"],
  [{ chronyc: "" }, "unknown"],
] as [Record<string, string>, boolean | "unknown"][])("%j means %s", async (answers, state) => {
  expect(await look(answers)).toEqual({ state, alarms: state === false ? ["clock-unsynchronized"] : [] });
});

it("takes systemd-timesyncd's mark for enough", async () => {
  expect((await look({ timedatectl: "no\n" }, new URL(import.meta.url).pathname)).state).toBe(true);
});

const offsetOf = async (answers: Record<string, string>): Promise<number | null> => {
  const standing = new AlarmBook({ clock: { nowUs: () => 0, monotonicMs: () => 0 } });
  const ask = async (command: string, args: readonly string[]) => answers[args.at(-1)!] ?? answers[command];
  const watch = new ClockWatch(standing, ask, "/nowhere/synchronized");
  await watch.look();
  return watch.offsetMs;
};

it("tells how far the clock is ahead, by chrony or systemd-timesyncd", async () => {
  expect(await offsetOf({ chronyc: tracking("Normal") })).toBe(-0.01);
  expect(await offsetOf({ "timesync-status": "     Server: x\n     Offset: -1.234ms\n" })).toBe(1.234);
  expect(await offsetOf({ "timesync-status": "Offset: +1min 2.5s\n" })).toBe(-62_500);
  expect(await offsetOf({ "timesync-status": "Offset: n/a\n" })).toBeNull();
  expect(await offsetOf({})).toBeNull();
});
