import { frequenciesOf, khzToMHz } from "./cpu.ts";
import type { Root } from "./root.ts";
import { filesIn, hwmonChips, type Sensor, sensor } from "./sensor.ts";

/** Since a counter of throttling moved last: so long it is said to be slowed, because the counters tell beginnings, not ends. */
const COUNTED_MS = 30_000;
/** Further cores of the same chip count the same events. */
const CORES_READ_MAX = 8;
/** Caps differ from maxima by rounding of the tables. */
const CAPPED_SHARE = 0.97;

/** Lowest bits of what a Raspberry Pi's firmware answers to get_throttled: raspberrypi.com/documentation/computers/os.html#get_throttled */
const PI_UNDER_VOLTAGE = 1;
const PI_FREQUENCY_CAPPED = 2;
const PI_THROTTLED = 4;
const PI_SOFT_LIMIT = 8;

export interface Slowing {
  /** Words for people, each once. */
  slowedBy: string[];
  /** The firmware itself says that heat holds it back now: it is as good as over its limit, whatever its sensors say. */
  throttled: boolean;
}

interface Sign {
  path: string;
  look(atMs: number): Promise<Slowing>;
}

const NOTHING: Slowing = { slowedBy: [], throttled: false };
const says = (...slowedBy: string[]): Slowing => ({ slowedBy, throttled: false });

/**
 * What the box says slows it. A cap on the frequency that stood when the agent started is a setting (a power mode, a quiet
 * profile), which everything measured here contains already; only a lower one than that is a slowing.
 */
export class SlowingReader {
  readonly #signs: Sign[];

  constructor(root: Root) {
    this.#signs = [
      piFirmware(root),
      piVoltage(root),
      heatCounters(root),
      jetsonCounters(root),
      cooling(root),
      caps(root),
    ].flat();
  }

  /** What is looked at here. */
  get paths(): string[] {
    return this.#signs.map(({ path }) => path);
  }

  async read(atMs: number): Promise<Slowing> {
    const all = await Promise.all(this.#signs.map((sign) => sign.look(atMs)));
    return {
      slowedBy: [...new Set(all.flatMap(({ slowedBy }) => slowedBy))],
      throttled: all.some((one) => one.throttled),
    };
  }
}

/** The firmware driver hangs under the SoC's node, which is named by its address on newer boards. */
function piFirmware(root: Root): Sign[] {
  const platform = "/sys/devices/platform";
  const path = filesIn(root, platform, /^soc(@|$)/)
    .flatMap((soc) => filesIn(root, soc, /:firmware$/))
    .map((firmware) => `${firmware}/get_throttled`)
    .find((file) => root.text(file) !== undefined);
  if (path === undefined) return [];
  const flags = sensor(root, path);
  return [{ path, look: async () => piSlowing((await flags.text())?.trim()) }];
}

function piSlowing(text: string | undefined): Slowing {
  if (text === undefined || !/^(0x)?[0-9a-f]{1,8}$/i.test(text)) return NOTHING;
  const bits = Number.parseInt(text, 16);
  // Too little voltage makes it throttle as well; then it is not heat.
  const isHot = (bits & PI_THROTTLED) !== 0 && (bits & PI_UNDER_VOLTAGE) === 0;
  const words: [boolean, string][] = [
    [(bits & PI_UNDER_VOLTAGE) !== 0, "under-voltage"],
    [(bits & PI_FREQUENCY_CAPPED) !== 0, "frequency capped"],
    [isHot, "heat"],
    [(bits & PI_SOFT_LIMIT) !== 0, "soft heat limit"],
  ];
  return { slowedBy: words.filter(([holds]) => holds).map(([, word]) => word), throttled: isHot };
}

function piVoltage(root: Root): Sign[] {
  return hwmonChips(root, /^rpi_volt$/).map((chip) => {
    const alarm = sensor(root, `${chip}/in0_lcrit_alarm`);
    return { path: alarm.path, look: async () => ((await alarm.number()) === 1 ? says("under-voltage") : NOTHING) };
  });
}

/** Of x86: how often each core, and the chip as a whole, was slowed by its own heat. */
function heatCounters(root: Root): Sign[] {
  const cpu = "/sys/devices/system/cpu";
  const cores = filesIn(root, cpu, /^cpu\d+$/).slice(0, CORES_READ_MAX);
  const chip = cores.slice(0, 1).map((core) => `${core}/thermal_throttle/package_throttle_count`);
  return [...cores.map((core) => `${core}/thermal_throttle/core_throttle_count`), ...chip]
    .filter((path) => root.number(path) !== undefined)
    .map((path) => counted(sensor(root, path), "heat"));
}

/** Jetsons count what their over-current protection did: Jetson Linux Developer Guide, "Over Current Throttling". */
function jetsonCounters(root: Root): Sign[] {
  return hwmonChips(root, /^soctherm_oc$/)
    .flatMap((chip) => filesIn(root, chip, /^oc\d+_event_cnt$/))
    .map((path) => counted(sensor(root, path), "over-current"));
}

/** Says `word` for a while after the counter grew. One that jumped back began anew. */
function counted(counter: Sensor, word: string): Sign {
  let last: number | undefined;
  let grewAtMs = Number.NEGATIVE_INFINITY;
  return {
    path: counter.path,
    look: async (atMs) => {
      const now = await counter.number();
      if (now !== undefined && last !== undefined && now > last) grewAtMs = atMs;
      last = now ?? last;
      return atMs - grewAtMs < COUNTED_MS ? says(word) : NOTHING;
    },
  };
}

/** The kernel's own thermal governor holds the frequency down while the state of such a device is not 0. */
function cooling(root: Root): Sign[] {
  return filesIn(root, "/sys/class/thermal", /^cooling_device\d+$/)
    .filter((device) => /cpufreq|^Processor$/i.test(root.text(`${device}/type`)?.trim() ?? ""))
    .slice(0, CORES_READ_MAX)
    .map((device) => {
      const state = sensor(root, `${device}/cur_state`);
      return { path: state.path, look: async () => (((await state.number()) ?? 0) > 0 ? says("heat") : NOTHING) };
    });
}

function caps(root: Root): Sign[] {
  return frequenciesOf(root).policies.flatMap(({ folder, maxMHz, capMHz }) => {
    if (maxMHz === undefined || capMHz === undefined) return [];
    const cap = sensor(root, `${folder}/scaling_max_freq`);
    let usualMHz = Math.min(maxMHz, capMHz);
    const look = async (): Promise<Slowing> => {
      const nowMHz = khzToMHz(await cap.number());
      if (nowMHz === undefined) return NOTHING;
      // A box that started under a cap and was freed of it is measured against its freedom from then on.
      usualMHz = Math.min(maxMHz, Math.max(usualMHz, nowMHz));
      return nowMHz < CAPPED_SHARE * usualMHz ? says("frequency capped") : NOTHING;
    };
    return [{ path: cap.path, look }];
  });
}
