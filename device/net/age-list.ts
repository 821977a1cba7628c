// Members of a table in the order in which they were last touched, as links inside the members: the oldest is known and
// any member can leave in constant time, which a Map as a queue cannot do once its front has been deleted many times.

export interface Aged<T> {
  older: T | undefined;
  newer: T | undefined;
}

/** A member is in at most one list at a time. */
export class AgeList<T extends Aged<T>> {
  oldest: T | undefined = undefined;
  #newest: T | undefined = undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  append(member: T): void {
    member.older = this.#newest;
    member.newer = undefined;
    if (this.#newest === undefined) this.oldest = member;
    else this.#newest.newer = member;
    this.#newest = member;
    this.#size++;
  }

  remove(member: T): void {
    if (member.older === undefined) this.oldest = member.newer;
    else member.older.newer = member.newer;
    if (member.newer === undefined) this.#newest = member.older;
    else member.newer.older = member.older;
    member.older = undefined;
    member.newer = undefined;
    this.#size--;
  }

  touch(member: T): void {
    if (member === this.#newest) return;
    this.remove(member);
    this.append(member);
  }
}
