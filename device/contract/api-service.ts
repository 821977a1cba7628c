// The HTTP API's routes about the service itself: that it is there, its figures, its own description.
import { z } from "zod";
import type { RouteContract } from "./api-route.js";

export const healthAnswerSchema = z.object({ status: z.literal("ok") });
export const documentAnswerSchema = z.looseObject({ openapi: z.string() });
export const metricsAnswerSchema = z.string().describe("Prometheus text exposition format 0.0.4");

/** By operation. */
export const SERVICE_ROUTES = {
  getHealth: {
    method: "GET",
    path: "/health",
    summary: "The service is there",
    answer: healthAnswerSchema,
    problems: [],
  },
  getMetrics: {
    method: "GET",
    path: "/metrics",
    summary: "Figures of box and service, for Prometheus",
    right: "see",
    answer: metricsAnswerSchema,
    media: "text/plain; version=0.0.4; charset=utf-8",
    problems: [],
  },
  getDocument: {
    method: "GET",
    path: "/openapi.json",
    summary: "This document",
    answer: documentAnswerSchema,
    problems: [],
  },
} as const satisfies Record<string, RouteContract>;

export const SERVICE_SCHEMAS = {
  taken: {},
  given: { Health: healthAnswerSchema, Document: documentAnswerSchema, Metrics: metricsAnswerSchema },
};
