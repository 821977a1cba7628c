// A door between a client and a server on loopback: it can be shut, and it can let what the client says through and hold back
// the answers, as a network does that fails in the wrong moment.
import { connect, createServer, type Server, type Socket } from "node:net";

export class TcpGate {
  /** Whether connections are let through; others are closed at once. */
  isOpen = true;
  private readonly server: Server;
  private readonly toServer = new Set<Socket>();

  private constructor(targetPort: number) {
    this.server = createServer((client) => {
      if (!this.isOpen) {
        client.destroy();
        return;
      }
      const target = connect(targetPort, "127.0.0.1");
      this.toServer.add(target);
      client.pipe(target).pipe(client);
      for (const [one, other] of [
        [client, target],
        [target, client],
      ] as const) {
        one.on("error", () => {});
        one.on("close", () => {
          this.toServer.delete(target);
          other.destroy();
        });
      }
    });
  }

  static async start(targetPort: number): Promise<TcpGate> {
    const gate = new TcpGate(targetPort);
    await new Promise<void>((resolve) => gate.server.listen(0, "127.0.0.1", resolve));
    return gate;
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  /** Of the connections that there are now. */
  holdAnswers(): void {
    for (const target of this.toServer) target.unpipe();
    for (const target of this.toServer) target.on("data", () => {});
  }

  async stop(): Promise<void> {
    this.isOpen = false;
    for (const target of this.toServer) target.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
