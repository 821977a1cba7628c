// How a value is read out of a retained state: as a small expression that is evaluated here (Homie) or written as a template for
// somebody else to evaluate (Home Assistant), so that both show the same. Pure.

export type Reading =
  /** The value itself; null = not known. */
  | { of: "value"; path: readonly string[] }
  /** How many entries the list has. */
  | { of: "count"; path: readonly string[] }
  /** Whether the value is one of these. */
  | { of: "is"; path: readonly string[]; among: readonly (string | boolean)[] }
  /** Whether the list holds one of these; without `among`, anything. */
  | { of: "holds"; path: readonly string[]; among?: readonly string[] };

export type ReadValue = string | number | boolean | null;

export function evaluate(reading: Reading, state: unknown): ReadValue {
  const found = valueAt(state, reading.path);
  switch (reading.of) {
    case "value":
      return isPlain(found) ? found : null;
    case "count":
      return Array.isArray(found) ? found.length : null;
    case "is":
      return reading.among.some((one) => one === found);
    case "holds": {
      if (!Array.isArray(found)) return null;
      const { among } = reading;
      return among === undefined ? found.length > 0 : among.some((one) => found.includes(one));
    }
  }
}

/** Jinja, as Home Assistant renders it: `ON` or `OFF` for what is true or false, `None` for what is not known. */
export function template(reading: Reading): string {
  const value = ["value_json", ...reading.path].join(".");
  switch (reading.of) {
    case "value":
      return `{{ ${value} }}`;
    case "count":
      return `{{ ${value} | length }}`;
    case "is":
      return onOff(reading.among.map((one) => `${value} == ${literal(one)}`).join(" or "));
    case "holds":
      if (reading.among === undefined) return onOff(`${value} | length > 0`);
      return onOff(reading.among.map((one) => `${literal(one)} in ${value}`).join(" or "));
  }
}

function onOff(condition: string): string {
  return `{{ 'ON' if ${condition} else 'OFF' }}`;
}

/** Only codes and states of the contract stand here, none of which has a quote. */
function literal(value: string | boolean): string {
  return typeof value === "string" ? `'${value}'` : String(value);
}

function valueAt(state: unknown, path: readonly string[]): unknown {
  let found = state;
  for (const key of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

function isPlain(value: unknown): value is Exclude<ReadValue, null> {
  return (
    typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))
  );
}
