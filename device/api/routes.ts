// What every route does, put together: one handler for each operation of the contract.
import { callHandlers } from "./call-routes.js";
import type { ApiParts, Handlers } from "./handler.js";
import { listingHandlers } from "./listing-routes.js";
import { serviceHandlers } from "./service-routes.js";

export function makeHandlers(parts: ApiParts): Handlers {
  return {
    ...callHandlers(parts),
    ...listingHandlers(parts),
    ...serviceHandlers(parts),
  };
}
