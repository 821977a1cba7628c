// Every source of consent by real signalling, in one run of the recorder with all of them switched on: SIPp's phones say
// it by keys, headers and session descriptions, curl and mosquitto_pub by command, `sidetoned register` puts it on file.
// Callers speak a tone of its own in each state of their consent, so that the recording itself tells what was taken.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuditEntry } from "../../device/contract/audit.js";
import type { ActiveCall } from "../../device/contract/commands.js";
import type { CallLogLine, ManifestParty } from "../../device/contract/manifest.js";
import type { EventPlace, MqttEvents, MqttResponse } from "../../device/contract/mqtt.js";
import { ConsentOffice, type ConsentRecording } from "../fakes/consent-office.js";
import { PROXY_ADDRESS, PROXY_HOST } from "../fakes/kamailio.js";
import { mosquittoObstacle } from "../fakes/mosquitto.js";
import { countSockets, waitUntil } from "../fakes/office-program.js";
import { readCallLog } from "../fakes/program.js";
import type { AgentScript } from "../fakes/sipp-agent.js";
import type { CallerScript } from "../fakes/sipp-caller.js";
import { keyInInfo, Prompter, type TalkPiece, writeTalk } from "../fakes/sipp-consent.js";
import { SippParties } from "../fakes/sipp-party.js";
import type { ScriptDescription } from "../fakes/sipp-script.js";
import { toneSpans } from "../fakes/tone-spans.js";
import { officeObstacle, only } from "./heard.js";
import { agentOf, callerOf, makeStages, type Scenario, type Stage } from "./scenario-office.js";

const obstacle = officeObstacle(["kamailio", "sipp", "curl"]) ?? mosquittoObstacle();
if (obstacle) console.log(`skipped: sources of consent: ${obstacle}`);

const AGENTS = "10.77.1.0/24";
const AGENT_HZ = 440;
/** What callers speak: before anybody was asked, with consent, after a withdrawal, within a pause. Far from keys' tones. */
const BEFORE_HZ = 1000;
const GRANTED_HZ = 1800;
const WITHDRAWN_HZ = 2400;
const PAUSED_HZ = 3000;
const CALLER_TONES_HZ = [BEFORE_HZ, GRANTED_HZ, WITHDRAWN_HZ, PAUSED_HZ];

const PHASE_MS = 800;
const GRANTED_MS = 1600;
/** What SIPp may have under way when it falls silent. */
const SETTLE_MS = 150;
/** A capture that began late is played to its end all the same. */
const PLAY_MARGIN_MS = 1000;
const SETUP_MS = 240_000;
const CALL_TIMEOUT_S = 100;
const PATIENCE_MS = 60_000;
/** From the command's end until a call in progress is what the register says. */
const REGISTER_WITHIN_MS = 15_000;

const GRANT = "1";
const WITHDRAW = "2";
const HEADER = "X-Recording-Consent";
/** SIPp plays captures from this port. */
const PLAYED: ScriptDescription = { port: "[media_port]", hasKeys: true };
const SIPP_KEYS = "/usr/share/sip-tester";

const stages = makeStages([
  "events",
  "keypad",
  "tones",
  "info",
  "header",
  "preference",
  "always",
  "never",
  "filed",
  "unagreed",
  "unheard",
  "http",
  "mqtt",
  "register",
]);
const stageOf = (name: string): Stage => stages.get(name)!;
const UNAGREED = ["unagreed", "unheard"];

/** Audio and keys of a caller who grants and withdraws in one stream, and of an agent who presses the same all the time. */
const callerTalk = (key: (key: string) => TalkPiece): TalkPiece[] => [
  { toneHz: BEFORE_HZ, durationMs: 1500 },
  key(GRANT),
  { toneHz: GRANTED_HZ, durationMs: 2000 },
  key(WITHDRAW),
  { toneHz: WITHDRAWN_HZ, durationMs: PHASE_MS },
];
const agentTalk = (key: (key: string) => TalkPiece): TalkPiece[] =>
  [GRANT, WITHDRAW, GRANT, WITHDRAW, GRANT, WITHDRAW, GRANT, WITHDRAW].flatMap((pressed): TalkPiece[] => [
    { toneHz: AGENT_HZ, durationMs: 400 },
    key(pressed),
  ]);

