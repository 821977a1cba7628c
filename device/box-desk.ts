// Where commands about the box come in from the faces: each is carried out by the part that it concerns, entered in the audit chain
// with who gave it, and answered. Bounded, and nothing that a command holds makes it throw. Knows no face.
import { SidetoneError } from "./base/errors.js";
import type { Logger } from "./base/logger.js";
import { type ConfigurationKeeper, ConfigurationRefused } from "./configuration-keeper.js";
import type { AuditEntryInput } from "./contract/audit.js";
import type { BoxAnswers } from "./contract/box-answers.js";
import {
  type BoxCommand,
  type BoxCommandBody,
  type BoxCommandDesk,
  type BoxError,
  type BoxRefusal,
  type BoxResult,
  type BoxVerb,
  momentAfter,
  momentOf,
} from "./contract/box-commands.js";
import { COMPLETENESS_SCHEMA } from "./contract/completeness.js";
import type { HealthStatus } from "./contract/health.js";
import type { SelfTestDesk } from "./contract/self-test.js";
import type { SpanReport } from "./contract/span.js";
import type { AlarmBook } from "./health/alarms.js";
import { listRecordings } from "./recordings-query.js";
import type { RestartKeeper } from "./restart-keeper.js";
import { countCompleteness } from "./store/completeness.js";
import { MarkRefused } from "./store/index/call-marks.js";
import type { RecordingStore } from "./store/recordings.js";

const MS_PER_DAY = 86_400_000;
const DEFAULT_DAYS = 7;
/** The call log of so many days is read for one report, and so many periods go into an answer. */
const MAX_DAYS = { day: 400, hour: 31 } as const;
const MAX_PAST_ALARMS = 50;

/** The parts of the box as commands need them. */
export interface BoxParts {
  dataFolder: string;
  /** undefined until it is open. */
  store(): RecordingStore | undefined;
  alarms: AlarmBook;
  /** Read anew; undefined on a box that watches nothing. */
  health(): HealthStatus | undefined;
  span(): Promise<SpanReport> | undefined;
  selfTest: SelfTestDesk | undefined;
  configuration: ConfigurationKeeper | undefined;
  restarts: RestartKeeper | undefined;
  logger: Logger;
  now(): number;
}

type Body<Verb extends BoxVerb> = Extract<BoxCommandBody, { verb: Verb }>;

/** What keeps a command from being carried out. */
class Refused extends Error {
  readonly refusal: BoxRefusal;
  constructor(error: BoxError, message: string, field?: string) {
    super(message);
    this.refusal = { ok: false, error, message, ...(field !== undefined && { field }) };
  }
}

export class BoxDesk implements BoxCommandDesk {
  private readonly parts: BoxParts;
  private isCounting = false;

  constructor(parts: BoxParts) {
    this.parts = parts;
  }

  async submit(command: BoxCommand): Promise<BoxResult> {
    try {
      return await this.carryOut(command);
    } catch (error) {
      if (error instanceof Refused || error instanceof ConfigurationRefused) return error.refusal;
      return this.failed(command, error);
    }
  }

  private async carryOut(command: BoxCommand): Promise<BoxResult> {
    const { body, by } = command;
    switch (body.verb) {
      case "tag":
        return { ok: true, verb: body.verb, data: await this.tag(body, by) };
      case "recordings":
        return { ok: true, verb: body.verb, data: this.recordings(body, command) };
      case "health":
        return { ok: true, verb: body.verb, data: there(this.parts.health()) };
      case "span":
        return { ok: true, verb: body.verb, data: await there(this.parts.span()) };
      case "completeness":
        return { ok: true, verb: body.verb, data: await this.completeness(body) };
      case "self-test":
        return { ok: true, verb: body.verb, data: await there(this.parts.selfTest).selfTest() };
      case "alarms":
        return { ok: true, verb: body.verb, data: this.alarms(body, by) };
      case "configuration":
        return { ok: true, verb: body.verb, data: await this.configuration(body, by) };
      case "restart":
        return { ok: true, verb: body.verb, data: this.restart(body, by) };
    }
  }

  private async tag({ call, add, remove }: Body<"tag">, by: string): Promise<BoxAnswers["tag"]> {
    const { tags: desk } = this.store;
    if (desk === undefined) throw indexUnusable();
    const enter = (entry: Omit<AuditEntryInput, "actor">): Promise<void> => this.enter({ ...entry, actor: by });
    try {
      return { call: call.id, tags: await desk.change({ call: call.id, add, remove }, enter) };
    } catch (error) {
      throw error instanceof MarkRefused ? new Refused(error.reason, error.message) : error;
    }
  }

