import type { Clock } from "../../../agent/ports/index.ts";
import type { HardwareFacts, Vitals } from "../../../shared/capacity.ts";

/** How a box takes and gives heat (Newton's law of cooling). */
export interface Body {
  /** Where it settles idle, and with all executors at work. */
  idleC: number;
  busyC: number;
  /** In which the difference falls to a third. */
  seconds: number;
  throttleC: number;
  /** Absent: nobody is told that it could throttle. */
  warnC?: number;
}

const SAMPLE_MS = 500;
const TREND_SAMPLES = 60_000 / SAMPLE_MS;

/** The temperature of a pretend box, by what its executors do. */
export class Heat {
  readonly #body: Body;
  #temperatureC: number;
  readonly #last: number[] = [];
  hottestC: number;

  constructor(body: Body, clock: Clock, busyShare: () => number) {
    this.#body = body;
    this.#temperatureC = body.idleC;
    this.hottestC = body.idleC;
    clock.every(SAMPLE_MS, () => this.#sample(busyShare()));
  }

  get facts(): Pick<HardwareFacts, "warnC" | "throttleC"> {
    const { warnC, throttleC } = this.#body;
    return warnC === undefined ? {} : { warnC, throttleC };
  }

  vitals(): Partial<Vitals> {
    const first = this.#last[0] ?? this.#temperatureC;
    const minutes = Math.max(1, this.#last.length - 1) / TREND_SAMPLES;
    return {
      temperatureC: this.#temperatureC,
      temperatureTrendCPerMinute: (this.#temperatureC - first) / minutes,
      throttled: this.#temperatureC >= this.#body.throttleC,
    };
  }

  #sample(busyShare: number): void {
    const { idleC, busyC, seconds } = this.#body;
    const settlesC = idleC + (busyC - idleC) * busyShare;
    this.#temperatureC += (settlesC - this.#temperatureC) * (1 - Math.exp(-SAMPLE_MS / 1_000 / seconds));
    this.hottestC = Math.max(this.hottestC, this.#temperatureC);
    this.#last.push(this.#temperatureC);
    if (this.#last.length > TREND_SAMPLES) this.#last.shift();
  }
}
