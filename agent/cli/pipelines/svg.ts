/** The drawing of a pipeline as SVG: by itself, without scripts, in the colours of the reader's light or dark page. */
import { type GraphArrow, type GraphBox, type PipelineGraph, sparse, wrapped } from "./graph.ts";
import { type Layout, type PlacedArrow, type PlacedBox, type Point, placed } from "./layout.ts";

/** Pixels. Letters of the fonts named below are at most this wide, so that text can be measured without a browser. */
const LETTER = { head: 9.2, title: 8.5, line: 7.3, label: 6.7 };
const LINE_HEIGHT = 17;
const PAD = { x: 14, y: 9 };
const MARGIN = 16;
const SAYS_WIDTH_MIN = 420;
const BEND_RADIUS = 14;
const WIDTH_MIN = 90;
/** How far the shadows of a box that runs many times stand out. */
const STACK = 4;
const FAN_MARKS = { "fan-out": "× ", each: "", "fan-in": "∑ " };

interface Colours {
  page: string;
  ink: string;
  quiet: string;
  line: string;
  /** Fill and edge of the boxes. */
  operator: [string, string];
  model: [string, string];
  pipeline: [string, string];
  end: [string, string];
}
const LIGHT: Colours = {
  ...{ page: "#ffffff", ink: "#1f2328", quiet: "#59636e", line: "#8c959f" },
  ...{ operator: ["#f6f8fa", "#afb8c1"], model: ["#ddf4ff", "#54aeff"] },
  ...{ pipeline: ["#fbefff", "#c297ff"], end: ["#dafbe1", "#4ac26b"] },
};
const DARK: Colours = {
  ...{ page: "#0d1117", ink: "#e6edf3", quiet: "#9198a1", line: "#6e7681" },
  ...{ operator: ["#1c2128", "#484f58"], model: ["#0c2d6b", "#388bfd"] },
  ...{ pipeline: ["#2e1461", "#8957e5"], end: ["#033a16", "#2ea043"] },
};

/** No variables of CSS: many that draw SVG (librsvg, Inkscape, previews of files) do not know them and would draw all black. */
const painted = ({ page, ink, quiet, line, operator, model, pipeline, end }: Colours): string => `
  .page { fill: ${page}; }
  text { fill: ${quiet}; }
  .title, .head { fill: ${ink}; }
  .operator { fill: ${operator[0]}; stroke: ${operator[1]}; }
  .model { fill: ${model[0]}; stroke: ${model[1]}; }
  .pipeline { fill: ${pipeline[0]}; stroke: ${pipeline[1]}; }
  .input, .outputs { fill: ${end[0]}; stroke: ${end[1]}; }
  .arrow { stroke: ${line}; }
  .tip { fill: ${line}; }`;

const STYLE = `
  text { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12px; }
  .title { font-size: 14px; font-weight: 600; }
  .head { font-size: 15px; font-weight: 600; }
  .label { font-size: 11px; }
  rect { stroke-width: 1.2; }
  .arrow { fill: none; stroke-width: 1.4; }
  .lists { stroke-width: 3; }
  .condition { stroke-dasharray: 5 4; }${painted(LIGHT)}
  @media (prefers-color-scheme: dark) {${painted(DARK)}
  }`;

export function svgOf(graph: PipelineGraph): string {
  const layout = placed(sparse(graph), { boxSize, labelSize, boxGap: 34, layerGap: 40 });
  const head = headLines(graph, layout);
  const headHeight = head.length * LINE_HEIGHT + MARGIN;
  const width = Math.ceil(Math.max(layout.width, ...head.map(({ wide }) => wide)) + 2 * MARGIN + 2 * STACK);
  const height = Math.ceil(layout.height + headHeight + 2 * MARGIN + 2 * STACK);
  const left = (width - layout.width) / 2;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(graph.title)}">
