// `sidetoned doctor` put together: asks the running service for its report, or looks itself.
import { resolve } from "node:path";
import { type ExitCode, SidetoneError } from "./base/errors.js";
import type { ConfigOverrides } from "./config/load.js";
import { type DoctorCommand, doctorExit, formatDoctor } from "./console/doctor-command.js";
import type { Config } from "./contract/config.js";
import type { SpanReport } from "./contract/span.js";
import { lookAtSpan } from "./doctor-look.js";
import { SPAN_REQUEST } from "./span-keeper.js";
import { FolderLock } from "./store/folder-lock.js";
import { SpoolDesk } from "./store/spool-desk.js";

/** The service looks for requests several times a second. */
const ANSWER_MS = 15_000;

export interface DoctorEdges {
  config: Config;
  dataFolder: string;
  /** "cli root". */
  actor: string;
  write(text: string): void;
  /** One line for whoever waits. */
  note(line: string): void;
  onProgress(share: number): void;
}

/** What the command line adds to the configuration. */
export function doctorOverrides(command: DoctorCommand): ConfigOverrides {
  if (command.verb === "ask" || command.agents === undefined) return {};
  return { agents: { match: command.agents } };
}

export async function runDoctor(command: DoctorCommand, edges: DoctorEdges): Promise<ExitCode> {
  const report = command.verb === "ask" ? await ask(edges) : await look(command, edges);
  edges.write(formatDoctor(report, command.json));
  return doctorExit(report);
}

async function ask({ dataFolder, actor }: DoctorEdges): Promise<SpanReport> {
  const wish = { kind: SPAN_REQUEST, actor, body: {} };
  const asked = await new SpoolDesk(dataFolder).ask(wish, {
    carryOutHere: async () => refuseWithoutService(dataFolder),
    waitMs: ANSWER_MS,
  });
  if (asked.state !== "done") throw new SidetoneError("data-in-use", "the service does not answer: look at its log");
  return asked.result["report"] as SpanReport;
}

function refuseWithoutService(dataFolder: string): void {
  // Throws `data-in-use` when there is one, which is what is wanted here.
  FolderLock.take(dataFolder).release();
  const remedy = "start it, give its data folder with --data, or look without it: sidetoned doctor --interface NAME";
  throw new SidetoneError("usage", `no service runs on ${dataFolder}: ${remedy}`);
}

async function look(command: Exclude<DoctorCommand, { verb: "ask" }>, edges: DoctorEdges): Promise<SpanReport> {
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  try {
    return await lookAtSpan({
      config: edges.config,
      capture:
        command.verb === "look"
          ? { kind: "live", interfaces: command.interfaces }
          : { kind: "files", paths: command.paths.map((path) => (path === "-" ? path : resolve(path))) },
      seconds: command.verb === "look" ? command.seconds : 0,
      onNotice: edges.note,
      onProgress: edges.onProgress,
      signal: stopping.signal,
    });
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}
