// A hundred thousand calls listed page by page at the running service, while it hears new ones: none missed, none doubled, by time
// and in order of arrival. Whoever lists them is a client made of the OpenAPI document.
import { createSocket } from "node:dgram";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bearing, makeDocumentClient } from "../fakes/document-client.js";
import { generateCalls } from "../fakes/indexed-calls.js";
import { makeFolder, RunningProgram, readCallLog, removeFolder, runProgram } from "../fakes/program.js";
import { requestText, responseText, type SipRequest } from "../fakes/sip-messages.js";
import { liveTestObstacle } from "./veth-pair.js";

const obstacle = liveTestObstacle();
if (obstacle) console.log(`skipped: listing while calls arrive: ${obstacle}`);

const CALLS = 100_000;
const DAY_US = 86_400_000_000;
const CALLS_PER_SECOND = 50;
/** Some twenty seconds of one core, of a machine that others use as well. */
const PATIENCE_MS = 240_000;
/** Their Call-IDs: others may telephone over the loopback meanwhile. */
const OWN = "api-listing-";

interface Listed {
  id: string;
  sipCallIds: string[];
}
interface Page {
  calls: Listed[];
  next: string;
  resume?: string;
}

/** Calls that are refused at once, over the loopback, until `stop`. */
class RefusedCalls {
  readonly #socket = createSocket("udp4");
  #isStopped = false;
  #made = 0;
  #done: Promise<void> | undefined;

  start(): void {
    this.#done = this.#run();
  }

  /** How many there were. */
  async stop(): Promise<number> {
    this.#isStopped = true;
    await this.#done;
    this.#socket.close();
    return this.#made;
  }

  async #run(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.bind(0, "127.0.0.1", resolve));
    // Nobody listens there: who captures hears both sides from one socket all the same.
    const sink = createSocket("udp4").bind(0, "127.0.0.1");
    await new Promise((resolve) => sink.once("listening", resolve));
    const say = (text: string): void => this.#socket.send(text, sink.address().port, "127.0.0.1");
    while (!this.#isStopped) {
      const invite = inviteOf(++this.#made);
      say(requestText(invite));
      say(responseText(invite, { status: 486, toTag: "b" }));
      say(requestText({ ...invite, method: "ACK", to: { ...invite.to, tag: "b" } }));
      await wait(1000 / CALLS_PER_SECOND);
    }
    sink.close();
  }
}

function inviteOf(number: number): SipRequest {
  return {
    method: "INVITE",
    requestUri: "sip:21@127.0.0.1",
    via: [`127.0.0.1:5060;branch=z9hG4bK-${number}`],
    from: { uri: "sip:+4930123456@127.0.0.1", tag: `a${number}` },
    to: { uri: "sip:21@127.0.0.1" },
    callId: `${OWN}${number}`,
    cseq: 1,
  };
}

describe.skipIf(obstacle !== undefined)("100,000 calls while new ones arrive", () => {
  const data = makeFolder();
  const before = new Set<string>();
  let box: RunningProgram;
  let list: (query: { order?: string; cursor?: string }) => Promise<Page>;

  beforeAll(async () => {
    const days = new Map<string, string[]>();
    const firstUs = Date.now() * 1000 - 4 * DAY_US;
    for (const { line } of generateCalls({ seed: 5, count: CALLS, firstUs, spanUs: 3 * DAY_US })) {
      const day = line.startedAt.slice(0, 10);
      const silent = { ...line, noAudio: line.noAudio === "" ? "no-consent" : line.noAudio, file: "" };
      const lines = days.get(day) ?? [];
      lines.push(JSON.stringify(silent));
      days.set(day, lines);
      before.add(line.id);
    }
    mkdirSync(join(data, "calls"), { recursive: true });
    for (const [day, lines] of days) writeFileSync(join(data, "calls", `${day}.jsonl`), `${lines.join("\n")}\n`);
    expect((await runProgram(["reindex", "--data", data], { timeoutMs: PATIENCE_MS })).exitCode).toBe(0);
    const environment = { SIDETONE_API_PORT: "0", SIDETONE_API_REQUESTS_PER_MINUTE: "100000" };
    box = new RunningProgram(["--interface", "lo", "--data", data], { environment, timeoutMs: 2 * PATIENCE_MS });
    const [token, address] = await box.waitFor("the API", (stderr) => {
      const found = [/only now: (\S+)/.exec(stderr)?.[1], /(http:\/\/127\.0\.0\.1:\d+)/.exec(stderr)?.[1]];
      return found.every((text) => text !== undefined) ? found : undefined;
    });
    const { operations } = await makeDocumentClient(`${address}/api/v1`, bearing(token!));
    list = async (query) => {
      const { status, data } = await operations["listCalls"]!({ limit: 500, ...query });
      if (status !== 200) throw new Error(`${JSON.stringify(query)}: ${status} ${JSON.stringify(data)}`);
      return data as Page;
    };
    await box.waitFor("the capture", (stderr) => (stderr.includes("capturing") ? true : undefined));
  }, PATIENCE_MS);
  afterAll(async () => {
    box?.child.kill("SIGKILL");
    await box?.ended;
    removeFolder(data);
  });

  it(
    "misses none and doubles none",
    async () => {
      const traffic = new RefusedCalls();
      traffic.start();
      const byTime = await walk({});
      const arrived = await walk({ order: "arrival" });
      const own = await traffic.stop();
      expect(own).toBeGreaterThan(CALLS_PER_SECOND);

      expect(new Set(byTime.calls.map(({ id }) => id)).size).toBe(byTime.calls.length);
      expect([...before].filter((id) => !byTime.ids.has(id))).toEqual([]);
      expect([...before].filter((id) => !arrived.ids.has(id))).toEqual([]);

      // What came meanwhile, and what comes later, goes on where the walk has been.
      const isOwn = ({ sipCallIds }: Listed): boolean => sipCallIds.some((text) => text.startsWith(OWN));
      let resume = arrived.last.resume!;
      const all = [...arrived.calls];
      for (let i = 0; i < 200 && all.filter(isOwn).length < own; i++) {
        const page = await list({ order: "arrival", cursor: resume });
        all.push(...page.calls);
        resume = page.resume!;
        if (page.next === "") await wait(50);
      }
      expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
      expect(all.filter(isOwn).length).toBe(own);
      const stored = readCallLog(data).map(({ id }) => id);
      const listed = new Set(all.map(({ id }) => id));
      expect(stored.filter((id) => !listed.has(id))).toEqual([]);
    },
    PATIENCE_MS,
  );

  async function walk(query: { order?: string }) {
    const calls: Listed[] = [];
    let page = await list(query);
    calls.push(...page.calls);
    while (page.next !== "") {
      page = await list({ ...query, cursor: page.next });
      calls.push(...page.calls);
    }
    return { calls, ids: new Set<string>(calls.map(({ id }) => id)), last: page };
  }
});
