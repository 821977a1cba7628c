// What `sidetone watch` makes of what it is told: the picture within its size and safe whatever strangers wrote, the lines for a
// program that reads slowly, and a box asked by its API that goes away and comes back.
import { afterEach, describe, expect, it } from "vitest";
import { MQTT_TOPICS } from "../../../device/contract/mqtt-topics.js";
import { BoxClient } from "../../../host/client.js";
import { HOST_EXIT } from "../../../host/errors.js";
import { Output } from "../../../host/output.js";
import { columnsOf } from "../../../host/safe-text.js";
import { watchBox } from "../../../host/watch/box-source.js";
import { WatchLines } from "../../../host/watch/lines.js";
import type { WatchMessage } from "../../../host/watch/message.js";
import { WatchView } from "../../../host/watch/view.js";
import { waitUntil } from "../../fakes/office-program.js";
import { FakeBox, json, problem } from "./fake-box.js";
import { runHere } from "./host-kit.js";

const plain = (_colour: string, text: string): string => text;
const HOSTILE = "\x1b[2J\u202e\r\n\u0007x";
const OBEYED = /[\p{Cc}\p{Cf}]/u;
const ID = "01JD7Q2Z3F8W5V9T6R4M1K0H2C";

function fed(messages: Partial<WatchMessage>[]): WatchView {
  const view = new WatchView();
  for (const message of messages)
    view.message({ device: "office-1", topic: "", payload: undefined, isRetained: true, ...message });
  return view;
}
const shown = (view: WatchView, width = 200, height = 50): string => view.lines(width, height, plain).join("\n");

describe("the picture", () => {
  it("shows everything that a box publishes, as the reference has it", () => {
    const view = fed(
      MQTT_TOPICS.map(({ topic, example }) => ({ topic: topic.replace("<code>", "no-agents"), payload: example })),
    );
    const text = shown(view);
    expect(text).toMatch(
      /^office-1 {2}offline {2}Sidetone 0\.1\.0 {2}up .* 3 calls {2}\d+ packets\/s {2}disk ok, 113 days left {2}mirror port fail$/m,
    );
    expect(text).toMatch(/^ {2}\S+ +.* \(no-agents\) since 2026-11-28T09:00:00$/m);
    expect(text).toContain(`09:00:00 office-1 consent ${ID} caller unknown -> granted (caller pressed 1)`);
    expect(text).toContain(`09:00:00 office-1 pause ${ID} paused card data (mqtt client node-red-7)`);
    expect(text).toContain(`09:00:00 office-1 call ${ID} started (token front-desk)`);
  });

  it("takes away what is over: an alarm that was emptied, calls that ended, and all that stood before the broker was gone", () => {
    const alarm = { topic: "alarm/disk-full", payload: { severity: "critical", title: "Disk full", since: "" } };
    const call = {
      id: ID,
      startedAt: "2026-11-28T09:00:00Z",
      answeredAt: "x",
      policy: "none",
      isPaused: false,
      parties: [{ role: "agent", consent: "not-required" }],
    };
    const view = fed([alarm, { topic: "calls/active", payload: { calls: [call] } }]);
    expect(shown(view)).toMatch(/CRITICAL {2}Disk full[\s\S]*talking/);
    view.message({ device: "office-1", topic: "alarm/disk-full", payload: undefined, isRetained: false });
    view.message({ device: "office-1", topic: "calls/active", payload: { calls: [] }, isRetained: false });
    expect(shown(view)).not.toMatch(/Disk full|talking/);
    view.message({ device: "office-1", ...alarm, isRetained: true });
    view.lost("the broker is gone");
    expect(shown(view)).toMatch(/^the broker is gone\noffice-1[\s\S]*Disk full/);
    view.connected();
    expect(shown(view)).not.toMatch(/Disk full|gone/);
  });

  it("is within its size and obeys nobody, whatever is published", () => {
    const wrong: unknown[] = [null, 7, [], HOSTILE, { state: { a: 1 }, active: "x", calls: [null, 3, {}], parties: 9 }];
    const texts = {
      state: HOSTILE,
      severity: HOSTILE,
      title: HOSTILE,
      by: HOSTILE,
      call: HOSTILE,
      version: HOSTILE,
      level: HOSTILE,
      at: HOSTILE,
    };
    const topics = [
      "state",
      "info",
      "health",
      "calls",
      "calls/active",
      "disk",
      "span",
      `alarm/${HOSTILE}`,
      `event/${HOSTILE}`,
      "event/consent",
      "x/y/z",
      "",
    ];
    const view = new WatchView();
    for (const topic of topics)
      for (const payload of [
        ...wrong,
        texts,
        { calls: [{ ...texts, id: HOSTILE, parties: [{ role: HOSTILE, number: HOSTILE, consent: 3 }] }] },
      ])
        for (const device of ["office-1", HOSTILE, "\u5f20".repeat(100)])
          view.message({ device, topic, payload, isRetained: false });
    view.lost(HOSTILE);
    for (const [width, height] of [
      [200, 60],
      [79, 23],
      [20, 5],
      [1, 1],
    ] as const) {
      const lines = view.lines(width, height, plain);
      expect(lines.length).toBeLessThanOrEqual(height);
      for (const line of lines)
        expect([line, OBEYED.test(line), columnsOf(line) <= Math.max(width, 1)]).toEqual([line, false, true]);
    }
  });

  it("holds a bounded number of everything", () => {
    const view = new WatchView();
    for (let i = 0; i < 1000; i++) {
      view.message({ device: `d${i}`, topic: "state", payload: { state: "online" }, isRetained: true });
      view.message({ device: "d0", topic: `alarm/a${i}`, payload: { severity: "error" }, isRetained: true });
      view.message({ device: "d0", topic: "event/pause", payload: { call: `c${i}` }, isRetained: false });
    }
    view.message({
      device: "d0",
      topic: "calls/active",
      payload: { calls: new Array(10_000).fill({ id: ID }) },
      isRetained: false,
    });
    expect(view.dropped).toBe(936 + 936 + 9500);
    expect(view.lines(200, 100_000, plain).length).toBeLessThan(1000);
  });
});

