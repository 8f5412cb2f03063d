import type { CapacityReport } from "../../../shared/capacity.ts";
import { degrees, percent, seconds } from "./words.ts";

/** Share of a node's speed that heat and battery are expected to leave it, 0 to 1, and why it is not 1. */
export interface Derating {
  factor: number;
  /** The end of a sentence: "it is at 78 C and warms by 6 C a minute". */
  because?: string;
}

/** What a derating is made from. */
export type Condition = Pick<CapacityReport, "hardware" | "vitals">;

/** How far a trend of heat is followed: longer than a shard runs, shorter than a fan needs to catch up. */
const HORIZON_MINUTES = 1;
/** What a trend alone leaves at least while a box is cool: no box goes on warming as it does in its first seconds of work. */
const COOL_FACTOR_MIN = 0.5;
/**
 * On battery a node gives from the first all it can, from the second nothing: whoever unplugged it wants to go on using it,
 * and what it is doing when it switches off is lost.
 */
const BATTERY_PERCENT = { full: 50, empty: 10 };
/** Of a battery that does not say how full it is. */
const BATTERY_UNKNOWN = 0.5;
/** What a box that says it is slowed (under-voltage, a capped frequency) is trusted with, until its measured speed shows it. */
const SLOWED = 0.75;
/** So much cooler, or fuller, must it be before more is trusted to it again: at one temperature a factor would flap. */
const BAND = { celsius: 3, percent: 3 };
/** Factors differ by this at least: a chunk more or less is no matter. */
const STEP = 0.05;

/**
 * Work moves away before a box throttles: from the profile's `warnC` to its `throttleC` the factor falls from 1 to 0, by the
 * temperature a minute from now if it goes on like this. Less is trusted to it at once, more only once it is clearly
 * better, so the last factor is an argument.
 */
export function deratingOf({ hardware, vitals }: Condition, before = 1): Derating {
  const now = leastOf(factorsOf({ hardware, vitals }, 0, 0));
  if (now.factor <= before) return now;
  const surely = leastOf(factorsOf({ hardware, vitals }, BAND.celsius, BAND.percent));
  if (surely.factor > before) return surely;
  const because = now.because ?? surely.because;
  return before === 1 ? now : { factor: before, ...(because !== undefined && { because }) };
}

function* factorsOf({ hardware, vitals }: Condition, celsius: number, batteryPercent: number): Generator<Derating> {
  const { warnC, throttleC } = hardware;
  const { temperatureC, temperatureTrendCPerMinute = 0, slowedBy, power } = vitals;
  if (vitals.throttled) yield { factor: 0, because: "it is so hot that it slows itself" };
  if (temperatureC !== undefined && warnC !== undefined && throttleC !== undefined && throttleC > warnC) {
    const rising = Math.max(0, temperatureTrendCPerMinute);
    const soonC = temperatureC + rising * HORIZON_MINUTES + celsius;
    const least = temperatureC + celsius <= warnC ? COOL_FACTOR_MIN : 0;
    const factor = Math.max(least, stepped((throttleC - soonC) / (throttleC - warnC)));
    yield { factor, because: heatText(temperatureC, rising, throttleC) };
  }
  if (slowedBy && slowedBy.length > 0) yield { factor: SLOWED, because: `it is slowed by ${slowedBy.join(" and ")}` };
  if (power === "battery") {
    const { full, empty } = BATTERY_PERCENT;
    const left = vitals.batteryPercent;
    const factor = left === undefined ? BATTERY_UNKNOWN : stepped((left - batteryPercent - empty) / (full - empty));
    const charge =
      left === undefined ? "a battery that does not say how full it is" : `battery with ${percent(left / 100)} left`;
    yield { factor, because: `it runs on ${charge}` };
  }
}

function leastOf(factors: Iterable<Derating>): Derating {
  let least: Derating = { factor: 1 };
  for (const one of factors) if (one.factor < least.factor) least = one;
  return least;
}

/** Rounded down: never more than what is surely there. */
const stepped = (factor: number): number => {
  const within = Math.min(1, Math.max(0, factor));
  return Math.round(Math.floor(within / STEP + 1e-9) * STEP * 100) / 100;
};

function heatText(temperatureC: number, rising: number, throttleC: number): string {
  const now = `it is at ${degrees(temperatureC)}`;
  if (temperatureC >= throttleC) return `${now} and slows itself from ${degrees(throttleC)} on`;
  if (rising === 0) return `${now}, near the ${degrees(throttleC)} at which it slows itself`;
  const inSeconds = (60 * (throttleC - temperatureC)) / rising;
  return `${now}, warms by ${degrees(rising)} a minute and would slow itself at ${degrees(throttleC)} in ${seconds(inSeconds)}`;
}

/** Remembers what each node was trusted with last, for whoever looks again and again. */
export class Deratings {
  readonly #last = new Map<string, Derating>();

  of(nodeId: string, condition: Condition): Derating {
    const derating = deratingOf(condition, this.#last.get(nodeId)?.factor);
    this.#last.set(nodeId, derating);
    return derating;
  }

  last(nodeId: string): Derating {
    return this.#last.get(nodeId) ?? { factor: 1 };
  }

  keepOnly(nodeIds: ReadonlySet<string>): void {
    for (const nodeId of this.#last.keys()) if (!nodeIds.has(nodeId)) this.#last.delete(nodeId);
  }
}
