// A client of a box's API as an integrator makes one: of the OpenAPI document that the box serves, and of nothing else. It has a function
// for every operation, which takes path and query by name, the body, and what else the request has.
import type { AxiosRequestConfig, AxiosResponse } from "axios";
import { type Document, OpenAPIClientAxios } from "openapi-client-axios";

export type Operate = (
  parameters: object,
  body?: unknown,
  config?: AxiosRequestConfig,
) => Promise<AxiosResponse<unknown>>;

export interface DocumentClient {
  /** As it was served. */
  document: Record<string, unknown>;
  operations: Readonly<Record<string, Operate>>;
}

/** `url` with the API's prefix. No status is an error. */
export async function makeDocumentClient(url: string, config: AxiosRequestConfig = {}): Promise<DocumentClient> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Record<string, unknown>;
  const api = new OpenAPIClientAxios({
    definition: structuredClone(document) as unknown as Document,
    withServer: { url },
    axiosConfigDefaults: { validateStatus: () => true, timeout: 30_000, ...config },
  });
  return { document, operations: (await api.init()) as unknown as Record<string, Operate> };
}

/** The bearer token as a request has it. */
export function bearing(secret: string): AxiosRequestConfig {
  return { headers: { authorization: `Bearer ${secret}` } };
}
