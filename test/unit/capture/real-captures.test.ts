// The collected captures of the field: every one is read to its end, with as many packets as its manifest says.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { FileSource } from "../../../device/capture/file-source.js";

const FOLDER = fileURLToPath(new URL("../../../../shared/captures/", import.meta.url));
const MANIFEST = join(FOLDER, "MANIFEST.tsv");
const LINK_TYPES: Readonly<Record<string, number>> = {
  Ethernet: 1,
  "NULL/Loopback": 0,
  "Linux SLL": 113,
  "Raw IP": 101,
  "Raw IPv4": 228,
  ERF: 197,
};
const hasCaptures = existsSync(MANIFEST);
if (!hasCaptures) console.log(`skipped: there are no captures in ${FOLDER}`);

interface Entry {
  file: string;
  linkTypes: string;
  packets: number;
}

function readEntries(): Entry[] {
  const [header = "", ...lines] = readFileSync(MANIFEST, "utf8").trimEnd().split("\n");
  const columns = header.split("\t");
  return lines.map((line) => {
    const cells = line.split("\t");
    const cell = (name: string): string => cells[columns.indexOf(name)] ?? "";
    return { file: cell("file"), linkTypes: cell("link_type"), packets: Number(cell("packets")) };
  });
}

const entries = hasCaptures ? readEntries().filter(({ file }) => /\.pcap(ng)?$/.test(file)) : [];

describe.skipIf(!hasCaptures)("a real capture", () => {
  it.each(entries)("$file has $packets packets", async ({ file, linkTypes, packets }) => {
    const seen = new Set<number>();
    const result = await new FileSource(join(FOLDER, file), (frame) => seen.add(frame.linkType)).run();
    if (result.fault !== undefined) {
      // One of them is of another program, whatever its name says.
      expect(result.fault.message).toContain("a Network Monitor capture");
      expect(file).toContain("malformed");
      return;
    }
    expect(result.frames).toBe(packets);
    for (const linkType of seen) expect(namesOf(linkType).some((name) => linkTypes.includes(name))).toBe(true);
  });
});

function namesOf(linkType: number): string[] {
  return Object.keys(LINK_TYPES).filter((name) => LINK_TYPES[name] === linkType);
}
