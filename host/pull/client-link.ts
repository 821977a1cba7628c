// The host tool's HTTP client as a pull uses it: every exchange once, since the pull itself knows what to do when one fails.
import type { BoxClient } from "../client.js";
import type { Link } from "./box.js";

export function linkOf(client: BoxClient): Link {
  return {
    send: async ({ method, path, headers, body }, signal) => {
      const answer = await client.exchange(method, path, { signal, body, ...(headers && { headers }) });
      return {
        status: answer.statusCode ?? 0,
        header: (name) => [answer.headers[name]].flat().at(-1),
        body: answer,
      };
    },
  };
}
