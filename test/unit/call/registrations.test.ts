// Who is registered where: RFC 3261 §10 as a passive observer sees it, hop by hop, in packet time, within bounds.
import { describe, expect, test } from "vitest";
import { formatAddress } from "../../../device/base/address.js";
import { RegistrationTable } from "../../../device/call/registrations.js";
import { PHONE, REGISTRAR, type RegisterScene, registerScene, type Seen, words } from "./register-scene.js";

function makeTable(limit = 1000) {
  const table = new RegistrationTable(limit, ({ user }) => `rule for ${user}`);
  const take = (seen: readonly Seen[]): void => {
    for (const { message, arrival } of seen) table.observe(message, arrival);
  };
  const play = (scene: RegisterScene = {}): void => {
    const { requests, responses } = registerScene(scene);
    take([...requests, ...responses]);
  };
  const usersAt = (address: string): string[] => table.at(words(address)).map(({ user }) => user);
  const addressesOf = (user: string): string[] =>
    table.of(user).map(({ address }) => (address ? formatAddress(address) : ""));
  return { table, take, play, usersAt, addressesOf };
}

describe("learning", () => {
  test("a registration that was granted", () => {
    const { table, play, usersAt, addressesOf } = makeTable();
    play();
    expect(usersAt(PHONE)).toEqual(["21"]);
    expect(addressesOf("21")).toEqual([PHONE]);
    expect(table.of("21")[0]).toMatchObject({
      user: "21",
      host: "pbx.example",
      contactKey: `21@${PHONE}:5060`,
      contactUser: "21",
      isSeen: true,
      rule: "rule for 21",
      expiresAtUs: 4600e6,
    });
    expect([table.isHub(words(REGISTRAR)), table.isHub(words(PHONE))]).toEqual([true, false]);
    expect([table.size, table.counters.learned]).toEqual([1, 1]);
  });

  test("only when the response came back the way of its request", () => {
    const { table, take, usersAt } = makeTable();
    const { requests, responses } = registerScene();
    take(responses);
    expect(usersAt(PHONE)).toEqual([]);
    take(requests);
    expect(usersAt(PHONE)).toEqual([]);
    const forged: Seen[] = [
      ...registerScene({ path: [PHONE, "203.0.113.9"] }).responses,
      ...registerScene({ path: ["10.0.0.55", REGISTRAR] }).responses,
      ...registerScene({ cseq: 2 }).responses,
      ...registerScene({ callId: "other" }).responses,
      ...registerScene({ record: "55@pbx.example", callId: requests[0]!.message.callId }).responses,
    ];
    take(forged);
    expect([table.size, table.isHub(words("203.0.113.9"))]).toEqual([0, false]);
  });

  test.each([100, 401, 403, 302, 503])("nothing from a %i", (status) => {
    const { table, play } = makeTable();
    play({ status });
    expect([table.size, table.isHub(words(REGISTRAR))]).toEqual([0, false]);
  });

  test("after a challenge, with the next CSeq", () => {
    const { play, usersAt } = makeTable();
    play({ status: 401 });
    play({ cseq: 2 });
    expect(usersAt(PHONE)).toEqual(["21"]);
  });

  test("retransmissions change nothing", () => {
    const { table, take } = makeTable();
    const { requests, responses } = registerScene();
    take([...requests, ...requests, ...responses, ...responses, ...responses]);
    expect(table.of("21")).toHaveLength(1);
  });

  test("a response that took longer than a transaction lasts is none", () => {
    const { table, take } = makeTable();
    take(registerScene({ atS: 1000 }).requests);
    take(registerScene({ atS: 1033 }).responses);
    expect(table.size).toBe(0);
  });

  test("NAT: the phone is where its packets come from, not where it believes to be", () => {
    const { play, usersAt, addressesOf } = makeTable();
    play({ path: ["203.0.113.5", REGISTRAR], contacts: ["<sip:21@192.168.1.2:5060>"] });
    expect(addressesOf("21")).toEqual(["203.0.113.5"]);
    expect(usersAt("192.168.1.2")).toEqual([]);
  });

  test("other methods and addresses of record without a user are ignored", () => {
    const { table, take } = makeTable();
    const { requests, responses } = registerScene();
    take([...requests, ...responses].map((seen) => ({ ...seen, message: { ...seen.message, method: "OPTIONS" } })));
    take(
      [...requests, ...responses].map(({ message, arrival }) => ({
        message: { ...message, to: { ...message.to, user: "" } },
        arrival,
      })),
    );
    expect(table.size).toBe(0);
  });
});

