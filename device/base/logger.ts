// Log lines for people or machines, to one stream. Knows levels and fields, never payload, keys or full numbers.
export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Record<string, string | number | boolean | undefined>;
const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LoggerOptions {
  level: LogLevel;
  json: boolean;
  /** Writes one line without its newline. */
  write(line: string): void;
  nowIso(): string;
}

export function makeLogger(options: LoggerOptions): Logger {
  const emit = (level: LogLevel, message: string, fields?: LogFields): void => {
    if (RANK[level] < RANK[options.level]) return;
    if (options.json) {
      // What an error says stands beside what it means, not in its place.
      const { message: reason, ...rest } = fields ?? {};
      options.write(
        JSON.stringify({ at: options.nowIso(), level, message, ...rest, ...(reason !== undefined && { reason }) }),
      );
      return;
    }
    const tail = fields
      ? Object.entries(fields)
          .filter(([, value]) => value !== undefined)
          .map(
            ([key, value]) =>
              ` ${key}=${typeof value === "string" && /[\s"]/.test(value) ? JSON.stringify(value) : value}`,
          )
          .join("")
      : "";
    options.write(`${level === "info" ? "" : `${level}: `}${message}${tail}`);
  };
  return {
    debug: (message, fields) => emit("debug", message, fields),
    info: (message, fields) => emit("info", message, fields),
    warn: (message, fields) => emit("warn", message, fields),
    error: (message, fields) => emit("error", message, fields),
  };
}
