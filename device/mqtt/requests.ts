// Takes requests, has them carried out and answers each one. Owns how many may be under way and what a second delivery
// gets. A message cannot make it throw. Knows no MQTT library: messages come in, messages go out.
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import { type BoxCommandBody, type BoxCommandDesk, type BoxResult, isQuestion } from "../contract/box-commands.js";
import type { CommandBody, CommandDesk, CommandResult } from "../contract/commands.js";
import type { Config } from "../contract/config.js";
import { COMMAND_VERBS, type RequestVerb } from "../contract/mqtt.js";
import type { OutgoingMessage } from "./outbox.js";
import { RecentAnswers, requestKey } from "./recent-answers.js";
import { type IncomingMessage, type ReadRequest, type ReplyAddress, type RequestBody, readRequest } from "./request.js";
import { refuse, respond, respondOfBox } from "./response.js";
import type { Topics } from "./topics.js";

export const MAX_UNDER_WAY = 64;
export const ANSWER_TIMEOUT_MS = 10_000;
/** What takes longer in the nature of it. */
const LONG_TIMEOUTS_MS: Partial<Record<RequestVerb, number>> = { completeness: 60_000, "self-test": 60_000 };

export interface RequestsOptions {
  config: Pick<Config["mqtt"], "allow" | "numbers">;
  topics: Topics;
  desk: CommandDesk;
  box: BoxCommandDesk;
  clock: Clock;
  logger: Logger;
  /** Takes a response on its way. */
  send(message: OutgoingMessage): void;
}

export class Requests {
  readonly counters = { requests: 0, refused: 0, busy: 0, duplicates: 0, timeouts: 0 };
  private readonly options: RequestsOptions;
  private readonly recent: RecentAnswers;
  private readonly underWay = new Set<Promise<unknown>>();

  constructor(options: RequestsOptions) {
    this.options = options;
    this.recent = new RecentAnswers(options.clock);
  }

  /** Commands reach the desk in the order in which their messages are taken. */
  take(message: IncomingMessage): void {
    const { topics, config } = this.options;
    const request = readRequest(message, topics, config.allow);
    if (!request) return;
    this.counters.requests++;
    if ("refusal" in request) {
      this.counters.refused++;
      this.answer(request.reply, refuse(request.reply, request.refusal));
      return;
    }
    const { reply } = request;
    const key = changesNothing(request.body) ? undefined : requestKey(message, reply);
    // Only with the DUP flag: the same transaction again may be meant, as from a button that always sends the same text.
    const earlier = key !== undefined && message.isDuplicate ? this.recent.find(key) : undefined;
    if (this.underWay.size >= MAX_UNDER_WAY) {
      this.counters.busy++;
      this.answer(reply, refuse(reply, { code: "busy", message: "too many requests at once: send it again later" }));
      return;
    }
    if (earlier) {
      this.counters.duplicates++;
      this.occupy(earlier.then((text) => this.answer(reply, text)));
      return;
    }
    const text = this.carryOut(request);
    if (key !== undefined) this.recent.remember(key, text);
    void text.then((written) => this.answer(reply, written));
  }

  /** Fulfils when nothing is under way. */
  async idle(): Promise<void> {
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  private carryOut({ body, by, reply }: Extract<ReadRequest, { by: string }>): Promise<string> {
    const answer = this.answerOf(body, by, reply);
    // Its place is taken until the desk is done with it, also when the answer did not wait.
    this.occupy(answer);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.counters.timeouts++;
        const asks = changesNothing(body) ? "" : "; the command may still take effect";
        resolve(refuse(reply, { code: "timeout", message: `no result came in time${asks}` }));
      }, LONG_TIMEOUTS_MS[body.verb] ?? ANSWER_TIMEOUT_MS);
      void answer.then((text) => {
        clearTimeout(timer);
        resolve(text);
      });
    });
  }

  /** Never rejects, though a desk may that must not. */
  private async answerOf(body: RequestBody, by: string, reply: ReplyAddress): Promise<string> {
    const { numbers } = this.options.config;
    try {
      if (isAboutCalls(body)) return respond(reply, await this.submit(body, by), numbers);
      return respondOfBox(reply, await this.submitToBox(body, by), numbers);
    } catch (error) {
      this.options.logger.error("MQTT: a command failed", { verb: body.verb, fault: String(error) });
      return refuse(reply, { code: "internal", message: "a fault in Sidetone: see the box's log" });
    }
  }

  private submit(body: CommandBody, by: string): Promise<CommandResult> {
    return this.options.desk.submit({ body, by, source: "mqtt" });
  }

  private submitToBox(body: BoxCommandBody, by: string): Promise<BoxResult> {
    const wholeNumbers = this.options.config.numbers !== "full";
    return this.options.box.submit({ body, by, source: "mqtt", wholeNumbers });
  }

  private occupy(work: Promise<unknown>): void {
    this.underWay.add(work);
    void work.then(() => this.underWay.delete(work));
  }

  private answer({ verb, responseTopic, correlationData }: ReplyAddress, payload: string): void {
    const own = this.options.topics.response(verb);
    for (const topic of new Set([own, responseTopic ?? own])) {
      this.options.send({ topic, payload, isRetained: false, ...(correlationData && { correlationData }) });
    }
  }
}

function isAboutCalls(body: RequestBody): body is CommandBody {
  return (COMMAND_VERBS as readonly string[]).includes(body.verb);
}

function changesNothing(body: RequestBody): boolean {
  return isAboutCalls(body) ? body.verb === "calls" : isQuestion(body);
}
