import { expect, test } from "vitest";
import { BoxWatch } from "../../../agent/core/box/index.ts";
import type { Vitals } from "../../../shared/capacity.ts";

const USABLE = 6e9;
const well: Vitals = {
  memoryFreeBytes: 5e9,
  memoryOwnBytes: 2e9,
  diskFreeBytes: 1e10,
  cpuLoad: 0.1,
  throttled: false,
  power: "mains",
};

/** What a watch tells of each of these, in words. */
function told(...readings: Partial<Vitals>[]): string[][] {
  const watch = new BoxWatch(USABLE);
  return readings.map((reading) =>
    watch.takeVitals({ ...well, ...reading }).map(({ what, from, to }) => `${what} ${from} > ${to}`),
  );
}

test("a box that is well has nothing to tell, however often it is asked", () => {
  expect(told({}, {}, { temperatureC: 60 }, {})).toEqual([[], [], [], []]);
});

test("an undocked laptop tells it once, and again when it is docked", () => {
  expect(told({}, { power: "battery" }, { power: "battery" }, {})).toEqual([
    [],
    ["power mains > battery"],
    [],
    ["power battery > mains"],
  ]);
  const watch = new BoxWatch(USABLE);
  watch.takeVitals(well);
  const [change] = watch.takeVitals({ ...well, power: "battery", batteryPercent: 81.6 });
  expect(change?.says).toBe("it runs on its battery, which is 82 % full");
});

test("a supply that does not answer once has not changed, and a start on the battery is no change", () => {
  const { power: _, ...silent } = well;
  const watch = new BoxWatch(USABLE);
  expect(watch.takeVitals({ ...well, power: "battery" })).toEqual([]);
  expect(watch.takeVitals(silent)).toEqual([]);
  expect(watch.takeVitals({ ...well, power: "battery" })).toEqual([]);
});

test("slowing begins at once and ends when it was not seen for some readings: under-voltage flickers", () => {
  const dips = { slowedBy: ["under-voltage"] };
  expect(told({}, dips, {}, dips, {}, {}, {}, {}, {})).toEqual([
    [],
    ["slowing nothing > under-voltage"],
    ...[[], [], [], [], [], []],
    ["slowing under-voltage > nothing"],
  ]);
});

test("a second cause is told beside the first, and a box over its limit is slowed by heat", () => {
  expect(told({ slowedBy: ["frequency capped"] }, { throttled: true, slowedBy: ["frequency capped"] })).toEqual([
    ["slowing nothing > frequency capped"],
    ["slowing frequency capped > frequency capped, heat"],
  ]);
});

test("memory that others take is told, memory that the agent itself takes is not", () => {
  expect(told({}, { memoryFreeBytes: 1e9, memoryOwnBytes: 6e9 })).toEqual([[], []]);
  const taken = { memoryFreeBytes: 1e9 };
  const nearlyBack = { memoryFreeBytes: 3.9e9 };
  expect(told({}, taken, taken, nearlyBack, { memoryFreeBytes: 4e9 })).toEqual([
    [],
    ["memory free > taken"],
    [],
    [],
    ["memory taken > free"],
  ]);
  expect(told({ memoryFreeBytes: 3.5e9 })).toEqual([[]]); // a little less than usable is nobody's concern
});

test("memory of which the kernel does not tell whose it is is not judged", () => {
  const { memoryOwnBytes: _, ...silent } = well;
  expect(new BoxWatch(USABLE).takeVitals({ ...silent, memoryFreeBytes: 1 })).toEqual([]);
});

test("storage is slow at several times its best, not for being slow from the start, and not below what anybody feels", () => {
  const tell = (...fsyncsMs: number[]): string[] => {
    const watch = new BoxWatch(USABLE);
    return fsyncsMs.flatMap((ms) => watch.takeFsync(ms).map(({ from, to }) => `${ms}: ${from} > ${to}`));
  };
  expect(tell(80, 85, 90)).toEqual([]);
  expect(tell(0.2, 15, 0.3)).toEqual([]);
  expect(tell(9, 40, 120, 25, 17, 40)).toEqual(["40: fast > slow", "17: slow > fast", "40: fast > slow"]);
});
