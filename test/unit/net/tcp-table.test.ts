import { describe, expect, it } from "vitest";
import { TcpConnection } from "../../../device/net/tcp-connection.js";
import { TcpTable } from "../../../device/net/tcp-table.js";
import { segment } from "./tcp-segments.js";

const keyOf = (client: number, reverse = false): Int32Array => segment(0, "", { client, reverse }).key;

describe("the connection table", () => {
  it("finds a connection from either side, and only that one", () => {
    const table = new TcpTable(64, 1);
    const connection = table.add(keyOf(7), 0);
    expect(table.find(keyOf(7))).toBe(connection);
    expect(table.isReverse).toBe(false);
    expect(table.find(keyOf(7, true))).toBe(connection);
    expect(table.isReverse).toBe(true);
    expect(table.find(keyOf(8))).toBeUndefined();
    table.remove(connection);
    expect(table.find(keyOf(7))).toBeUndefined();
    expect(table.size).toBe(0);
  });

  it("tells ports apart even when hashes collide", () => {
    const connection = new TcpConnection(keyOf(7), 0, 0);
    expect([connection.isForward(keyOf(7)), connection.isForward(keyOf(8))]).toEqual([true, false]);
    expect([connection.isReverse(keyOf(7, true)), connection.isReverse(keyOf(8, true))]).toEqual([true, false]);
  });

  it("bounds what collisions cost: a full chain loses its oldest", () => {
    const [buckets, seed] = [64, 5];
    const sameBucket = (client: number): boolean =>
      (new TcpTable(buckets, seed).add(keyOf(client), 0).hash & (buckets - 1)) === 9;
    const clients: number[] = [];
    for (let client = 1; clients.length < 33; client++) if (sameBucket(client)) clients.push(client);
    const table = new TcpTable(buckets, seed);
    const added: TcpConnection[] = [];
    for (const client of clients.slice(0, 32)) {
      expect(table.whatMustGo(keyOf(client))).toBeUndefined();
      added.push(table.add(keyOf(client), 0));
    }
    expect(table.whatMustGo(keyOf(clients[32]!))).toBe(added[0]);
    // Members leave from the middle and the ends of a chain without taking others along.
    for (const i of [10, 31, 0]) table.remove(added[i]!);
    for (const [i, connection] of added.entries()) {
      expect(table.find(keyOf(clients[i]!))).toBe([0, 10, 31].includes(i) ? undefined : connection);
    }
  });
});
