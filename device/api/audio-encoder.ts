// Makes MP3 and Opus out of samples with the system's `ffmpeg`: a child process of lower priority that is given nothing but the
// samples on its standard input, and is killed when whoever reads its output goes away.
import { spawn } from "node:child_process";
import { constants, setPriority } from "node:os";
import { pipeline, type Readable, Transform } from "node:stream";

export const ENCODINGS = {
  mp3: {
    media: "audio/mpeg",
    // The header that says how long it is would have to be written at the end: of one rate throughout, players can tell.
    options: ["-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0", "-f", "mp3"],
    bitsPerChannel: (sampleRateHz: number) => (sampleRateHz > 16_000 ? 64_000 : 32_000),
  },
  opus: {
    media: "audio/ogg; codecs=opus",
    // Made for speech ("voip") it changes its level.
    options: ["-c:a", "libopus", "-application", "audio", "-f", "ogg"],
    bitsPerChannel: () => 24_000,
  },
} as const;
export type Encoding = keyof typeof ENCODINGS;

export interface EncoderInput {
  sampleRateHz: number;
  channels: number;
  /** 16-bit PCM, little-endian, interleaved. Destroyed with the output. */
  samples: Readable;
  /** Aborted when nobody wants the output any more. */
  signal: AbortSignal;
  /** For tests: another program in ffmpeg's place. */
  program?: string;
}

/** The program is not there, or cannot do this; the message is one line. */
export class EncoderMissing extends Error {}

const PROGRAM = "ffmpeg";
const FRAME = ["-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1"] as const;
const MAX_WORDS = 256;

/**
 * Resolves with what is encoded as soon as some of it is there. Rejects with EncoderMissing when the program gives nothing, or
 * with the fault of `samples`. Whoever destroys the output ends everything.
 */
export async function encode(encoding: Encoding, input: EncoderInput): Promise<Readable> {
  const { samples, sampleRateHz, channels, signal, program = PROGRAM } = input;
  const format = ["-f", "s16le", "-ar", String(sampleRateHz), "-ac", String(channels), "-i", "pipe:0"];
  const { options, bitsPerChannel } = ENCODINGS[encoding];
  const rate = ["-b:a", String(bitsPerChannel(sampleRateHz) * channels)];
  const child = spawn(program, [...FRAME, ...format, "-map_metadata", "-1", ...rate, ...options, "pipe:1"], {
    cwd: "/",
    env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C" },
    signal,
    killSignal: "SIGKILL",
  });
  const fault = new Promise<string>((resolve) => {
    let words = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      words = (words + text).slice(0, MAX_WORDS);
    });
    child.once("error", ({ message }) => resolve(message));
    child.once("close", (code) => resolve(code === 0 ? "" : words.split("\n")[0] || `${program} ended with ${code}`));
  });
  yieldProcessor(child.pid);

  const output = new Transform({
    transform: (piece, _, done) => done(null, piece),
    // Half a file ends in an error, and not as if it were a whole one.
    flush: (done) => void fault.then((words) => done(words === "" ? null : new EncoderMissing(words))),
  });
  // It may stop reading before the samples end: how it ends tells why.
  child.stdin.on("error", () => {});
  samples.once("error", (error) => output.destroy(error));
  samples.pipe(child.stdin);
  pipeline(child.stdout, output, () => {
    samples.destroy();
    child.kill("SIGKILL");
  });
  await begun(output);
  if (!output.destroyed) return output;
  if (samples.errored) throw samples.errored;
  throw new EncoderMissing(await fault);
}

/** Until there is something to read, or the end; a stream that has failed is destroyed then. */
export function begun(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    stream.once("readable", resolve);
    stream.once("close", resolve);
  });
}

/** Recording comes first. */
function yieldProcessor(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already.
  }
}
