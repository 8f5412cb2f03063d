import type { OperatorSpec } from "../operators.ts";
import { BOXES_SAY } from "./image.ts";

export const VISION: OperatorSpec[] = [
  {
    name: "vision/anchors@1",
    says: "Boxes from a detector with fixed anchors of one size, as BlazeFace: around the middle of each cell of some grids lie so many, each with a score before the sigmoid, a box, and points.",
    inputs: {
      scores: { type: "FP32[1,-1,1]", says: "one for each anchor, grid by grid" },
      boxes: {
        type: "FP32[1,-1,-1]",
        says: "offset of the middle, width, height, then points, x before y, in pixels of the model's input",
      },
      placement: { type: "json", optional: true, says: "of image/letterbox: boxes are then of the picture it took" },
    },
    outputs: {
      boxes: { type: "json", says: `${BOXES_SAY}; with "points": [[x, y], …]; best first` },
      best: { type: "number", says: "the highest score of all anchors, 0 to 1" },
    },
    parameters: {
      size: { type: "integer", says: "side of the model's input, in pixels", min: 1, max: 8192, default: 128 },
      grids: { type: "numbers", says: "cells along one side, of each grid", min: 1, max: 1024, default: [16, 8] },
      perCell: { type: "numbers", says: "anchors in one cell, of each grid", min: 1, max: 64, default: [2, 6] },
      scoreMin: { type: "number", says: "lower ones are dropped", min: 0, max: 1, default: 0.5 },
      max: { type: "integer", says: "boxes at most", min: 1, max: 10_000, default: 1_000 },
    },
  },
  {
    name: "vision/nms@1",
    says: "Drops boxes that cover much of the same as a better one (greedy non-maximum suppression).",
    inputs: { boxes: { type: "json", says: `${BOXES_SAY}; each with a score` } },
    outputs: {
      boxes: { type: "json", says: "those that stay, best first" },
      count: { type: "number", says: "how many" },
    },
    parameters: {
      overlapMax: {
        type: "number",
        says: "common area over that of both together; more is dropped",
        min: 0,
        max: 1,
        default: 0.5,
      },
      scoreMin: { type: "number", says: "lower ones are dropped", min: 0, max: 1, default: 0 },
      byLabel: { type: "boolean", says: "only boxes of one label drop each other", default: true },
      max: { type: "integer", says: "boxes at most", min: 1, max: 10_000, default: 100 },
    },
  },
];
