// Routes about tokens. A token gives no right that it has not, and none for longer than it has it itself; the last one that may
// administer is revoked at the box only, so that nobody locks everybody out from afar by mistake.

import type { z } from "zod";
import { SidetoneError } from "../base/errors.js";
import type { tokenSchema } from "../contract/api-box.js";
import type { ProblemCode } from "../contract/api-problems.js";
import { type Token, type TokenRefusal, TokenRefused, type TokenStore } from "../store/tokens.js";
import { type ApiParts, type ApiReply, type Handlers, nameOf } from "./handler.js";
import { problem } from "./problems.js";

const MS_PER_DAY = 86_400_000;

const CODES = {
  "name-taken": "token-exists",
  "no-room": "too-many-tokens",
  unknown: "token-not-found",
  last: "last-administrator",
} as const satisfies Record<TokenRefusal, ProblemCode>;

export function tokenHandlers(parts: ApiParts): Handlers<"listTokens" | "createToken" | "revokeToken"> {
  const withTokens = (by: Token, act: (tokens: TokenStore) => ApiReply): ApiReply => {
    const tokens = parts.tokenStore(nameOf(by));
    if (tokens === undefined) return { problem: problem("data-unwritable") };
    try {
      return act(tokens);
    } catch (error) {
      if (error instanceof TokenRefused) return { problem: problem(CODES[error.reason]) };
      if (!(error instanceof SidetoneError)) throw error;
      parts.logger.error(`the tokens cannot be changed or read: ${error.message}`);
      return { problem: problem("data-unwritable") };
    }
  };
  return {
    listTokens: ({ token }) =>
      withTokens(token, (tokens) => ({ answer: { tokens: tokens.list().map((one) => shown(one, tokens)) } })),
    createToken: ({ token, body }) => {
      const foreign = body.rights.filter((right) => !token.rights.includes(right));
      if (foreign.length > 0)
        return { problem: problem("right-not-yours", `the asking token itself lacks ${foreign.join(", ")}`) };
      const days = daysFor(token, body.days, parts.clock.nowUs() / 1000);
      if (days !== undefined && days < 1)
        return { problem: problem("right-not-yours", "the asking token ends sooner than that") };
      return withTokens(token, (tokens) => {
        const made = tokens.create({ name: body.name, rights: body.rights, ...(days !== undefined && { days }) });
        return { answer: { token: shown(made.token, tokens), secret: made.secret } };
      });
    },
    revokeToken: ({ token, path }) =>
      withTokens(token, (tokens) => ({
        answer: shown(tokens.revoke(path["token"] ?? "", "", { keepOneWith: "administer" }), tokens),
      })),
  };
}

/** Undefined: it does not expire. Below 1 when the asking token does not last so long. */
function daysFor({ expiresAt }: Token, wanted: number | undefined, nowMs: number): number | undefined {
  if (expiresAt === undefined) return wanted;
  const left = Math.floor((Date.parse(expiresAt) - nowMs) / MS_PER_DAY);
  if (wanted === undefined) return left;
  return wanted <= left ? wanted : 0;
}

function shown(token: Token, tokens: TokenStore): z.output<typeof tokenSchema> {
  return { ...token, rights: [...token.rights], isGood: tokens.isGood(token) } as z.output<typeof tokenSchema>;
}
