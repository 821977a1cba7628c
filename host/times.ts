// Lengths and moments as a person reads them.

/** "1:03", "1:00:05"; "" for none. */
export function shownLength(durationMs: number): string {
  if (!Number.isFinite(durationMs) || durationMs <= 0) return "";
  const seconds = Math.round(durationMs / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** "2026-11-21 09:00:00" of an ISO 8601 time in UTC. */
export function shownTime(iso: string): string {
  return iso.slice(0, 19).replace("T", " ");
}

/** "3 d 4 h", "4 h 5 min", "12 s"; "?" when it is not known. */
export function shownSpan(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [
    Math.floor(whole / 86400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${whole} s`;
}
