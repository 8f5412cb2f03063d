import type { Vitals } from "../../../shared/capacity.ts";
import type { Findings } from "./findings.ts";
import type { Root } from "./root.ts";
import { filesIn, type Sensor, sensor } from "./sensor.ts";

/** /sys/class/power_supply: Documentation/ABI/testing/sysfs-class-power. */
const FOLDER = "/sys/class/power_supply";
/** Some gauges say a little over 100 when full; more than that, or less than 0, is nonsense. */
const PERCENT_MAX = 105;

interface Battery {
  capacity: Sensor;
  status: Sensor;
}

export type Power = Pick<Vitals, "power" | "batteryPercent">;

/** What feeds the box. Batteries of mice and headsets are not its own. */
export class PowerReader {
  readonly #mains: Sensor[];
  readonly #batteries: Battery[];

  constructor(root: Root) {
    const supplies = filesIn(root, FOLDER, /./)
      .filter((supply) => root.text(`${supply}/scope`)?.trim() !== "Device")
      .map((folder) => ({ folder, type: root.text(`${folder}/type`)?.trim() ?? "" }));
    this.#mains = supplies
      .filter(({ type }) => /^(Mains|USB.*|Wireless|BrickID)$/.test(type))
      .map(({ folder }) => sensor(root, `${folder}/online`));
    this.#batteries = supplies
      .filter(({ type }) => /^(Battery|UPS)$/.test(type))
      .map(({ folder }) => ({
        capacity: sensor(root, `${folder}/capacity`),
        status: sensor(root, `${folder}/status`),
      }));
  }

  /** Nothing of a box that has neither a battery nor a supply that can be asked. */
  async read(): Promise<Power> {
    const online = await Promise.all(this.#mains.map((supply) => supply.number()));
    const batteries = await Promise.all(
      this.#batteries.map(async ({ capacity, status }) => ({
        percent: plausiblePercent(await capacity.number()),
        status: (await status.text())?.trim().toLowerCase(),
      })),
    );
    const percents = batteries.map(({ percent }) => percent).filter((percent) => percent !== undefined);
    const power = powerOf(
      online,
      batteries.map(({ status }) => status),
    );
    return {
      ...(power && { power }),
      ...(percents.length > 0 && { batteryPercent: percents.reduce((sum, one) => sum + one, 0) / percents.length }),
    };
  }

  note(findings: Findings, { power, batteryPercent }: Power): void {
    const from = (sensors: Sensor[], file: string): string => sensors[0]?.path ?? `${FOLDER}/*/${file}`;
    findings.note(
      "power.source",
      power,
      from([...this.#mains, ...this.#batteries.map(({ status }) => status)], "online"),
    );
    findings.note(
      "power.batteryPercent",
      batteryPercent,
      from(
        this.#batteries.map(({ capacity }) => capacity),
        "capacity",
      ),
    );
  }
}

const plausiblePercent = (percent: number | undefined): number | undefined =>
  percent !== undefined && percent >= 0 && percent <= PERCENT_MAX ? Math.min(100, percent) : undefined;

/** A supply that is plugged in counts before what the battery says: a weak one may be on the mains and still discharge. */
function powerOf(online: (number | undefined)[], statuses: (string | undefined)[]): Vitals["power"] {
  if (online.some((one) => one !== undefined && one > 0)) return "mains";
  if (statuses.length === 0) return online.some((one) => one === 0) ? "mains" : undefined;
  if (statuses.every((status) => status === "charging" || status === "full" || status === "not charging"))
    return "mains";
  return statuses.includes("discharging") || online.includes(0) ? "battery" : undefined;
}
