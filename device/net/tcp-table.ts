// Finds the connection of a segment, whichever direction it goes: a chained hash table over the key words, without
// strings and without allocation per segment. Bounded in connections and in chain length; says what has to go and
// leaves closing it to tcp.ts.
import { randomInt } from "node:crypto";
import { AgeList } from "./age-list.js";
import { TcpConnection } from "./tcp-connection.js";

/** With a seeded hash chains stay below 10; a longer one is somebody's work and costs its own oldest member. */
const MAX_CHAIN = 32;
const MAX_BUCKETS = 1 << 20;

export class TcpTable {
  /** Connections in use, by their last segment. */
  readonly live = new AgeList<TcpConnection>();
  /** Ended ones, by their end: the first to go when room is needed. */
  readonly closed = new AgeList<TcpConnection>();
  /** Whether the last `find` matched against the connection's own direction. */
  isReverse = false;
  readonly #maxConnections: number;
  readonly #seed: number;
  readonly #buckets: (TcpConnection | undefined)[];

  constructor(maxConnections: number, seed: number = randomInt(2 ** 32)) {
    this.#maxConnections = maxConnections;
    this.#seed = seed | 0;
    let buckets = 64;
    while (buckets < maxConnections && buckets < MAX_BUCKETS) buckets *= 2;
    this.#buckets = new Array<TcpConnection | undefined>(buckets).fill(undefined);
  }

  get size(): number {
    return this.live.size + this.closed.size;
  }

  find(key: Int32Array): TcpConnection | undefined {
    const hash = this.#hash(key);
    let connection = this.#buckets[hash & (this.#buckets.length - 1)];
    while (connection !== undefined) {
      if (connection.hash === hash) {
        this.isReverse = false;
        if (connection.isForward(key)) return connection;
        this.isReverse = true;
        if (connection.isReverse(key)) return connection;
      }
      connection = connection.nextInBucket;
    }
    this.isReverse = false;
    return undefined;
  }

  /** The connection that must leave before one with this key is added; undefined when there is room. */
  whatMustGo(key: Int32Array): TcpConnection | undefined {
    if (this.size >= this.#maxConnections) return this.closed.oldest ?? this.live.oldest;
    let last = this.#buckets[this.#hash(key) & (this.#buckets.length - 1)];
    for (let length = 1; last !== undefined; length++) {
      if (last.nextInBucket === undefined) return length < MAX_CHAIN ? undefined : last;
      last = last.nextInBucket;
    }
    return undefined;
  }

  add(key: Int32Array, atUs: number): TcpConnection {
    const connection = new TcpConnection(key, this.#hash(key), atUs);
    const bucket = connection.hash & (this.#buckets.length - 1);
    connection.nextInBucket = this.#buckets[bucket];
    this.#buckets[bucket] = connection;
    this.live.append(connection);
    return connection;
  }

  /** Moves a connection in use to the ended ones. */
  markClosed(connection: TcpConnection): void {
    this.live.remove(connection);
    this.closed.append(connection);
    connection.isClosed = true;
  }

  remove(connection: TcpConnection): void {
    (connection.isClosed ? this.closed : this.live).remove(connection);
    const bucket = connection.hash & (this.#buckets.length - 1);
    let member = this.#buckets[bucket]!;
    if (member === connection) {
      this.#buckets[bucket] = connection.nextInBucket;
      return;
    }
    while (member.nextInBucket !== connection) member = member.nextInBucket!;
    member.nextInBucket = connection.nextInBucket;
  }

  /** Same for both directions: the two endpoints are hashed alone and added. */
  #hash(key: Int32Array): number {
    const ports = key[8]!;
    return (this.#endpointHash(key, 0, ports >>> 16) + this.#endpointHash(key, 4, ports & 0xffff)) | 0;
  }

  #endpointHash(key: Int32Array, at: number, port: number): number {
    let hash = this.#seed ^ port;
    for (let i = at; i < at + 4; i++) {
      hash = Math.imul(hash ^ key[i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return Math.imul(hash, 0x85ebca6b) ^ (hash >>> 13);
  }
}
