import { pino } from "pino";
import type { LogLevel, Telemetry } from "../../ports/index.ts";
import { plainFacts } from "./facts.ts";
import { lineForPerson } from "./line.ts";

export interface TelemetryOptions {
  /** The least level that is written. */
  level: LogLevel;
  /** Lines for a person instead of JSON; by default where stderr is a terminal. */
  pretty?: boolean;
}

/** Lines waiting for a reader of stderr that does not read; further ones are dropped. */
const QUEUE_BYTES_MAX = 1024 * 1024;

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const isForPerson = options.pretty ?? process.stderr.isTTY === true;
  const stderr = pino.destination({ dest: 2, sync: false, maxLength: QUEUE_BYTES_MAX });
  // A reader that went away is no reason to stop.
  stderr.on("error", () => {});
  const sink = isForPerson ? { write: (line: string) => void stderr.write(lineForPerson(line)) } : stderr;
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: "event",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  return {
    log(level, event, facts = {}) {
      // Facts that cannot be told (a getter that throws) are left out; if even that fails, only the telling is lost.
      for (const factsOf of [() => plainFacts(facts), () => ({ factsUntold: true })])
        try {
          return logger[level](factsOf(), event);
        } catch {}
    },
  };
}
