// What the panel without hardware is told, one order a line: keys, plugging, waiting, showing. JSON, by hand or by a script.

export type PanelOrder =
  | { press: string }
  | { release: string }
  | { tap: string }
  | { plug: boolean }
  /** Until a row of the glass holds this text. */
  | { await: string; withinMs: number }
  | { waitMs: number }
  | { show: true }
  | { end: true };

const LONGEST_WAIT_MS = 600_000;

/** undefined for an empty line. Throws RangeError for what is no order, in one line that shows one. */
export function parseOrder(line: string): PanelOrder | undefined {
  if (line.trim() === "") return undefined;
  const wrong = new RangeError(
    `no order: ${line.slice(0, 80)}; as in {"tap":"enter"}, press, release, {"plug":false}, {"await":"text","withinMs":5000}, {"waitMs":500}, {"show":true}, {"end":true}`,
  );
  let order: Record<string, unknown>;
  try {
    order = JSON.parse(line) as Record<string, unknown>;
  } catch {
    throw wrong;
  }
  if (order === null || typeof order !== "object") throw wrong;
  for (const key of ["press", "release", "tap"] as const) {
    if (typeof order[key] === "string") return { [key]: order[key] } as PanelOrder;
  }
  if (typeof order["plug"] === "boolean") return { plug: order["plug"] };
  const withinMs = order["withinMs"] ?? 5000;
  if (typeof order["await"] === "string" && isTime(withinMs)) return { await: order["await"], withinMs };
  if (isTime(order["waitMs"])) return { waitMs: order["waitMs"] };
  if (order["show"] === true) return { show: true };
  if (order["end"] === true) return { end: true };
  throw wrong;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= LONGEST_WAIT_MS;
}
