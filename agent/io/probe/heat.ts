import { oneAtATime, within } from "./deadline.ts";
import { type Root, wholeNumber } from "./root.ts";

/** A reading that takes longer is left out this time. Zones of parts a module lacks can hang (prometheus/node_exporter #3071). */
const SENSOR_DEADLINE_MS = 500;

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
  readonly #sensors: (() => Promise<number | undefined>)[];

  constructor(root: Root) {
    this.#sensors = findSensors(root).map((path) =>
      oneAtATime(async () => {
        const millidegrees = wholeNumber(await root.textSlow(path));
        return millidegrees === undefined ? undefined : millidegrees / 1000;
      }),
    );
  }

  /** In degrees; undefined where there is no sensor, or none answered plausibly in time. */
  async hottestC(): Promise<number | undefined> {
    const readings = await Promise.all(this.#sensors.map((read) => within(SENSOR_DEADLINE_MS, read())));
    const plausible = readings.filter(
      (celsius): celsius is number => celsius !== undefined && celsius >= PLAUSIBLE_C.min && celsius <= PLAUSIBLE_C.max,
    );
    return plausible.length === 0 ? undefined : Math.max(...plausible);
  }
}

function findSensors(root: Root): string[] {
  const zones = root
    .names("/sys/class/thermal")
    .filter((name) => name.startsWith("thermal_zone"))
    .map((name) => `/sys/class/thermal/${name}`)
    .filter((zone) => !FOREIGN_ZONE.test(root.text(`${zone}/type`) ?? ""))
    .map((zone) => `${zone}/temp`);
  const chips = root
    .names("/sys/class/hwmon")
    .map((name) => `/sys/class/hwmon/${name}`)
    .filter((chip) => CPU_HWMON.test(root.text(`${chip}/name`)?.trim() ?? ""))
    .flatMap((chip) =>
      root
        .names(chip)
        .filter((file) => /^temp\d+_input$/.test(file))
        .map((file) => `${chip}/${file}`),
    );
  return [...zones, ...chips];
}
