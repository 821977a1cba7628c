// Whether manifests, and tombstones in the place of those that were deleted, form one chain: each names one that is there, each
// is named by one other, but for the first and the last. Takes them in any order; what waits for its neighbour is kept, so that
// memory stays small when they come about in the order of the chain. Reads no files.

export interface Link {
  /** SHA-256 of the manifest. */
  sha256: string;
  /** "" for the first of all. */
  previous: string;
  /** Where it stands. */
  file: string;
}

export class ChainLinks {
  count = 0;
  /** Nobody has named them yet, by their hash. */
  readonly #unfollowed = new Map<string, Link>();
  /** They name one that has not come yet, by its hash. */
  readonly #waiting = new Map<string, Link>();
  /** They name what another one has named before, or nothing though they are not the first. */
  readonly forks: Link[] = [];
  /** Hashes whose links are wanted at the end, and those that have come. */
  readonly #wanted: ReadonlySet<string>;
  readonly #remembered = new Map<string, Link>();
  #first: Link | undefined;

  constructor(wanted: Iterable<string> = []) {
    this.#wanted = new Set(wanted);
  }

  add(link: Link): void {
    this.count++;
    const { sha256, previous } = link;
    if (this.#wanted.has(sha256)) this.#remembered.set(sha256, link);
    if (!this.#waiting.delete(sha256)) this.#unfollowed.set(sha256, link);
    if (previous === "") {
      if (this.#first === undefined) this.#first = link;
      else this.#fork(link);
    } else if (!this.#unfollowed.delete(previous)) {
      if (this.#waiting.has(previous)) this.#fork(link);
      else this.#waiting.set(previous, link);
    }
  }

  /** One of those wanted. */
  find(sha256: string): Link | undefined {
    return this.#remembered.get(sha256);
  }

  isWanted(sha256: string): boolean {
    return this.#wanted.has(sha256);
  }

  get unfollowed(): Link[] {
    return [...this.#unfollowed.values()];
  }

  get waiting(): Link[] {
    return [...this.#waiting.values()];
  }

  #fork(link: Link): void {
    if (this.forks.length < 1000) this.forks.push(link);
  }
}
