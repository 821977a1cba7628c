// Asks tshark, an independent reader, what a synthesised capture holds. Absent tshark is a value, not a failure.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const hasTshark = spawnSync("tshark", ["-v"]).status === 0;
if (!hasTshark) console.warn("tshark is not installed: the checks by an independent reader are skipped");

const CHECKSUMS = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"];

/** Lines of tshark's output on a capture. */
export function tshark(capture: Buffer, ...options: string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "sidetone-fakes-"));
  try {
    const path = join(folder, "capture");
    writeFileSync(path, capture);
    const run = spawnSync("tshark", ["-n", "-r", path, ...CHECKSUMS, ...options], { encoding: "utf8" });
    if (run.status !== 0) throw new Error(`tshark: ${run.stderr}`);
    return run.stdout.split("\n").filter((line) => line !== "");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One array of field values per frame. */
export function tsharkFields(capture: Buffer, filter: string, ...fields: string[]): string[][] {
  const wanted = fields.flatMap((field) => ["-e", field]);
  return tshark(capture, "-Y", filter, "-T", "fields", ...wanted).map((line) => line.split("\t"));
}
