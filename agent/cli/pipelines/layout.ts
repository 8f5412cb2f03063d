/** Where the boxes of a graph go: in layers, what takes below what gives, by dagre. */
import { Graph, layout } from "@dagrejs/dagre";
import type { GraphArrow, GraphBox, PipelineGraph } from "./graph.ts";

export interface Point {
  x: number;
  y: number;
}

export interface PlacedBox extends GraphBox {
  /** The upper left corner. */
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface PlacedArrow extends GraphArrow {
  /** From the edge of one box to the edge of the other, past all that lies between. */
  points: Point[];
  /** The middle of its label, where it has one. */
  label?: Point;
}

export interface Layout {
  boxes: PlacedBox[];
  arrows: PlacedArrow[];
  width: number;
  height: number;
}

export interface Measures {
  boxSize(box: GraphBox): { width: number; height: number };
  /** Undefined: arrows carry no labels. */
  labelSize?(arrow: GraphArrow): { width: number; height: number };
  /** Between boxes of one layer, and between layers. */
  boxGap: number;
  layerGap: number;
}

interface DagreNode extends Point {
  width: number;
  height: number;
}

export function placed({ boxes, arrows }: PipelineGraph, measures: Measures): Layout {
  const graph = new Graph();
  const { boxGap, layerGap } = measures;
  graph.setGraph({ rankdir: "TB", nodesep: boxGap, edgesep: boxGap, ranksep: layerGap });
  for (const box of boxes) graph.setNode(box.id, measures.boxSize(box));
  for (const arrow of arrows)
    graph.setEdge(arrow.from, arrow.to, measures.labelSize ? { ...measures.labelSize(arrow), labelpos: "c" } : {});
  layout(graph);
  const placedBoxes = boxes.map((box): PlacedBox => {
    const { x, y, width, height } = graph.node(box.id) as DagreNode;
    return { ...box, x: x - width / 2, y: y - height / 2, width, height };
  });
  const placedArrows = arrows.map((arrow): PlacedArrow => {
    const { points, x, y } = graph.edge(arrow.from, arrow.to) as Partial<Point> & { points: Point[] };
    return { ...arrow, points, ...(x !== undefined && y !== undefined && { label: { x, y } }) };
  });
  return shifted(placedBoxes, placedArrows, measures);
}

/** Arrows and their labels may stand left of every box: all is moved so that nothing is below zero. */
function shifted(boxes: PlacedBox[], arrows: PlacedArrow[], { labelSize }: Measures): Layout {
  const bends = arrows.flatMap((arrow) => {
    const { points, label } = arrow;
    const half = label && labelSize ? labelSize(arrow).width / 2 : 0;
    return label ? [...points, { ...label, x: label.x - half }, { ...label, x: label.x + half }] : points;
  });
  const left = Math.min(...boxes.map(({ x }) => x), ...bends.map(({ x }) => x));
  const top = Math.min(...boxes.map(({ y }) => y));
  const move = ({ x, y }: Point): Point => ({ x: x - left, y: y - top });
  const right = Math.max(...boxes.map((box) => box.x + box.width), ...bends.map(({ x }) => x));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return {
    boxes: boxes.map((box) => ({ ...box, ...move(box) })),
    arrows: arrows.map((arrow) => ({
      ...arrow,
      points: arrow.points.map(move),
      ...(arrow.label && { label: move(arrow.label) }),
    })),
    width: right - left,
    height: bottom - top,
  };
}
