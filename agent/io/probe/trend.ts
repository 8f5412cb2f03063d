/** Readings of the last minute; of more than these the oldest go. */
const WINDOW_MS = 60_000;
const READINGS_MAX = 128;
/** Over a shorter time a trend is the sensor's noise. */
const SPAN_MS_MIN = 15_000;
const READINGS_MIN = 4;

/** How fast a temperature moves: the slope of the straight line through the readings of the last minute. */
export class Trend {
  #readings: { atMs: number; celsius: number }[] = [];

  add(atMs: number, celsius: number | undefined): void {
    if (celsius === undefined) return;
    this.#readings.push({ atMs, celsius });
    this.#readings = this.#readings.filter((reading) => atMs - reading.atMs <= WINDOW_MS).slice(-READINGS_MAX);
  }

  /** In degrees a minute; undefined until there is enough to tell. */
  perMinute(): number | undefined {
    const readings = this.#readings;
    const spanMs = (readings.at(-1)?.atMs ?? 0) - (readings[0]?.atMs ?? 0);
    if (readings.length < READINGS_MIN || spanMs < SPAN_MS_MIN) return undefined;
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const minutes = readings.map(({ atMs }) => atMs / 60_000);
    const middle = mean(minutes);
    const level = mean(readings.map(({ celsius }) => celsius));
    const along = readings.reduce((sum, { celsius }, i) => sum + (minutes[i]! - middle) * (celsius - level), 0);
    const spread = minutes.reduce((sum, minute) => sum + (minute - middle) ** 2, 0);
    return Math.round((100 * along) / spread) / 100;
  }
}
