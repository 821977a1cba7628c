// One sealing job from its journal to a file at its temporary path: what a sealing thread does with each job, in the memory
// that it keeps from one to the next. Synchronous; knows nothing of threads.
import { requireRecipient } from "../age/keys.js";
import { BlockMemory } from "../journal/block-memory.js";
import { CallReader } from "../journal/reader.js";
import { type SealOutcome, sealAudio } from "./seal.js";
import type { SealJob } from "./seal-job.js";
import { SealMemory } from "./seal-memory.js";

/** About half an hour of a G.711 call; longer ones are read from the journal twice. */
const BLOCK_BYTES = 32 * 1024 * 1024;

export class CallSealer {
  readonly #memory: SealMemory;
  readonly #blocks: BlockMemory;

  /** `blockBytes`: how much of a call's journal is kept, so that it is read once; only tests give another size. */
  constructor(blockBytes = BLOCK_BYTES) {
    this.#memory = new SealMemory(blockBytes);
    this.#blocks = new BlockMemory(this.#memory.blocks);
  }

  /** Throws SidetoneError `seal-failed` when the file cannot be written, and file system errors of the journal's folder. */
  seal(job: SealJob): SealOutcome {
    const reader = CallReader.open(job.folder, job.position, job.record.id, this.#blocks, job.journalKey);
    try {
      const { temporaryPath, recipients = [] } = job;
      const options = { temporaryPath, memory: this.#memory, recipients: recipients.map(requireRecipient) };
      const sealed = sealAudio(reader, job.record, options);
      const blocks = reader.damagedBlocks;
      if (blocks > 0) sealed.warnings.push({ code: "journal-damaged", detail: { blocks } });
      return sealed;
    } finally {
      reader.close();
    }
  }
}
