// Commands that ask a box: what they send, what a person and a program are shown of the answer, and that nothing of what strangers
// wrote reaches a terminal as more than text.
import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StoredCall } from "../../../device/contract/api-recordings.js";
import { HEALTH_EXAMPLE } from "../../../device/contract/mqtt-requests.js";
import { HOST_EXIT, HostError } from "../../../host/errors.js";
import { type Answer, FakeBox, json, problem } from "./fake-box.js";
import { type HereResult, runHere } from "./host-kit.js";

const ID = "01JD7Q2Z3F8W5V9T6R4M1K0H2C";
const HOSTILE = "\x1b[2J\u202eevil\r\n=cmd|' /C calc'!A0";
const OBEYED = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

let box: FakeBox;
let environment: Record<string, string>;
let answers: Record<string, Answer>;
const bodies: unknown[] = [];
beforeEach(async () => {
  box = new FakeBox();
  environment = { SIDETONE_URL: (await box.start()).href, SIDETONE_TOKEN: "st_x" };
  answers = {};
  bodies.length = 0;
  box.answers((request, response, body) => {
    if (body !== "") bodies.push(JSON.parse(body));
    const path = request.url!.replace("/api/v1", "").replace(/\?.*/, "");
    (answers[path] ?? problem(404, "not-found"))(request, response, body);
  });
});
afterEach(() => box.stop());
const tool = (...argv: string[]): Promise<HereResult> => runHere(argv, { environment });
const lastQuery = () => Object.fromEntries(new URL(`http://x${box.requests.at(-1)!.split(" ")[1]!}`).searchParams);

function storedCall(number: string): StoredCall {
  const party = { name: HOSTILE, identifiedBy: "", recordedMs: 63_000 };
  return {
    id: ID as StoredCall["id"],
    sipCallIds: [HOSTILE],
    startedAt: "2026-11-21T09:00:00.000000Z",
    answeredAt: "",
    endedAt: "2026-11-21T09:01:03.000000Z",
    endReason: "bye",
    rejectStatus: 0,
    policy: "agent-only",
    outcome: "recorded",
    durationMs: 63_000,
    parties: [
      { ...party, role: "agent", side: "answerer", number: "21", consent: "not-required" },
      { ...party, role: "caller", side: "originator", number, consent: "granted" },
    ],
    acknowledgements: [],
    tags: ["vip"],
    warnings: [],
  };
}

