// What a box says by multicast DNS, where, and what a computer that looks for boxes makes of it and of everything else on the network.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import type { NetworkInterfaceInfo } from "node:os";
import { tmpdir } from "node:os";
import { join } from "node:path";
import dnsPacket, { type Packet } from "dns-packet";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { announcePlaces, isNear, type PlaceQuestion } from "../../../device/api/announce-interfaces.js";
import { Announcement } from "../../../device/api/announcement.js";
import { fingerprintPrefix, SERVICE_TYPE } from "../../../device/contract/discovery.js";
import { boxesIn } from "../../../host/discover.js";

const facts = { device: "office-1", version: "0.1.0", path: "/api/v1", tls: "abcdef0123456789" };
const box = (device = "office-1"): Announcement =>
  new Announcement({ device, keyId: "a1b2c3d4", port: 8385, facts: { ...facts, device } });
const ask = (...questions: [string, string][]): Packet => ({
  type: "query",
  questions: questions.map(([type, name]) => ({ type: type as "PTR", name })),
});
const wire = (packet: Packet): Buffer => dnsPacket.encode(packet);

describe("an announcement", () => {
  it("is found by who looks for boxes", () => {
    expect(boxesIn(wire(box().packet(["192.0.2.7", "2001:db8::7"])), "192.0.2.7")).toEqual([
      {
        instance: "office-1 [a1b2c3d4]",
        ...facts,
        port: 8385,
        addresses: ["192.0.2.7", "2001:db8::7"],
        url: "https://192.0.2.7:8385",
      },
    ]);
    expect(boxesIn(wire(box().packet(["192.0.2.7"], true)), "192.0.2.7")).toEqual([]);
    expect(fingerprintPrefix("AB:CD:EF:01:23:45:67:89:AA:BB")).toBe(facts.tls);
  });

  it.each(["a.b.c", "Büro №1", "x".repeat(200), "ü".repeat(64), "", "line\nbreak\\", "\u{1f4de}".repeat(40)])(
    "carries any name: %j",
    (device) => {
      const [found] = boxesIn(wire(box(device).packet(["192.0.2.7"])), "192.0.2.7");
      expect(found!.device).toBe(device.slice(0, 193));
      expect(found!.instance).toMatch(/ \[a1b2c3d4\]$/);
      expect(Buffer.byteLength(found!.instance)).toBeLessThanOrEqual(63);
    },
  );

  it("answers what is about the box, in any case, and nothing else", () => {
    const asked = [
      ask(["PTR", SERVICE_TYPE]),
      ask(["PTR", "_SIDETONE._tcp.Local"]),
      ask(["PTR", "_services._dns-sd._udp.local"]),
      ask(["SRV", box().instance]),
      ask(["ANY", box().instance]),
      ask(["A", box().host]),
      ask(["A", "printer.local"], ["TXT", box().instance]),
    ];
    for (const query of asked) expect(box().isAsked(query), JSON.stringify(query)).toBe(true);
    const others = [
      ask(),
      ask(["A", SERVICE_TYPE]),
      ask(["PTR", "_ipp._tcp.local"]),
      ask(["SRV", box("office-2").instance]),
      ask(["A", "sidetone.local"]),
    ];
    for (const query of others) expect(box().isAsked(query), JSON.stringify(query)).toBe(false);
  });

  it("says nothing to who knows it already", () => {
    const known = (ttl: number, data: string): Packet => ({
      ...ask(["PTR", SERVICE_TYPE]),
      answers: [{ type: "PTR", name: SERVICE_TYPE, ttl, data }],
    });
    expect(box().isAsked(known(4000, box().instance))).toBe(false);
    expect(box().isAsked(known(2000, box().instance))).toBe(true);
    expect(box().isAsked(known(4000, box("office-2").instance))).toBe(true);
  });

  it("gives somebody who is not in the group his question back, and short lives", () => {
    const packet = box().legacyPacket({ ...ask(["PTR", SERVICE_TYPE]), id: 77 }, ["192.0.2.7"]);
    expect(packet).toMatchObject({ id: 77, questions: [{ name: SERVICE_TYPE }] });
    for (const { ttl } of packet.answers as { ttl: number }[]) expect(ttl).toBe(10);
    expect(boxesIn(wire(packet), "192.0.2.7")).toHaveLength(1);
  });
});

