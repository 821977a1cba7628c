// node:fs on a simulated disk: what the device uses of it, for paths below one folder; all else goes to the real one. For
// `vi.mock("node:fs")`, so that the code under test runs as it is. Synchronous calls are steps when they are made, syncs with
// a callback when the callback comes.
import type * as NodeFs from "node:fs";
import type * as NodeFsPromises from "node:fs/promises";
import { dirname } from "node:path";
import { diskError, type SimulatedDisk, SimulatedFile, SimulatedFolder, type SimulatedNode } from "./simulated-disk.js";

/** Descriptors of the simulated disk begin here: far above those of the kernel. */
const FIRST_DESCRIPTOR = 1_000_000;
const APPEND = 0o2000;
const CREATE = 0o100;
const EXCLUSIVE = 0o200;
const TRUNCATE = 0o1000;
const FLAGS: Record<string, number> = {
  r: 0,
  "r+": 2,
  w: CREATE | TRUNCATE,
  wx: CREATE | EXCLUSIVE,
  a: CREATE | APPEND,
  "a+": CREATE | APPEND,
};

type Fs = typeof NodeFs;
type Bytes = Uint8Array;

/** Where the simulated disk is; undefined = nowhere. */
export interface Mount {
  readonly folder: string;
  readonly disk: SimulatedDisk;
}