describe("through a proxy", () => {
  const PROXY = "10.0.0.2";
  const path = [PHONE, PROXY, REGISTRAR];

  test("the hop nearest to the phone says where it is, whichever is seen first", () => {
    for (const isReversed of [false, true]) {
      const { table, take, addressesOf } = makeTable();
      const { requests, responses } = registerScene({ path, contacts: ["<sip:21@phone.example>"] });
      take(isReversed ? [...requests].reverse() : requests);
      take(isReversed ? [...responses].reverse() : responses);
      expect(addressesOf("21")).toEqual([PHONE]);
      expect(table.of("21")[0]!.isSeen).toBe(true);
      expect([PROXY, REGISTRAR, PHONE].map((address) => table.isHub(words(address)))).toEqual([true, true, false]);
    }
  });

  test("of a hop behind the proxy only what the phone says of itself counts, or where the proxy saw it", () => {
    const last = (scene: RegisterScene) => {
      const { table, take, addressesOf } = makeTable();
      const { requests, responses } = registerScene({ path, ...scene });
      take([requests[1]!, responses[0]!]);
      return { addresses: addressesOf("21"), binding: table.of("21")[0]! };
    };
    expect(last({}).addresses).toEqual([PHONE]);
    expect(last({}).binding.isSeen).toBe(false);
    expect(last({ via: ";received=203.0.113.5" }).addresses).toEqual(["203.0.113.5"]);
    expect(last({ contacts: ["<sip:21@phone.example>"] }).addresses).toEqual([""]);
    expect(last({}).binding.peers.map((peer) => formatAddress(peer))).toEqual([REGISTRAR, PROXY]);
  });
});

