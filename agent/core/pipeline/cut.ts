import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import { sourceKey, sourcesOf } from "../../../shared/pipeline/segment.ts";
import { ableNodes, type FormFacts } from "./facts.ts";

/** Places of stages by segment, in an order in which they can be run. The last gives the item's output; it may be empty. */
export type Cut = number[][];

/**
 * The coarsest cut: stages stay together unless they run over different lists, want boxes of different labels, or no node can
 * run both. What is left at the end, not over a list, gives the item's output.
 */
export function cutAtLists(pipeline: CompiledPipeline, facts: FormFacts): Cut {
  const last = lastSegment(pipeline, facts, () => true);
  return inOrder(
    pipeline,
    joined(pipeline, facts, last, () => true),
    last,
  );
}

/** The finest cut worth a thought: branches that need not wait for one another are apart as well; a chain stays together. */
export function cutAtBranches(pipeline: CompiledPipeline, facts: FormFacts): Cut {
  const isChain = (place: number, segment: readonly number[]): boolean => {
    const before = stagesBefore(pipeline, place);
    return (
      before.length > 0 &&
      before.every((one) => segment.includes(one)) &&
      segment.every((one) => stagesAfter(pipeline, one).every((next) => next === place || segment.includes(next)))
    );
  };
  const last = lastSegment(pipeline, facts, (place, segment) => {
    const taken = new Set(
      segment.flatMap((one) => stagesBefore(pipeline, one)).filter((one) => !segment.includes(one)),
    );
    return segment.length === 0 ? finalStages(pipeline).length === 1 : taken.size === 1 && taken.has(place);
  });
  return inOrder(pipeline, joined(pipeline, facts, last, isChain), last);
}

/** Two neighbours made one, if that can be; undefined where each would wait for the other, or no node can run both. */
export function merged(
  pipeline: CompiledPipeline,
  facts: FormFacts,
  cut: Cut,
  pair: [number, number],
): Cut | undefined {
  const [first, second] = pair.map((place) => cut[place]!) as [number[], number[]];
  const isLast = pair.includes(cut.length - 1);
  if (isLast && [...first, ...second].some((place) => listOf(pipeline, place) !== "")) return undefined;
  const both = [...first, ...second].sort((a, b) => a - b);
  if (!isAlike(pipeline, facts, both)) return undefined;
  const others = cut.filter((_, place) => !pair.includes(place));
  const last = isLast ? both : others.pop()!;
  const segments = isLast ? others : [...others, both];
  // What gives an output alone is waited for by the last one too, though no stage there takes it.
  if (segments.flat().some((place) => stagesBefore(pipeline, place).some((one) => last.includes(one))))
    return undefined;
  return hasCycle(pipeline, [...segments, last]) ? undefined : inOrder(pipeline, segments, last);
}

/** Which of a cut's segments each takes from. */
export function segmentsBefore(pipeline: CompiledPipeline, cut: Cut, segment: number): number[] {
  const isLast = segment === cut.length - 1;
  const outputs = isLast ? Object.values(pipeline.outputs).map(({ stage }) => stage) : [];
  const taken = new Set([...cut[segment]!.flatMap((place) => stagesBefore(pipeline, place)), ...outputs]);
  return cut.flatMap((places, before) =>
    before !== segment && places.some((place) => taken.has(place)) ? [before] : [],
  );
}

export const stagesBefore = (pipeline: CompiledPipeline, place: number): number[] => [
  ...new Set(
    sourcesOf(pipeline.stages[place]!)
      .map(({ stage }) => stage)
      .filter((stage) => stage >= 0),
  ),
];

/**
 * The list over slices of which a stage may run: none that the client gave, and not where it takes as a whole what others
 * make of the elements.
 */
export function listOf({ stages }: CompiledPipeline, place: number): string {
  const { over, map, in: taken } = stages[place]!;
  if (!over || over.stage < 0) return "";
  const isGathering = Object.entries(taken).some(([port, { stage }]) => {
    const other = stages[stage]?.over;
    return !map.includes(port) && other !== undefined && sourceKey(other) === sourceKey(over);
  });
  return isGathering ? "" : sourceKey(over);
}

const stagesAfter = (pipeline: CompiledPipeline, place: number): number[] =>
  pipeline.stages.flatMap((_, after) => (stagesBefore(pipeline, after).includes(place) ? [after] : []));

const finalStages = (pipeline: CompiledPipeline): number[] =>
  pipeline.stages.flatMap((_, place) => (stagesAfter(pipeline, place).length === 0 ? [place] : []));

/** One list or none, the same labels, and a node that can run them all. */
function isAlike(pipeline: CompiledPipeline, facts: FormFacts, places: readonly number[]): boolean {
  const kinds = new Set(
    places.map((place) => {
      const { on } = pipeline.stages[place]!;
      return JSON.stringify([listOf(pipeline, place), Object.entries(on ?? {}).sort()]);
    }),
  );
  return kinds.size <= 1 && ableNodes(facts, places).length > 0;
}

/** From the end on, what nothing outside of it waits for. */
function lastSegment(
  pipeline: CompiledPipeline,
  facts: FormFacts,
  may: (place: number, segment: readonly number[]) => boolean,
): number[] {
  const last: number[] = [];
  for (let place = pipeline.stages.length - 1; place >= 0; place--) {
    const isEnd = stagesAfter(pipeline, place).every((after) => last.includes(after));
    if (!isEnd || listOf(pipeline, place) !== "" || !may(place, last)) continue;
    if (isAlike(pipeline, facts, [place, ...last])) last.unshift(place);
  }
  return last;
}

/** Each stage into the segment that it may join, the latest first, else into one of its own. */
function joined(
  pipeline: CompiledPipeline,
  facts: FormFacts,
  last: readonly number[],
  may: (place: number, segment: readonly number[]) => boolean,
): number[][] {
  const segments: number[][] = [];
  for (const place of pipeline.stages.keys()) {
    if (last.includes(place)) continue;
    const home = segments.findLast(
      (segment) =>
        may(place, segment) &&
        isAlike(pipeline, facts, [...segment, place]) &&
        !hasCycle(pipeline, [...segments.filter((one) => one !== segment), [...segment, place]]),
    );
    if (home) home.push(place);
    else segments.push([place]);
  }
  return segments;
}

function hasCycle(pipeline: CompiledPipeline, segments: readonly number[][]): boolean {
  return orderOf(pipeline, segments).length < segments.length;
}

/** Segments whose stages take only of those before; fewer than all if some wait for each other. */
function orderOf(pipeline: CompiledPipeline, segments: readonly number[][]): number[][] {
  const placed = new Set<number>();
  const known = new Set(segments.flat());
  const order: number[][] = [];
  for (let left = [...segments]; left.length > 0; ) {
    const next = left.find((segment) =>
      segment.every((place) =>
        stagesBefore(pipeline, place).every((one) => placed.has(one) || segment.includes(one) || !known.has(one)),
      ),
    );
    if (!next) return order;
    order.push(next);
    for (const place of next) placed.add(place);
    left = left.filter((segment) => segment !== next);
  }
  return order;
}

const inOrder = (pipeline: CompiledPipeline, segments: number[][], last: number[]): Cut => [
  ...orderOf(pipeline, segments),
  last,
];