describe("calls", () => {
  it("shows a page as a table, and where it goes on", async () => {
    answers["/calls"] = json({ calls: [storedCall("+4930123456")], next: "abc" });
    const { exitCode, stdout } = await tool(
      "calls",
      "--from",
      "2026-11-21",
      "--min-duration",
      "60",
      "--outcome",
      "recorded",
    );
    expect(exitCode).toBe(HOST_EXIT.ok);
    expect(lastQuery()).toEqual({
      from: "2026-11-21T00:00:00.000Z",
      minDurationMs: "60000",
      outcome: "recorded",
      limit: "50",
    });
    expect(stdout).toBe(
      `call                        began (UTC)          length  agent  others       consent  policy      outcome   tags
${ID}  2026-11-21 09:00:00    1:03  21     +4930123456  granted  agent-only  recorded  vip
There are more: the same again with --cursor abc, or with --all
`,
    );
  });

  it("is text on a terminal and the same value in JSON, whoever called", async () => {
    const call = storedCall(HOSTILE);
    answers["/calls"] = json({ calls: [call], next: "" });
    const [shown, told] = [await tool("calls"), await tool("calls", "--json")];
    expect(shown.stdout).not.toMatch(OBEYED);
    expect(shown.stdout).toContain("?[2J?evil??=cmd");
    expect(told.stdout).not.toMatch(OBEYED);
    expect(JSON.parse(told.stdout)).toEqual({ calls: [call], next: "" });
  });

  it("goes through all pages with --all, a line a call in JSON", async () => {
    const pages = [
      json({ calls: [storedCall("1"), storedCall("2")], next: "p2" }),
      json({ calls: [storedCall("3")], next: "" }),
    ];
    answers["/calls"] = (request, response, body) =>
      pages[request.url!.includes("cursor=p2") ? 1 : 0]!(request, response, body);
    const lines = (await tool("calls", "--all", "--json")).stdout.trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as StoredCall).parties[1]!.number)).toEqual(["1", "2", "3"]);
    expect((await tool("calls", "--all")).stdout.trim().split("\n")).toHaveLength(4);
    answers["/calls"] = json({ calls: [], next: "" });
    expect((await tool("calls", "--all")).stdout).toBe("No calls.\n");
  });

  it("ends with 130 when it is interrupted, and has printed what it had", async () => {
    const stop = new AbortController();
    answers["/calls"] = (request, response, body) => {
      const isSecond = request.url!.includes("cursor=p2");
      if (isSecond) stop.abort(new HostError("interrupted", "interrupted"));
      else json({ calls: [storedCall("1")], next: "p2" })(request, response, body);
    };
    const { exitCode, stdout, stderr } = await runHere(["calls", "--all", "--json"], {
      environment,
      signal: stop.signal,
    });
    expect([exitCode, stdout.split("\n").length]).toEqual([HOST_EXIT.interrupted, 2]);
    expect(JSON.parse(stderr)).toMatchObject({ error: "interrupted" });
  });

  it("shows those in progress", async () => {
    const parties = [
      { role: "agent", side: "answerer", number: "21", consent: "not-required", isRecorded: true },
      { role: "caller", side: "originator", number: HOSTILE, consent: "unknown", isRecorded: false },
    ];
    const call = {
      id: ID,
      sipCallIds: [],
      startedAt: "2026-11-21T09:00:00Z",
      answeredAt: "",
      policy: "agent-only",
      isPaused: true,
      parties,
    };
    answers["/calls/active"] = json({ calls: [call] });
    const { stdout } = await tool("calls", "--active");
    expect(stdout).toMatch(new RegExp(`^${ID}  2026-11-21 09:00:00  paused  21 .* unknown  agent-only  agent$`, "m"));
    expect(stdout).not.toMatch(OBEYED);
    answers["/calls/active"] = json({ calls: [] });
    expect((await tool("calls", "--active")).stdout).toBe("No calls in progress.\n");
  });

  it.each([
    ["--active", "--tag", "x"],
    ["--all", "--limit", "3"],
    ["--limit", "0"],
    ["--min-duration", "long"],
    ["--consent", "maybe"],
  ])("refuses %j and asks nothing", async (...argv) => {
    expect((await tool("calls", ...argv)).exitCode).toBe(HOST_EXIT.usage);
    expect(box.requests).toEqual([]);
  });
});

describe("consent, pause and resume", () => {
  it("send what was said", async () => {
    for (const path of [`/calls/${ID}/consent`, `/calls/${ID}/pause`, "/calls/resume-all"])
      answers[path] = json({ calls: [] });
    expect((await tool("consent", ID, "granted", "--reason", "said yes", "--party", "1")).exitCode).toBe(0);
    expect((await tool("pause", ID)).exitCode).toBe(0);
    expect((await tool("resume", "--all", "--reason", "over", "--json")).stdout).toBe('{"calls":[]}\n');
    expect(bodies).toEqual([{ effect: "granted", reason: "said yes", party: 1 }, { reason: "" }, { reason: "over" }]);
  });

  it("send nothing that is not whole, and no path that a call's id makes", async () => {
    expect((await tool("consent", ID, "granted")).stderr).toMatch(/--reason TEXT is missing/);
    expect((await tool("consent", ID, "grant", "--reason", "x")).stderr).toMatch(/did you mean granted\?/);
    expect((await tool("pause")).exitCode).toBe(HOST_EXIT.usage);
    expect((await tool("pause", ID, "--all")).exitCode).toBe(HOST_EXIT.usage);
    expect(box.requests).toEqual([]);
    expect((await tool("pause", "../../x")).exitCode).toBe(HOST_EXIT.refused);
    expect(box.requests).toEqual(["POST /api/v1/calls/..%2F..%2Fx/pause"]);
  });

  it("say what the box says against it", async () => {
    answers[`/calls/${ID}/consent`] = problem(403, "not-allowed");
    const { exitCode, stderr } = await tool("consent", ID, "granted", "--reason", "x", "--json");
    expect(exitCode).toBe(HOST_EXIT.unauthorised);
    expect(JSON.parse(stderr)).toMatchObject({ error: "unauthorised", problem: "not-allowed" });
  });
});

