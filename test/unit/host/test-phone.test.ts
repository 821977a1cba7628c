import { afterEach, describe, expect, it } from "vitest";
import { encodeG711 } from "../../../host/caller/g711.js";
import type { CallReport } from "../../../host/caller/phone-call.js";
import { refuse, SipDialog } from "../../../host/caller/sip-dialog.js";
import { headerOf, readSdp, readSip, type SipText, writeSdp } from "../../../host/caller/sip-text.js";
import { TestPhone, type TestPhoneOptions } from "../../../host/caller/test-phone.js";
import { sine, toneLevel } from "../../../host/caller/tone.js";
import { type UdpPeer, UdpSocket } from "../../../host/caller/udp-socket.js";

const LOOPBACK = "127.0.0.1";
const CALLER_HZ = 1000;
const CALLEE_HZ = 440;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
});

async function phone(options: Partial<TestPhoneOptions> = {}): Promise<TestPhone> {
  const says = sine(CALLER_HZ, 0.5, 8000);
  const one = new TestPhone({ user: "42", address: LOOPBACK, sipPort: 0, says, ...options });
  await one.start();
  cleanups.push(() => one.stop());
  return one;
}

/** The other side, played by the test: what it received, and how it answers. */
async function scripted(answer: (message: SipText, reply: (bytes: Buffer) => void) => void) {
  const received: SipText[] = [];
  const socket = await UdpSocket.open(LOOPBACK, 0, (bytes, from: UdpPeer) => {
    const message = readSip(bytes);
    if (!message) return;
    received.push(message);
    answer(message, (reply) => socket.send(reply, from));
  });
  cleanups.push(() => socket.close());
  const target = { user: "21", address: LOOPBACK, port: socket.port };
  return { received, target, end: { user: "21", name: "", address: LOOPBACK, port: socket.port } };
}

const methods = (messages: SipText[]): string[] => messages.map((one) => one.method);
const session = writeSdp({ address: LOOPBACK, port: 9, codec: "PCMA" });

describe("two test phones", () => {
  it.each(["PCMA", "PCMU"] as const)("hear each other in %s, and the call ends by BYE", async (codec) => {
    let taken: CallReport | undefined;
    const callee = await phone({
      user: "21",
      says: sine(CALLEE_HZ, 0.5, 8000),
      answerAfterMs: 10,
      onCallTaken: (report) => {
        taken = report;
      },
    });
    const caller = await phone({ codec });
    const placed = await caller.call(callee.target, { talkMs: 300 });
    await callee.stop();
    expect([placed.outcome, placed.status, taken?.outcome, taken?.callId]).toEqual([
      "completed",
      200,
      "completed",
      placed.callId,
    ]);
    expect(toneLevel(placed.heard, CALLEE_HZ, 8000)).toBeGreaterThan(0.3);
    expect(toneLevel(placed.heard, CALLER_HZ, 8000)).toBeLessThan(0.05);
    expect(toneLevel(taken!.heard, CALLER_HZ, 8000)).toBeGreaterThan(0.3);
    expect(taken!.receivedPackets).toBeLessThanOrEqual(placed.sentPackets);
    expect(taken!.receivedPackets).toBeGreaterThan(0);
  });

  it("take several calls at once, and the answering side ends what lasts too long", async () => {
    const callee = await phone({ user: "21", answerAfterMs: 0, maximumTalkMs: 100 });
    const callers = await Promise.all([phone(), phone(), phone()]);
    const reports = await Promise.all(callers.map((one) => one.call(callee.target, { talkMs: 60_000 })));
    expect(reports.map((one) => one.outcome)).toEqual(["completed", "completed", "completed"]);
  });

  it("end every call when one is stopped", async () => {
    const callee = await phone({ user: "21", answerAfterMs: 60_000 });
    const caller = await phone();
    const placed = caller.call(callee.target, { talkMs: 1000 });
    await caller.stop();
    expect((await placed).outcome).toBe("failed");
  });
});

