// What calls in progress must not lose, `carried.json`, for the owner only: whatever dies, the next start must not record what
// was to stay out. Names calls by their Call-IDs. One line that is signed as those of the audit chain are: what somebody else
// has changed does not count.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { CarriedState } from "../contract/engine-messages.js";
import type { DeviceKey } from "./device-key.js";
import { replaceDurably } from "./durable-file.js";
import { isSignedLine, signLine } from "./signed-line.js";

const SCHEMA = "sidetone.carried/1";

const source = z.enum(["dtmf", "sip-header", "recordpref", "api", "mqtt", "panel", "default"]);
const pause = z.object({ endsUs: z.number(), source, by: z.string(), reason: z.string() });
const fileSchema = z.object({
  signature: z.string(),
  schema: z.literal(SCHEMA),
  calls: z.array(
    z.object({
      sipCallIds: z.array(z.string()),
      pause: pause.exactOptional(),
      refusals: z.array(source),
      isStopped: z.boolean(),
    }),
  ),
  pauseOfAll: pause.exactOptional(),
});

export class CarriedFile {
  private readonly path: string;
  private readonly key: DeviceKey;
  private written = "";

  constructor(dataFolder: string, key: DeviceKey) {
    this.path = join(dataFolder, "carried.json");
    this.key = key;
  }

  /** Throws Error for a damaged file, else the file system's errors. */
  read(): CarriedState {
    let bytes: Buffer;
    try {
      bytes = readFileSync(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return { calls: [] };
      throw error;
    }
    const { schema: _, signature: __, ...state } = fileSchema.parse(JSON.parse(bytes.toString("utf8")));
    if (!isSignedLine(bytes.subarray(0, -1), this.key.publicKey))
      throw new Error("it is not what this box has written");
    return state;
  }

  /** Durable when it returns. Throws the file system's errors. */
  write(state: CarriedState): void {
    const line = signLine({ schema: SCHEMA, ...state }, this.key.privateKey).toString("utf8");
    // The same state has the same signature (RFC 8032).
    if (line === this.written) return;
    replaceDurably(this.path, `${line}\n`, 0o600);
    this.written = line;
  }
}
