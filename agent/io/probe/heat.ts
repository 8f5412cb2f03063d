import type { Root } from "./root.ts";
import { filesIn, hwmonChips, type Sensor, sensor } from "./sensor.ts";

/** Outside this a zone is switched off or broken: some answer -273 or 0 millidegrees while their part sleeps. */
const PLAUSIBLE_C = { min: 1, max: 150 };

/**
 * Zones that do not measure what computes. PMIC-Die on Jetsons says 100 C at all times (balena-os/balena-jetson #142);
 * the rest belong to parts with limits of their own.
 */
const FOREIGN_ZONE = /pmic|batt|charger|iwlwifi|wifi|nvme|ssd|modem|ambient|tboard|skin|fan-est/i;

/** CPU sensors that have no thermal zone: AMD processors (intel/thermal_daemon #208), Intel ones without x86_pkg_temp. */
const CPU_HWMON = /^(coretemp|k10temp|zenpower|cpu_thermal)$/;

/** The hottest place of what computes. Sensors are looked up once; reading them again is cheap. */
export class HeatReader {
  readonly #sensors: Sensor[];

  constructor(root: Root) {
    this.#sensors = findSensors(root).map((path) => sensor(root, path));
  }

  get paths(): string[] {
    return this.#sensors.map(({ path }) => path);
  }

  /** In degrees; undefined where there is no sensor, or none answered plausibly in time. */
  async hottestC(): Promise<number | undefined> {
    const millidegrees = await Promise.all(this.#sensors.map((one) => one.number()));
    const plausible = millidegrees
      .map((reading) => (reading ?? 0) / 1000)
      .filter((celsius) => celsius >= PLAUSIBLE_C.min && celsius <= PLAUSIBLE_C.max);
    return plausible.length === 0 ? undefined : Math.max(...plausible);
  }
}

function findSensors(root: Root): string[] {
  const zones = filesIn(root, "/sys/class/thermal", /^thermal_zone/)
    .filter((zone) => !FOREIGN_ZONE.test(root.text(`${zone}/type`) ?? ""))
    .map((zone) => `${zone}/temp`);
  const chips = hwmonChips(root, CPU_HWMON).flatMap((chip) => filesIn(root, chip, /^temp\d+_input$/));
  return [...zones, ...chips];
}