/** The functions of node:fs that the device uses, over `real`. `mount` is asked at every call. */
export function simulatedFs(real: Fs, mount: () => Mount | undefined): Partial<Record<keyof Fs, unknown>> {
  const open = new Map<
    number,
    { disk: SimulatedDisk; node: SimulatedNode; appends: boolean; at: number; name: string }
  >();
  let next = FIRST_DESCRIPTOR;

  /** Parts of a path below the mount. */
  const partsOf = (path: unknown): string[] | undefined => {
    const folder = mount()?.folder;
    if (folder === undefined || typeof path !== "string") return undefined;
    if (path !== folder && !path.startsWith(`${folder}/`)) return undefined;
    mount()!.disk.live();
    return path.slice(folder.length).split("/").filter(Boolean);
  };
  const disk = (): SimulatedDisk => mount()!.disk;
  const find = (parts: readonly string[]): SimulatedNode | undefined => {
    let node: SimulatedNode | undefined = disk().root;
    for (const part of parts) {
      if (node === undefined) return undefined;
      if (node.kind === "file") throw diskError("ENOTDIR");
      node = node.entries.get(part);
    }
    return node;
  };
  const need = (parts: readonly string[]): SimulatedNode => {
    const node = find(parts);
    if (node === undefined) throw diskError("ENOENT");
    return node;
  };
  const folderOf = (parts: readonly string[]): SimulatedFolder => {
    const node = need(parts.slice(0, -1));
    if (node.kind !== "folder") throw diskError("ENOTDIR");
    return node;
  };
  const nameIn = (parts: readonly string[]): string => parts.at(-1)!;
  const fileAt = (descriptor: number): { file: SimulatedFile; name: string } => {
    const { node, name } = open.get(descriptor)!;
    if (node.kind !== "file") throw diskError("EISDIR");
    return { file: node, name };
  };

  function openSync(path: string, flags: string | number = "r", mode?: number): number {
    const parts = partsOf(path);
    if (parts === undefined) return real.openSync(path, flags, mode);
    const bits = typeof flags === "number" ? flags : FLAGS[flags]!;
    disk().open(`open ${nameIn(parts) ?? "data"} ${flags}`);
    let node = find(parts);
    if (node !== undefined && (bits & EXCLUSIVE) !== 0) throw diskError("EEXIST");
    if (node === undefined) {
      if ((bits & CREATE) === 0) throw diskError("ENOENT");
      const folder = folderOf(parts);
      const made = new SimulatedFile();
      disk().step(`create ${nameIn(parts)}`, () => disk().change({ folder, name: nameIn(parts), node: made }));
      node = made;
    } else if ((bits & TRUNCATE) !== 0 && node.kind === "file" && node.size > 0) {
      const file = node;
      disk().step(`empty ${nameIn(parts)}`, () => file.truncate(0));
    }
    const descriptor = next++;
    const appends = (bits & APPEND) !== 0;
    open.set(descriptor, { disk: disk(), node, appends, at: 0, name: nameIn(parts) ?? "data" });
    return descriptor;
  }

  function closeSync(descriptor: number): void {
    if (!open.delete(descriptor)) real.closeSync(descriptor);
  }

  function write(descriptor: number, bytes: Buffer, position: number | null | undefined): number {
    const state = open.get(descriptor)!;
    const { file, name } = fileAt(descriptor);
    const offset = state.appends ? file.size : (position ?? state.at);
    let written = bytes.length;
    disk().live();
    if (bytes.length === 0) return 0;
    const put = (length: number): void => {
      written = length;
      file.write(offset, bytes.subarray(0, length));
    };
    state.disk.step(`write ${name}`, () => put(bytes.length), { half: () => put(bytes.length >> 1) });
    if (position === null || position === undefined) state.at = offset + written;
    return written;
  }

  function writeSync(descriptor: number, data: Bytes, at = 0, length = data.length - at, position?: number): number {
    if (!open.has(descriptor)) return real.writeSync(descriptor, data, at, length, position);
    return write(descriptor, Buffer.from(data.buffer, data.byteOffset + at, length), position);
  }

  function writevSync(descriptor: number, buffers: Bytes[], position?: number): number {
    if (!open.has(descriptor)) return real.writevSync(descriptor, buffers, position);
    return write(descriptor, Buffer.concat(buffers), position);
  }

  function writeFileSync(target: string | number, data: string | Bytes, options?: NodeFs.WriteFileOptions): void {
    if (typeof target === "string" && partsOf(target) === undefined) {
      real.writeFileSync(target, data, options);
      return;
    }
    const bytes = typeof data === "string" ? Buffer.from(data) : Buffer.from(data);
    const descriptor = typeof target === "number" ? target : openSync(target, "w");
    try {
      for (let at = 0; at < bytes.length; ) at += write(descriptor, bytes.subarray(at), undefined);
    } finally {
      if (typeof target !== "number") closeSync(descriptor);
    }
  }

  function readSync(descriptor: number, target: Bytes, at = 0, length = target.length - at, position?: number): number {
    const state = open.get(descriptor);
    if (state === undefined) return real.readSync(descriptor, target, at, length, position ?? null);
    state.disk.live();
    const { content } = fileAt(descriptor).file;
    const from = position ?? state.at;
    const read = content.copy(target, at, from, Math.min(content.length, from + length));
    if (position === null || position === undefined) state.at = from + read;
    return Math.max(0, read);
  }

  function readFileSync(path: string, options?: NodeFs.ObjectEncodingOptions | BufferEncoding): Buffer | string {
    const parts = partsOf(path);
    if (parts === undefined) return real.readFileSync(path, options as BufferEncoding);
    disk().open(`read ${nameIn(parts)}`);
    const node = need(parts);
    if (node.kind !== "file") throw diskError("EISDIR");
    const encoding = typeof options === "string" ? options : options?.encoding;
    return encoding ? node.content.toString(encoding) : Buffer.from(node.content);
  }

  function fsyncSync(descriptor: number): void {
    const state = open.get(descriptor);
    if (state === undefined) {
      real.fsyncSync(descriptor);
      return;
    }
    const { node, name } = state;
    const refused = (): void => {
      if (node.kind === "file") node.failSync();
    };
    state.disk.step(`sync ${name}`, () => (node.kind === "file" ? node.sync() : state.disk.syncFolder(node)), {
      refused,
    });
  }

  function fsync(descriptor: number, done: (error: Error | null) => void): void {
    if (!open.has(descriptor)) {
      real.fsync(descriptor, done);
      return;
    }
    setImmediate(() => {
      try {
        fsyncSync(descriptor);
      } catch (error) {
        done(error as Error);
        return;
      }
      done(null);
    });
  }

  const inodes = new WeakMap<SimulatedNode, number>();
  let inodeCount = 0;
  function inodeOf(node: SimulatedNode): number {
    const known = inodes.get(node);
    if (known !== undefined) return known;
    inodes.set(node, ++inodeCount);
    return inodeCount;
  }

  /** All is root's, and written when the disk was made. */
  const mtimeMs = Date.now();
  function statOf(node: SimulatedNode) {
    const isFile = node.kind === "file";
    const figures = { ino: inodeOf(node), size: isFile ? node.size : 0, uid: 0, gid: 0, mtimeMs };
    return { ...figures, isFile: () => isFile, isDirectory: () => !isFile };
  }

  function statWith(node: SimulatedNode, options?: NodeFs.StatOptions): object {
    const { ino, size, mtimeMs, ...stat } = statOf(node);
    if (!options?.bigint) return { ...stat, ino, size, mtimeMs };
    return { ...stat, ino: BigInt(ino), size: BigInt(size), mtimeMs: BigInt(mtimeMs), mtimeNs: BigInt(mtimeMs) };
  }

  function statSync(path: string, options: NodeFs.StatSyncOptions = {}): unknown {
    const parts = partsOf(path);
    if (parts === undefined) return real.statSync(path, options);
    const node = options.throwIfNoEntry === false ? find(parts) : need(parts);
    return node && statWith(node, options);
  }

  function renameSync(from: string, to: string): void {
    const source = partsOf(from);
    const target = partsOf(to);
    if (source === undefined || target === undefined) {
      real.renameSync(from, to);
      return;
    }
    const node = need(source);
    const [left, entered] = [folderOf(source), folderOf(target)];
    disk().step(`rename to ${nameIn(target)}`, () =>
      disk().change(
        { folder: left, name: nameIn(source), node: undefined },
        { folder: entered, name: nameIn(target), node },
      ),
    );
  }

  function linkSync(from: string, to: string): void {
    const source = partsOf(from);
    const target = partsOf(to);
    if (source === undefined || target === undefined) {
      real.linkSync(from, to);
      return;
    }
    const node = need(source);
    if (find(target) !== undefined) throw diskError("EEXIST");
    const folder = folderOf(target);
    disk().step(`link ${nameIn(target)}`, () => disk().change({ folder, name: nameIn(target), node }));
  }

  function unlink(parts: readonly string[]): void {
    const folder = folderOf(parts);
    need(parts);
    disk().step(`remove ${nameIn(parts)}`, () => disk().change({ folder, name: nameIn(parts), node: undefined }));
  }

  function unlinkSync(path: string): void {
    const parts = partsOf(path);
    if (parts === undefined) real.unlinkSync(path);
    else unlink(parts);
  }

  function rmSync(path: string, options: NodeFs.RmOptions = {}): void {
    const parts = partsOf(path);
    if (parts === undefined) {
      real.rmSync(path, options);
      return;
    }
    const node = find(parts);
    if (node === undefined && options.force) return;
    if (node?.kind === "folder") {
      if (!options.recursive) throw diskError("EISDIR");
      for (const name of [...node.entries.keys()]) rmSync(`${path}/${name}`, options);
    }
    unlink(parts);
  }

  function mkdirSync(path: string, options: NodeFs.MakeDirectoryOptions = {}): string | undefined {
    const parts = partsOf(path);
    if (parts === undefined) return real.mkdirSync(path, options);
    const known = find(parts);
    if (known !== undefined) {
      if (options.recursive && known.kind === "folder") return undefined;
      throw diskError("EEXIST");
    }
    const above = options.recursive ? mkdirSync(dirname(path), options) : undefined;
    const folder = folderOf(parts);
    disk().step(`make ${nameIn(parts)}`, () =>
      disk().change({ folder, name: nameIn(parts), node: new SimulatedFolder() }),
    );
    return above ?? path;
  }

  function readdirSync(path: string, options: { withFileTypes?: boolean; recursive?: boolean } = {}): unknown {
    const parts = partsOf(path);
    if (parts === undefined) return real.readdirSync(path, options as never);
    const list = (folder: SimulatedNode, parentPath: string): object[] => {
      if (folder.kind === "file") throw diskError("ENOTDIR");
      return [...folder.entries].flatMap(([name, node]) => [
        { name, parentPath, ...statOf(node) },
        ...(options.recursive && node.kind === "folder" ? list(node, `${parentPath}/${name}`) : []),
      ]);
    };
    disk().open(`list ${nameIn(parts) ?? "data"}`);
    const entries = list(need(parts), path);
    return options.withFileTypes ? entries : entries.map((entry) => (entry as { name: string }).name);
  }

  return {
    openSync,
    closeSync,
    readSync,
    writeSync,
    writevSync,
    writeFileSync,
    readFileSync,
    fsyncSync,
    fdatasyncSync: fsyncSync,
    fsync,
    fdatasync: fsync,
    renameSync,
    linkSync,
    unlinkSync,
    rmSync,
    mkdirSync,
    readdirSync,
    existsSync: (path: string) => {
      const parts = partsOf(path);
      return parts === undefined ? real.existsSync(path) : find(parts) !== undefined;
    },
    statSync,
    // There are no links but hard ones.
    lstatSync: (path: string, options?: NodeFs.StatSyncOptions) =>
      partsOf(path) === undefined ? real.lstatSync(path, options) : statSync(path, options),
    fstatSync: (descriptor: number, options?: NodeFs.StatOptions) => {
      const state = open.get(descriptor);
      return state === undefined ? real.fstatSync(descriptor, options) : statWith(state.node, options);
    },
    ftruncateSync: (descriptor: number, length = 0) => {
      if (!open.has(descriptor)) return real.ftruncateSync(descriptor, length);
      const { file, name } = fileAt(descriptor);
      disk().step(`truncate ${name}`, () => file.truncate(length));
    },
    chmodSync: (path: string, mode: number) => {
      if (partsOf(path) === undefined) real.chmodSync(path, mode);
    },
    fchmodSync: (descriptor: number, mode: number) => {
      if (!open.has(descriptor)) real.fchmodSync(descriptor, mode);
    },
    accessSync: (path: string, mode?: number) => {
      const parts = partsOf(path);
      if (parts === undefined) real.accessSync(path, mode);
      else need(parts);
    },
  };
}

/** The functions of node:fs/promises that the device uses there, over `real`, by what simulatedFs has made. */
export function simulatedPromises(
  real: typeof NodeFsPromises,
  simulated: Partial<Record<keyof Fs, unknown>>,
  mount: () => Mount | undefined,
): Partial<Record<keyof typeof NodeFsPromises, unknown>> {
  const rmSync = simulated.rmSync as Fs["rmSync"];
  return {
    rm: async (path: string, options?: NodeFs.RmOptions) => {
      const folder = mount()?.folder;
      if (folder === undefined || !path.startsWith(`${folder}/`)) return real.rm(path, options);
      rmSync(path, options);
    },
  };
}

/** As the steps are told: ids and numbers of processes left out. */
export function plainStep(step: string): string {
  return step.replace(/[0-9A-HJKMNP-TV-Z]{26}/g, "<id>").replace(/\.\d+\.partial/, ".<pid>.partial");
}
