/**
 * Log lines: an event in past tense and its facts, to stderr; JSON for machines, one short line for a person at a
 * terminal. Telemetry never throws and never waits: a log that cannot be written must not stop an agent.
 */
export { createTelemetry, type TelemetryOptions } from "./telemetry.ts";
