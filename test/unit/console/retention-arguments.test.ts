// The commands of retention: what they take, and one line for everything else.
import { expect, test } from "vitest";
import { SidetoneError } from "../../../device/base/errors.js";
import { parseArguments } from "../../../device/console/arguments.js";

const ID = "01KAJ5QX00ABCDEFGHJKMNPQRS";

test.each([
  [["retention", "--dry-run"], { verb: "retention", showsAll: false, json: false }],
  [["retention", "--all", "--json", "--data", "d"], { verb: "retention", showsAll: true, json: true, dataFolder: "d" }],
  [
    ["delete", ID.toLowerCase(), "--reason", " wrong call "],
    { verb: "delete", call: ID, reason: "wrong call", overridesMinimum: false },
  ],
  [
    ["erase", "--number", "+49 30 1234567", "--reason", "r", "--yes", "--override-minimum", "--forget-refusals"],
    {
      verb: "erase",
      number: "+49 30 1234567",
      isConfirmed: true,
      isDryRun: false,
      overridesMinimum: true,
      forgetsRefusals: true,
    },
  ],
  [["erase", "--number", "21", "--dry-run"], { verb: "erase", reason: "", isDryRun: true, isConfirmed: false }],
  [["hold", "add", "--call", ID, "--reason", "r"], { verb: "hold add", covers: { call: ID } }],
  [["hold", "add", "--number", "21", "--reason", "r"], { covers: { number: "21" } }],
  [
    ["hold", "add", "--from", "2026-11-01", "--to", "2026-11-02T10:30", "--reason", "r"],
    { covers: { from: "2026-11-01T00:00:00.000Z", to: "2026-11-02T10:30:00.000Z" } },
  ],
  [
    ["hold", "add", "--from", "2026-11-01", "--to", "2026-11-01", "--reason", "r"],
    { covers: { from: "2026-11-01T00:00:00.000Z", to: "2026-11-01T23:59:59.999Z" } },
  ],
  [["hold", "remove", ID, "--reason", "r"], { verb: "hold remove", id: ID }],
  [["hold", "list"], { verb: "hold list" }],
])("%j", (argv, command) => expect(parseArguments(argv)).toMatchObject({ kind: "retention", command }));

test.each([
  [["delete", ID], "delete ID needs a reason, which the audit chain keeps: --reason TEXT"],
  [["delete", ID, "--reason", "   "], "delete ID needs a reason, which the audit chain keeps: --reason TEXT"],
  [["delete"], "delete needs the id of a recording: sidetoned delete ID --reason TEXT"],
  [["delete", "x", "--reason", "r"], "x: not an id (26 characters)"],
  [["delete", ID, "y", "--reason", "r"], "y: unexpected argument after delete ID"],
  [["erase", "--reason", "r"], "erase needs a number: sidetoned erase --number NUMBER --reason TEXT"],
  [["erase", "--number", "21", "--yes"], "erase needs a reason, which the audit chain keeps: --reason TEXT"],
  [["retention", "--al"], "--al: unknown flag of retention; did you mean --all?"],
  [["hold", "ad"], "hold ad: the commands are hold add, hold remove, hold list; did you mean add?"],
  [["hold", "add", "--reason", "r"], "hold add needs one of --call ID, --number NUMBER, --from TIME --to TIME"],
  [
    ["hold", "add", "--call", ID, "--number", "21", "--reason", "r"],
    "hold add needs one of --call ID, --number NUMBER, --from TIME --to TIME",
  ],
  [
    ["hold", "add", "--from", "2026-11-01", "--reason", "r"],
    "hold add --from TIME needs --to TIME, and the other way round",
  ],
  [
    ["hold", "add", "--from", "2026-11-02", "--to", "2026-11-01", "--reason", "r"],
    "--to 2026-11-01 is before --from 2026-11-02",
  ],
  [
    ["hold", "add", "--from", "soon", "--to", "2026-11-01", "--reason", "r"],
    "--from soon: a time is 2026-11-21 or 2026-11-21T09:00 (UTC)",
  ],
  [["hold", "remove", "--reason", "r"], "hold remove needs the id of a hold: sidetoned hold list shows them"],
  [["hold", "add", "--call", ID, "--reason", "r".repeat(257)], "--reason is longer than 256 characters"],
])("%j is refused", (argv, message) => {
  expect(() => parseArguments(argv)).toThrow(new SidetoneError("usage", message));
});
