/** The drawing of a pipeline for a terminal: boxes in layers, arrows between them. */
import { Canvas } from "./canvas.ts";
import { type GraphArrow, type GraphBox, OUTPUTS, type PipelineGraph, sparse, wrapped } from "./graph.ts";
import { type PlacedBox, placed } from "./layout.ts";
import { type Crossing, routesOf, widthForArrows } from "./routes.ts";

/** Letters of a line in a box: fewer where the drawing is wider than the terminal. */
const LETTERS = [34, 26, 20, 16, 12];
const BORDERS = { plain: "┌┐└┘─│", mapped: "╔╗╚╝═║", end: "╭╮╰╯─│" };

/** No wider than `columns`; where that cannot be drawn, the same as an outline. */
export function terminalText(graph: PipelineGraph, columns: number): string {
  const head = `${graph.title}${graph.says ? `: ${graph.says}` : ""}\n\n`;
  // The outputs say themselves where they come from: arrows to them are the first to go.
  const arrows = graph.arrows.filter(({ to }) => to !== OUTPUTS);
  for (const one of [graph, sparse(graph), { ...graph, arrows }])
    for (const letters of LETTERS) {
      const text = drawn(one, letters);
      if (text.split("\n").every((line) => [...line].length <= columns)) return head + text;
    }
  return head + outline(graph);
}

function drawn(graph: PipelineGraph, letters: number): string {
  const count = (id: string, end: "from" | "to"): number => graph.arrows.filter((arrow) => arrow[end] === id).length;
  const boxSize = (box: GraphBox) => {
    const texts = textsOf(box, letters);
    const widths = texts.map((text) => [...text].length + 2);
    const inside = Math.max(...widths, widthForArrows(Math.max(count(box.id, "from"), count(box.id, "to"))));
    return { width: inside + 2, height: texts.length + 2 };
  };
  const { layers, gaps } = routesOf(placed(graph, { boxSize, boxGap: 4, layerGap: 4 }));
  const canvas = new Canvas();
  let row = 0;
  for (const [i, layer] of layers.entries()) {
    const height = Math.max(...layer.map((box) => box.height));
    const above = gaps[i - 1]?.crossings ?? [];
    const gap = gaps[i] ?? { crossings: [], tracks: 0 };
    for (const { to, reachesBox, isCondition } of above) {
      if (!reachesBox) canvas.line([to, row - 1], [to, row + height - 1]);
      else canvas.write(to, row - 1, isCondition ? "◇" : "▼");
    }
    for (const box of layer) drawBox(canvas, box, row, letters);
    drawGap(canvas, gap.crossings, { row: row + height, tracks: gap.tracks }, layer, row);
    row += height + gap.tracks + 1;
  }
  return canvas.text();
}

const shortened = (text: string, letters: number): string =>
  [...text].length <= letters ? text : `${[...text].slice(0, letters - 1).join("")}…`;
const textsOf = ({ title, lines }: GraphBox, letters: number): string[] =>
  [title, ...lines].flatMap((text) => wrapped(text, letters)).map((text) => shortened(text, letters));

function drawBox(canvas: Canvas, box: PlacedBox, row: number, letters: number): void {
  const kind = box.isMapped ? "mapped" : box.kind === "input" || box.kind === "outputs" ? "end" : "plain";
  const [topLeft, topRight, bottomLeft, bottomRight, across, down] = BORDERS[kind];
  const [left, inside] = [Math.round(box.x), box.width - 2];
  canvas.write(left, row, topLeft + across!.repeat(inside) + topRight);
  for (const [i, text] of textsOf(box, letters).entries())
    canvas.write(left, row + 1 + i, `${down} ${text.padEnd(inside - 2)} ${down}`);
  canvas.write(left, row + box.height - 1, bottomLeft + across!.repeat(inside) + bottomRight);
}

/** Boxes of a layer stand side by side at the top; from the shorter ones arrows go down to where the tallest ends. */
function drawGap(
  canvas: Canvas,
  crossings: readonly Crossing[],
  { row, tracks }: { row: number; tracks: number },
  layer: readonly PlacedBox[],
  layerRow: number,
): void {
  const end = row + tracks;
  for (const { from, to, track } of crossings) {
    const box = layer.find(({ x, width }) => from > x && from < x + width - 1);
    const start = box ? layerRow + box.height - 1 : row - 1;
    const bend = row + (track ?? 0);
    canvas.line([from, start], [from, bend]);
    if (track !== undefined) canvas.line([from, bend], [to, bend]);
    canvas.line([to, bend], [to, end]);
    if (box) canvas.write(from, start, box.isMapped ? "╤" : "┬");
  }
}

/** Every stage in a line, after those that it takes from. */
function outline({ boxes, arrows }: PipelineGraph): string {
  const titles = new Map(boxes.map(({ id, title }) => [id, title]));
  const left = new Map(boxes.map((box) => [box.id, box]));
  const lines: string[] = [];
  while (left.size > 0) {
    const isReady = ({ id }: GraphBox): boolean =>
      !arrows.some(({ from, to }: GraphArrow) => to === id && left.has(from));
    const box = [...left.values()].find(isReady) ?? [...left.values()][0]!;
    left.delete(box.id);
    const sources = arrows.filter(({ to }) => to === box.id).map(({ from, ports }) => `${titles.get(from)}.${ports}`);
    lines.push(`${[box.title, ...box.lines].join("  ")}${sources.length > 0 ? `  ← ${sources.join(", ")}` : ""}\n`);
  }
  return lines.join("");
}
