// What every route does, put together: one handler for each operation of the contract.
import type { AudioRoutes } from "./audio-routes.js";
import { boxHandlers } from "./box-routes.js";
import { callHandlers } from "./call-routes.js";
import type { EventRoutes } from "./event-routes.js";
import { exportHandlers } from "./export-routes.js";
import type { ApiParts, Handlers } from "./handler.js";
import { listingHandlers } from "./listing-routes.js";
import { serviceHandlers } from "./service-routes.js";
import { storedHandlers } from "./stored-routes.js";

export function makeHandlers(parts: ApiParts, audio: AudioRoutes, events: EventRoutes): Handlers {
  return {
    ...callHandlers(parts),
    ...listingHandlers(parts),
    ...audio.handlers(),
    ...events.handlers(),
    ...exportHandlers(parts),
    ...boxHandlers(parts),
    ...storedHandlers(parts),
    ...serviceHandlers(parts),
  };
}
