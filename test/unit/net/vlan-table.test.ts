// What came in which VLAN.
import { describe, expect, it } from "vitest";
import { VlanTable } from "../../../device/net/vlan-table.js";

describe("the table of VLANs", () => {
  it("counts each identifier, and frames without a tag", () => {
    const table = new VlanTable();
    for (const [vlan, atUs] of [
      [-1, 1],
      [20, 2],
      [4095, 3],
      [20, 4],
    ] as const)
      table.note(vlan, atUs);
    expect(table.figures(8)).toEqual([
      { vlan: -1, frames: 1, firstAtUs: 1, lastAtUs: 1 },
      { vlan: 20, frames: 2, firstAtUs: 2, lastAtUs: 4 },
      { vlan: 4095, frames: 1, firstAtUs: 3, lastAtUs: 3 },
    ]);
  });

  it("gives those with most frames where there are more than asked for", () => {
    const table = new VlanTable();
    for (let vlan = 1; vlan <= 100; vlan++) for (let frame = 0; frame < vlan; frame++) table.note(vlan, frame);
    expect(table.figures(3).map(({ vlan }) => vlan)).toEqual([98, 99, 100]);
  });
});
