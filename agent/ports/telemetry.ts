export type LogLevel = "debug" | "info" | "warn" | "error";

/** Structured log lines: an event name in past tense and its facts. */
export interface Telemetry {
  log(level: LogLevel, event: string, facts?: Record<string, unknown>): void;
}