function playedCall(stage: Stage, folder: string, key: (key: string) => TalkPiece): Scenario {
  const own = writeTalk(folder, `${stage.name}-caller`, callerTalk(key));
  const theirs = writeTalk(folder, `${stage.name}-agent`, agentTalk(key));
  return {
    caller: callerOf(stage)
      .invite({ sdp: PLAYED })
      .receive(200)
      .acknowledge()
      .playFile(own.file)
      .pause(own.durationMs + PLAY_MARGIN_MS)
      .request("BYE")
      .receive(200),
    agents: [
      agentOf(stage)
        .receiveInvite()
        .ring()
        .answer("200 OK", { sdp: PLAYED })
        .receiveRequest("ACK")
        .playFile(theirs.file)
        .receiveRequest("BYE")
        .respond("200 OK"),
    ],
  };
}

/** The key as SIPp's own capture of a telephone has it, in a stream of its own; or one that we wrote. */
function keyCapture(folder: string, key: string): string {
  const theirs = join(SIPP_KEYS, `dtmf_2833_${key}.pcap`);
  return existsSync(theirs) ? theirs : writeTalk(folder, `key-${key}`, [{ key }]).file;
}

/** A caller who is silent and waits while somebody else acts, after each of the tones but the last. */
function promptedCaller(stage: Stage, ...tonesHz: readonly number[]): CallerScript {
  const script = callerOf(stage).invite().receive(200).acknowledge();
  for (const [i, toneHz] of tonesHz.entries()) {
    speakFor(script, toneHz, toneHz === GRANTED_HZ ? GRANTED_MS : PHASE_MS);
    if (i < tonesHz.length - 1) script.untilPrompted(promptFile(stage, i));
  }
  return script.hangUp();
}

const promptFile = ({ name }: Stage, index: number): string => `${name}-waits-${index}`;

function speakFor<Script extends CallerScript | AgentScript>(
  script: Script,
  toneHz: number,
  durationMs: number,
): Script {
  script.speak("PCMA", toneHz).speakAgain().pause(durationMs).quiet().pause(SETTLE_MS);
  return script;
}

const plainAgent = (stage: Stage): AgentScript[] => [agentOf(stage).take().untilHungUp()];

