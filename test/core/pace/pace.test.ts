import { describe, expect, test } from "vitest";
import { type Measured, paceFor } from "../../../agent/core/pace/index.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";

const { electionTicks: MIN, electionTicksMax: MAX } = TIMING;
const many = (ms: number, count = 20): number[] => Array<number>(count).fill(ms);
const fleet = (acknowledgeMs: number[], writeMs: number): Measured => ({
  acknowledgeMs: acknowledgeMs.map((ms) => many(ms)),
  writeMs: many(writeMs),
});
const ticksFor = (measured: Measured, present: number = MIN): number =>
  paceFor(measured, present)?.electionTicks ?? present;

describe("patience", () => {
  test.each([
    ["stays short on wire and NVMe", fleet([3, 4], 1), MIN, MIN],
    ["stays short on Wi-Fi", fleet([30, 60], 5), MIN, MIN],
    ["grows with a slow card and a slow link", fleet([500, 500], 300), MIN, 24],
    ["goes by the slowest voter", fleet([3, 500], 300), MIN, 24],
    ["counts the leader's own disk", fleet([200], 600), MIN, 24],
    ["never goes beyond its bound", fleet([20_000], 9_000), MIN, MAX],
    ["comes back when the fleet is fast again", fleet([3, 4], 1), 24, MIN],
    ["comes back part of the way", fleet([200, 150], 100), 24, 9],
  ])("%s", (_, measured, present, expected) => {
    expect(ticksFor(measured, present)).toBe(expected);
  });

  test("does not follow noise: measurements a little above or below what it was made from change nothing", () => {
    for (const base of [320, 500, 650]) {
      const present = ticksFor(fleet([base], 100));
      for (const factor of [0.8, 0.9, 1, 1.1, 1.15])
        expect(paceFor(fleet([base * factor], 100 * factor), present)).toBeUndefined();
    }
  });

  test("does not follow a single stall", () => {
    const samples = [...many(3, 19), 4_000];
    expect(paceFor({ acknowledgeMs: [samples], writeMs: [...many(1, 19), 2_000] }, MIN)).toBeUndefined();
  });

  test("does not change by a handful of measurements", () => {
    const few = many(2_000, LIMITS.paceSamplesMin - 1);
    expect(paceFor({ acknowledgeMs: [few], writeMs: few }, MIN)).toBeUndefined();
    expect(paceFor({ acknowledgeMs: [], writeMs: [] }, MAX)).toBeUndefined();
  });

  test("grows by the voters that are measured, and shrinks only when all are", () => {
    const few = many(3, 1);
    expect(ticksFor({ acknowledgeMs: [many(500), few], writeMs: many(300) })).toBe(24);
    expect(ticksFor({ acknowledgeMs: [many(3), few], writeMs: many(1) }, MAX)).toBe(MAX);
  });

  test("always leaves room for three lost heartbeats, and settles at once: the same measurements change it no more", () => {
    for (let ms = 1; ms < 4_000; ms += 7)
      for (const present of [MIN, 15, MAX]) {
        const timing = paceFor(fleet([ms], ms / 2), present);
        if (!timing) continue;
        expect(3 * timing.heartbeatTicks).toBeLessThanOrEqual(timing.electionTicks);
        expect(timing.heartbeatTicks).toBeGreaterThanOrEqual(TIMING.heartbeatTicks);
        expect(paceFor(fleet([ms], ms / 2), timing.electionTicks)).toBeUndefined();
      }
  });
});
