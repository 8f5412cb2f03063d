/** A pipeline as boxes and arrows, whoever draws them. Pure. */
import type {
  Condition,
  Loop,
  OnError,
  PipelineDefinition,
  Reference,
  StageDefinition,
} from "../../../shared/pipeline/definition.ts";

export interface GraphBox {
  id: string;
  kind: "input" | "model" | "operator" | "pipeline" | "outputs";
  title: string;
  /** What runs, and what is special about it: a line each. */
  lines: string[];
  /** It runs once for each element of a list. */
  isMapped: boolean;
}

export interface GraphArrow {
  from: string;
  to: string;
  /** Ports of `from`. */
  ports: string[];
  /** Only looked at, to decide whether `to` runs. */
  isCondition: boolean;
  /** fan-out: a list is taken apart · each: element by element · fan-in: the elements are gathered. */
  lists?: "fan-out" | "each" | "fan-in";
}

export interface PipelineGraph {
  title: string;
  says: string;
  boxes: GraphBox[];
  arrows: GraphArrow[];
}

const INPUT = "input:";
const STAGE = "stage:";
/** The one box of all outputs. */
export const OUTPUTS = "outputs";

/** References that lead nowhere have no arrow: that they are faults is said by the check. */
export function graphOf(definition: PipelineDefinition): PipelineGraph {
  const { name, version, says, inputs, stages, outputs } = definition;
  const boxes: GraphBox[] = [
    ...Object.entries(inputs).map(([port, { type }]) => inputBox(port, type)),
    ...Object.entries(stages).map(([stage, one]) => stageBox(stage, one)),
    { id: OUTPUTS, kind: "outputs", title: "outputs", lines: outputLines(outputs), isMapped: false },
  ];
  const known = new Map(boxes.map((box) => [box.id, box]));
  const arrows = new Map<string, GraphArrow>();
  const join = (reference: Reference, to: string, how: { isCondition?: boolean; overList?: boolean }): void => {
    const { from, port } = sourceOf(reference, inputs);
    if (!known.has(from)) return;
    const isCondition = how.isCondition ?? false;
    const arrow = arrows.get(`${from} ${to}`) ?? { from, to, ports: [], isCondition };
    if (!arrow.ports.includes(port)) arrow.ports.push(port);
    arrow.isCondition &&= isCondition;
    const lists = listsOf(known.get(from)!.isMapped, known.get(to)!.isMapped, how.overList ?? false);
    if (lists !== undefined) arrow.lists = lists;
    arrows.set(`${from} ${to}`, arrow);
  };
  for (const [stage, one] of Object.entries(stages)) {
    const to = STAGE + stage;
    for (const [port, reference] of Object.entries(one.in ?? {}))
      join(reference, to, { overList: one.map?.includes(port) ?? false });
    if (one.when) join(one.when.value, to, { isCondition: true });
  }
  for (const reference of Object.values(outputs)) join(reference, OUTPUTS, {});
  const title = version === undefined ? name : `${name}:${version}`;
  return { title, says: says ?? "", boxes, arrows: [...arrows.values()] };
}

/** Up to so many arrows to the outputs are drawn, whatever else the stages give. */
const OUTPUT_ARROWS_MAX = 3;

/** With many outputs, arrows to them only from stages that give nothing else: the box of the outputs says where each comes from. */
export function sparse(graph: PipelineGraph): PipelineGraph {
  const isTaken = ({ from }: GraphArrow): boolean =>
    graph.arrows.some((arrow) => arrow.from === from && arrow.to !== OUTPUTS);
  const toOutputs = graph.arrows.filter(({ to }) => to === OUTPUTS);
  if (toOutputs.length <= OUTPUT_ARROWS_MAX || toOutputs.every(isTaken)) return graph;
  return { ...graph, arrows: graph.arrows.filter((arrow) => arrow.to !== OUTPUTS || !isTaken(arrow)) };
}

/** A name alone is an input of the pipeline. */
function sourceOf(reference: Reference, inputs: PipelineDefinition["inputs"]): { from: string; port: string } {
  const cut = reference.indexOf(".");
  const stage = cut < 0 ? reference : reference.slice(0, cut);
  return cut < 0 || Object.hasOwn(inputs, reference)
    ? { from: INPUT + reference, port: reference }
    : { from: STAGE + stage, port: reference.slice(cut + 1) };
}

function listsOf(fromMapped: boolean, toMapped: boolean, overList: boolean): GraphArrow["lists"] {
  if (overList) return fromMapped ? "each" : "fan-out";
  return fromMapped ? (toMapped ? "each" : "fan-in") : undefined;
}

const inputBox = (port: string, type: string): GraphBox => ({
  id: INPUT + port,
  kind: "input",
  title: port,
  lines: [type],
  isMapped: false,
});

function stageBox(stage: string, one: StageDefinition): GraphBox {
  const kind = one.model !== undefined ? "model" : one.pipeline !== undefined ? "pipeline" : "operator";
  const map = one.map ?? [];
  const lines = [
    one.model ?? one.pipeline ?? one.operator ?? "",
    ...(map.length > 0 ? [`× each of ${map.join(", ")}`] : []),
    ...(one.when ? [`◇ if ${conditionText(one.when)}`] : []),
    ...(one.loop ? [`↻ ${loopText(one.loop)}`] : []),
    ...(one.onError !== undefined && one.onError !== "fail" ? [`! ${onErrorText(one.onError)}`] : []),
    ...(one.on && Object.keys(one.on).length > 0 ? [`@ ${labelsText(one.on)}`] : []),
  ];
  return { id: STAGE + stage, kind, title: stage, lines, isMapped: map.length > 0 };
}

const outputLines = (outputs: Record<string, Reference>): string[] =>
  Object.entries(outputs).map(([name, reference]) => `${name} ← ${reference}`);

export function conditionText({ value, below, above, is, isNot }: Condition): string {
  const bounds = [
    ...(above === undefined ? [] : [`> ${above}`]),
    ...(below === undefined ? [] : [`< ${below}`]),
    ...(is === undefined ? [] : [`is ${is}`]),
    ...(isNot === undefined ? [] : [`is not ${isNot}`]),
  ];
  return `${value} ${bounds.join(" and ")}`;
}

const loopText = ({ times, over }: Loop): string =>
  over === undefined ? `${times} times` : `over ${over}, with state`;
const onErrorText = (rule: OnError): string => (rule === "skip" ? "skipped if it fails" : "default if it fails");
const labelsText = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");

/** Lines of so many letters, broken between words; a word that is longer stays whole. */
export function wrapped(text: string, letters: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && [...longer].length <= letters) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