const span = {
  at: "2026-11-21T09:00:00Z",
  state: "fail",
  checks: [
    { id: "link", state: "pass", figure: "up, 1000 Mbit/s", findings: [] },
    {
      id: "sip-directions",
      state: "fail",
      figure: "1 of 2",
      findings: [{ code: "sip-one-way", figure: `10.0.0.7 ${HOSTILE}`, remedy: "Mirror both directions." }],
    },
    { id: "of-tomorrow", state: "not-seen", figure: "?", findings: [] },
  ],
  endpoints: [{ address: "10.0.0.7", kind: "agent", evidence: HOSTILE, calls: 3, sipPeers: 1, lastAtUs: 0 }],
};

describe("doctor", () => {
  it("shows checks, remedies and endpoints, and ends with 5 when a check fails", async () => {
    answers["/span"] = json(span);
    const { exitCode, stdout } = await tool("doctor");
    expect(exitCode).toBe(HOST_EXIT.unproved);
    expect(stdout).toContain("PASS      the capture port is up and has a link: up, 1000 Mbit/s\n");
    expect(stdout).toContain("FAIL      SIP is seen in both directions: 1 of 2\n");
    expect(stdout).toContain("          > Mirror both directions.\n");
    expect(stdout).toContain("NOT SEEN  of-tomorrow: ?\n");
    expect(stdout).toContain("1 pass, 0 warn, 1 fail, 1 not seen yet\n");
    expect(stdout).not.toMatch(OBEYED);
    expect(JSON.parse((await tool("doctor", "--json")).stdout)).toEqual({ schema: "sidetone.span/1", ...span });
    answers["/span"] = json({ ...span, state: "warn" });
    expect((await tool("doctor")).exitCode).toBe(HOST_EXIT.ok);
  });
});

describe("status", () => {
  const pem = generateKeyPairSync("ed25519").publicKey.export({ format: "pem", type: "spki" }).toString();
  const info = {
    device: HOSTILE,
    version: "0.1.0",
    at: new Date().toISOString(),
    publicKey: { pem, sha256: "" },
    tls: null,
  };
  const alarm = {
    code: "disk-full",
    severity: "critical",
    title: "Disk full",
    remedy: "Free space.",
    since: "2026-11-21T09:00:00Z",
    count: 1,
    detail: {},
  };

  it("tells what there is", async () => {
    answers = {
      "/info": json(info),
      "/box": json(HEALTH_EXAMPLE),
      "/alarms": json({ standing: [alarm], past: [] }),
      "/span": json(span),
    };
    const { exitCode, stdout } = await tool("status");
    expect(exitCode).toBe(HOST_EXIT.ok);
    expect(stdout).not.toMatch(OBEYED);
    expect(stdout).toMatch(/Sidetone 0\.1\.0 {2}http:/);
    expect(stdout).toMatch(/^up .* calls in progress/m);
    expect(stdout).toMatch(/^CRITICAL {2}Disk full \(disk-full\) since 2026-11-21 09:00:00\n {10}> Free space\./m);
    expect(stdout).toMatch(/^mirror port: .*\(sip-one-way\): sidetone doctor/m);
    expect(stdout).not.toContain("clock:");
    expect(JSON.parse((await tool("status", "--json")).stdout)).toMatchObject({
      health: HEALTH_EXAMPLE,
      span,
      info: { version: "0.1.0" },
    });
  });

  it("does without what the box does not tell, and says when its clock is wrong", async () => {
    answers = {
      "/info": json({ ...info, at: new Date(Date.now() + 3_600_000).toISOString() }),
      "/alarms": problem(403, "right-missing"),
    };
    const { exitCode, stdout } = await tool("status");
    expect([exitCode, stdout.split("\n").length]).toEqual([HOST_EXIT.ok, 3]);
    expect(stdout).toMatch(/^clock: .* there, (?:59 min|1 h 0 min) ahead of here$/m);
  });

  it("never takes an answer that it does not understand for one that says that all is well", async () => {
    answers = { "/info": json(info), "/alarms": json({ alarms: [alarm] }) };
    const { exitCode, stderr } = await tool("status");
    expect([exitCode, stderr]).toEqual([
      HOST_EXIT.refused,
      expect.stringContaining("about its alarms is not understood"),
    ]);
    answers["/span"] = json({ state: "pass", checks: [null] });
    expect((await tool("doctor")).exitCode).toBe(HOST_EXIT.refused);
  });

  it("is an error when the box does not know the token", async () => {
    answers = { "/info": problem(401, "token-invalid") };
    expect((await tool("status")).exitCode).toBe(HOST_EXIT.unauthorised);
  });
});
