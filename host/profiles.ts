// The boxes that `sidetone login` has stored, with their tokens: one file in the user's configuration folder, for its owner only,
// replaced as a whole or not at all.
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { posix, win32 } from "node:path";
import { z } from "zod";
import type { Host } from "./command.js";
import { causeOf, HostError } from "./errors.js";

export const BOXES_SCHEMA = "sidetone.boxes/1";
const FILE_NAME = "boxes.json";
const MAX_BOXES = 256;
export const BOX_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const boxSchema = z.object({
  url: z.url(),
  token: z.string().regex(/^[\x21-\x7e]+$/),
  trust: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("plain") }),
    z.object({
      kind: z.literal("pinned"),
      fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
      keyPin: z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
    }),
    z.object({ kind: z.literal("signed"), authorities: z.string().exactOptional() }),
  ]),
  /** As it was told at login; "" when it was not. */
  device: z.string(),
  /** PEM of the box's Ed25519 key, which signs its recordings; "" when it was not told. */
  publicKey: z.string(),
});
export type StoredBox = z.output<typeof boxSchema>;

const fileSchema = z.object({
  schema: z.literal(BOXES_SCHEMA),
  /** The one that is meant when none is named; "" = none. */
  current: z.string(),
  boxes: z.record(z.string().regex(BOX_NAME_PATTERN), boxSchema),
});
export type StoredBoxes = z.output<typeof fileSchema>;

type Surroundings = Pick<Host, "environment" | "platform" | "homeFolder">;

/** As the platform has it. */
export function configFolder({ environment, platform, homeFolder }: Surroundings): string {
  if (platform === "win32")
    return win32.join(environment["APPDATA"] || win32.join(homeFolder, "AppData", "Roaming"), "sidetone");
  if (platform === "darwin") return posix.join(homeFolder, "Library", "Application Support", "sidetone");
  const folder = environment["XDG_CONFIG_HOME"];
  // XDG Base Directory Specification: one that is relative does not count.
  return posix.join(folder?.startsWith("/") ? folder : posix.join(homeFolder, ".config"), "sidetone");
}

export class BoxStore {
  readonly path: string;
  readonly #folder: string;

  constructor(surroundings: Surroundings) {
    this.#folder = configFolder(surroundings);
    this.path = (surroundings.platform === "win32" ? win32 : posix).join(this.#folder, FILE_NAME);
  }

  /** Throws HostError file-unreadable. */
  read(): StoredBoxes {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return { schema: BOXES_SCHEMA, current: "", boxes: {} };
      throw new HostError("file-unreadable", `cannot read ${this.path} (${causeOf(cause)})`, { cause });
    }
    try {
      return fileSchema.parse(JSON.parse(text));
    } catch (cause) {
      // What either says of it might quote a token.
      throw new HostError(
        "file-unreadable",
        `${this.path} is not what login writes: mend it, or remove it and login again`,
        {
          cause,
        },
      );
    }
  }

  /** Makes it the current one. */
  put(name: string, box: StoredBox): void {
    const { boxes } = this.read();
    const all = { ...boxes, [name]: box };
    if (Object.keys(all).length > MAX_BOXES)
      throw new HostError("file-unwritable", `there are ${MAX_BOXES} boxes already: sidetone logout forgets one`);
    this.#write({ schema: BOXES_SCHEMA, current: name, boxes: all });
  }

  /** False when there is none of that name. */
  remove(name: string): boolean {
    const { boxes, current } = this.read();
    if (!Object.hasOwn(boxes, name)) return false;
    const { [name]: _gone, ...rest } = boxes;
    this.#write({ schema: BOXES_SCHEMA, current: current === name ? "" : current, boxes: rest });
    return true;
  }

  #write(content: StoredBoxes): void {
    const temporary = `${this.path}.${randomBytes(6).toString("hex")}.tmp`;
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const descriptor = openSync(temporary, "wx", 0o600);
      try {
        writeSync(descriptor, `${JSON.stringify(content, undefined, 2)}\n`);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      // Whatever the umask; Windows has no such thing, its folder is the user's.
      chmodSync(temporary, 0o600);
      renameSync(temporary, this.path);
    } catch (cause) {
      rmSync(temporary, { force: true });
      throw new HostError("file-unwritable", `cannot write ${this.path} (${causeOf(cause)})`, { cause });
    }
  }
}
