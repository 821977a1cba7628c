// Who has agreed to being recorded: only while an entry is in force, and nobody when the file cannot be used.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { AgentsRegister } from "../../../device/consent/agents-register.js";
import { AGENTS_REGISTER, type AgentEntry, entryId } from "../../../device/consent/register-line.js";
import { at, BERLIN, LIMITS, registerFolder, writeAgents } from "./register-kit.js";

const folder = registerFolder();
const agreed: AgentEntry = { agent: "21", agreedAt: "2026-02-01", to: "works agreement\n2026-01" };
const agent = { user: "21", number: "21" };

function read(...entries: (AgentEntry | string)[]): AgentsRegister {
  writeAgents(folder.path, ...entries);
  return AgentsRegister.read(folder.path, BERLIN, LIMITS);
}

describe("an agent", () => {
  test("is registered from the day of the agreement until it is revoked", () => {
    const register = read({ ...agreed, revokedAt: "2026-05-01T08:00+02:00" });
    expect(register.lookUp(agent, at("02-01") - 1)).toBeUndefined();
    expect(register.lookUp(agent, at("02-01"))).toEqual({
      agreedTo: "works agreement 2026-01",
      entry: entryId(AGENTS_REGISTER, agreed),
    });
    expect(register.lookUp(agent, at("05-01", "06:00") - 1)).toBeDefined();
    expect(register.lookUp(agent, at("05-01", "06:00"))).toBeUndefined();
    expect(register.nextChangeUs(agent, 0)).toBe(at("02-01"));
    expect(register.nextChangeUs(agent, at("02-01"))).toBe(at("05-01", "06:00"));
    expect(register.nextChangeUs(agent, at("05-01", "06:00"))).toBeUndefined();
  });

  test("stays registered by another agreement that is in force; the newest is named", () => {
    const newer = { agent: "21", agreedAt: "2026-03-01", to: "works agreement 2026-03" };
    const register = read(newer, { ...agreed, revokedAt: "2026-04-01" });
    expect(register.lookUp(agent, at("02-15"))?.agreedTo).toBe("works agreement 2026-01");
    expect(register.lookUp(agent, at("03-15"))?.agreedTo).toBe("works agreement 2026-03");
    expect(register.lookUp(agent, at("04-15"))?.agreedTo).toBe("works agreement 2026-03");
  });

  test("is found by user or number, however the number is written", () => {
    const register = read({ ...agreed, agent: "030 1234521" }, { ...agreed, agent: "zoe" });
    expect(register.size).toBe(2);
    expect(register.lookUp({ user: "x", number: "+49301234521" }, at("03-01"))).toBeDefined();
    expect(register.lookUp({ user: "zoe", number: "" }, at("03-01"))).toBeDefined();
    for (const user of ["21", "Zoe", "", "anonymous"])
      expect(register.lookUp({ user, number: "" }, at("03-01"))).toBeUndefined();
  });
});

describe("nobody is registered", () => {
  test("by a missing file, which is no fault", () => {
    for (const register of [AgentsRegister.empty(), AgentsRegister.read(folder.path, BERLIN, LIMITS)]) {
      expect([register.size, register.badLines, register.fault]).toEqual([0, 0, ""]);
      expect(register.lookUp(agent, at("03-01"))).toBeUndefined();
    }
  });

  test("by bad lines, which are counted", () => {
    const register = read("{", '{"schema":"sidetone.agents-register/1","agent":"21"}', { ...agreed, agent: "22" });
    expect([register.size, register.badLines, register.fault]).toEqual([1, 2, ""]);
    expect(register.lookUp(agent, at("03-01"))).toBeUndefined();
  });

  test("by a file beyond the limit or one that cannot be read", () => {
    writeAgents(folder.path, agreed, agreed);
    const full = AgentsRegister.read(folder.path, BERLIN, { maxEntries: 1 });
    expect(full.fault).toContain("holds more than 1 entries");
    mkdirSync(join(folder.path, "x", AGENTS_REGISTER.fileName), { recursive: true });
    const unreadable = AgentsRegister.read(join(folder.path, "x"), BERLIN, LIMITS);
    expect(unreadable.fault).toContain("is no file");
    for (const register of [full, unreadable]) {
      expect(register.size).toBe(0);
      expect(register.lookUp(agent, at("03-01"))).toBeUndefined();
    }
  });
});
