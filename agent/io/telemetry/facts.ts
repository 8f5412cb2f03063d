/** Texts in a log line are cut after this many characters; a stack or a peer's message may be of any length. */
const TEXT_LENGTH_MAX = 2_000;

/** Facts as JSON can hold them, one level deep: errors with their code and facts, bytes as their count. */
export function plainFacts(facts: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, plain(value)]));
}

function plain(value: unknown): unknown {
  if (typeof value === "string" && value.length > TEXT_LENGTH_MAX) return `${value.slice(0, TEXT_LENGTH_MAX)}…`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Error) return plainError(value);
  if (typeof value === "bigint") return value.toString();
  return value;
}

function plainError(error: Error & { code?: unknown; toJSON?: () => unknown }): unknown {
  if (error.toJSON) return error.toJSON();
  return { message: error.message, ...(error.code ? { code: error.code } : {}), stack: plain(error.stack) };
}
