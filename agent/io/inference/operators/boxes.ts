import type { Json } from "../../../../shared/pipeline/definition.ts";
import { isRecord, type Ports } from "./ports.ts";

/** Upright, in pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
  /** 0 where it has none. */
  score: number;
  label?: string;
  /** As it was given, to be given on. */
  json: Record<string, Json>;
}

/** More is no picture that anyone took; and pairs of them are compared. */
const boxesMax = 10_000;

/** @throws INPUT_INVALID where it is no list of {"box": [left, top, width, height], "score"?, "label"?} */
export function boxesIn(ports: Ports, port: string): Box[] {
  const given = ports.array(port);
  if (given.length > boxesMax) ports.refuse(port, `must have at most ${boxesMax} boxes, not ${given.length}`);
  return given.map((one, n) => {
    const wrong = (): never =>
      ports.refuse(port, `must be of {"box": [left, top, width, height]}; its element ${n} is not one`);
    if (!isRecord(one) || !Array.isArray(one.box) || one.box.length !== 4) return wrong();
    const { box, score = 0, label } = one;
    const isBox = box.every((side) => typeof side === "number" && Number.isFinite(side) && Math.abs(side) < 1e9);
    const [left, top, width, height] = box as [number, number, number, number];
    if (!isBox || width < 0 || height < 0 || typeof score !== "number") return wrong();
    return { left, top, width, height, score, ...(typeof label === "string" && { label }), json: one };
  });
}

/** Common area over that of both together, 0 to 1. */
export function overlapOf(a: Box, b: Box): number {
  const across = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const down = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  const common = Math.max(0, across) * Math.max(0, down);
  const all = a.width * a.height + b.width * b.height - common;
  return all > 0 ? common / all : 0;
}
