import { freemem } from "node:os";
import type { Vitals } from "../../../shared/capacity.ts";
import type { FirmwareProfile } from "../../../shared/profile.ts";
import { meminfoBytes } from "./board.ts";
import type { CgroupMemoryReader } from "./cgroup.ts";
import { cpuinfoMHz, frequenciesOf, khzToMHz } from "./cpu.ts";
import { FanReader } from "./fan.ts";
import type { Findings } from "./findings.ts";
import { HeatReader } from "./heat.ts";
import { LoadReader } from "./load.ts";
import { ownMemoryBytes } from "./own-memory.ts";
import { PowerReader } from "./power.ts";
import type { Root } from "./root.ts";
import { type Sensor, sensor } from "./sensor.ts";
import { SlowingReader } from "./slowing.ts";
import { Trend } from "./trend.ts";

export interface VitalsInit {
  cgroup: CgroupMemoryReader;
  diskFreeBytes: () => Promise<number>;
  /** Milliseconds of a clock that only goes forward. */
  nowMs: () => number;
}

/** How the box fares, again and again. Every file is looked up once, so that a reading costs a few short reads. */
export class VitalsReader {
  readonly #root: Root;
  readonly #init: VitalsInit;
  readonly #load: LoadReader;
  readonly #heat: HeatReader;
  readonly #trend = new Trend();
  readonly #slowing: SlowingReader;
  readonly #power: PowerReader;
  readonly #fan: FanReader;
  readonly #frequencies: Sensor[];

  constructor(root: Root, init: VitalsInit) {
    this.#root = root;
    this.#init = init;
    this.#load = new LoadReader(root);
    this.#heat = new HeatReader(root);
    this.#slowing = new SlowingReader(root);
    this.#power = new PowerReader(root);
    this.#fan = new FanReader(root);
    this.#frequencies = frequenciesOf(root).policies.map(({ folder }) => sensor(root, `${folder}/scaling_cur_freq`));
  }

  async read(cores: number, { thermal }: FirmwareProfile): Promise<Vitals> {
    const atMs = this.#init.nowMs();
    const [temperatureC, slowing, power, fanRpm, frequencyMHz, diskFreeBytes] = await Promise.all([
      this.#heat.hottestC(),
      this.#slowing.read(atMs),
      this.#power.read(),
      this.#fan.rpm(),
      this.#frequencyMHz(),
      this.#init.diskFreeBytes(),
    ]);
    this.#trend.add(atMs, temperatureC);
    const temperatureTrendCPerMinute = this.#trend.perMinute();
    const memoryOwnBytes = ownMemoryBytes(this.#root);
    return {
      ...this.#memory(),
      ...(memoryOwnBytes !== undefined && { memoryOwnBytes }),
      diskFreeBytes,
      cpuLoad: this.#load.read(cores),
      ...(temperatureC !== undefined && { temperatureC }),
      throttled: slowing.throttled || (temperatureC !== undefined && temperatureC >= thermal.throttleC),
      ...(temperatureTrendCPerMinute !== undefined && { temperatureTrendCPerMinute }),
      ...(slowing.slowedBy.length > 0 && { slowedBy: slowing.slowedBy }),
      ...power,
      ...(frequencyMHz !== undefined && { frequencyMHz }),
      ...(fanRpm !== undefined && { fanRpm }),
      utcOffsetMinutes: 0 - new Date().getTimezoneOffset(),
    };
  }

  #memory(): Pick<Vitals, "memoryFreeBytes"> {
    const available = meminfoBytes(this.#root, "MemAvailable") ?? freemem();
    return { memoryFreeBytes: Math.min(available, this.#init.cgroup.read().headroomBytes ?? available) };
  }

  async #frequencyMHz(): Promise<number | undefined> {
    const all = await Promise.all(this.#frequencies.map(async (one) => khzToMHz(await one.number())));
    const plausible = all.filter((mhz) => mhz !== undefined);
    return plausible.length === 0 ? undefined : Math.max(...plausible);
  }

  /** Where what `vitals` says was read from. */
  note(findings: Findings, vitals: Vitals): void {
    findings.note("memory.availableBytes", vitals.memoryFreeBytes, "/proc/meminfo, cgroup");
    findings.note("memory.ownBytes", vitals.memoryOwnBytes, "/proc/self/status, of its children too");
    if (vitals.frequencyMHz !== undefined)
      findings.note("cpu.frequencyMHz", vitals.frequencyMHz, this.#frequencies[0]!.path);
    else findings.note("cpu.frequencyMHz", cpuinfoMHz(this.#root), "/proc/cpuinfo");
    findings.note("heat.temperatureC", vitals.temperatureC, this.#heat.paths.join(", ") || "/sys/class/thermal, hwmon");
    if (this.#slowing.paths.length === 0)
      findings.missed("slowing", ["get_throttled", "rpi_volt", "thermal_throttle", "soctherm_oc", "scaling_max_freq"]);
    else findings.note("slowing", vitals.slowedBy?.join(", ") ?? "none", this.#slowing.paths.join(", "));
    this.#fan.note(findings, this.#root, vitals.fanRpm);
    this.#power.note(findings, vitals);
  }
}
