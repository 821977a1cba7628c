// Imports point one way (see the README's layout), `pcap` and `sip` have one importer each, and only the gate's side
// of the pipeline can write to the journal.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Each layer may import itself and those of lower rank; equal ranks do not know each other. */
const RANK: Record<string, number> = {
  setup: 0,
  base: 0,
  contract: 1,
  age: 1,
  config: 2,
  capture: 2,
  net: 2,
  sip: 2,
  rtp: 2,
  call: 3,
  consent: 4,
  journal: 5,
  seal: 6,
  store: 7,
  console: 8,
  api: 8,
  health: 8,
  mqtt: 8,
  panel: 8,
};
/** Value types that a neighbour of the same rank hands over. */
const HANDED_OVER = new Set(["device/capture/frame.ts", "device/net/datagram.ts"]);

interface Import {
  from: string;
  to: string;
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|mjs)$/.test(name) && !name.endsWith(".d.ts"))
    .map((name) => join(folder, name));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/(?:from|import|require|\(import\.meta\.url\))\s*\(?\s*"([^"]+)"/g)].map((match) => {
    const target = match[1]!;
    const to = target.startsWith(".") ? relative(root, join(root, file, "..", target)).replace(/\.js$/, ".ts") : target;
    return { from: file, to };
  });
}

const all = [...sources("device"), ...sources("host")].flatMap(importsOf);
const layerOf = (file: string): string | undefined => /^device\/([a-z]+)\//.exec(file)?.[1];

describe("architecture", () => {
  it("knows every folder of device/", () => {
    const folders = readdirSync(join(root, "device"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map((entry) => entry.name).filter((name) => RANK[name] === undefined)).toEqual([]);
  });

  it("imports one way", () => {
    const wrong = all.filter(({ from, to }) => {
      const [own, other] = [layerOf(from), layerOf(to)];
      if (own === undefined || HANDED_OVER.has(to)) return false;
      if (other === undefined) return to.startsWith("device/");
      return own !== other && RANK[other]! >= RANK[own]!;
    });
    expect(wrong).toEqual([]);
  });

  it("lets host/ import contract and base only, and the file format of age, which knows nothing of a box", () => {
    const wrong = all.filter(
      ({ from, to }) =>
        from.startsWith("host/") && to.startsWith("device/") && !/^device\/(contract|base|age)\//.test(to),
    );
    expect(wrong).toEqual([]);
  });

  it("keeps age free of everything but base", () => {
    const wrong = all.filter(({ from, to }) => layerOf(from) === "age" && /^device\/(?!age\/|base\/)/.test(to));
    expect(wrong).toEqual([]);
  });

  it("has one importer of pcap and one of sip", () => {
    expect([
      ...new Set(all.filter(({ to }) => to === "pcap" || to.startsWith("pcap/")).map(({ from }) => from)),
    ]).toEqual(["device/capture/packet-socket.ts"]);
    const sip = new Set(all.filter(({ to }) => to === "sip" || to.startsWith("sip/")).map(({ from }) => from));
    expect(sip.size).toBe(1);
    expect(layerOf([...sip][0]!)).toBe("sip");
  });

  it("has one importer of aedes and one of ws", () => {
    const importers = (name: string) => [...new Set(all.filter(({ to }) => to === name).map(({ from }) => from))];
    expect(importers("aedes")).toEqual(["device/mqtt/broker/own-broker.ts"]);
    expect(importers("ws")).toEqual(["device/mqtt/broker/listeners.ts"]);
  });

  it("has one importer of dns-packet on the box, besides its types, and one on the computer", () => {
    const importers = all.filter(({ to }) => to === "dns-packet").map(({ from }) => from);
    expect([...new Set(importers)].sort()).toEqual([
      "device/api/announcement.ts",
      "device/api/announcer.ts",
      "host/discover.ts",
    ]);
  });

  it("has one importer of serialport", () => {
    const importers = all.filter(({ to }) => to === "serialport").map(({ from }) => from);
    expect(importers).toEqual(["device/panel/port.ts"]);
  });

  it("lets nobody but the composition root give a leg's packets a way to the journal", () => {
    const importers = all.filter(({ to }) => to === "device/journal/writer.ts").map(({ from }) => from);
    expect([...new Set(importers)].filter((file) => !file.startsWith("device/journal/"))).toEqual([
      "device/recorder.ts",
    ]);
  });
});
