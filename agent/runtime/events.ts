import { LIMITS } from "../../shared/limits.ts";
import type { AgentEvent } from "../../shared/routes.ts";
import type { Clock, LogLevel, Telemetry } from "../ports/index.ts";

/** What happened, for people and for the event stream; the newest are kept for late comers. */
export class Events {
  readonly #clock: Clock;
  readonly #telemetry: Telemetry;
  readonly #kept: AgentEvent[] = [];
  readonly #listeners = new Set<(event: AgentEvent) => void>();
  #lastId = 0;

  constructor(clock: Clock, telemetry: Telemetry) {
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  emit(event: string, facts: Record<string, unknown> = {}, level: LogLevel = "info"): void {
    const told: AgentEvent = { id: ++this.#lastId, atMs: this.#clock.nowMs(), event, facts };
    this.#kept.push(told);
    if (this.#kept.length > LIMITS.eventsKeptMax) this.#kept.shift();
    this.#telemetry.log(level, event, facts);
    for (const listener of this.#listeners) listener(told);
  }

  get kept(): number {
    return this.#kept.length;
  }

  since(id: number): AgentEvent[] {
    return this.#kept.filter((event) => event.id > id);
  }

  on(listener: (event: AgentEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
