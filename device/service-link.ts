// The engine's end of its connection with the service: the channel of the process that forked it, or, where the engine is a
// unit of its own, the one connection that its socket's unit handed over (sd_listen_fds(3)). Knows nothing of what the
// messages mean.
import { createServer } from "node:net";
import type { EngineToService, ServiceToEngine } from "./contract/engine-messages.js";
import { MessageLine } from "./message-line.js";

/** SD_LISTEN_FDS_START. */
const FIRST_DESCRIPTOR = 3;

export interface ServiceLink {
  /** Engine and service are two users, with a group in common. */
  readonly isOwnUnit: boolean;
  /** `sent` is called once the message is on its way, or never will be. */
  send(message: EngineToService, sent?: () => void): void;
}

export interface ServiceLinkHandlers {
  message(message: ServiceToEngine): void;
  /** There is no service any more. */
  gone(): void;
}

/** Undefined when nobody is at the other end: the program was started by hand. */
export function openServiceLink(
  handlers: ServiceLinkHandlers,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ServiceLink | undefined {
  if (process.connected) return channelOfParent(handlers);
  const isHandedOver = environment["LISTEN_FDS"] === "1" && environment["LISTEN_PID"] === String(process.pid);
  return isHandedOver ? handedOverSocket(handlers) : undefined;
}

function channelOfParent(handlers: ServiceLinkHandlers): ServiceLink {
  process.on("message", (message: ServiceToEngine) => handlers.message(message));
  process.on("disconnect", () => handlers.gone());
  return {
    isOwnUnit: false,
    send: (message, sent = () => {}) => void process.send?.(message, undefined, undefined, () => sent()),
  };
}

/** One service for one engine: who comes later waits until systemd starts the next one. */
function handedOverSocket(handlers: ServiceLinkHandlers): ServiceLink {
  let line: MessageLine | undefined;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    server.close();
    line = new MessageLine(socket, {
      message: (message) => handlers.message(message as ServiceToEngine),
      ended: () => handlers.gone(),
    });
  });
  server.maxConnections = 1;
  server.listen({ fd: FIRST_DESCRIPTOR });
  return {
    isOwnUnit: true,
    send: (message, sent = () => {}) => {
      if (line === undefined) sent();
      else line.send(message, sent);
    },
  };
}
