// A bound UDP socket as promises: opening can fail, sending never does (a lost datagram is a lost datagram).
import { createSocket, type Socket } from "node:dgram";

export interface UdpPeer {
  address: string;
  port: number;
}

export class UdpSocket {
  readonly #socket: Socket;
  readonly port: number;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.port = socket.address().port;
  }

  /** Port 0 takes any free one. Rejects with the system's error when the address or port cannot be had. */
  static open(address: string, port: number, receive: (bytes: Buffer, from: UdpPeer) => void): Promise<UdpSocket> {
    return new Promise((resolve, reject) => {
      const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
      socket.once("error", reject);
      socket.on("message", receive);
      socket.bind({ address, port, exclusive: true }, () => {
        socket.removeListener("error", reject);
        // ICMP errors of a peer that has gone are reported here and mean no more than silence.
        socket.on("error", () => {});
        resolve(new UdpSocket(socket));
      });
    });
  }

  send(bytes: Uint8Array, to: UdpPeer): void {
    this.#socket.send(bytes, to.port, to.address, () => {});
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.close(() => resolve());
    });
  }
}