  private recordings(body: Body<"recordings">, how: BoxCommand): BoxAnswers["recordings"] {
    const { from, to, minDurationMs = 0, maxDurationMs = Number.POSITIVE_INFINITY } = body;
    if (from !== undefined && to !== undefined) checkOrder(from, to);
    if (minDurationMs > maxDurationMs) throw invalid("maxDurationMs", "is shorter than minDurationMs");
    const listing = this.store.index?.listing;
    if (listing === undefined) throw indexUnusable();
    try {
      return listRecordings(listing, body, how);
    } catch (error) {
      if (error instanceof RangeError) throw invalid("cursor", "is none that an answer has given");
      this.parts.logger.warn("the index of calls could not answer a command", { message: String(error) });
      throw indexUnusable();
    }
  }

  private async completeness(body: Body<"completeness">): Promise<BoxAnswers["completeness"]> {
    const { fromMs, toMs, by } = this.rangeOf(body);
    if (this.isCounting) throw new Refused("already-running", "another report is being made: ask again later");
    this.isCounting = true;
    const question = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), by };
    try {
      return {
        schema: COMPLETENESS_SCHEMA,
        ...question,
        ...(await countCompleteness(this.parts.dataFolder, question)),
      };
    } catch (error) {
      this.parts.logger.warn("a completeness report could not be made", { message: String(error) });
      throw new Refused("data-unwritable", "the call log cannot be read: see the box's log");
    } finally {
      this.isCounting = false;
    }
  }

  /** Both ends belong to it. */
  private rangeOf({ from, to, by }: Body<"completeness">): { fromMs: number; toMs: number; by: "day" | "hour" } {
    if (from !== undefined && to !== undefined) checkOrder(from, to);
    const toMs = to === undefined ? this.parts.now() : momentAfter(to) - 1;
    const midnight = Math.floor(toMs / MS_PER_DAY) * MS_PER_DAY;
    const fromMs = from === undefined ? midnight - (DEFAULT_DAYS - 1) * MS_PER_DAY : momentOf(from);
    if (fromMs > toMs) throw invalid("from", "is later than to, or than now");
    if (toMs - fromMs > MAX_DAYS[by] * MS_PER_DAY)
      throw invalid("from", `is too long ago: a report by ${by} has at most ${MAX_DAYS[by]} days`);
    return { fromMs, toMs, by };
  }

  private alarms(body: Body<"alarms">, by: string): BoxAnswers["alarms"] {
    const { alarms } = this.parts;
    if (body.action === "acknowledge") {
      const { audit } = this.store;
      const alarm = alarms.acknowledge(body.code, by);
      if (alarm === undefined) throw new Refused("alarm-not-standing", `the alarm ${body.code} does not stand`);
      const { code, since } = alarm;
      audit.append({ kind: "acknowledged", actor: by, detail: { code, since } });
    }
    return { standing: alarms.standing, past: alarms.past.slice(-MAX_PAST_ALARMS) };
  }

  private async configuration(body: Body<"configuration">, by: string): Promise<BoxAnswers["configuration"]> {
    const { configuration } = this.parts;
    if (configuration === undefined) throw unavailable();
    return body.action === "get"
      ? configuration.show(body.section)
      : configuration.change(body.values, body.dryRun, by);
  }

  private restart({ when, reason }: Body<"restart">, by: string): BoxAnswers["restart"] {
    const { restarts } = this.parts;
    if (restarts === undefined) throw unavailable();
    const { audit } = this.store;
    const asked = restarts.ask(when);
    if (asked === undefined) throw new Refused("already-running", "a restart was asked for already, and is to come");
    audit.append({ kind: "restart", actor: by, detail: { when, reason, calls: asked.calls } });
    return { when, ...asked };
  }

  private get store(): RecordingStore {
    return there(this.parts.store());
  }

  /** Resolves when the entry is durable. */
  private async enter(entry: AuditEntryInput): Promise<void> {
    await this.store.audit.enterDurably(entry);
  }

  private failed({ body }: BoxCommand, error: unknown): BoxRefusal {
    const isStorage = error instanceof SidetoneError && error.code === "data-unwritable";
    this.parts.logger.error("a command failed", { verb: body.verb, fault: String(error) });
    return isStorage
      ? { ok: false, error: "data-unwritable", message: "the data folder takes no writes: see the box's alarms" }
      : { ok: false, error: "unavailable", message: "the box could not do this: see its log" };
  }
}

function checkOrder(from: string, to: string): void {
  if (momentOf(from) >= momentAfter(to)) throw invalid("to", "is not after from");
}

function there<Part>(part: Part | undefined): Part {
  if (part === undefined) throw unavailable();
  return part;
}

function unavailable(): Refused {
  return new Refused("unavailable", "the box cannot do this yet: try again later");
}

function indexUnusable(): Refused {
  return new Refused("index-unusable", "the index of calls cannot be used at the moment: run sidetoned reindex");
}

function invalid(field: string, text: string): Refused {
  return new Refused("invalid", `${field} ${text}`, field);
}
