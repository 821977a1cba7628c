// Routes about the service itself.
import type { SERVICE_ROUTES } from "../contract/api-service.js";
import type { ApiParts, Handlers } from "./handler.js";
import { describeApi, type OpenApiDocument } from "./openapi.js";

export function serviceHandlers({ metrics }: ApiParts): Handlers<keyof typeof SERVICE_ROUTES> {
  let document: OpenApiDocument | undefined;
  return {
    getHealth: () => ({ answer: { status: "ok" } }),
    getMetrics: () => ({ answer: metrics() }),
    getDocument: () => {
      document ??= describeApi();
      return { answer: document };
    },
  };
}
