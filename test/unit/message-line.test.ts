// Engine messages over a stream socket: whole, split at every byte, two at once, junk, too long, and what is said when it ends.
import { createServer, type Server, Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MessageLine } from "../../device/message-line.js";
import { makeFolder, removeFolder } from "../fakes/program.js";

describe("messages over a socket", () => {
  let folder: string;
  let server: Server;
  let near: Socket;
  let far: Socket;
  let line: MessageLine;
  let messages: unknown[];
  let ends: string[];

  beforeEach(async () => {
    folder = makeFolder();
    const [taken, ended]: [unknown[], string[]] = [[], []];
    [messages, ends] = [taken, ended];
    const path = join(folder, "socket");
    server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
    near = new Socket({ allowHalfOpen: true });
    // Before it is connected, as the service does.
    line = new MessageLine(
      near,
      { message: (message) => taken.push(message), ended: (how) => ended.push(how) },
      MAX_BYTES,
    );
    near.connect(path);
    far = await accepted;
    far.on("error", () => {});
  });
  afterEach(async () => {
    near.destroy();
    far.destroy();
    await new Promise((resolve) => server.close(resolve));
    removeFolder(folder);
  });

  it("come as they were sent, however they were cut", async () => {
    const sent = [{ type: "start", name: "Jörg 📞" }, { type: "stop" }, [1, "a\nb"]];
    const bytes = Buffer.from(sent.map((one) => `${JSON.stringify(one)}\n`).join(""));
    for (const byte of bytes) {
      far.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    far.write(bytes);
    await until(() => messages.length === 6);
    expect(messages).toEqual([...sent, ...sent]);
    expect(ends).toEqual([]);
  });

  it("go out in their order, and say when they have", async () => {
    let text = "";
    far.on("data", (part: Buffer) => {
      text += part.toString();
    });
    let sent = 0;
    for (let i = 0; i < 3; i++) expect(line.send({ i }, () => sent++)).toBe(true);
    await until(() => sent === 3 && text.endsWith("2}\n"));
    expect(text).toBe('{"i":0}\n{"i":1}\n{"i":2}\n');
  });

  it("end with what is no message, and nothing of it is handed on", async () => {
    far.write('{"type":"stop"}\nnonsense\n{"type":"stop"}\n');
    await until(() => ends.length > 0);
    expect(ends).toEqual(["what came is no message"]);
    expect(messages).toEqual([{ type: "stop" }]);
    let answered = false;
    expect(line.send({}, () => (answered = true))).toBe(false);
    expect(answered).toBe(true);
  });

  it("end with a line that never does, without keeping it", async () => {
    const part = Buffer.alloc(200, 0x20);
    for (let i = 0; i < 10; i++) far.write(part);
    await until(() => ends.length > 0);
    expect(ends).toEqual([`a message is longer than ${MAX_BYTES} bytes`]);
    expect(messages).toEqual([]);
  });

  it("are heard after the last one was sent, until the other side ends too", async () => {
    line.finish();
    far.write('{"type":"finished"}\n');
    await until(() => messages.length === 1);
    expect(ends).toEqual([]);
    far.end();
    await until(() => ends.length > 0);
    expect(ends).toEqual(["the connection was closed"]);
  });
});

const MAX_BYTES = 1000;

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