const SCENARIOS: Record<string, (stage: Stage, folder: string) => Scenario> = {
  events: (stage, folder) => playedCall(stage, folder, (key) => ({ key })),
  tones: (stage, folder) => playedCall(stage, folder, (keyTones) => ({ keyTones })),
  keypad: (stage, folder) => {
    const talk = (name: string, toneHz: number, durationMs: number) =>
      writeTalk(folder, `keypad-${name}`, [{ toneHz, durationMs }]);
    const script = callerOf(stage).invite({ sdp: PLAYED }).receive(200).acknowledge();
    const play = ({ file, durationMs }: ReturnType<typeof talk>) => script.playFile(file).pause(durationMs + 300);
    play(talk("before", BEFORE_HZ, PHASE_MS));
    script.playFile(keyCapture(folder, GRANT)).pause(500);
    play(talk("granted", GRANTED_HZ, GRANTED_MS));
    script.playFile(keyCapture(folder, WITHDRAW)).pause(500);
    play(talk("withdrawn", WITHDRAWN_HZ, PHASE_MS));
    return { caller: script.request("BYE").receive(200), agents: plainAgent(stage) };
  },
  info: (stage) => {
    const caller = callerOf(stage).call().receiveRequest("INFO").respond("200 OK").pause(PHASE_MS).quiet();
    caller.pause(SETTLE_MS).request("INFO", keyInInfo(GRANT)).receive(200);
    caller.speak("PCMA", GRANTED_HZ).speakAgain().receiveRequest("INFO").respond("200 OK").pause(PHASE_MS).quiet();
    caller.pause(SETTLE_MS).request("INFO", keyInInfo(WITHDRAW)).receive(200);
    const agent = agentOf(stage).take().pause(300).request("INFO", keyInInfo(GRANT)).receive(200);
    agent.receiveRequest("INFO").respond("200 OK").pause(PHASE_MS).request("INFO", keyInInfo(WITHDRAW)).receive(200);
    agent.receiveRequest("INFO").respond("200 OK");
    return { caller: speakFor(caller, WITHDRAWN_HZ, PHASE_MS).hangUp(), agents: [agent.untilHungUp()] };
  },
  header: (stage) => {
    const caller = callerOf(stage).invite().receive(200).acknowledge();
    speakFor(caller, GRANTED_HZ, GRANTED_MS);
    caller.request("INFO", { headers: [`${HEADER}: withdrawn`] }).receive(200);
    speakFor(caller, WITHDRAWN_HZ, PHASE_MS);
    caller
      .request("INVITE", { sdp: {}, headers: [`${HEADER}: granted`] })
      .receive(200)
      .acknowledge();
    speakFor(caller, GRANTED_HZ, GRANTED_MS);
    const agent = agentOf(stage).take({ sdp: {}, headers: [`${HEADER}: granted`] });
    agent.receiveRequest("INFO").respond("200 OK");
    agent.receiveRequest("INVITE").respond("200 OK", { sdp: {} }).receiveRequest("ACK");
    return { caller: caller.hangUp(), agents: [agent.untilHungUp()] };
  },
  preference: (stage) => ({
    caller: callerOf(stage)
      .call({ sdp: { attributes: ["a=recordpref:off"] }, headers: [`${HEADER}: granted`] })
      .pause(GRANTED_MS)
      .hangUp(),
    agents: plainAgent(stage),
  }),
  always: (stage) => {
    const caller = callerOf(stage).invite().receive(200).acknowledge();
    speakFor(caller, GRANTED_HZ, GRANTED_MS).request("INFO", keyInInfo(WITHDRAW)).receive(200);
    const agent = agentOf(stage).take().receiveRequest("INFO").respond("200 OK");
    return { caller: speakFor(caller, WITHDRAWN_HZ, PHASE_MS).hangUp(), agents: [agent.untilHungUp()] };
  },
  never: (stage) => ({
    caller: callerOf(stage)
      .call({ headers: [`${HEADER}: granted`] })
      .pause(GRANTED_MS)
      .hangUp(),
    agents: plainAgent(stage),
  }),
  filed: (stage) => ({
    caller: speakFor(callerOf(stage).invite().receive(200).acknowledge(), GRANTED_HZ, GRANTED_MS).hangUp(),
    agents: plainAgent(stage),
  }),
  unagreed: (stage) => ({
    caller: speakFor(callerOf(stage).invite().receive(200).acknowledge(), GRANTED_HZ, GRANTED_MS).hangUp(),
    agents: [
      agentOf(stage)
        .take({ sdp: {}, headers: [`${HEADER}: granted`] })
        .untilHungUp(),
    ],
  }),
  unheard: (stage) => ({ caller: callerOf(stage).call().pause(PHASE_MS).hangUp(), agents: plainAgent(stage) }),
  http: (stage) => ({
    caller: promptedCaller(stage, BEFORE_HZ, GRANTED_HZ, PAUSED_HZ, GRANTED_HZ, WITHDRAWN_HZ),
    agents: plainAgent(stage),
  }),
  mqtt: (stage) => ({
    caller: promptedCaller(stage, BEFORE_HZ, GRANTED_HZ, PAUSED_HZ, GRANTED_HZ, WITHDRAWN_HZ),
    agents: plainAgent(stage),
  }),
  register: (stage) => ({
    caller: promptedCaller(stage, BEFORE_HZ, GRANTED_HZ, WITHDRAWN_HZ),
    agents: plainAgent(stage),
  }),
};

/** What is done while a caller waits; gets its Call-ID. */
type Act = (sipCallId: string) => Promise<void>;

