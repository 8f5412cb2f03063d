/** How a box fares: what slows it, what feeds it, how its heat moves. Counters and sensors may say anything. */
import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { createProbe } from "../../../agent/io/probe/index.ts";
import { checkCapacityReport, type Vitals } from "../../../shared/capacity.ts";
import { decodeCapacityReport, encodeCapacityReport } from "../../../shared/wire/capacity.ts";
import { capacityReport, nodeIdOf } from "../../core/fleet/reports.ts";
import { type WrittenBoard, writeBoard } from "./boards.ts";

/** Vitals at the seconds that are asked for. */
function watched(board: WrittenBoard): (atSeconds?: number) => Promise<Vitals> {
  let nowMs = 0;
  const probe = createProbe({ dataDir: tmpdir(), root: board.root, arch: board.arch, nowMs: () => nowMs });
  return (atSeconds = 0) => {
    nowMs = 1_000 * atSeconds;
    return probe.vitals();
  };
}

function cool(name: string): WrittenBoard {
  const board = writeBoard(name);
  if (name.startsWith("raspberry")) board.write("sys/class/thermal/thermal_zone0/temp", "50000\n");
  return board;
}

describe("a Raspberry Pi's firmware", () => {
  test.each([
    ["0", undefined, false],
    ["50000", undefined, false], // it was, since the start, and is no more
    ["50005", ["under-voltage"], false],
    ["2", ["frequency capped"], false],
    ["0x4", ["heat"], true],
    ["e0008", ["soft heat limit"], false],
    ["hot", undefined, false],
    ["123456789abc", undefined, false],
    ["", undefined, false],
  ])("that says %s slows it by %s", async (says, slowedBy, throttled) => {
    const board = cool("raspberry-pi-4b");
    board.write("sys/devices/platform/soc/soc:firmware/get_throttled", `${says}\n`);
    expect(await watched(board)()).toMatchObject({ throttled });
    expect((await watched(board)()).slowedBy).toEqual(slowedBy);
  });

  test("is found under the longer names of newer boards, and its voltage alarm is heard too", async () => {
    const board = cool("raspberry-pi-5");
    board.write("sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "2\n");
    board.write("sys/class/hwmon/hwmon1/name", "rpi_volt\n");
    board.write("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
    const vitals = watched(board);
    expect((await vitals()).slowedBy).toEqual(["frequency capped", "under-voltage"]);
    board.write("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n");
    expect((await vitals()).slowedBy).toEqual(["frequency capped"]);
  });
});

describe("a counter of throttling", () => {
  const x86 = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count";

  test("tells for half a minute after it moved; where it stood at the start tells nothing", async () => {
    const board = writeBoard("intel-nuc");
    board.write(x86, "814\n");
    const vitals = watched(board);
    expect(await vitals(0)).not.toHaveProperty("slowedBy");
    board.write(x86, "815\n");
    expect(await vitals(3)).toMatchObject({ slowedBy: ["heat"], throttled: false });
    expect((await vitals(32)).slowedBy).toEqual(["heat"]);
    expect(await vitals(34)).not.toHaveProperty("slowedBy");
  });

  test("that jumps back began anew, and one that says nonsense is left out", async () => {
    const board = writeBoard("intel-nuc");
    board.write(x86, "814\n");
    const vitals = watched(board);
    await vitals(0);
    for (const text of ["3\n", "many\n", "-1\n", ""]) {
      board.write(x86, text);
      expect(await vitals(3)).not.toHaveProperty("slowedBy");
    }
    board.remove(x86);
    expect(await vitals(6)).not.toHaveProperty("slowedBy");
  });

  test("is a Jetson's of over-current", async () => {
    const board = writeBoard("jetson-orin-nano");
    board.write("sys/class/hwmon/hwmon2/name", "soctherm_oc\n");
    board.write("sys/class/hwmon/hwmon2/oc3_event_cnt", "0\n");
    const vitals = watched(board);
    await vitals(0);
    board.write("sys/class/hwmon/hwmon2/oc3_event_cnt", "2\n");
    expect((await vitals(3)).slowedBy).toEqual(["over-current"]);
  });
});

describe("the frequency", () => {
  const policy = "sys/devices/system/cpu/cpufreq/policy0";
  function capped(capKhz: number): WrittenBoard {
    const board = cool("raspberry-pi-5");
    board.write(`${policy}/cpuinfo_max_freq`, "2400000\n");
    board.write(`${policy}/scaling_max_freq`, `${capKhz}\n`);
    board.write(`${policy}/scaling_cur_freq`, "1500000\n");
    return board;
  }

  test("is that of the fastest group of cores, and nonsense is left out", async () => {
    const board = capped(2_400_000);
    board.write("sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq", "600000\n");
    expect((await watched(board)()).frequencyMHz).toBe(1500);
    board.write(`${policy}/scaling_cur_freq`, "4294967295\n");
    expect((await watched(board)()).frequencyMHz).toBe(600);
  });

  test("that is capped while the agent runs slows the box; a cap that stood at its start is a setting", async () => {
    const board = capped(1_800_000);
    const vitals = watched(board);
    expect(await vitals(0)).not.toHaveProperty("slowedBy");
    board.write(`${policy}/scaling_max_freq`, "1000000\n");
    expect((await vitals(3)).slowedBy).toEqual(["frequency capped"]);
    board.write(`${policy}/scaling_max_freq`, "2400000\n");
    expect(await vitals(6)).not.toHaveProperty("slowedBy");
    board.write(`${policy}/scaling_max_freq`, "1800000\n");
    expect((await vitals(9)).slowedBy).toEqual(["frequency capped"]);
  });

  test("that the kernel's thermal governor holds down is slowed by heat", async () => {
    const board = cool("raspberry-pi-5"); // its cooling_device0 is cpufreq-cpu0
    board.write("sys/class/thermal/cooling_device0/cur_state", "2\n");
    board.write("sys/class/thermal/cooling_device1/type", "pwm-fan\n");
    board.write("sys/class/thermal/cooling_device1/cur_state", "3\n");
    expect((await watched(board)()).slowedBy).toEqual(["heat"]);
  });
});

describe("power", () => {
  async function powerOf(files: Record<string, string>): Promise<Pick<Vitals, "power" | "batteryPercent">> {
    const board = writeBoard("intel-nuc");
    for (const [path, text] of Object.entries(files)) board.write(`sys/class/power_supply/${path}`, `${text}\n`);
    const { power, batteryPercent } = await watched(board)();
    return { ...(power && { power }), ...(batteryPercent !== undefined && { batteryPercent }) };
  }
  const battery = (status: string, capacity = "80") => ({
    "BAT0/type": "Battery",
    "BAT0/status": status,
    "BAT0/capacity": capacity,
  });
  const mains = (online: number) => ({ "AC/type": "Mains", "AC/online": `${online}` });

  test("is the mains while a supply is plugged in, and the battery when none is", async () => {
    expect(await powerOf({ ...mains(1), ...battery("Discharging") })).toEqual({ power: "mains", batteryPercent: 80 });
    expect(await powerOf({ ...mains(0), ...battery("Discharging") })).toEqual({ power: "battery", batteryPercent: 80 });
    expect(await powerOf(battery("Discharging"))).toEqual({ power: "battery", batteryPercent: 80 });
    expect(await powerOf(battery("Full", "100"))).toEqual({ power: "mains", batteryPercent: 100 });
  });

  test("is unknown where nothing can be asked, and a mouse's battery is nobody's supply", async () => {
    expect(await powerOf({})).toEqual({});
    expect(await powerOf({ ...battery("Discharging"), "BAT0/scope": "Device" })).toEqual({});
    expect(await powerOf(battery("Unknown"))).toEqual({ batteryPercent: 80 });
  });

  test("never says more than a battery can hold", async () => {
    expect(await powerOf(battery("Full", "103"))).toEqual({ power: "mains", batteryPercent: 100 });
    for (const nonsense of ["-1", "255", "lots", ""])
      expect(await powerOf(battery("Discharging", nonsense))).toEqual({ power: "battery" });
  });
});

test("the fan is the fastest one, and an unplugged sensor's millions are not believed", async () => {
  const board = cool("raspberry-pi-5");
  board.write("sys/class/hwmon/hwmon3/name", "pwmfan\n");
  board.write("sys/class/hwmon/hwmon3/fan1_input", "2890\n");
  board.write("sys/class/hwmon/hwmon3/fan2_input", "4000000000\n");
  expect((await watched(board)()).fanRpm).toBe(2890);
});

test("the temperature's trend is its slope over the last minute, once there is enough to tell", async () => {
  const board = writeBoard("raspberry-pi-5");
  const vitals = watched(board);
  let last: Vitals | undefined;
  for (let second = 0; second <= 120; second += 3) {
    const celsius = second <= 60 ? 40 + second / 10 : 46; // 6 a minute, then level
    board.write("sys/class/thermal/thermal_zone0/temp", `${Math.round(1_000 * celsius)}\n`);
    last = await vitals(second);
    if (second === 9) expect(last).not.toHaveProperty("temperatureTrendCPerMinute");
    if (second === 60) expect(last.temperatureTrendCPerMinute).toBeCloseTo(6, 1);
  }
  expect(last?.temperatureTrendCPerMinute).toBeCloseTo(0, 1);
});

test("what the agent and its executors hold is counted, without the files they map", async () => {
  const board = writeBoard("intel-nuc");
  board.write(
    "proc/self/status",
    "Name:\tnode\nPid:\t77\nRssAnon:\t   1000 kB\nRssFile:\t 9999 kB\nCpus_allowed_list:\t0-7\n",
  );
  board.write("proc/self/task/77/children", "78 79 80 ");
  board.write("proc/78/status", "Name:\tskein-executor\nRssAnon:\t  2000 kB\n");
  board.write("proc/79/status", "Name:\tskein-executor\nRssAnon:\t  nonsense kB\n");
  expect((await watched(board)()).memoryOwnBytes).toBe(3_000 * 1024);
});

test("all of it goes over the wire and comes out the same", async () => {
  const board = writeBoard("raspberry-pi-5");
  const files: Record<string, string> = {
    "sys/devices/platform/soc/soc:firmware/get_throttled": "5",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1500000",
    "sys/class/power_supply/BAT0/type": "Battery",
    "sys/class/power_supply/BAT0/capacity": "43",
    "sys/class/power_supply/BAT0/status": "Discharging",
    "sys/class/hwmon/hwmon3/name": "pwmfan",
    "sys/class/hwmon/hwmon3/fan1_input": "2890",
    "proc/self/status": "Pid:\t77\nRssAnon:\t1000 kB\nCpus_allowed_list:\t0-3\n",
  };
  for (const [path, text] of Object.entries(files)) board.write(path, `${text}\n`);
  const probe = createProbe({ dataDir: tmpdir(), root: board.root, arch: board.arch });
  const { facts: hardware } = await probe.probe();
  const links = [{ nodeId: nodeIdOf("b"), bytesPerSecond: 9e7 }];
  const vitals = await probe.vitals();
  const report = checkCapacityReport(capacityReport(nodeIdOf("a"), { hardware, vitals, links }));
  expect(report.vitals).toMatchObject({
    power: "battery",
    batteryPercent: 43,
    fanRpm: 2890,
    memoryOwnBytes: 1_024_000,
  });
  expect(decodeCapacityReport(encodeCapacityReport(report))).toEqual(report);
});
