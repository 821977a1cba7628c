// What a running service says of servers whose signalling is in TLS.
import { afterEach, beforeEach, expect, it } from "vitest";
import { TlsNotices } from "../../device/tls-notices.js";
import { makeFolder, removeFolder } from "../fakes/program.js";
import { RecorderRun } from "../fakes/recorder-run.js";
import { TcpConversation } from "../fakes/tcp-frames.js";
import { clientHello } from "../fakes/tls-hello.js";

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => removeFolder(folder));

it("names a server once, and again with ten times the connections", async () => {
  const hello = await clientHello({ ALPNProtocols: ["sip"] });
  const run = new RecorderRun(folder);
  const lines: unknown[] = [];
  const notices = new TlsNotices({ info: (message, fields) => lines.push([message, fields]) });
  for (let i = 0; i < 12; i++) {
    const tcp = new TcpConversation({ client: `192.0.2.1:${40_000 + i}`, server: "10.0.0.5:5061" });
    const frames = [...tcp.open(), ...tcp.send("client", hello)];
    run.feed(frames.map((frame, n) => ({ frame, atUs: 1_000_000 * (i + 1) + n })));
    notices.note(run.recorder.tlsEndpoints());
  }
  await run.end();
  expect(lines).toEqual([
    ["SIP over TLS cannot be read", { server: "10.0.0.5:5061", connections: 1 }],
    ["SIP over TLS cannot be read", { server: "10.0.0.5:5061", connections: 10 }],
  ]);
});
