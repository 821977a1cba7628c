// What calls in progress must not lose, `carried.json`, for the owner only: whatever dies, the next start must not record what
// was to stay out. Names calls by their Call-IDs.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { CarriedState } from "../contract/engine-messages.js";
import { replaceDurably } from "./durable-file.js";

const SCHEMA = "sidetone.carried/1";

const source = z.enum(["dtmf", "sip-header", "recordpref", "api", "mqtt", "panel", "default"]);
const pause = z.object({ endsUs: z.number(), source, by: z.string(), reason: z.string() });
const fileSchema = z.object({
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
  private written = "";

  constructor(dataFolder: string) {
    this.path = join(dataFolder, "carried.json");
  }

  /** Throws SyntaxError or ZodError for a damaged file, else the file system's errors. */
  read(): CarriedState {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return { calls: [] };
      throw error;
    }
    const { schema: _, ...state } = fileSchema.parse(JSON.parse(text));
    return state;
  }

  /** Durable when it returns. Throws the file system's errors. */
  write(state: CarriedState): void {
    const text = `${JSON.stringify({ schema: SCHEMA, ...state })}\n`;
    if (text === this.written) return;
    replaceDurably(this.path, text, 0o600);
    this.written = text;
  }
}
