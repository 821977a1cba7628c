// Who is who in a call's record, from the signalling alone: numbers, diversions, retargeting, registrations, trunks.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_START_US } from "../../fakes/call-options.js";
import { udpFrame } from "../../fakes/frames.js";
import { makeCall } from "../../fakes/office-call.js";
import { makeFolder, removeFolder } from "../../fakes/program.js";
import { heard, officeConfig, recordFrames } from "../../fakes/recorded-frames.js";
import { mergeCalls, type TimedFrame } from "../../fakes/timed-frames.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

const REGISTRAR = "10.0.9.1:5060";

/** A phone registers and is told yes, a minute before the calls. */
function registration(user: string, address: string): TimedFrame[] {
  const contact = `Contact: <sip:${user}-line@${address}:5060>`;
  const head = (start: string) =>
    [
      start,
      `Via: SIP/2.0/UDP ${address}:5060;branch=z9hG4bKreg${user}`,
      `From: <sip:${user}@pbx.example>;tag=r${user}`,
      `To: <sip:${user}@pbx.example>`,
      `Call-ID: register-${user}`,
      "CSeq: 1 REGISTER",
      contact,
      "Expires: 3600",
      "Content-Length: 0",
      "",
      "",
    ].join("\r\n");
  const frame = (atUs: number, source: string, destination: string, text: string): TimedFrame => ({
    atUs,
    frame: udpFrame({ source, destination, payload: Buffer.from(text) }),
    kind: "sip",
    from: "caller",
    label: "",
  });
  return [
    frame(DEFAULT_START_US - 60_000_000, `${address}:5060`, REGISTRAR, head("REGISTER sip:pbx.example SIP/2.0")),
    frame(DEFAULT_START_US - 59_990_000, REGISTRAR, `${address}:5060`, head("SIP/2.0 200 OK")),
  ];
}

describe("numbers", () => {
  it("are written as E.164 where the country is known; the URI stays as signalled", async () => {
    const config = officeConfig({ numbers: { countryCode: "49" } });
    const { records } = await recordFrames(makeCall(), config, folder);
    const [caller, agent] = records[0]!.parties;
    expect([caller.number, caller.uri]).toEqual(["+49301234567", "sip:0301234567@198.51.100.20"]);
    expect(agent.number).toBe("21");
  });

  it("of callers match rules in either form", async () => {
    for (const [i, number] of ["0301234567", "+49301234567"].entries()) {
      const config = officeConfig({
        numbers: { countryCode: "49" },
        consent: { rules: [{ numbers: [number], consent: "granted", name: "on file" }] },
      });
      const { records } = await recordFrames(makeCall(), config, `${folder}/${i}`);
      expect(records[0]!.parties[0].consent).toBe("granted");
    }
  });
});

describe("a call that was passed on", () => {
  it("names who passed it on", async () => {
    const frames = makeCall({
      headers: { invite: [["Diversion", "<sip:0309999@pbx.example>;reason=no-answer"]] },
    });
    const { records } = await recordFrames(frames, officeConfig(), folder);
    expect(records[0]!.events).toContainEqual({
      atUs: DEFAULT_START_US,
      kind: "diverted",
      detail: { by: "0309999", reason: "no-answer" },
    });
  });

  it("away from the agent is not the agent's, though To still names it", async () => {
    const retargeted = makeCall({ callee: { user: "0309999", address: "203.0.113.5" } }).map((one) => ({
      ...one,
      frame: Buffer.from(
        one.frame.toString("latin1").replace("INVITE sip:0309999@", "INVITE sip:0407777777@"),
        "latin1",
      ),
    }));
    const config = officeConfig({ agents: { match: ["0309999"] } });
    const plain = await recordFrames(makeCall({ callee: { user: "0309999", address: "203.0.113.5" } }), config, folder);
    expect(plain.records[0]!.parties[1].role).toBe("agent");
    // The request line grew by three octets, and with it the datagram: it is built anew.
    const frames = retargeted.map((one) => (one.label === "INVITE" ? withLengths(one) : one));
    const { records } = await recordFrames(frames, config, `${folder}/retargeted`);
    expect(records[0]!.parties[1].role).toBe("answerer");
    expect(heard(records[0]!, 1).recorded).toBe(0);
  });
});

describe("early media", () => {
  it("leaves a trace and no audio", async () => {
    const { records, journalled } = await recordFrames(makeCall({ earlyMediaMs: 800 }), officeConfig(), folder);
    expect(records[0]!.events).toContainEqual(expect.objectContaining({ kind: "early-media", detail: { by: 1 } }));
    const answeredAtUs = records[0]!.answeredAtUs!;
    expect(journalled[0]!.every(({ atUs }) => atUs >= answeredAtUs - 200_000)).toBe(true);
  });
});

describe("registrations", () => {
  it("tie the agent's number to the phone that calls under another name", async () => {
    const call = makeCall({
      caller: { user: "21-line", address: "192.168.1.30", rtpPort: 40_000 },
      callee: { user: "0407654321", address: "10.0.9.1", rtpPort: 30_000 },
    });
    const config = officeConfig({ agents: { match: ["21"] } });
    const without = await recordFrames(call, config, folder);
    expect(without.records[0]!.noAudio).toBe("agent-unknown");
    const frames = mergeCalls(registration("21", "192.168.1.30"), call);
    const { records, counts } = await recordFrames(frames, config, `${folder}/registered`);
    expect(counts["agents.registrations"]).toBe(1);
    expect(records[0]!.parties[0]).toMatchObject({ role: "agent" });
    expect(heard(records[0]!, 0)).toMatchObject({ discarded: 0 });
  });
});

describe("trunks", () => {
  it("are the caller's side whatever else it says; the contradiction is named", async () => {
    const config = officeConfig({
      agents: { match: ["10.0.0.0/24", "030*"] },
      trunks: { match: ["198.51.100.0/24"] },
    });
    const { records } = await recordFrames(makeCall(), config, folder);
    const [record] = records;
    expect(record!.parties.map(({ role }) => role)).toEqual(["caller", "agent"]);
    const warning = record!.warnings.find(({ code }) => code === "agent-on-trunk")!;
    expect(warning.detail["agent"]).toContain("030*");
    expect(warning.detail["trunk"]).toContain("198.51.100.0/24");
    expect(heard(record!, 0).recorded).toBe(0);
  });
});

/** The frame with the IP and UDP lengths that its bytes have. */
function withLengths(one: TimedFrame): TimedFrame {
  const frame = Buffer.from(one.frame);
  frame.writeUInt16BE(frame.length - 14, 16);
  frame.writeUInt16BE(frame.length - 34, 38);
  return { ...one, frame };
}