describe("a placed call", () => {
  it("carries its own headers, route and target through the dialog, and acknowledges a repeated 200 again", async () => {
    let dialog: SipDialog | undefined;
    const far = await scripted((message, reply) => {
      if (message.method === "INVITE") {
        dialog = SipDialog.taken(far.end, message);
        const headers = [
          ["Contact", "<sip:desk@10.9.9.9>"],
          ["Record-Route", "<sip:one;lr>"],
          ["Record-Route", "<sip:two;lr>"],
        ] as const;
        const answer = dialog.response(message, "200 OK", { headers, body: session });
        reply(answer);
        reply(answer);
      } else if (message.method === "BYE") reply(dialog!.response(message, "200 OK"));
    });
    const caller = await phone({ name: "Front desk" });
    const report = await caller.call(far.target, { talkMs: 50, headers: [["X-Recording-Consent", "granted"]] });
    expect([report.outcome, report.status]).toEqual(["completed", 200]);
    expect(methods(far.received)).toEqual(["INVITE", "ACK", "ACK", "BYE"]);
    const [invite, ack, , bye] = far.received as [SipText, SipText, SipText, SipText];
    expect(headerOf(invite, "x-recording-consent")).toBe("granted");
    expect(headerOf(invite, "from")).toContain('"Front desk" <sip:42@127.0.0.1>;tag=');
    expect(readSdp(invite.body)).toMatchObject({ address: LOOPBACK, codec: "PCMA" });
    expect(ack.startLine).toBe("ACK sip:desk@10.9.9.9 SIP/2.0");
    const cseq = Number.parseInt(headerOf(invite, "cseq"), 10);
    expect([headerOf(ack, "cseq"), headerOf(bye, "cseq")]).toEqual([`${cseq} ACK`, `${cseq + 1} BYE`]);
    expect(bye.headers.filter(([name]) => name === "route").map(([, value]) => value)).toEqual([
      "<sip:two;lr>",
      "<sip:one;lr>",
    ]);
    expect(headerOf(bye, "to")).toMatch(/;tag=/);
  });

  it("is reported as rejected, after its ACK", async () => {
    const far = await scripted((message, reply) => {
      if (message.method === "INVITE") reply(refuse(message, "486 Busy Here"));
    });
    const caller = await phone();
    const report = await caller.call(far.target, { talkMs: 50 });
    expect([report.outcome, report.status, report.sentPackets]).toEqual(["rejected", 486, 0]);
    await expect.poll(() => methods(far.received)).toEqual(["INVITE", "ACK"]);
    expect(headerOf(far.received[1]!, "via")).toBe(headerOf(far.received[0]!, "via"));
  });

  it("repeats its INVITE, and cancels it when nobody answers", async () => {
    let invite: SipText | undefined;
    const far = await scripted((message, reply) => {
      invite ??= message;
      if (message.method !== "CANCEL") return;
      reply(refuse(message, "200 OK"));
      reply(refuse(invite, "487 Request Terminated"));
    });
    const caller = await phone();
    const report = await caller.call(far.target, { talkMs: 50, answerWithinMs: 700 });
    expect([report.outcome, report.status]).toEqual(["no-answer", 487]);
    await expect.poll(() => methods(far.received)).toEqual(["INVITE", "INVITE", "CANCEL", "ACK"]);
  });

  it("ends even when nothing ever answers", async () => {
    const far = await scripted(() => {});
    const caller = await phone();
    const report = await caller.call(far.target, { talkMs: 50, answerWithinMs: 10 });
    expect([report.outcome, report.status]).toEqual(["no-answer", 0]);
  });

  it("hangs up when the answer holds no audio it knows", async () => {
    const far = await scripted((message, reply) => {
      if (message.method === "INVITE" || message.method === "BYE") reply(refuse(message, "200 OK"));
    });
    const caller = await phone();
    const report = await caller.call(far.target, { talkMs: 50 });
    expect([report.outcome, report.status, report.sentPackets]).toEqual(["failed", 200, 0]);
  });
});

describe("a taken call", () => {
  it("is refused without a session, and strangers' requests outside a call too", async () => {
    const callee = await phone({ user: "21" });
    const answers: number[] = [];
    const socket = await UdpSocket.open(LOOPBACK, 0, (bytes) => answers.push(readSip(bytes)!.status));
    cleanups.push(() => socket.close());
    const dialog = SipDialog.placed({ user: "1", name: "", address: LOOPBACK, port: socket.port }, "sip:21@127.0.0.1");
    socket.send(Buffer.from("noise"), callee.target);
    socket.send(dialog.request("BYE"), callee.target);
    socket.send(dialog.request("ACK"), callee.target);
    socket.send(dialog.request("INVITE"), callee.target);
    await expect.poll(() => answers).toEqual([481, 488]);
  });

  it("ends when it is cancelled while it rings", async () => {
    const reports: CallReport[] = [];
    const callee = await phone({ user: "21", answerAfterMs: 60_000, onCallTaken: (report) => reports.push(report) });
    const caller = await phone();
    const placed = await caller.call(callee.target, { talkMs: 50, answerWithinMs: 50 });
    expect([placed.outcome, placed.status]).toEqual(["no-answer", 487]);
    await expect.poll(() => reports.map((one) => one.outcome)).toEqual(["no-answer"]);
  });

  it("refuses one call more than it can keep", async () => {
    const callee = await phone({ user: "21", answerAfterMs: 60_000 });
    const answers: string[] = [];
    const socket = await UdpSocket.open(LOOPBACK, 0, (bytes) => answers.push(readSip(bytes)!.startLine));
    cleanups.push(() => socket.close());
    for (let i = 0; i < 17; i++) {
      const dialog = SipDialog.placed(
        { user: "1", name: "", address: LOOPBACK, port: socket.port },
        "sip:21@127.0.0.1",
      );
      socket.send(dialog.request("INVITE", { body: session }), callee.target);
    }
    await expect.poll(() => answers.filter((line) => line.includes("486")).length).toBe(1);
    await expect.poll(() => answers.filter((line) => line.includes("180")).length).toBe(16);
  });

  it("keeps no more than G.711 of what arrives at its audio port", async () => {
    const far = await scripted((message, reply) => {
      if (message.method === "INVITE") {
        reply(SipDialog.taken(far.end, message).response(message, "200 OK", { body: session }));
        const port = readSdp(message.body)!.port;
        const audio = encodeG711(new Int16Array(160), "PCMA");
        const packet = (first: number, second: number) =>
          Buffer.concat([Buffer.from([first, second]), Buffer.alloc(10), audio]);
        for (const bytes of [packet(0x80, 8), packet(0x80, 96), packet(0x90, 8), packet(0, 0), Buffer.alloc(3)]) {
          sender.send(bytes, { address: LOOPBACK, port });
        }
      } else if (message.method === "BYE") reply(refuse(message, "200 OK"));
    });
    const sender = await UdpSocket.open(LOOPBACK, 0, () => {});
    cleanups.push(() => sender.close());
    const report = await (await phone()).call(far.target, { talkMs: 100 });
    expect([report.receivedPackets, report.heard.length]).toEqual([1, 160]);
  });
});
