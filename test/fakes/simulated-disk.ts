// A disk in memory that can be stopped at any of its steps, and whose power can be cut. What was written is seen at once, as
// through the page cache, but outlives a power cut for certain only once it was synced: of the rest any pages and any names
// may be there or not, in whatever order they were written (POSIX promises no more). Renaming is one step. A sync that fails
// leaves its pages looking well and lost, as Linux does. What it holds before a step is what a process leaves that dies there:
// copies of it, taken at every step of one run, save a run for each. simulated-fs.ts puts node:fs in front of it.
import { makeRandom } from "./random.js";

const PAGE_BYTES = 4096;

interface PendingWrite {
  /** Bytes at a place, or a new length. */
  offset: number;
  bytes: Buffer | undefined;
}

export class SimulatedFile {
  readonly kind = "file";
  content: Buffer = Buffer.alloc(0);
  #durable: Buffer = Buffer.alloc(0);
  #pending: PendingWrite[] = [];

  get size(): number {
    return this.content.length;
  }

  /** Buffers are never written to, so that copies may share them. */
  copy(): SimulatedFile {
    const copy = new SimulatedFile();
    copy.content = this.content;
    copy.#durable = this.#durable;
    copy.#pending = [...this.#pending];
    return copy;
  }

  write(offset: number, bytes: Buffer): void {
    const copy = Buffer.from(bytes);
    this.content = put(this.content, offset, copy);
    this.#pending.push({ offset, bytes: copy });
  }

  truncate(length: number): void {
    this.content = resize(this.content, length);
    this.#pending.push({ offset: length, bytes: undefined });
  }

  sync(): void {
    for (const { offset, bytes } of this.#pending) {
      this.#durable = bytes === undefined ? resize(this.#durable, offset) : put(this.#durable, offset, bytes);
    }
    this.#pending = [];
  }

  /** The pages count as written from now on, and were not. */
  failSync(): void {
    this.#pending = [];
  }

  /** `keeps` says of each page, or new length, whether it reached the disk. */
  cutPower(keeps: () => boolean): void {
    let content = this.#durable;
    for (const { offset, bytes } of this.#pending) {
      if (bytes === undefined) {
        if (keeps()) content = resize(content, offset);
        continue;
      }
      for (let at = 0; at < bytes.length; ) {
        const end = Math.min(bytes.length, at + PAGE_BYTES - ((offset + at) % PAGE_BYTES));
        if (keeps()) content = put(content, offset + at, bytes.subarray(at, end));
        at = end;
      }
    }
    this.content = Buffer.from(content);
    this.#durable = Buffer.from(content);
    this.#pending = [];
  }
}

export class SimulatedFolder {
  readonly kind = "folder";
  entries = new Map<string, SimulatedNode>();
  durable = new Map<string, SimulatedNode>();
}

export type SimulatedNode = SimulatedFile | SimulatedFolder;

/** An entry gets another node, or none. */
interface Effect {
  folder: SimulatedFolder;
  name: string;
  node: SimulatedNode | undefined;
}

/** What happens at a step. */
export type StepFault =
  /** The process dies before it, or half-way through what it writes. */
  | { kind: "killed"; half: boolean }
  /** The step is refused, once. */
  | { kind: "refused"; code: string }
  /** A write takes half of the bytes. */
  | { kind: "short" };

/** What a power cut keeps of what was not synced: 0 nothing, 1 all, between: each page and name with that chance. */
export interface PowerCut {
  pages: number;
  names: number;
  seed: number;
}

/** Told before each step, and again once half of it is done, if it can be. */
export type StepWatch = (name: string, isHalf: boolean) => void;

export class SimulatedDisk {
  root = new SimulatedFolder();
  /** Steps so far: what each was, in words. */
  readonly steps: string[] = [];
  isDead = false;
  /** What was opened so far: that changes nothing, and may be refused as well. */
  readonly opened: string[] = [];
  watch: StepWatch | undefined;
  #pending: Effect[][] = [];
  #fault: { step: number; fault: StepFault } | undefined;
  #refusedOpen: { number: number; code: string } | undefined;

  /** The `step`th from now on (from 0) goes wrong. */
  plan(step: number, fault: StepFault): void {
    this.#fault = { step: this.steps.length + step, fault };
  }

  /** The `number`th opening from now on (from 0) is refused. */
  planOpen(number: number, code: string): void {
    this.#refusedOpen = { number: this.opened.length + number, code };
  }

