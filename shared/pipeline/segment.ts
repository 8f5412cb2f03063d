import { refuse } from "../checks.ts";
import type { CompiledPipeline, CompiledStage, Segment, Source } from "./compiled.ts";

/** A key in a record of values: `3.crops`; of an input of the pipeline `-1.page`. */
export const sourceKey = ({ stage, port }: Source): string => `${stage}.${port}`;

/** What stage `stage` takes, once each: its ports, its condition, and the list it runs over. */
export function sourcesOf(stage: CompiledStage): Source[] {
  const all = [...Object.values(stage.in), ...(stage.when ? [stage.when.value] : [])];
  return distinct(all);
}

/** `document-reading:1` and `0-2,5` apart. A name without "/" means every stage; undefined then. */
export function readSegmentName(name: string): { pipeline: string; places?: string } {
  const cut = name.indexOf("/");
  return cut < 0 ? { pipeline: name } : { pipeline: name.slice(0, cut), places: name.slice(cut + 1) };
}

/** Whether another segment starts from what one of this name gives. */
export function isGoingOn(name: string): boolean {
  const { places } = readSegmentName(name);
  return places !== undefined && !places.endsWith("!");
}

/** Places as ranges: [0, 1, 2, 5] is `0-2,5`. */
export function placesText(places: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const place of places) {
    const last = ranges.at(-1);
    if (last && place === last[1] + 1) last[1] = place;
    else ranges.push([place, place]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}

/** The last segment of a form, which gives the item's output, ends in "!"; the whole pipeline goes by its own name. */
export function segmentName(pipeline: CompiledPipeline, places: readonly number[], isLast: boolean): string {
  if (places.length === pipeline.stages.length) return pipeline.reference;
  return `${pipeline.reference}/${placesText(places)}${isLast ? "!" : ""}`;
}

/** By pipeline and name: asked for many times for each task of a job. */
const known = new WeakMap<CompiledPipeline, Map<string, Segment>>();
/** Names come from leases, and a pipeline has as many as there are ways to cut it. */
const KNOWN_MAX = 256;

/** @throws BAD_REQUEST where the name is of other stages than the pipeline has */
export function segmentNamed(pipeline: CompiledPipeline, name: string): Segment {
  const segments = known.get(pipeline) ?? new Map<string, Segment>();
  const before = segments.get(name);
  if (before) return before;
  const segment = readSegment(pipeline, name);
  if (segments.size < KNOWN_MAX) known.set(pipeline, segments.set(name, segment));
  return segment;
}

function readSegment(pipeline: CompiledPipeline, name: string): Segment {
  const { places } = readSegmentName(name);
  const every = pipeline.stages.map((_, place) => place);
  if (places === undefined) return segmentOf(pipeline, every, true);
  const isLast = places.endsWith("!");
  const ranges = isLast ? places.slice(0, -1) : places;
  const stages = ranges === "" ? [] : ranges.split(",").flatMap(readRange);
  if (stages.some((place, i) => !(place < every.length) || place <= (stages[i - 1] ?? -1)))
    refuse("segment", `must name stages of ${pipeline.reference}, not ${JSON.stringify(name.slice(0, 80))}`);
  return segmentOf(pipeline, stages, isLast);
}

function readRange(text: string): number[] {
  const [, from, to = from] = text.match(/^(\d{1,4})(?:-(\d{1,4}))?$/) ?? [];
  const length = Number(to) - Number(from) + 1;
  return length > 0 ? Array.from({ length }, (_, i) => Number(from) + i) : [Number.NaN];
}

/** The part of a pipeline that these stages are. The last one gives the item's output, every other what is taken of it outside. */
export function segmentOf(pipeline: CompiledPipeline, stages: readonly number[], isLast: boolean): Segment {
  const inside = new Set(stages);
  const outputs = Object.values(pipeline.outputs);
  const wanted = stages.flatMap((place) => sourcesOf(pipeline.stages[place]!));
  const takes = distinct([...wanted, ...(isLast ? outputs : [])].filter(({ stage }) => !inside.has(stage)));
  const outside = pipeline.stages.flatMap((stage, place) => (inside.has(place) ? [] : sourcesOf(stage)));
  const gives = isLast ? [] : distinct([...outside, ...outputs].filter(({ stage }) => inside.has(stage)));
  const over = isLast ? undefined : overOf(pipeline, stages, inside);
  const name = segmentName(pipeline, stages, isLast);
  return { name, pipeline, stages: [...stages], takes, gives, isLast, ...(over && { over }) };
}

/** Every stage of it runs over one list that is made outside, and takes no list in step with it whole: then it may run over slices of that list. */
function overOf(
  pipeline: CompiledPipeline,
  stages: readonly number[],
  inside: ReadonlySet<number>,
): Source | undefined {
  const lists = distinct(stages.flatMap((place) => pipeline.stages[place]!.over ?? []));
  const [list] = lists;
  if (!list || lists.length > 1 || list.stage < 0 || inside.has(list.stage)) return undefined;
  const isSliced = stages.every((place) => {
    const stage = pipeline.stages[place]!;
    return stage.over && !takesWhole(pipeline, stage, sourceKey(list));
  });
  return isSliced ? list : undefined;
}

/** A slice of it would be less than the stage asks for. */
function takesWhole(pipeline: CompiledPipeline, stage: CompiledStage, list: string): boolean {
  return Object.entries(stage.in).some(([port, source]) => {
    const { over } = pipeline.stages[source.stage] ?? {};
    return !stage.map.includes(port) && sourceKey(over ?? source) === list;
  });
}

/** The lists whose lengths a run of a segment tells, in this order: others run over slices of them. */
export function listsToldBy({ pipeline, stages }: Segment): Source[] {
  const inside = new Set(stages);
  const over = pipeline.stages.flatMap((stage, place) =>
    stage.over && !inside.has(place) && inside.has(stage.over.stage) ? [stage.over] : [],
  );
  return distinct(over).sort((a, b) => a.stage - b.stage || (a.port < b.port ? -1 : 1));
}

/** Models that must be loaded where it runs, files of operators counted in. */
export const modelsOf = ({ pipeline, stages }: Segment): string[] => [
  ...new Set(stages.flatMap((place) => stageModels(pipeline.stages[place]!))),
];

/** The same of one stage; one may be named again. */
export const stageModels = ({ runs, files }: CompiledStage): string[] => [
  ...(runs.kind === "model" ? [runs.model] : []),
  ...Object.values(files).map(({ model }) => model),
];

function distinct(sources: readonly Source[]): Source[] {
  return [...new Map(sources.map((source) => [sourceKey(source), source])).values()];
}
