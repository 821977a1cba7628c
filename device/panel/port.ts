// A serial port (the only importer of `serialport`, which is loaded when a panel is configured and not before): opened, bytes
// in and out, closed. What goes wrong with it is told once, and never thrown at anybody.
import { existsSync } from "node:fs";

export interface PortHandlers {
  bytes(bytes: Uint8Array): void;
  /** Unplugged, or broken; not after `close`. */
  gone(reason: string): void;
}

export interface PanelPort {
  write(bytes: Uint8Array): void;
  close(): Promise<void>;
}

/** Rejects with PortFault. */
export type OpenPort = (path: string, baudRate: number, handlers: PortHandlers) => Promise<PanelPort>;

export class PortFault extends Error {
  /** There is no such file: nothing is plugged in. */
  readonly isAbsent: boolean;

  constructor(message: string, isAbsent: boolean) {
    super(message);
    this.name = "PortFault";
    this.isAbsent = isAbsent;
  }
}

/** 8N1, no handshake. */
export const openSerialPort: OpenPort = async (path, baudRate, handlers) => {
  // Opening a name that is not there is what most boxes do for ever: the kernel is asked first, which costs less.
  if (!existsSync(path)) throw new PortFault(`${path} is not there`, true);
  const { SerialPort } = await import("serialport");
  const port = new SerialPort({ path, baudRate, autoOpen: false });
  let isClosing = false;
  port.on("data", (bytes: Buffer) => {
    if (!isClosing) handlers.bytes(bytes);
  });
  const tellGone = (error: Error | null): void => {
    if (isClosing) return;
    isClosing = true;
    handlers.gone(`${path} went away${error ? ` (${error.message})` : ""}`);
  };
  port.on("close", tellGone);
  port.on("error", tellGone);
  await new Promise<void>((resolve, reject) => {
    port.open((error) => {
      if (error === null || error === undefined) resolve();
      else reject(new PortFault(error.message, !existsSync(path)));
    });
  });
  return {
    write: (bytes) => void port.write(Buffer.from(bytes)),
    close: () => {
      isClosing = true;
      return new Promise((resolve) => (port.isOpen ? port.close(() => resolve()) : resolve()));
    },
  };
};