it("noise on the network is no box, and no fault", () => {
  const good = wire(box().packet(["192.0.2.7"]));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 600 }),
        fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => {
          const bytes = Buffer.from(good);
          bytes[at] = byte;
          return bytes;
        }),
        fc.nat(good.length).map((length) => good.subarray(0, length)),
      ),
      (bytes) => {
        for (const { instance, device, addresses, port } of boxesIn(Buffer.from(bytes), "192.0.2.9")) {
          expect(Math.max(instance.length, device.length)).toBeLessThanOrEqual(255);
          expect(addresses.length).toBeLessThanOrEqual(16);
          expect(port).toBeGreaterThan(0);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

describe("where it is said", () => {
  let sysfs: string;
  beforeEach(() => {
    sysfs = mkdtempSync(join(tmpdir(), "sidetone-test-"));
  });
  afterEach(() => rmSync(sysfs, { recursive: true, force: true }));

  const link = (name: string, ...lower: string[]): void => {
    mkdirSync(join(sysfs, name));
    for (const below of lower) symlinkSync(join(sysfs, below), join(sysfs, name, `lower_${below}`));
  };
  const v4 = (address: string): NetworkInterfaceInfo =>
    ({
      address,
      netmask: "255.255.255.0",
      family: "IPv4",
      internal: address.startsWith("127."),
      mac: "",
      cidr: null,
    }) as const;
  const v6 = (address: string, scopeid = 0): NetworkInterfaceInfo =>
    ({ address, netmask: "", family: "IPv6", internal: false, mac: "", cidr: null, scopeid }) as const;
  const places = (question: Partial<PlaceQuestion>): string[] =>
    announcePlaces({ host: "0.0.0.0", captured: ["mirror"], interfaces: {}, sysfs, ...question }).map(
      ({ name, addresses }) => `${name} ${addresses.join(" ")}`,
    );

  it("is every interface that the API is reached on, and no loopback", () => {
    const interfaces = {
      lo: [v4("127.0.0.1")],
      eth0: [v4("192.0.2.7"), v6("fe80::1", 2), v6("2001:db8::7")],
      wg0: [v4("10.0.0.1")],
    };
    expect(places({ interfaces })).toEqual(["eth0 192.0.2.7", "wg0 10.0.0.1"]);
    expect(places({ interfaces, host: "::" })).toEqual(["eth0 192.0.2.7 2001:db8::7", "wg0 10.0.0.1"]);
    expect(places({ interfaces, host: "192.0.2.7" })).toEqual(["eth0 192.0.2.7"]);
    expect(places({ interfaces, host: "2001:db8::7" })).toEqual([]);
  });

  it("is never a mirror port, nor what lies on the same link, nor what has its address", () => {
    for (const name of ["mirror", "eth0", "eth1"]) link(name);
    link("mirror.5", "mirror");
    link("mac0", "mirror.5");
    link("br0", "eth1", "mirror");
    link("bond0", "eth0");
    const names = ["mirror", "mirror.5", "mac0", "br0", "eth0", "eth1", "bond0"];
    const interfaces = Object.fromEntries(names.map((name, at) => [name, [v4(`192.0.${at}.1`)]]));
    expect(places({ interfaces })).toEqual(["eth0 192.0.4.1", "eth1 192.0.5.1", "bond0 192.0.6.1"]);
    expect(places({ interfaces, captured: ["br0"] })).toEqual(["eth0 192.0.4.1", "bond0 192.0.6.1"]);
    expect(places({ interfaces, captured: ["mirror", "bond0"] })).toEqual(["eth1 192.0.5.1"]);
    expect(places({ interfaces: { mirror: [v4("192.0.2.7")], eth0: [v4("192.0.2.7")] } })).toEqual([]);
    expect(places({ interfaces, captured: names })).toEqual([]);
  });

  it("knows who is on its own network", () => {
    const place = { name: "eth0", address: "192.0.2.7", netmask: "255.255.254.0", addresses: [] };
    const near = ["192.0.2.1", "192.0.3.255", "192.0.4.1", "10.0.0.1", "fe80::1", ""].map((address) =>
      isNear(place, address),
    );
    expect(near).toEqual([true, true, false, false, false, false]);
  });
});
