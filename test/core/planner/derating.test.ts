import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Condition, Deratings, deratingOf } from "../../../agent/core/planner/index.ts";
import type { HardwareFacts, Vitals } from "../../../shared/capacity.ts";

const box = (vitals: Partial<Vitals> = {}, hardware: Partial<HardwareFacts> = {}): Condition => ({
  hardware: {
    profile: "raspberry-pi-5",
    model: "a board",
    cpuModel: "a cpu",
    cores: 4,
    arch: "arm64",
    memoryTotalBytes: 8e9,
    memoryUsableBytes: 5e9,
    warnC: 70,
    throttleC: 80,
    ...hardware,
  },
  vitals: { memoryFreeBytes: 4e9, diskFreeBytes: 1e11, cpuLoad: 0.5, throttled: false, ...vitals },
});
const at = (temperatureC: number, temperatureTrendCPerMinute = 0): Condition =>
  box({ temperatureC, temperatureTrendCPerMinute });

test("a cool box on mains is counted at its whole speed, and so is one that tells nothing of itself", () => {
  for (const one of [at(50), at(69), box(), box({ power: "mains", batteryPercent: 3 })])
    expect(deratingOf(one)).toEqual({ factor: 1 });
  const { warnC: _, throttleC: __, ...hardware } = at(79).hardware;
  expect(deratingOf({ ...at(79), hardware })).toEqual({ factor: 1 });
});

describe("heat", () => {
  test("takes more of the speed the nearer it is to throttling", () => {
    expect([71, 75, 79, 80].map((celsius) => deratingOf(at(celsius)).factor)).toEqual([0.9, 0.5, 0.1, 0]);
    expect(deratingOf(at(75)).because).toBe("it is at 75 C, near the 80 C at which it slows itself");
  });

  test("is foreseen: a box that would throttle within a minute at this trend gets nothing before it does", () => {
    expect(deratingOf(at(72, 8))).toEqual({
      factor: 0,
      because: "it is at 72 C, warms by 8.0 C a minute and would slow itself at 80 C in 60 s",
    });
    expect(deratingOf(at(66, 8)).factor).toBe(0.6);
    expect(deratingOf(at(75, -8)).factor, "one that cools is not trusted before it is cool").toBe(0.5);
  });

  test("of a box that throttles leaves nothing", () => {
    expect(deratingOf(box({ throttled: true })).factor).toBe(0);
  });
});

test("a battery takes its part long before it is empty, and a box that says it is slowed is believed", () => {
  const battery = (batteryPercent: number) => deratingOf(box({ power: "battery", batteryPercent }));
  expect([100, 50, 30, 10, 2].map((percent) => battery(percent).factor)).toEqual([1, 1, 0.5, 0, 0]);
  expect(battery(30).because).toBe("it runs on battery with 30 % left");
  expect(deratingOf(box({ power: "battery" })).because).toContain("does not say how full it is");
  expect(deratingOf(box({ slowedBy: ["under-voltage"] }))).toEqual({
    factor: 0.75,
    because: "it is slowed by under-voltage",
  });
});

describe("one that is near a limit does not flap", () => {
  test("less is trusted to it at once, more only when it is clearly cooler", () => {
    const deratings = new Deratings();
    const factors = [70, 74, 73, 74, 72, 71.5, 70, 67, 66].map((celsius) => deratings.of("pi", at(celsius)).factor);
    expect(factors).toEqual([1, 0.6, 0.6, 0.6, 0.6, 0.6, 0.7, 1, 1]);
  });

  test("whatever the noise of its sensor, within three degrees a factor changes once at most", () => {
    const noise = fc.array(fc.double({ min: -1.4, max: 1.4, noNaN: true }), { minLength: 5, maxLength: 40 });
    fc.assert(
      fc.property(fc.double({ min: 60, max: 85, noNaN: true }), noise, (celsius, jumps) => {
        const deratings = new Deratings();
        const factors = jumps.map((jump) => deratings.of("pi", at(celsius + jump)).factor);
        for (let n = 1; n < factors.length; n++) expect(factors[n]).toBeLessThanOrEqual(factors[n - 1]!);
      }),
    );
  });

  test("of a box that is gone nothing is remembered", () => {
    const deratings = new Deratings();
    deratings.of("pi", at(79));
    deratings.keepOnly(new Set());
    expect(deratings.of("pi", at(69)).factor).toBe(1);
  });
});