<title>${escaped(`${graph.title}: ${graph.says}`)}</title>
<style>${STYLE}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>
<rect class="page" width="${width}" height="${height}" rx="8"/>
${head.map(({ text, kind }, i) => `<text class="${kind}" x="${MARGIN}" y="${MARGIN + 12 + i * LINE_HEIGHT}">${escaped(text)}</text>`).join("\n")}
<g transform="translate(${round(left)} ${MARGIN + headHeight})">
${layout.arrows.map(arrowSvg).join("\n")}
${layout.boxes.map(boxSvg).join("\n")}
${layout.arrows.map(labelSvg).join("\n")}
</g>
</svg>
`;
}

const widthOf = (text: string, letter: number): number => [...text].length * letter;

function boxSize({ title, lines }: GraphBox): { width: number; height: number } {
  const widest = Math.max(widthOf(title, LETTER.title), ...lines.map((line) => widthOf(line, LETTER.line)));
  return { width: Math.max(WIDTH_MIN, widest + 2 * PAD.x), height: (1 + lines.length) * LINE_HEIGHT + 2 * PAD.y };
}

const labelOf = ({ ports, lists, isCondition }: GraphArrow): string =>
  `${lists ? FAN_MARKS[lists] : ""}${isCondition ? "◇ " : ""}${ports.join(", ")}`;
const labelSize = (arrow: GraphArrow) => ({ width: widthOf(labelOf(arrow), LETTER.label) + 10, height: LINE_HEIGHT });

interface HeadLine {
  text: string;
  kind: "head" | "says";
  wide: number;
}

/** The name, and the sentence in lines no wider than the drawing needs to be. */
function headLines({ title, says }: PipelineGraph, { width }: Layout): HeadLine[] {
  const room = Math.floor(Math.max(width, SAYS_WIDTH_MIN) / LETTER.line);
  return [
    { text: title, kind: "head", wide: widthOf(title, LETTER.head) },
    ...wrapped(says, room).map((text): HeadLine => ({ text, kind: "says", wide: widthOf(text, LETTER.line) })),
  ];
}

function boxSvg({ kind, title, lines, isMapped, x, y, width, height }: PlacedBox): string {
  const isEnd = kind === "input" || kind === "outputs";
  const rect = (shift: number, role: string): string =>
    `<rect class="${role} ${kind}" x="${round(x + shift)}" y="${round(y + shift)}" width="${round(width)}" height="${round(height)}" rx="${isEnd ? 16 : 6}"/>`;
  const middle = round(x + width / 2);
  const texts = [title, ...lines].map((text, i) => {
    const base = round(y + PAD.y + (i + 0.75) * LINE_HEIGHT);
    return `<text class="${i === 0 ? "title" : "line"}" x="${middle}" y="${base}" text-anchor="middle">${escaped(text)}</text>`;
  });
  const stack = isMapped ? [rect(2 * STACK, "stack"), rect(STACK, "stack")] : [];
  return `<g>${[...stack, rect(0, "box"), ...texts].join("")}</g>`;
}

function arrowSvg({ points, isCondition, lists }: PlacedArrow): string {
  const kinds = ["arrow", ...(isCondition ? ["condition"] : []), ...(lists ? ["lists"] : [])];
  return `<path class="${kinds.join(" ")}" marker-end="url(#tip)" d="${curve(points)}"/>`;
}

/** Straight from bend to bend, so that labels lie on it, and rounded there. */
function curve(points: readonly Point[]): string {
  const at = ({ x, y }: Point): string => `${round(x)} ${round(y)}`;
  const parts = points.map((bend, i) => {
    const [before, after] = [points[i - 1], points[i + 1]];
    if (!before) return `M${at(bend)}`;
    if (!after) return `L${at(bend)}`;
    return `L${at(towards(bend, before))}Q${at(bend)} ${at(towards(bend, after))}`;
  });
  return parts.join("");
}

/** A little way from the bend, at most half of it. */
function towards(bend: Point, next: Point): Point {
  const length = Math.hypot(next.x - bend.x, next.y - bend.y);
  const share = length === 0 ? 0 : Math.min(BEND_RADIUS / length, 0.5);
  return { x: bend.x + (next.x - bend.x) * share, y: bend.y + (next.y - bend.y) * share };
}

function labelSvg(arrow: PlacedArrow): string {
  const { label } = arrow;
  if (!label) return "";
  const { width, height } = labelSize(arrow);
  return `<g><rect class="page" x="${round(label.x - width / 2)}" y="${round(label.y - height / 2)}" width="${round(width)}" height="${height}"/><text class="label" x="${round(label.x)}" y="${round(label.y + 4)}" text-anchor="middle">${escaped(labelOf(arrow))}</text></g>`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
/** Names are letters and digits, but sentences and parameters are anybody's. */
const escaped = (text: string): string =>
  text.replace(/\p{Cc}/gu, " ").replace(/[&<>"]/g, (letter) => ENTITIES[letter] ?? letter);
