// Which calls are taken: of all of them every n-th, of each agent's a share, whatever the others' calls are.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Sampler } from "../../../device/consent/sampling.js";

const MOST_AGENTS = 4096;
const percents = fc.integer({ min: 0, max: 100 });
const callsOfAgents = fc.array(fc.constantFrom("21", "22", "23", ""), { maxLength: 400 });

const sampler = (percentPerAgent: number, everyNth = 1): Sampler => new Sampler({ everyNth, percentPerAgent });
const alone = (count: number, one: Sampler, agent = "21"): boolean[] =>
  Array.from({ length: count }, () => one.take(agent));

describe("every n-th", () => {
  it("begins with the first call and does not ask whose it is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), callsOfAgents, (everyNth, agents) => {
        const one = sampler(100, everyNth);
        expect(agents.map((agent) => one.take(agent))).toEqual(agents.map((_, i) => i % everyNth === 0));
      }),
    );
  });
});

describe("the share of an agent's calls", () => {
  it("is kept to within one call at any time", () => {
    fc.assert(
      fc.property(percents, fc.integer({ min: 1, max: 1000 }), (percent, count) => {
        let taken = 0;
        const offBy = alone(count, sampler(percent)).map((isTaken, before) => {
          if (isTaken) taken++;
          return Math.abs(taken - ((before + 1) * percent) / 100);
        });
        expect(Math.max(...offBy)).toBeLessThan(1);
      }),
    );
  });

  it("is exact over a hundred calls, and begins with the first", () => {
    for (let percent = 1; percent <= 100; percent++) {
      const calls = alone(250, sampler(percent));
      expect(calls[0]).toBe(true);
      const hundreds = calls.slice(0, -99).map((_, from) => calls.slice(from, from + 100));
      const counts = hundreds.map((hundred) => hundred.filter((isTaken) => isTaken).length);
      expect(new Set(counts)).toEqual(new Set([percent]));
    }
  });

  it("of 0 % is none, of 100 % all", () => {
    expect(new Set(alone(300, sampler(0)))).toEqual(new Set([false]));
    expect(new Set(alone(300, sampler(100)))).toEqual(new Set([true]));
  });

  it("does not hang on the calls of others", () => {
    fc.assert(
      fc.property(percents, callsOfAgents, (percent, agents) => {
        const shared = sampler(percent);
        const own = new Map(agents.map((agent) => [agent, sampler(percent)]));
        for (const agent of agents) expect(shared.take(agent)).toBe(own.get(agent)!.take(agent));
      }),
    );
  });
});

describe("both together", () => {
  it("take what each of them would; a call that is not an n-th counts in its agent's share all the same", () => {
    fc.assert(
      fc.property(percents, fc.integer({ min: 1, max: 20 }), callsOfAgents, (percent, everyNth, agents) => {
        const both = sampler(percent, everyNth);
        const [share, nth] = [sampler(percent), sampler(100, everyNth)];
        for (const agent of agents) {
          const expected = [share.take(agent), nth.take(agent)].every((isTaken) => isTaken);
          expect(both.take(agent)).toBe(expected);
        }
      }),
    );
  });
});

// Of 50 % the first call is taken and the second is not: an agent whose second call is taken was forgotten.
describe("agents in memory", () => {
  const others = (count: number, name: string): string[] => Array.from({ length: count }, (_, i) => `${name}${i}`);

  it("are as many as are promised, and who calls again makes nobody forgotten", () => {
    const one = sampler(50);
    const agents = others(MOST_AGENTS, "a");
    expect(agents.every((agent) => one.take(agent))).toBe(true);
    expect(agents.toReversed().some((agent) => one.take(agent))).toBe(false);
  });

  it("give place to new ones, who has not called for the longest first", () => {
    const one = sampler(50);
    for (const agent of ["first", "second", ...others(MOST_AGENTS - 2, "a")]) one.take(agent);
    expect(one.take("first")).toBe(false);
    one.take("new");
    expect(one.take("second")).toBe(true);
    expect(one.take("first")).toBe(true);
    expect(one.take("first")).toBe(false);
  });
});
