// Commands on their way to the engine: each gets one result, its own, whatever becomes of the engine.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EngineDesk } from "../../device/command-desk.js";
import type { CallCommand, CommandResult } from "../../device/contract/commands.js";
import type { ServiceToEngine } from "../../device/contract/engine-messages.js";

const ANSWER_MS = 5000;
const MOST_WAITING = 1024;
const COMMAND: CallCommand = { body: { verb: "calls" }, source: "api", by: "token front-desk" };
const DONE: CommandResult = { ok: true, calls: [] };
const REFUSED: CommandResult = { ok: false, error: "call-not-found", message: "there is no such call" };

let sent: Extract<ServiceToEngine, { type: "command" }>[];
let hasEngine: boolean;
let desk: EngineDesk;
beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  hasEngine = true;
  desk = new EngineDesk((message) => {
    if (!hasEngine) return false;
    if (message.type === "command") sent.push(message);
    return true;
  });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What the command has come to, once it has: to be looked at after time has passed. */
function submit(): { result: CommandResult | undefined } {
  const outcome: { result: CommandResult | undefined } = { result: undefined };
  void desk.submit(COMMAND).then((result) => {
    outcome.result = result;
  });
  return outcome;
}
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const unavailable = (message: RegExp) => ({
  ok: false,
  error: "engine-unavailable",
  message: expect.stringMatching(message),
});

describe("a command", () => {
  it("is handed to the engine as it is, and its result is the engine's", async () => {
    const outcome = submit();
    expect(sent).toEqual([{ type: "command", id: expect.any(Number), command: COMMAND }]);
    await pass(ANSWER_MS - 1);
    expect(outcome.result).toBeUndefined();
    desk.settle(sent[0]!.id, DONE);
    await pass(0);
    expect(outcome.result).toBe(DONE);
    await pass(2 * ANSWER_MS);
    expect(outcome.result).toBe(DONE);
  });

  it("gets its own result, in whatever order they come", async () => {
    const [first, second, third] = [submit(), submit(), submit()];
    const [one, two, three] = sent.map(({ id }) => id);
    desk.settle(three!, REFUSED);
    desk.settle(one!, DONE);
    await pass(0);
    expect([first.result, second.result, third.result]).toEqual([DONE, undefined, REFUSED]);
    desk.settle(two!, DONE);
    await pass(0);
    expect(second.result).toBe(DONE);
  });

  it("without an engine is refused at once", async () => {
    hasEngine = false;
    const outcome = submit();
    await pass(0);
    expect(outcome.result).toEqual(unavailable(/is being started: try again/));
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that the engine does not answer is given up, and an answer that comes too late is nobody's", async () => {
    const outcome = submit();
    await pass(ANSWER_MS);
    expect(outcome.result).toEqual(unavailable(/does not answer: try again/));
    const next = submit();
    desk.settle(sent[0]!.id, DONE);
    desk.settle(4711, DONE);
    await pass(0);
    expect(outcome.result).toMatchObject({ ok: false });
    expect(next.result).toBeUndefined();
  });

  it("is given up when the engine is lost, and the next engine's answers are for the next commands", async () => {
    const lost = [submit(), submit()];
    desk.abandon();
    await pass(0);
    for (const { result } of lost) expect(result).toEqual(unavailable(/was restarted: try again/));
    expect(vi.getTimerCount()).toBe(0);
    const next = submit();
    for (const { id } of sent.slice(0, 2)) desk.settle(id, REFUSED);
    desk.settle(sent[2]!.id, DONE);
    await pass(0);
    expect(next.result).toBe(DONE);
  });
});

describe("commands that wait", () => {
  it("are so many at most; further ones are refused and not sent, until there is room", async () => {
    const waiting = Array.from({ length: MOST_WAITING }, submit);
    const refused = submit();
    await pass(0);
    expect(refused.result).toEqual(unavailable(/too many commands/));
    expect(sent).toHaveLength(MOST_WAITING);
    expect(waiting.some(({ result }) => result !== undefined)).toBe(false);
    desk.settle(sent[7]!.id, DONE);
    const next = submit();
    expect(sent).toHaveLength(MOST_WAITING + 1);
    await pass(ANSWER_MS);
    expect([...waiting, next].every(({ result }) => result !== undefined)).toBe(true);
    expect(waiting[7]!.result).toBe(DONE);
  });
});
