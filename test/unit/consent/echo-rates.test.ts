// How often echoes are found, and how often something else is taken for one: many random calls, seeded.
import { describe, expect, it } from "vitest";
import { EchoFinder } from "../../../device/consent/echo-finder.js";
import { EchoPool } from "../../../device/consent/echo-pool.js";
import {
  type AgentEnd,
  CLEAN_SCENES,
  echoScene,
  listen,
  mixed,
  packetsOfScene,
  reverberated,
  roughSenders,
  type Scene,
  speech,
} from "../../fakes/echo-scenes.js";
import { makeRandom } from "../../fakes/random.js";

const SCENES = 40;
const SECONDS = 10;

function hear(scene: Scene) {
  const finder = new EchoFinder({ limitPercent: 35 }, new EchoPool());
  return { verdicts: listen(finder, packetsOfScene(scene)), report: finder.report() };
}

interface Rates {
  found: number;
  /** Of the windows in which the caller was found: the largest difference, and the one that 95 % do not exceed. */
  delayErrorMs: number;
  levelErrorDb: number;
}

function rates(make: (seed: number, delayMs: number) => Scene, levelDb: number): Rates {
  const result = { found: 0, delayErrorMs: 0, levelErrorDb: 0 };
  const levelErrorsDb: number[] = [];
  for (let index = 0; index < SCENES; index++) {
    const delayMs = 500 * makeRandom(index)();
    const { verdicts } = hear(make(1000 + 17 * index, delayMs));
    const found = verdicts.filter((verdict) => verdict.found);
    if (found.length > 0) result.found += 1 / SCENES;
    for (const verdict of found) {
      result.delayErrorMs = Math.max(result.delayErrorMs, Math.abs(verdict.delayMs - delayMs));
      levelErrorsDb.push(Math.abs(verdict.levelDb - levelDb));
    }
  }
  levelErrorsDb.sort((a, b) => a - b);
  result.levelErrorDb = levelErrorsDb[Math.floor(0.95 * levelErrorsDb.length)]!;
  return result;
}

describe(`echoes in ${SECONDS} s of the caller's speech`, () => {
  const table: [AgentEnd, number, number][] = [
    ["silent", 0, 1],
    ["silent", -30, 1],
    ["noise", 0, 1],
    ["noise", -10, 1],
    ["noise", -20, 0.95],
    ["noise", -30, 0.95],
    ["talk", 0, 0.95],
    ["talk", -10, 0.95],
    ["talk", -20, 0.95],
    ["talk", -30, 0.8],
  ];
  it.each(table)(
    "agent's end: %s, %i dB: found in %f of all calls at least",
    (end, levelDb, least) => {
      const result = rates((seed, delayMs) => echoScene(seed, levelDb, delayMs, end, SECONDS), levelDb);
      expect(result.found, JSON.stringify(result)).toBeGreaterThanOrEqual(least - 1e-9);
      expect(result.delayErrorMs).toBeLessThan(3);
      expect(result.levelErrorDb).toBeLessThan(3);
    },
    120_000,
  );

  it("are found through loss, jitter, drifting clocks and unequal packet times", () => {
    const result = rates(
      (seed, delayMs) => ({ ...echoScene(seed, -20, delayMs, "noise", SECONDS), ...roughSenders(makeRandom(seed)) }),
      -20,
    );
    expect(result.found, JSON.stringify(result)).toBeGreaterThanOrEqual(0.95 - 1e-9);
    expect(result.delayErrorMs).toBeLessThan(20);
    expect(result.levelErrorDb).toBeLessThan(3);
  }, 120_000);

  it("are found in a room's reflections", () => {
    const result = rates((seed, delayMs) => {
      const { caller, agent } = echoScene(seed, -200, 0, "noise", SECONDS);
      const echo = reverberated(caller, delayMs, -20, seed);
      return { caller, agent: agent.map((sample, i) => sample + echo[i]!) };
    }, -20);
    expect(result.found, JSON.stringify(result)).toBeGreaterThanOrEqual(0.95 - 1e-9);
  }, 120_000);

  it("are told between the words of an agent who talks most of the time", () => {
    const pool = new EchoPool();
    for (let index = 0; index < SCENES; index++) {
      const seed = 400_000 + 31 * index;
      const { caller, agent } = echoScene(seed, -30, 20 + 11 * index, "noise", SECONDS);
      const talk = speech(SECONDS, { seed: seed + 77 }, 0.75);
      listen(new EchoFinder({ limitPercent: 35 }, pool), packetsOfScene({ caller, agent: mixed(agent, talk) }));
    }
    // 0.47 of all windows; 0.41 when the agent's loud frames are not left out.
    expect(pool.counters.withEcho / pool.counters.opened).toBeGreaterThan(0.44);
  }, 120_000);
});

describe("calls in which the caller is not heard", () => {
  const EACH = 16;
  it.each(Object.entries(CLEAN_SCENES))(
    "%s",
    (_, make) => {
      for (let index = 0; index < EACH; index++) {
        const seed = 9000 + 31 * index;
        const senders = index % 2 === 0 ? {} : roughSenders(makeRandom(index));
        const { report, verdicts } = hear({ ...make(seed, 12), ...senders });
        expect(report?.found ?? 0, `seed ${seed}: ${JSON.stringify(report)}`).toBe(0);
        // Not even a suspicion that another window would have to confirm.
        expect(
          verdicts.filter(({ correlation }) => correlation > 0),
          `seed ${seed}`,
        ).toEqual([]);
      }
    },
    120_000,
  );
});