describe("life", () => {
  test("runs out in packet time, by the registrar's word", () => {
    const { table, play, usersAt } = makeTable();
    play({ granted: [`<sip:21@${PHONE}:5060>;expires=60`] });
    table.sweep(1059e6);
    expect(usersAt(PHONE)).toEqual(["21"]);
    table.sweep(1060e6);
    expect(usersAt(PHONE)).toEqual([]);
    table.sweep(1200e6);
    expect([table.size, table.counters.expired]).toEqual([0, 1]);
  });

  test.each([
    ["the contact of the response", { granted: [`<sip:21@${PHONE}:5060>;expires=60`], grantedExpires: "90" }, 60],
    ["Expires of the response", { grantedExpires: "90" }, 90],
    ["the contact of the request", { contacts: [`<sip:21@${PHONE}:5060>;expires=70`], granted: [] }, 70],
    ["Expires of the request", { expires: "80" }, 80],
    ["the default", { expires: "" }, 3600],
    ["the default for nonsense", { expires: "soon" }, 3600],
    ["a limit", { expires: "4294967295" }, 7 * 86400],
  ])("length by %s", (_, scene: RegisterScene, seconds) => {
    const { table, play } = makeTable();
    play(scene);
    expect(table.of("21")[0]!.expiresAtUs).toBe((1000 + seconds) * 1e6);
  });

  test("is renewed, and an address that moved is left behind", () => {
    const { table, play, usersAt, addressesOf } = makeTable();
    play();
    play({ cseq: 2, atS: 3000 });
    expect(table.of("21")[0]!.expiresAtUs).toBe(6600e6);
    play({ cseq: 3, atS: 3001, path: ["10.0.0.8", REGISTRAR], contacts: [`<sip:21@${PHONE}:5060>`] });
    expect([addressesOf("21"), usersAt(PHONE)]).toEqual([["10.0.0.8"], []]);
  });

  test.each([
    ["one contact with expires=0", { contacts: [`<sip:21@${PHONE}:5060>;expires=0`], granted: [] }],
    ["Expires: 0", { expires: "0", granted: [] }],
    ["the star", { contacts: ["*"], expires: "0", granted: [] }],
    ["granted for 0 seconds", { granted: [`<sip:21@${PHONE}:5060>;expires=0`] }],
  ])("ends by %s, once it is granted", (_, scene: RegisterScene) => {
    const { table, take, play, usersAt } = makeTable();
    play();
    const { requests, responses } = registerScene({ ...scene, cseq: 2 });
    take(requests);
    expect(usersAt(PHONE)).toEqual(["21"]);
    take(responses);
    expect([usersAt(PHONE), table.size, table.counters.removed]).toEqual([[], 0, 1]);
  });

  test("other contacts of the record stay while the registrar lists them", () => {
    const { play, addressesOf } = makeTable();
    const other = "10.0.0.8";
    const both = [`<sip:21@${PHONE}:5060>;expires=600`, `<sip:21@${other}:5060>;expires=60`];
    play();
    play({ path: [other, REGISTRAR], granted: both });
    expect(addressesOf("21")).toEqual([PHONE, other]);
    play({ cseq: 2, contacts: [], granted: both });
    expect(addressesOf("21")).toEqual([PHONE, other]);
    play({ cseq: 3, granted: [both[0]!] });
    expect(addressesOf("21")).toEqual([PHONE]);
  });

  test("a registrar that writes contacts its own way takes nobody away", () => {
    const { play, addressesOf } = makeTable();
    play();
    play({ path: ["10.0.0.8", REGISTRAR], granted: ["<sip:21@192.0.2.99:1024>"] });
    expect(addressesOf("21")).toEqual([PHONE, "10.0.0.8"]);
  });

  test("a clock that goes back makes nobody immortal", () => {
    const { table, play, usersAt } = makeTable();
    play({ atS: 2_000_000_000 });
    table.sweep(1000e6);
    expect(usersAt(PHONE)).toEqual([]);
    expect(table.size).toBe(0);
    play({ atS: 1001 });
    expect(usersAt(PHONE)).toEqual(["21"]);
  });
});

describe("bounds", () => {
  test("at the limit the longest not refreshed goes", () => {
    const { table, play, usersAt } = makeTable(16);
    for (let i = 0; i < 16; i++) play({ record: `u${i}@x`, path: [`10.0.1.${i}`, REGISTRAR] });
    play({ record: "u0@x", path: ["10.0.1.0", REGISTRAR], cseq: 2 });
    play({ record: "new@x", path: ["10.0.2.1", REGISTRAR] });
    expect([table.size, table.counters.forgotten]).toEqual([16, 1]);
    expect([usersAt("10.0.1.0"), usersAt("10.0.1.1"), usersAt("10.0.2.1")]).toEqual([["u0"], [], ["new"]]);
  });

  test("contacts of one record, hubs and waiting requests", () => {
    const { table, take, play } = makeTable(100_000);
    for (let i = 0; i < 40; i++) play({ path: [`10.1.0.${i}`, REGISTRAR], granted: ["<sip:other@x>"] });
    expect(table.of("21")).toHaveLength(16);
    for (let i = 0; i < 5000; i++)
      take(registerScene({ callId: `flood-${i}`, path: [PHONE, `10.2.${i >> 8}.${i & 255}`] }).requests);
    expect(table.exchanges.forgotten).toBe(5000 - 4096);
    for (let i = 0; i < 1100; i++) play({ record: `h${i}@x`, path: [PHONE, `10.3.${i >> 8}.${i & 255}`] });
    expect([table.isHub(words("10.3.0.0")), table.isHub(words("10.3.4.75"))]).toEqual([false, true]);
    table.sweep(2000e6);
    expect(table.isHub(words("10.3.4.75"))).toBe(true);
    table.sweep(9000e6);
    expect([table.size, table.isHub(words("10.3.4.75"))]).toEqual([0, false]);
  });
});
