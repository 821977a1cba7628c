// Log lines: for people a sentence with its fields behind it, for machines one JSON object.
import { expect, it } from "vitest";
import { makeLogger } from "../../../device/base/logger.js";

function logged(json: boolean): string[] {
  const lines: string[] = [];
  const logger = makeLogger({ level: "info", json, write: (line) => lines.push(line), nowIso: () => "now" });
  logger.debug("not at this level");
  logger.info("capturing", { interfaces: "eth0,eth1", packets: 3, none: undefined });
  logger.warn("it is tried again", { id: "7", message: "no space (ENOSPC)" });
  return lines;
}

it("says to people what happened, with its fields", () => {
  expect(logged(false)).toEqual([
    "capturing interfaces=eth0,eth1 packets=3",
    'warn: it is tried again id=7 message="no space (ENOSPC)"',
  ]);
});

it("says to machines both what happened and what the error was", () => {
  expect(logged(true).map((line) => JSON.parse(line) as unknown)).toEqual([
    { at: "now", level: "info", message: "capturing", interfaces: "eth0,eth1", packets: 3 },
    { at: "now", level: "warn", message: "it is tried again", id: "7", reason: "no space (ENOSPC)" },
  ]);
});
