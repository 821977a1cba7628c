// What is asked for often is looked at once a second: a flood of questions costs the box no more.
import { expect, it } from "vitest";
import { configSchema } from "../../device/contract/config.js";
import { AlarmBook } from "../../device/health/alarms.js";
import { HealthKeeper } from "../../device/health-keeper.js";
import { SpanKeeper } from "../../device/span-keeper.js";

let nowMs = 0;
const clock = { nowUs: () => nowMs * 1000, monotonicMs: () => nowMs };
const config = configSchema.parse({});
const alarms = new AlarmBook({ clock });

it("health is read anew, and said, a second later at the earliest", () => {
  let said = 0;
  const keeper = new HealthKeeper({
    config: config.health,
    alarms,
    clock,
    clockFacts: () => ({ state: "unknown", offsetMs: null }),
    sealing: () => ({ waiting: 0, running: 0, refused: 0 }),
    panel: () => "off",
    show: () => said++,
  });
  const first = keeper.fresh();
  for (let i = 0; i < 100; i++) expect(keeper.fresh()).toBe(first);
  nowMs += 1000;
  expect(keeper.fresh()).not.toBe(first);
  expect(said).toBe(2);
  keeper.stop();
});

it("the mirror port is looked at once for all who ask at once", async () => {
  let looks = 0;
  const readInterface = async () => {
    looks++;
    return undefined;
  };
  const keeper = new SpanKeeper({ config, alarms, clock, clockState: () => "unknown", readInterface, show: () => {} });
  keeper.capturing(["eth0"]);
  const reports = await Promise.all(Array.from({ length: 100 }, () => keeper.shared()));
  expect(new Set(reports).size).toBe(1);
  expect(looks).toBe(1);
  nowMs += 1000;
  await keeper.shared();
  expect(looks).toBe(2);
  await keeper.stop();
});

it("a program is started for the periodic looks once a minute, and for whoever asks at once", async () => {
  const asked: string[] = [];
  const keeper = new SpanKeeper({
    config,
    alarms,
    clock,
    clockState: () => "unknown",
    ask: async (program, args) => {
      asked.push([program, ...args].join(" "));
      return "";
    },
    show: () => {},
  });
  keeper.capturing(["lo"]);
  for (let look = 0; look < 12; look++, nowMs += 5000) await keeper.look();
  expect(asked).toEqual(["ethtool -k lo"]);
  await keeper.look();
  expect(asked.length).toBe(2);
  await keeper.report();
  expect(asked.length).toBe(3);
  await keeper.look();
  expect(asked.length).toBe(3);
  await keeper.stop();
});
