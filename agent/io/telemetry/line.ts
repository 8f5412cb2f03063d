/** `12:34:56.789 warn  linkLost peer=Qx3f9a silentMs=2500` out of the JSON line. */
export function lineForPerson(json: string): string {
  const { time, level, event, ...facts } = JSON.parse(json) as Record<string, unknown>;
  const told = Object.entries(facts).map(([name, value]) => ` ${name}=${wordFor(value)}`);
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${event}${told.join("")}\n`;
}

function wordFor(value: unknown): string {
  if (typeof value === "string") return /^[^\s"]+$/.test(value) ? value : JSON.stringify(value);
  const { message } = (value ?? {}) as { message?: unknown };
  return JSON.stringify(typeof message === "string" ? message : value);
}
