/** Small jobs on boxes of speed 1 : 0.5 : 0.25, in any order, each with its own hand-over: against the fastest of them alone. */
import { seededRandomness } from "../../support/virtual-clock.ts";
import { type PolicyBox, type PolicyCase, simulatePolicy } from "./policy.ts";

export const SMALL_JOBS = [1, 2, 5, 20] as const;
const SPEEDS = [1, 0.5, 0.25];

const steady: PolicyCase = {
  nodes: SPEEDS.length,
  items: 1,
  speedRange: 4,
  estimateError: 0,
  itemSpread: 0,
  slowed: { part: 0, factor: 1 },
  dying: 0,
  handOverMs: 0,
};

/** What the three need over what one of them alone needs, the one for which that is least. */
export function overFastestAlone(items: number, seed: number): number {
  const boxes = drawBoxes(seed);
  const together = simulatePolicy({ ...steady, items, boxes }, seed).makespanSeconds;
  const alone = boxes.map((box) => simulatePolicy({ ...steady, items, boxes: [box] }, seed).makespanSeconds);
  return together / Math.min(...alone);
}

function drawBoxes(seed: number): PolicyBox[] {
  const randomness = seededRandomness(seed);
  const draw = (most: number): number => most * randomness.random();
  const itemsPerSecond = 0.5 + draw(4);
  const boxes = SPEEDS.map((speed) => ({
    itemsPerSecond: itemsPerSecond * speed,
    executors: 1 + Math.floor(draw(4)),
    handOverMs: draw(draw(2) < 1 ? 30 : 400),
  }));
  return boxes.sort(() => draw(1) - 0.5);
}
