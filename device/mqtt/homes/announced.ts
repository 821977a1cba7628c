// Which topics the box has announced itself on outside its own, kept over restarts, so that what is switched off, or called otherwise
// now, is taken back at the broker. Without the file nothing is: a broker is not written to for nothing.
import { readFileSync, rmSync } from "node:fs";
import { replaceDurably } from "../../store/durable-file.js";

/** Home Assistant's and Homie's of several names that a box has had. */
export const MAX_ANNOUNCED = 2000;
const WRITE_AFTER_MS = 200;
const MAX_FILE_BYTES = 1024 * 1024;

export class AnnouncedTopics {
  private readonly path: string;
  private readonly known: Set<string>;
  private isDue = false;
  private readonly onFault: (message: string) => void;

  constructor(path: string, onFault: (message: string) => void) {
    this.path = path;
    this.onFault = onFault;
    this.known = new Set(this.read());
  }

  /** Before they are published. Beyond the limit they are published all the same, and stay at the broker. */
  note(topics: readonly string[]): void {
    const isNew = topics.filter((topic) => !this.known.has(topic));
    if (isNew.length === 0) return;
    for (const topic of isNew) if (this.known.size < MAX_ANNOUNCED) this.known.add(topic);
    this.write();
  }

  get topics(): string[] {
    return [...this.known];
  }

  /** The broker has taken it back. Written with those of the same moment; not written, it is taken back once more. */
  forget(topic: string): void {
    if (!this.known.delete(topic) || this.isDue) return;
    this.isDue = true;
    setTimeout(() => {
      this.isDue = false;
      this.write();
    }, WRITE_AFTER_MS);
  }

  private read(): string[] {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch {
      return [];
    }
    try {
      const { topics } = JSON.parse(text.slice(0, MAX_FILE_BYTES)) as { topics?: unknown };
      if (Array.isArray(topics) && topics.every((topic) => typeof topic === "string" && !/[+#\0]/.test(topic)))
        return (topics as string[]).slice(0, MAX_ANNOUNCED);
    } catch {
      // Said below.
    }
    this.onFault(`${this.path} is damaged: what was announced on MQTT may have to be removed by hand`);
    return [];
  }

  private write(): void {
    try {
      if (this.known.size === 0) rmSync(this.path, { force: true });
      else replaceDurably(this.path, `${JSON.stringify({ topics: [...this.known] })}\n`, 0o600);
    } catch (error) {
      this.onFault(`${this.path} cannot be written: ${(error as Error).message}`);
    }
  }
}
