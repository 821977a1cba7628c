// A TLS client's first message as OpenSSL writes it, for what only looks at TLS from outside.
import { EventEmitter, once } from "node:events";
import { Duplex } from "node:stream";
import { type ConnectionOptions, connect } from "node:tls";

/** The record with the ClientHello. */
export async function clientHello(options: ConnectionOptions): Promise<Buffer> {
  const written = new EventEmitter();
  const first = once(written, "bytes") as Promise<[Buffer]>;
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.emit("bytes", Buffer.from(chunk));
      done();
    },
  });
  const client = connect({ ...options, socket });
  client.on("error", () => {});
  const [bytes] = await first;
  client.destroy();
  return bytes;
}