describe.skipIf(obstacle !== undefined)("sources of consent", () => {
  const office = new ConsentOffice("consent", {
    [PROXY_HOST]: [PROXY_ADDRESS],
    callers: [...stages.values()].map(({ caller }) => caller.address),
    agents: [...stages.values()].map(({ agents }) => agents[0]!.address),
  });
  let secret: string;
  let recordings: ConsentRecording[];
  let calls: CallLogLine[];
  /** Answers to the commands in their order, by stage. */
  const answers = new Map<string, unknown[]>();

  beforeAll(async () => {
    await office.open({
      agents: { match: [AGENTS], register: "required" },
      consent: {
        notice: "notice-7",
        dtmf: { granted: GRANT, refused: "3", withdrawn: WITHDRAW, tones: true },
        numbers: { always: [stageOf("always").caller.user], never: [stageOf("never").caller.user] },
      },
    });
    await fileAgents();
    await office.startRecorder();
    secret = (await office.sidetoned("token", "create", "front-desk", "--rights", "see,command")).stdout.trim();
    await grantOnFile(stageOf("filed"));
    await waitUntil("the service to notice", () => hasEntered("registers/consent.jsonl") || undefined);
    await playAll();
    await office.close(stages.size);
    recordings = office.recordings();
    calls = readCallLog(office.data);
  }, SETUP_MS);
  afterAll(() => office.remove(), SETUP_MS);

  function audited(kind: AuditEntry["kind"], id?: string): AuditEntry[] {
    return office.auditEntries().filter((entry) => entry.kind === kind && (id === undefined || entry.call === id));
  }

  function hasEntered(file: string): boolean {
    return audited("register").some(({ detail }) => detail["file"] === file);
  }

  async function fileAgents(): Promise<void> {
    const agreed = [...stages.values()].filter(({ name }) => !UNAGREED.includes(name));
    const rows = agreed.map(({ agents }) => `${agents[0]!.user},2026-01-01,works agreement\n`);
    const file = join(office.folder, "agents.csv");
    writeFileSync(file, `agent,agreedAt,to\n${rows.join("")}`);
    await office.sidetoned("register", "agents", "import", file);
  }

  function grantOnFile({ caller }: Stage) {
    return office.sidetoned("register", "consent", "grant", caller.user, "--purpose", "recording", "--source", "form");
  }

  async function playAll(): Promise<void> {
    const parties = new SippParties(office.network, office.folder, CALL_TIMEOUT_S);
    const scenarios = [...stages.values()].map((stage) => ({
      stage,
      scenario: SCENARIOS[stage.name]!(stage, office.folder),
    }));
    await parties.register(
      "agents",
      scenarios.map(({ stage: { agents } }) => agents[0]!),
    );
    const running = scenarios.map(({ stage, scenario }) =>
      parties.agent("agents", stage.agents[0]!.address, scenario.agents[0]!),
    );
    await waitUntil("the agents to listen", async () =>
      (await countSockets(office.network, "agents", 5060)) >= running.length ? true : undefined,
    );
    for (const { stage, scenario } of scenarios)
      running.push(parties.caller("callers", stage.caller.address, stage.name, scenario.caller));
    const prompter = new Prompter(office.network, "callers", office.folder);
    running.push(drive(prompter, "http", overHttp()));
    running.push(drive(prompter, "mqtt", overMqtt()));
    running.push(drive(prompter, "register", onFile()));
    await Promise.all(running);
  }

  async function drive(prompter: Prompter, name: string, acts: readonly Act[]): Promise<void> {
    const stage = stageOf(name);
    for (const [i, act] of acts.entries()) {
      const sipCallId = await prompter.waitFor(promptFile(stage, i), PATIENCE_MS);
      await act(sipCallId);
      prompter.prompt(stage.caller.address, sipCallId);
    }
  }

  function keepAnswer(name: string, answer: unknown): void {
    answers.set(name, [...(answers.get(name) ?? []), answer]);
  }

  async function activeCall(sipCallId: string): Promise<ActiveCall> {
    const { status, body } = await office.ask("/calls/active", secret);
    expect(status).toBe(200);
    return only((body as { calls: ActiveCall[] }).calls.filter(({ sipCallIds }) => sipCallIds.includes(sipCallId)));
  }

  function overHttp(): Act[] {
    const post =
      (path: string, body: object): Act =>
      async (sipCallId) => {
        const { id } = await activeCall(sipCallId);
        keepAnswer("http", await office.ask(`/calls/${id}/${path}`, secret, body));
      };
    return [
      post("consent", { effect: "granted", reason: "said yes" }),
      post("pause", { reason: "card" }),
      post("resume", {}),
      post("consent", { effect: "withdrawn", reason: "said no" }),
    ];
  }

  function overMqtt(): Act[] {
    const topic = "desk/answers";
    const who = ["-D", "publish", "user-property", "client", "node-red-7"];
    const { user } = stageOf("mqtt").agents[0]!;
    const ask =
      (place: number, verb: string, body: object): Act =>
      async (sipCallId) => {
        const own = ["-D", "publish", "response-topic", topic, "-D", "publish", "correlation-data", `c-${place}`];
        office.request(verb, { call: verb === "consent" ? { sipCallId } : { agent: user }, ...body }, ...own, ...who);
        keepAnswer("mqtt", await office.subscriber.next(topic, place));
      };
    return [
      ask(0, "consent", { effect: "granted", reason: "said yes" }),
      ask(1, "pause", { reason: "card" }),
      ask(2, "resume", {}),
      ask(3, "consent", { effect: "withdrawn", reason: "said no" }),
    ];
  }

  function onFile(): Act[] {
    const stage = stageOf("register");
    const waitForConsent = async (sipCallId: string, consent: string) => {
      await waitUntil(
        `the caller's consent to be ${consent}`,
        async () => (callerIn(await activeCall(sipCallId)).consent === consent ? true : undefined),
        REGISTER_WITHIN_MS,
      );
    };
    return [
      async (sipCallId) => {
        await grantOnFile(stage);
        await waitForConsent(sipCallId, "granted");
      },
      async (sipCallId) => {
        await office.sidetoned("register", "consent", "revoke", stage.caller.user, "--source", "called us");
        await waitForConsent(sipCallId, "withdrawn");
      },
    ];
  }

  function recordingOf(name: string): ConsentRecording {
    return only(recordings.filter(({ manifest }) => manifest.sipCallIds[0]!.startsWith(`${name}-`)));
  }

  /** Manifest, audit chain and MQTT say the same about the caller; "unknown>granted dtmf: caller pressed 1". */
  function changesOf({ manifest }: ConsentRecording): string[] {
    const caller = manifest.parties.findIndex(({ role }) => role === "caller");
    const { side } = manifest.parties[caller]!;
    const told = manifest.ledger.map(({ at, party, purpose, from, to, source, by, notice }) => {
      expect([party, purpose, notice]).toEqual([caller, "recording", "notice-7"]);
      return { at, side, role: "caller", purpose, from, to, source, by, notice };
    });
    const entered = audited("consent", manifest.id);
    expect(entered.map(({ packetAt, detail }) => ({ at: packetAt, ...detail }))).toEqual(told);
    for (const { actor, detail } of entered)
      expect(actor).toBe(["api", "mqtt"].includes(detail["source"] as string) ? detail["by"] : "engine");
    const events = office.subscriber
      .on(office.topic("event/consent"))
      .map(({ payload }) => JSON.parse(payload) as MqttEvents["consent"] & EventPlace)
      .filter(({ call }) => call === manifest.id);
    // An entry's id may look like a telephone number, which nobody gets to see over MQTT.
    const published = (by: string) => by.replace(/^(register entry) .*/, "$1");
    const places = events.map(({ seq }) => seq);
    expect(places).toEqual([...new Set(places)].toSorted((a, b) => a - b));
    expect(events.map(({ seq: _, ...event }) => ({ ...event, by: published(event.by) }))).toEqual(
      told.map((change) => ({ ...change, by: published(change.by), call: manifest.id })),
    );
    // What granted is what opened the caller's spans.
    const grants = manifest.ledger.filter(({ to }) => to === "granted").map(({ evidence }) => evidence);
    expect(new Set(callerOfRecording({ manifest }).spans.map(({ evidence }) => evidence))).toEqual(new Set(grants));
    return manifest.ledger.map(({ from, to, source, by }) => `${from}>${to} ${source}: ${by}`);
  }

  describe("keys as RTP events", () => {
    it.each(["events", "keypad"])("open and close for the caller alone (%s)", (name) => {
      const recording = recordingOf(name);
      expect(changesOf(recording)).toEqual([
        "unknown>granted dtmf: caller pressed 1",
        "granted>withdrawn dtmf: caller pressed 2",
      ]);
      expect(callerOfRecording(recording).consent).toBe("withdrawn");
      const span = only(callerOfRecording(recording).spans);
      // To the packet: all that was spoken between the keys.
      expect(span.packets).toBe((name === "events" ? 2000 : GRANTED_MS) / 20);
      expect(evidenceOf(recording, span.evidence)).toMatchObject({ keys: "1", by: "rfc4733", from: "originator" });
      expectHeard(recording, name === "events" ? 2000 : GRANTED_MS);
    });

    it("are no audio of the agent's either, and are written down nowhere", () => {
      const recording = recordingOf("events");
      const agent = only(partiesOn(recording, 0));
      const keys = agent.streams.reduce((sum, { discardedBy }) => sum + (discardedBy["digits"] ?? 0), 0);
      expect(keys).toBeGreaterThan(0);
      expect(recording.manifest.events.filter(({ kind }) => kind === "dtmf")).toEqual([]);
    });
  });

  it("keys as tones open and close for the caller alone", () => {
    const recording = recordingOf("tones");
    expect(changesOf(recording)).toEqual([
      "unknown>granted dtmf: caller pressed 1",
      "granted>withdrawn dtmf: caller pressed 2",
    ]);
    const span = only(callerOfRecording(recording).spans);
    expect(evidenceOf(recording, span.evidence)).toMatchObject({ keys: "1", by: "tones", from: "originator" });
    expectHeard(recording, 2000);
  });

  it("keys in INFO open and close for the caller alone", () => {
    const recording = recordingOf("info");
    expect(changesOf(recording)).toEqual([
      "unknown>granted dtmf: caller pressed 1",
      "granted>withdrawn dtmf: caller pressed 2",
    ]);
    const span = only(callerOfRecording(recording).spans);
    expect(evidenceOf(recording, span.evidence)).toMatchObject({ keys: "1", by: "sip-info", from: "originator" });
    expectHeard(recording, PHASE_MS);
  });

  it("a header counts in an answer, in INFO and in another INVITE, the newest most", () => {
    const recording = recordingOf("header");
    expect(changesOf(recording)).toEqual([
      "unknown>granted sip-header: answerer's 200 (INVITE)",
      "granted>withdrawn sip-header: originator's INFO",
      "withdrawn>granted sip-header: originator's INVITE",
    ]);
    expect(callerOfRecording(recording).spans.length).toBe(2);
    expectHeard(recording, 2 * GRANTED_MS);
  });

  it("a=recordpref:off of the caller's phone beats a header that grants", () => {
    const recording = recordingOf("preference");
    expect(changesOf(recording)).toEqual(["unknown>refused recordpref: originator's INVITE"]);
    expect(callerOfRecording(recording).consent).toBe("refused");
    expectHeard(recording, 0);
  });

  describe("number lists", () => {
    it("always grants, until the caller says otherwise", () => {
      const recording = recordingOf("always");
      expect(changesOf(recording)).toEqual([
        "unknown>granted number-list: consent.numbers.always",
        "granted>withdrawn dtmf: caller pressed 2",
      ]);
      expectHeard(recording, GRANTED_MS);
    });

    it("never outweighs what is said in the call", () => {
      const recording = recordingOf("never");
      expect(changesOf(recording)).toEqual(["unknown>refused number-list: consent.numbers.never"]);
      expectHeard(recording, 0);
    });
  });

  describe("the consent register", () => {
    it("opens the calls that begin after an entry was made", () => {
      const recording = recordingOf("filed");
      expect(changesOf(recording)).toEqual([
        expect.stringMatching(/^unknown>granted register: register entry \w{12}$/),
      ]);
      const span = only(callerOfRecording(recording).spans);
      expect(evidenceOf(recording, span.evidence)).toMatchObject({ source: "form", purpose: "recording" });
      expectHeard(recording, GRANTED_MS);
    });

    it("opens and closes a call in progress", () => {
      const recording = recordingOf("register");
      expect(changesOf(recording)).toEqual([
        expect.stringMatching(/^unknown>granted register: register entry \w{12}$/),
        expect.stringMatching(/^granted>withdrawn register: register entry \w{12}$/),
      ]);
      expectHeard(recording, GRANTED_MS);
    });
  });

  describe("the agents' register", () => {
    it("keeps an agent out who has not agreed, whatever the caller says", () => {
      const recording = recordingOf("unagreed");
      expect(changesOf(recording)).toEqual(["unknown>granted sip-header: answerer's 200 (INVITE)"]);
      expectOnly(recording, 1, GRANTED_HZ, GRANTED_MS);
      expect(heardMs(recording, 0, AGENT_HZ)).toBe(0);
      expectSilenceOutside(recording);
      const agent = only(partiesOn(recording, 0));
      expect(agent.spans).toEqual([]);
      expect(agent.closedSpans.map(({ reason }) => reason)).toContain("agent-not-registered");
    });

    it("leaves nothing of such a call but a line", () => {
      const line = only(calls.filter(({ sipCallIds }) => sipCallIds[0]!.startsWith("unheard-")));
      expect(line).toMatchObject({ noAudio: "agent-not-registered", file: "" });
    });

    it("is what opened the others' gates", () => {
      const recording = recordingOf("filed");
      const span = only(only(partiesOn(recording, 0)).spans);
      expect(evidenceOf(recording, span.evidence)).toMatchObject({ agreedTo: "works agreement" });
    });
  });

  describe.each([
    ["http", "api", "token front-desk"],
    ["mqtt", "mqtt", "mqtt client node-red-7"],
  ])("commands by %s", (name, source, by) => {
    it("grant, withdraw, pause and resume", () => {
      const recording = recordingOf(name);
      expect(changesOf(recording)).toEqual([`unknown>granted ${source}: ${by}`, `granted>withdrawn ${source}: ${by}`]);
      expect(callerOfRecording(recording).spans.length).toBe(2);
      expectHeard(recording, 2 * GRANTED_MS);
    });

    it("a pause is silence of both", () => {
      const recording = recordingOf(name);
      const { manifest, channels, sampleRateHz } = recording;
      const pause = only(manifest.pauses);
      expect(pause).toMatchObject({ source, by, reason: "card", endedBy: "request" });
      // The caller's phase in it, and that it was quiet before and after.
      expect(pause.toMs - pause.fromMs).toBeGreaterThan(PHASE_MS);
      const perMs = sampleRateHz / 1000;
      // A span begins and ends with packets, whose times on the timeline jitter.
      const from = Math.ceil((pause.fromMs + SETTLE_MS) * perMs);
      const to = Math.floor((pause.toMs - SETTLE_MS) * perMs);
      for (const channel of channels) expect(channel.subarray(from, to).findIndex((sample) => sample !== 0)).toBe(-1);
      const agent = only(partiesOn(recording, 0));
      expect(agent.spans.length).toBe(2);
      expect(agent.closedSpans.map(({ reason }) => reason)).toContain("paused");
      expect(audited("paused", manifest.id).map(({ actor }) => actor)).toEqual([by]);
      expect(audited("resumed", manifest.id).map(({ actor }) => actor)).toEqual([by]);
    });
  });

  it("HTTP answers with the call as it is then", () => {
    const given = answers.get("http") as { status: number; body: { calls: ActiveCall[] } }[];
    expect(given.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(given.map(({ body }) => shown(only(body.calls)))).toEqual(SHOWN);
  });

  it("MQTT answers on the response topic with its correlation data", () => {
    const given = answers.get("mqtt") as (MqttResponse & { status: "ok"; data: { calls: ActiveCall[] } })[];
    expect(given.map(({ status }) => status)).toEqual(["ok", "ok", "ok", "ok"]);
    expect(given.map(({ data }) => shown(only(data.calls)))).toEqual(SHOWN);
    const correlated = office.subscriber.on("desk/answers").map(({ correlationData }) => correlationData);
    expect(correlated).toEqual(["c-0", "c-1", "c-2", "c-3"]);
  });

  it(
    "what is on the disk can be verified and proved",
    async () => {
      await office.sidetoned("audit", "verify");
      for (const name of ["events", "http", "register", "unagreed"]) {
        const { stdout } = await office.sidetoned("prove", recordingOf(name).manifest.id);
        expect(stdout).toMatch(/^Proved: all \d+ checks hold\.$/m);
      }
      expect(recordings.length).toBe(stages.size - 1);
    },
    SETUP_MS,
  );
});

/** After each command: the caller's consent, who is recorded, whether the call is paused. */
const SHOWN = [
  ["granted", true, true, false],
  ["granted", false, false, true],
  ["granted", true, true, false],
  ["withdrawn", false, true, false],
];

function shown(call: ActiveCall): unknown[] {
  const agent = call.parties.find(({ role }) => role === "agent")!;
  const { consent, isRecorded } = callerIn(call);
  return [consent, isRecorded, agent.isRecorded, call.isPaused];
}

function callerIn({ parties }: ActiveCall): ActiveCall["parties"][number] {
  return only(parties.filter(({ role }) => role === "caller"));
}

function partiesOn({ manifest }: Pick<ConsentRecording, "manifest">, channel: 0 | 1): ManifestParty[] {
  return manifest.parties.filter((party) => party.channel === channel);
}

function callerOfRecording(recording: Pick<ConsentRecording, "manifest">): ManifestParty {
  const caller = only(partiesOn(recording, 1));
  expect(caller).toMatchObject({ role: "caller", side: "originator" });
  return caller;
}

function evidenceOf({ manifest }: ConsentRecording, id: string): Record<string, unknown> {
  return only(manifest.evidence.filter((entry) => entry.id === id)).detail;
}

function heardMs({ channels, sampleRateHz }: ConsentRecording, channel: 0 | 1, toneHz: number): number {
  const spans = toneSpans(channels[channel]!, toneHz, sampleRateHz);
  return spans.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
}

/** What the caller said with consent, that long, and nothing else of it; the agent on the other channel alone. */
function expectHeard(recording: ConsentRecording, grantedMs: number): void {
  expectOnly(recording, 1, GRANTED_HZ, grantedMs);
  expectOnly(recording, 0, AGENT_HZ, PHASE_MS);
  expectSilenceOutside(recording);
}

/** SIPp's stream begins late now and then, and may go on for longer. */
function expectOnly(recording: ConsentRecording, channel: 0 | 1, toneHz: number, leastMs: number): void {
  for (const one of [AGENT_HZ, ...CALLER_TONES_HZ]) {
    const ms = heardMs(recording, channel, one);
    const what = `${one} Hz on channel ${channel} of ${recording.manifest.sipCallIds[0]}`;
    if (one === toneHz && leastMs > 0) expect(ms, what).toBeGreaterThan(0.8 * leastMs);
    else expect(ms, what).toBe(0);
  }
}

/** Digital silence wherever the manifest does not name audio. */
function expectSilenceOutside(recording: ConsentRecording): void {
  for (const channel of [0, 1] as const) {
    const rest = recording.channels[channel]!.slice();
    for (const { audio } of partiesOn(recording, channel).flatMap(({ spans }) => spans))
      if (audio) rest.fill(0, audio.fromSample, audio.toSample);
    expect(rest.findIndex((sample) => sample !== 0)).toBe(-1);
  }
}
