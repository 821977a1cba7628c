// Every route with every right: each alone, all but the one, none, and tokens that are no good any more. Made of the contract's table.
import { afterAll, beforeAll, expect, it } from "vitest";
import { OPERATIONS, type Operation, ROUTES } from "../../../device/contract/api.js";
import { CALL_ROUTES } from "../../../device/contract/api-calls.js";
import { RIGHTS, type Right, type RouteContract } from "../../../device/contract/api-route.js";
import { TokenStore } from "../../../device/store/tokens.js";
import { ApiBench, STORED } from "./api-kit.js";
import { EXAMPLES, exampleOf } from "./examples.js";

const DAY_MS = 86_400_000;
const PLENTY = { requestsPerMinute: 100_000, badTokensPerMinute: 100_000 };

let bench: ApiBench;
const secrets = new Map<string, string>();
beforeAll(() => {
  bench = new ApiBench({ stored: STORED, config: PLENTY });
  for (const right of RIGHTS) {
    secrets.set(right, bench.token(`only-${right}`, right));
    secrets.set(`not ${right}`, bench.token(`not-${right}`, ...RIGHTS.filter((other) => other !== right)));
  }
  const tokens = new TokenStore({ dataFolder: bench.folder, clock: bench.clock });
  secrets.set("expired", tokens.create({ name: "old", rights: [...RIGHTS], days: 1 }).secret);
  const revoked = tokens.create({ name: "gone", rights: [...RIGHTS] });
  secrets.set("revoked", revoked.secret);
  tokens.revoke(revoked.token.id);
  bench.clock.ms += 2 * DAY_MS;
});
afterAll(() => bench.close());

async function statusWith(operation: Operation, secret: string | undefined) {
  const { method, url, body } = exampleOf(operation);
  bench.desk.commands.length = 0;
  const { status, body: answer, headers } = await bench.ask(method, url, secret, body);
  const code = status >= 400 ? (answer as { code: string }).code : "";
  return { status, code, challenge: headers["www-authenticate"], commands: bench.desk.commands.length };
}

it.each(OPERATIONS)("%s", async (operation) => {
  const { right, status: good = 200 } = EXAMPLES[operation];
  const route: RouteContract = ROUTES[operation];
  expect(route.right).toBe(right);
  const isForDesk = operation in CALL_ROUTES;
  const passes = async (secret: string | undefined) => {
    const { status, code, commands } = await statusWith(operation, secret);
    expect([status, commands], code).toEqual([good, isForDesk ? 1 : 0]);
  };
  if (right === undefined) {
    for (const secret of [undefined, ...secrets.values(), "nonsense"]) await passes(secret);
    return;
  }
  const refused = async (secret: string | undefined, expected: object) =>
    expect(await statusWith(operation, secret)).toMatchObject({ ...expected, commands: 0 });
  await refused(undefined, { status: 401, code: "token-missing", challenge: 'Bearer realm="sidetone"' });
  for (const bad of [secrets.get("expired"), secrets.get("revoked"), "nonsense", ""])
    await refused(bad, { status: 401, code: "token-invalid" });
  const lacks: object = { status: 403, code: "right-missing", challenge: expect.stringContaining(`scope="${right}"`) };
  for (const other of RIGHTS.filter((one: Right) => one !== right)) await refused(secrets.get(other), lacks);
  await refused(secrets.get(`not ${right}`), lacks);
  await passes(secrets.get(right));
});
