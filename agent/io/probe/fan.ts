import type { Findings } from "./findings.ts";
import type { Root } from "./root.ts";
import { filesIn, hwmonChips, type Sensor, sensor } from "./sensor.ts";

/** No fan of a small box turns faster; an unplugged sensor may say anything. */
const RPM_MAX = 50_000;

/** The fastest fan. */
export class FanReader {
  readonly #fans: Sensor[];
  readonly #cooling: string[];

  constructor(root: Root) {
    this.#fans = hwmonChips(root, /./)
      .flatMap((chip) => filesIn(root, chip, /^fan\d+_input$/))
      .map((path) => sensor(root, path));
    this.#cooling = filesIn(root, "/sys/class/thermal", /^cooling_device\d+$/).filter((device) =>
      /fan/i.test(root.text(`${device}/type`) ?? ""),
    );
  }

  async rpm(): Promise<number | undefined> {
    const all = await Promise.all(this.#fans.map((fan) => fan.number()));
    const plausible = all.filter((rpm) => rpm !== undefined && rpm >= 0 && rpm <= RPM_MAX) as number[];
    return plausible.length === 0 ? undefined : Math.max(...plausible);
  }

  note(findings: Findings, root: Root, rpm: number | undefined): void {
    findings.note("fan.rpm", rpm, this.#fans[0]?.path ?? "/sys/class/hwmon/*/fan*_input");
    for (const device of this.#cooling) {
      const [state, most] = [root.number(`${device}/cur_state`), root.number(`${device}/max_state`)];
      if (state !== undefined && most !== undefined)
        findings.note("fan.step", `${state} of ${most}`, `${device}/cur_state`);
    }
  }
}
