import type { Json } from "../../../../shared/pipeline/definition.ts";
import { type Box, boxesIn, overlapOf } from "./boxes.ts";
import type { Implementation } from "./operator.ts";
import type { Parameters } from "./parameters.ts";
import { type Ports, refuseInput } from "./ports.ts";
import { json } from "./values.ts";

interface Anchor {
  x: number;
  y: number;
}

const anchorsMax = 1_000_000;

/** Grid by grid, row by row, so many in the middle of each cell: in pixels of the model's input. */
function anchorsOf({ size, grids, perCell }: Parameters): Anchor[] {
  const [cells, counts] = [grids, perCell] as [number[], number[]];
  const wholes = [...cells, ...counts].every(Number.isSafeInteger);
  const total = cells.reduce((sum, side, n) => sum + side * side * (counts[n] ?? Number.NaN), 0);
  if (!wholes || cells.length !== counts.length || !(total <= anchorsMax))
    refuseInput(
      "vision/anchors@1",
      `its grids and perCell must be as many whole numbers, for at most ${anchorsMax} anchors`,
    );
  return cells.flatMap((side, n) =>
    Array.from({ length: side * side * counts[n]! }, (_, at) => {
      const cell = Math.floor(at / counts[n]!);
      const middle = (place: number): number => ((place + 0.5) / side) * (size as number);
      return { x: middle(cell % side), y: middle(Math.floor(cell / side)) };
    }),
  );
}

/** Where the letterbox put the picture; as it is, without one. */
function placementIn(ports: Ports): { scale: number; left: number; top: number } {
  if (!ports.has("placement")) return { scale: 1, left: 0, top: 0 };
  const { scale, left, top } = ports.record("placement");
  const isPlacement = typeof scale === "number" && scale > 0 && typeof left === "number" && typeof top === "number";
  return isPlacement ? { scale, left, top } : ports.refuse("placement", "must be of image/letterbox");
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Greedy: a box stays unless one that stays covers too much of it. */
function suppressed(boxes: readonly Box[], overlapMax: number, byLabel: boolean, max: number): Box[] {
  const kept: Box[] = [];
  for (const box of boxes) {
    if (kept.length === max) break;
    const rivals = byLabel ? kept.filter(({ label }) => label === box.label) : kept;
    if (rivals.every((other) => overlapOf(other, box) <= overlapMax)) kept.push(box);
  }
  return kept;
}

export const VISION: Record<string, Implementation> = {
  "vision/anchors@1": (parameters) => {
    const anchors = anchorsOf(parameters);
    const { scoreMin, max } = parameters as { scoreMin: number; max: number };
    return (ports) => {
      const scores = ports.floats("scores", [1, anchors.length, 1]).elements;
      const { shape, elements } = ports.floats("boxes", [1, anchors.length, -1]);
      const numbers = shape[2]!;
      if (numbers < 4 || numbers % 2 !== 0) ports.refuse("boxes", "must have four numbers for each anchor, then pairs");
      const { scale, left, top } = placementIn(ports);
      const boxOf = (n: number): Json => {
        const raw = elements.subarray(n * numbers, (n + 1) * numbers);
        const point = (at: number): [number, number] => [
          (raw[at]! + anchors[n]!.x - left) / scale,
          (raw[at + 1]! + anchors[n]!.y - top) / scale,
        ];
        const [[x, y], width, height] = [point(0), raw[2]! / scale, raw[3]! / scale];
        const points = Array.from({ length: numbers / 2 - 2 }, (_, i) => point(4 + i * 2));
        const box = [x - width / 2, y - height / 2, Math.max(0, width), Math.max(0, height)];
        if (![...box, ...points.flat()].every(Number.isFinite)) ports.refuse("boxes", "must be of finite numbers");
        return { box, score: sigmoid(scores[n]!), points };
      };
      const best = Array.from(scores, (_, n) => n)
        .filter((n) => sigmoid(scores[n]!) >= scoreMin)
        .sort((a, b) => scores[b]! - scores[a]! || a - b)
        .slice(0, max);
      const highest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
      if (!Number.isFinite(highest)) ports.refuse("scores", "must be of finite numbers");
      return { boxes: json(best.map(boxOf)), best: json(sigmoid(highest)) };
    };
  },
  "vision/nms@1":
    ({ overlapMax, scoreMin, byLabel, max }) =>
    (ports) => {
      const boxes = boxesIn(ports, "boxes")
        .filter(({ score }) => score >= (scoreMin as number))
        .sort((a, b) => b.score - a.score);
      const kept = suppressed(boxes, overlapMax as number, byLabel as boolean, max as number);
      return { boxes: json(kept.map((box) => box.json)), count: json(kept.length) };
    },
};
