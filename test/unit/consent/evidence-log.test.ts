import { expect, it } from "vitest";
import { EvidenceLog } from "../../../device/consent/evidence-log.js";

it("numbers its entries and counts what it drops", () => {
  const log = new EvidenceLog();
  for (let i = 0; i < 300; i++) log.note(i, "sip-header", "granted", {});
  expect([log.entries.length, log.dropped, log.note(1, "rule", "agent", {})]).toEqual([256, 44, "e301"]);
});

it("adopts another log under ids of its own", () => {
  const log = new EvidenceLog();
  log.note(1, "sip-header", "granted", { from: "originator" });
  const other = new EvidenceLog();
  other.note(2, "rule", "refused", {});
  other.note(3, "sip-header", "withdrawn", {});
  expect([...log.adopt(other)]).toEqual([
    ["e1", "e2"],
    ["e2", "e3"],
  ]);
  expect(log.entries.map(({ id, atUs, effect }) => [id, atUs, effect])).toEqual([
    ["e1", 1, "granted"],
    ["e2", 2, "refused"],
    ["e3", 3, "withdrawn"],
  ]);
});