describe("the lines", () => {
  it("wait for a reader that is slow, and lose the oldest of too many", () => {
    const written: string[] = [];
    let drained: (() => void) | undefined;
    let isFast = false;
    const stdout = {
      write: (text: string) => written.push(text) > 0 && isFast,
      once: (_event: "drain", listener: () => void) => {
        drained = listener;
      },
    };
    const lines = new WatchLines(new Output({ stdout, stderr: stdout, environment: {}, isJson: true }));
    const say = (n: number) => lines.message({ device: "b", topic: "calls", payload: { n }, isRetained: false });
    for (let n = 0; n < 10_050; n++) say(n);
    expect([written.length, lines.dropped]).toEqual([1, 49]);
    isFast = true;
    drained!();
    expect(written).toHaveLength(10_001);
    expect(JSON.parse(written[1]!)).toMatchObject({ topic: "calls", payload: { n: 50 }, retained: false });
  });
});

describe("a box asked by its API", () => {
  const boxes: FakeBox[] = [];
  afterEach(async () => {
    for (const box of boxes.splice(0)) await box.stop();
  });

  it("tells what has changed, and its events as they come", async () => {
    const box = new FakeBox();
    boxes.push(box);
    const url = await box.start();
    let isAlarming = true;
    box.answers((request, response, body) => {
      const path = request.url!.replace("/api/v1", "");
      if (path === "/events") {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write('id: 1\nevent: consent\ndata: {"call":"x"}\n\n');
        return;
      }
      const alarm = { code: "disk-full", severity: "critical" };
      const answers: Record<string, unknown> = {
        "/info": { device: "office-1", version: "1" },
        "/calls/active": { calls: [] },
        "/alarms": { standing: isAlarming ? [alarm] : [], past: [] },
      };
      const answer = answers[path];
      (answer === undefined ? problem(404, "not-found") : json(answer))(request, response, body);
      if (path === "/alarms") isAlarming = false;
    });
    const seen: string[] = [];
    const stop = new AbortController();
    const client = new BoxClient({ url, token: "t", trust: { kind: "plain" } });
    const listener = {
      message: ({ topic, payload }: WatchMessage) =>
        void seen.push(`${topic} ${payload === undefined ? "over" : "is"}`),
      connected: () => void seen.push("connected"),
      lost: () => {},
    };
    const watching = watchBox({ client, listener, callsEveryMs: 20 }, stop.signal);
    await waitUntil("the alarm's end", () => seen.includes("alarm/disk-full over") || undefined);
    await waitUntil("the event", () => seen.includes("event/consent is") || undefined);
    stop.abort();
    await watching;
    client.close();
    expect(seen.filter((line) => line !== "event/consent is")).toEqual([
      ...["connected", "info is", "state is", "calls/active is", "alarm/disk-full is", "alarm/disk-full over"],
    ]);
  });

  it("ends at once with what does not go by waiting", async () => {
    const box = new FakeBox();
    boxes.push(box);
    const url = await box.start();
    box.answers(problem(401, "token-invalid"));
    const environment = { SIDETONE_URL: url.href, SIDETONE_TOKEN: "x" };
    expect((await runHere(["watch"], { environment })).exitCode).toBe(HOST_EXIT.unauthorised);
    expect((await runHere(["watch", "--user", "x"], { environment })).exitCode).toBe(HOST_EXIT.usage);
    expect((await runHere(["watch", "--broker", "ftp://x"], { environment })).exitCode).toBe(HOST_EXIT.usage);
    expect((await runHere(["watch", "--broker", "x", "--device", "a/b"], { environment })).exitCode).toBe(
      HOST_EXIT.usage,
    );
    const open = await runHere(["watch", "--broker", "192.0.2.1", "--user", "x"], {
      environment: { SIDETONE_BROKER_PASSWORD: "p" },
    });
    expect([open.exitCode, open.stderr]).toEqual([HOST_EXIT.untrusted, expect.stringContaining("--plain")]);
  });
});
