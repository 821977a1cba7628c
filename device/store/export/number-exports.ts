// Everything about a number as a stream, while the service runs: the same archive that `sidetoned export` writes, for whoever asks
// over the network. That it begins is durable in the audit chain before its first byte is given; how it ended, and the hash of
// what was sent, is entered when it has.
import { PassThrough, type Readable } from "node:stream";
import type { Clock } from "../../base/clock.js";
import { SidetoneError } from "../../base/errors.js";
import { registerKey } from "../../consent/register-line.js";
import type { AuditDetail } from "../../contract/audit.js";
import type { Config } from "../../contract/config.js";
import { storageFault } from "../../seal/storage-fault.js";
import type { RecordingStore } from "../recordings.js";
import type { OpenBook } from "../retention/book.js";
import { refuseNumberIn } from "../retention/requests.js";
import { gatherAbout } from "./about.js";
import { type ArchiveContents, writeMembers } from "./archive.js";

/** Waiting for whoever reads. */
const BUFFER_BYTES = 1 << 20;

export interface NumberExportsOptions {
  store: RecordingStore;
  config: Pick<Config, "numbers" | "consent">;
  /** The box's name. */
  device: string;
  clock: Clock;
  /** What holds for each recording now. */
  openBook(): OpenBook;
}

export interface NumberExportOrder {
  number: string;
  reason: string;
  /** "token front-desk". */
  by: string;
  /** From where. */
  address: string;
}

export class NumberExports {
  readonly #options: NumberExportsOptions;
  #isRunning = false;

  constructor(options: NumberExportsOptions) {
    this.#options = options;
  }

  /** One at a time: each looks through all that is stored. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /**
   * A tar, which fails when it cannot be read to its end, and is over when it is closed. Rejects with SidetoneError: `usage` for a
   * number that names nobody and a reason that names the number, `data-unwritable` for what cannot be read, and for an audit chain
   * that takes no entry: then nothing is given.
   */
  async begin(order: NumberExportOrder): Promise<Readable> {
    const { number, reason, by } = order;
    const { store, config, device, clock } = this.#options;
    if (registerKey(number, config.numbers) === "")
      throw new SidetoneError("usage", "this number names nobody: it stands for withheld ones");
    refuseNumberIn(reason, number);
    if (this.#isRunning) throw new Error("an export is running");
    this.#isRunning = true;
    try {
      const about = await this.#gather(number);
      const facts = { number: about.mark, reason, recordings: about.recordings.length, calls: about.calls.size };
      const detail = { ...facts, state: "begun", address: order.address };
      await store.audit.enterDurably({ kind: "exported", actor: by, detail });
      const contents = { about, paths: store.paths, device, by, reason, atUs: clock.nowUs() };
      return this.#stream(contents, (detail) => {
        this.#isRunning = false;
        const entry = { ...facts, ...detail, address: order.address };
        try {
          store.audit.append({ kind: "exported", actor: by, detail: entry });
        } catch {
          // The service has ended meanwhile, and the chain is closed: that it began stands there.
        }
      });
    } catch (error) {
      this.#isRunning = false;
      throw error;
    }
  }

  async #gather(number: string): ReturnType<typeof gatherAbout> {
    const { store, config, openBook } = this.#options;
    const maxRegisterEntries = config.consent.register.maxEntries;
    try {
      return await gatherAbout({
        book: openBook(),
        number,
        numbers: config.numbers,
        maxRegisterEntries,
        key: store.key,
      });
    } catch (error) {
      throw storageFault("data-unwritable", "cannot read all that is stored", error);
    }
  }

  #stream(contents: ArchiveContents, ended: (detail: AuditDetail) => void): Readable {
    const stream = new PassThrough({ highWaterMark: BUFFER_BYTES });
    const write = async (bytes: Buffer): Promise<void> => {
      // The piece is the file reader's buffer, which it fills again.
      if (!stream.destroyed && stream.write(Buffer.from(bytes))) return;
      await drained(stream);
    };
    writeMembers(write, contents).then(
      ({ files, bytes, sha256 }) => {
        stream.end();
        stream.once("close", () => ended({ state: stream.readableEnded ? "sent" : "stopped", files, bytes, sha256 }));
      },
      (error: unknown) => {
        ended({ state: "stopped" });
        stream.destroy(error instanceof Error ? error : new Error(String(error)));
      },
    );
    return stream;
  }
}

/** Rejects when whoever reads has gone. */
function drained(stream: PassThrough): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new SidetoneError("export-failed", "whoever asked for it has gone"));
    if (stream.destroyed) {
      gone();
      return;
    }
    stream.once("close", gone);
    stream.once("drain", () => {
      stream.removeListener("close", gone);
      resolve();
    });
  });
}