  /** A file is about to be opened. */
  open(name: string): void {
    this.live();
    this.opened.push(name);
    if (this.opened.length - 1 === this.#refusedOpen?.number) throw diskError(this.#refusedOpen.code);
  }

  /** The same disk once more, which goes its own way from here on: alive, without faults. */
  copy(): SimulatedDisk {
    const copy = new SimulatedDisk();
    const copies = new Map<SimulatedNode, SimulatedNode>();
    const copyOf = <Node extends SimulatedNode>(node: Node): Node => {
      const known = copies.get(node);
      if (known !== undefined) return known as Node;
      const made = node.kind === "file" ? node.copy() : new SimulatedFolder();
      copies.set(node, made);
      if (node.kind === "folder" && made.kind === "folder") {
        for (const [name, child] of node.entries) made.entries.set(name, copyOf(child));
        for (const [name, child] of node.durable) made.durable.set(name, copyOf(child));
      }
      return made as Node;
    };
    copy.root = copyOf(this.root);
    copy.#pending = this.#pending.map((effects) =>
      effects.map(({ folder, name, node }) => ({ folder: copyOf(folder), name, node: node && copyOf(node) })),
    );
    return copy;
  }

  /** Throws while the process is dead: it sees and does nothing more. */
  live(): void {
    if (this.isDead) throw diskError("EKILLED");
  }

  /**
   * One step. `half` is what of it is done when the process dies in it, or when a write is cut short. Returns whether it was
   * done whole.
   */
  step(name: string, act: () => void, { half, refused }: { half?: () => void; refused?: () => void } = {}): boolean {
    this.live();
    const number = this.steps.length;
    this.steps.push(name);
    const fault = this.#fault?.step === number ? this.#fault.fault : undefined;
    if (fault === undefined) {
      this.watch?.(name, false);
      if (this.watch && half) {
        half();
        this.watch(name, true);
      }
      act();
      return true;
    }
    if (fault.kind === "killed") {
      if (fault.half) half?.();
      this.isDead = true;
      throw diskError("EKILLED");
    }
    if (fault.kind === "refused") {
      refused?.();
      throw diskError(fault.code);
    }
    if (half === undefined) {
      act();
      return true;
    }
    half();
    return false;
  }

  change(...effects: Effect[]): void {
    for (const { folder, name, node } of effects) setEntry(folder.entries, name, node);
    this.#pending.push(effects);
  }

  /** The folder's names become durable, and with each of them what was done in the same step. */
  syncFolder(folder: SimulatedFolder): void {
    const left: Effect[][] = [];
    for (const effects of this.#pending) {
      if (!effects.some((effect) => effect.folder === folder)) {
        left.push(effects);
        continue;
      }
      for (const { folder: at, name, node } of effects) {
        setEntry(at.durable, name, node);
        // What was done to the name before is over.
        for (const earlier of left) remove(earlier, (one) => one.folder === at && one.name === name);
      }
    }
    this.#pending = left.filter((effects) => effects.length > 0);
  }

  /** Another process begins on what is there. */
  restart(): void {
    this.isDead = false;
    this.#fault = undefined;
    this.#refusedOpen = undefined;
    this.watch = undefined;
    this.opened.length = 0;
    this.steps.length = 0;
  }

  cutPower({ pages, names, seed }: PowerCut): void {
    const random = makeRandom(seed);
    for (const effects of this.#pending) {
      if (random() >= names) continue;
      for (const { folder, name, node } of effects) setEntry(folder.durable, name, node);
    }
    this.#pending = [];
    for (const node of new Set(this.#nodes(this.root))) {
      if (node.kind === "folder") node.entries = new Map(node.durable);
      else node.cutPower(() => random() < pages);
    }
  }

  *#nodes(node: SimulatedNode): Generator<SimulatedNode> {
    yield node;
    if (node.kind === "folder") for (const child of node.durable.values()) yield* this.#nodes(child);
  }
}

export function diskError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: the simulated disk says so`), { code });
}

function setEntry(entries: Map<string, SimulatedNode>, name: string, node: SimulatedNode | undefined): void {
  if (node === undefined) entries.delete(name);
  else entries.set(name, node);
}

function remove<T>(list: T[], matches: (one: T) => boolean): void {
  for (let i = list.length - 1; i >= 0; i--) if (matches(list[i]!)) list.splice(i, 1);
}

function put(content: Buffer, offset: number, bytes: Buffer): Buffer {
  const target = resize(content, Math.max(content.length, offset + bytes.length));
  bytes.copy(target, offset);
  return target;
}

/** A copy of that length, zeros where there was nothing. */
function resize(content: Buffer, length: number): Buffer {
  const target = Buffer.alloc(length);
  content.copy(target, 0, 0, Math.min(length, content.length));
  return target;
}
