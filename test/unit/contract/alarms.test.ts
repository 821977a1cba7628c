// The alarm catalogue: complete, in the words it promises, and the README's table is made from it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { alarmsMarkdown, alarmsText, parseAlarmsCommand } from "../../../device/console/alarms-command.js";
import { ALARM_CODES, ALARM_SEVERITIES, ALARMS, type AlarmMeaning } from "../../../device/contract/alarms.js";

it("says of every alarm what it means and what an installer can do, in one sentence each", () => {
  for (const code of ALARM_CODES) {
    const alarm: AlarmMeaning = ALARMS[code];
    // As in topics, file names and URLs.
    expect(code).toMatch(/^[a-z]+(?:-[a-z]+)*$/);
    expect(ALARM_SEVERITIES).toContain(alarm.severity);
    expect(alarm.title.length, code).toBeLessThanOrEqual(24);
    expect(alarm.meaning, code).toMatch(/^[a-z'\d][^|\n]+[^.]$/);
    expect(alarm.remedy, code).toMatch(/^[A-Z][^|\n]+\.$/);
    expect(alarm.clears, code).toMatch(/^[a-z][^|\n]+[^.]$/);
  }
});

it("stands in the README as it is (compare with alarmsMarkdown)", () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  expect(readme).toContain(alarmsMarkdown());
});

it("is printed by sidetoned alarms, for people and for programs", () => {
  const text = alarmsText(parseAlarmsCommand([]));
  for (const code of ALARM_CODES) expect(text).toContain(`${code} (${ALARMS[code].severity}): ${ALARMS[code].title}\n`);
  const { alarms } = JSON.parse(alarmsText(parseAlarmsCommand(["--json"]))) as { alarms: { code: string }[] };
  expect(alarms.map(({ code }) => code)).toEqual(ALARM_CODES);
  expect(() => parseAlarmsCommand(["now"])).toThrow("now: unexpected argument after alarms");
  expect(() => parseAlarmsCommand(["--jsn"])).toThrow("--jsn: unknown flag of alarms");
});

/** Code → files that raise it, and that clear it. A file that raises names its codes. */
function callers(verb: "raise" | "clear"): Map<string, string[]> {
  const root = fileURLToPath(new URL("../../../device", import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const found = new Map<string, string[]>();
  for (const file of files) {
    if (file === "contract/alarms.ts" || file.startsWith("health/alarms")) continue;
    const text = readFileSync(join(root, file), "utf8");
    if (!new RegExp(`alarms!?\\??\\.${verb}\\(`).test(text)) continue;
    for (const code of ALARM_CODES) if (text.includes(`"${code}"`)) found.set(code, [...(found.get(code) ?? []), file]);
  }
  return found;
}

it("holds no alarm that nobody raises, and none that goes away by itself and nobody clears", () => {
  const [raised, cleared] = [callers("raise"), callers("clear")];
  expect(ALARM_CODES.filter((code) => !raised.has(code))).toEqual([]);
  const stands = ALARM_CODES.filter((code) => !ALARMS[code].clears.includes("the service is started again"));
  expect(stands.filter((code) => !cleared.has(code))).toEqual([]);
});
