// The file system's refusals as the one line that a person can act on.
import { type ErrorCode, SidetoneError } from "../base/errors.js";

const REASONS: Record<string, string> = {
  ENOSPC: "no space is left on the disk",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EIO: "the disk reports an error",
  EMFILE: "too many open files",
  ENFILE: "too many open files",
  ENOENT: "a file or folder is missing",
  EEXIST: "a file stands where a folder should",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "a folder stands where a file should",
  ENOTEMPTY: "a folder is not empty",
  EFBIG: "the file system takes no file that large",
};

/** `error` as a SidetoneError when the file system raised it (or it is one already), else as it is. `action`: "cannot …". */
export function storageFault(code: ErrorCode, action: string, error: unknown): unknown {
  if (error instanceof SidetoneError || !(error instanceof Error)) return error;
  const { code: name, path } = error as NodeJS.ErrnoException;
  if (name === undefined || !/^E[A-Z0-9]+$/.test(name)) return error;
  const place = path === undefined ? "" : ` at ${path}`;
  return new SidetoneError(code, `${action}: ${REASONS[name] ?? name}${place} (${name})`, { cause: error });
}
