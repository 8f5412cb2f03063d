import type { JobCut } from "../../../shared/job.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { CompiledPipeline, FormSegment, JobForm, Segment } from "../../../shared/pipeline/compiled.ts";
import { listsToldBy, segmentOf, sourceKey } from "../../../shared/pipeline/segment.ts";
import { type Cut, cutAtBranches, cutAtLists, listOf, merged, segmentsBefore } from "./cut.ts";
import { ableNodes, type FormFacts, isMeasured, linkOf, runsPerItem, secondsOn } from "./facts.ts";
import { type Foretold, foretell, givenBytes, type Piece } from "./foretell.ts";

export interface ChosenForm {
  form: JobForm;
  /** In words, with what was foretold. */
  why: string;
  /** Until its last item is done, as foretold; absent where nothing could be. */
  seconds?: number;
}

/** A task shall last so long on the slowest node that is of use, or so many times what it costs to hand it over. */
const TASK_SECONDS = 0.3;
const HAND_OVERS_PER_TASK = 10;
/** Tasks of one item for each executor, where a list is long enough. */
const TASKS_PER_EXECUTOR = 2;
/** Elements of a task, where it was not measured what one takes. */
const UNKNOWN_ELEMENTS = { model: 8, operator: 128 };
/** A node that gives less than this share of the strongest one's work does not set the size of tasks. */
const USEFUL_SHARE = 0.05;
/** Whole items need no agreement between stages: another form has to be so much quicker. */
const WORTH_SHARE = 0.95;

/** What stands when how a job is best cut cannot be worked out. */
export const wholeForm = (pipeline: CompiledPipeline, facts: FormFacts): ChosenForm => ({
  form: formed(pipeline, facts, [[...pipeline.stages.keys()]]),
  why: "whole items: how it is best cut could not be worked out",
});

/** Whether the items of a job go whole to one node each, or stage by stage, and how it is cut then. */
export function formOf(pipeline: CompiledPipeline, facts: FormFacts, wished: JobCut = "auto"): ChosenForm {
  const whole = formed(pipeline, facts, [[...pipeline.stages.keys()]]);
  const able = ableNodes(facts, [...pipeline.stages.keys()]);
  if (pipeline.stages.length < 2) return { form: whole, why: "whole items: it is of one stage" };
  if (wished === "whole")
    return {
      form: whole,
      why: "whole items, as was asked for",
      ...(isMeasured(pipeline, facts) && { seconds: foretold(pipeline, facts, [[...pipeline.stages.keys()]]).seconds }),
    };
  if (wished === "stages")
    return stagedForm(pipeline, facts) ?? { form: whole, why: "whole items: they cannot be cut" };
  const lists = cutAtLists(pipeline, facts);
  if (!isMeasured(pipeline, facts)) {
    if (able.length > 0 || lists.length < 2)
      return {
        form: whole,
        why: `whole items: not all of its stages were measured yet, and ${namesOf(able)} can run them all`,
      };
    return { form: formed(pipeline, facts, lists), why: "stage by stage: no node can run all of its stages" };
  }
  const best = quickest(pipeline, facts, [lists, branchesMerged(pipeline, facts, 1)]);
  const told = foretold(pipeline, facts, [[...pipeline.stages.keys()]]);
  if (!best || !(best.told.seconds < WORTH_SHARE * told.seconds))
    return {
      form: whole,
      why: `whole items: ${said(told)}${best ? `; stage by stage ${said(best.told)}` : ""}`,
      seconds: told.seconds,
    };
  const form = formed(pipeline, facts, best.cut);
  return {
    form,
    seconds: best.told.seconds,
    why: `stage by stage, in ${form.segments.length} parts: ${said(best.told)}; whole items ${said(told)}`,
  };
}

/** The best of several parts, whether that is worth it or not; undefined where there is only one way. */
function stagedForm(pipeline: CompiledPipeline, facts: FormFacts): ChosenForm | undefined {
  const lists = cutAtLists(pipeline, facts);
  // Of what was not measured nothing can be foretold: the coarsest cut needs the least agreement.
  const cuts = isMeasured(pipeline, facts)
    ? [lists, branchesMerged(pipeline, facts, 2)]
    : [lists.length > 1 ? lists : cutAtBranches(pipeline, facts)];
  const best = quickest(pipeline, facts, cuts);
  if (!best) return undefined;
  const form = formed(pipeline, facts, best.cut);
  return {
    form,
    why: `stage by stage, as was asked for, in ${form.segments.length} parts: ${said(best.told)}`,
    ...(isMeasured(pipeline, facts) && { seconds: best.told.seconds }),
  };
}

interface ToldCut {
  cut: Cut;
  told: Foretold;
}

/** Of those of several parts. */
function quickest(pipeline: CompiledPipeline, facts: FormFacts, cuts: readonly Cut[]): ToldCut | undefined {
  return cuts
    .filter((cut) => cut.length > 1)
    .map((cut): ToldCut => ({ cut, told: foretold(pipeline, facts, cut) }))
    .reduce<ToldCut | undefined>(
      (one, other) => (one && one.told.seconds <= other.told.seconds ? one : other),
      undefined,
    );
}

/** From the finest cut on, neighbours become one as long as that makes nothing slower and so many are left. */
function branchesMerged(pipeline: CompiledPipeline, facts: FormFacts, least: number): Cut {
  let cut = cutAtBranches(pipeline, facts);
  let best = foretold(pipeline, facts, cut).seconds;
  for (let found = true; found && cut.length > least; ) {
    found = false;
    for (let after = cut.length - 1; after > 0 && !found; after--)
      for (const before of segmentsBefore(pipeline, cut, after)) {
        const fewer = merged(pipeline, facts, cut, [before, after]);
        const seconds = fewer && foretold(pipeline, facts, fewer).seconds;
        if (fewer === undefined || seconds === undefined || seconds > best) continue;
        [cut, best, found] = [fewer, seconds, true];
        break;
      }
  }
  return cut;
}

/** A schedule knows nothing of what boxes do beside the stages, and is never kept to: what jobs took lately corrects it. */
function foretold(pipeline: CompiledPipeline, facts: FormFacts, cut: Cut): Foretold {
  const told = foretell(pipeline, piecesOf(pipeline, facts, cut), facts);
  const { whole = 1, stages = 1 } = facts.slowness ?? {};
  return { ...told, seconds: told.seconds * (cut.length > 1 ? stages : whole) };
}

function piecesOf(pipeline: CompiledPipeline, facts: FormFacts, cut: Cut): Piece[] {
  const sizes = sizesOf(pipeline, facts, cut);
  return cut.map((places, nth) => {
    const isLast = nth === cut.length - 1;
    const size = isLast ? undefined : sizes.get(listOf(pipeline, places[0]!));
    const copies = isLast ? facts.copies : copiesOf(pipeline, facts, places, size);
    return {
      places,
      after: segmentsBefore(pipeline, cut, nth),
      copies,
      ...(size !== undefined && { elementsPerTask: size }),
    };
  });
}

/** By list: all that run over it run over the same slices, so that one takes from another task by task. */
function sizesOf(pipeline: CompiledPipeline, facts: FormFacts, cut: Cut): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const places of cut.slice(0, -1)) {
    const list = listOf(pipeline, places[0]!);
    if (list !== "")
      sizes.set(list, Math.min(sizes.get(list) ?? Number.POSITIVE_INFINITY, elementsPerTask(pipeline, facts, places)));
  }
  return sizes;
}

function formed(pipeline: CompiledPipeline, facts: FormFacts, cut: Cut): JobForm {
  const segments = cut.map((places, nth) => segmentOf(pipeline, places, nth === cut.length - 1));
  return {
    segments: piecesOf(pipeline, facts, cut).map(
      ({ places, after, elementsPerTask: size, copies }, nth): FormSegment => {
        const { name, takes } = segments[nth]!;
        const fromInput = takes.some(({ stage }) => stage < 0) || after.length === 0 ? [-1] : [];
        const over = size === undefined ? undefined : slicesOf(pipeline, cut, segments, nth);
        const sliced = over && size !== undefined && { over: { ...over, elementsPerTask: size } };
        return { name, after: [...fromInput, ...after], copies, onError: ruleOf(pipeline, places), ...sliced };
      },
    ),
  };
}

/** The list whose slices a segment takes, and what else it takes that is in step with it and comes whole. */
function slicesOf(
  pipeline: CompiledPipeline,
  cut: Cut,
  segments: readonly Segment[],
  nth: number,
): Omit<NonNullable<FormSegment["over"]>, "elementsPerTask"> {
  const places = cut[nth]!;
  const over = pipeline.stages[places[0]!]!.over!;
  const segment = cut.findIndex((one) => one.includes(over.stage));
  const list = listsToldBy(segments[segment]!).findIndex((told) => sourceKey(told) === sourceKey(over));
  const gone = places.flatMap((place) => {
    const { map, in: taken } = pipeline.stages[place]!;
    return map.map((port) => taken[port]!);
  });
  const whole = gone.filter(({ stage }) => !places.includes(stage) && (stage < 0 || listOf(pipeline, stage) === ""));
  return { segment, list, sources: [...new Set([over, ...whole].map(sourceKey))] };
}

/** What ends executors can only be a model, if there is one: its rule is the segment's. */
function ruleOf({ stages }: CompiledPipeline, places: readonly number[]): "fail" | "skip" {
  const all = places.map((place) => stages[place]!);
  const models = all.filter(({ runs }) => runs.kind === "model");
  const asked = models.length > 0 ? models : all;
  return asked.length > 0 && asked.every(({ onError }) => onError !== "fail") ? "skip" : "fail";
}

/** As long as a task should be, but of a list no fewer than would leave executors without one, where they have nothing else. */
function elementsPerTask(pipeline: CompiledPipeline, facts: FormFacts, places: readonly number[]): number {
  const able = ableNodes(facts, places);
  const ofElement = able.map((node) => ({ node, seconds: secondsOn(node, places, () => 1) }));
  const quickest = Math.min(...ofElement.map(({ seconds, node }) => seconds / node.executors));
  const useful = ofElement.filter(
    ({ seconds, node }) => seconds === 0 || quickest >= USEFUL_SHARE * (seconds / node.executors),
  );
  const slowest = Math.max(0, ...useful.map(({ seconds }) => seconds));
  const handOver = Math.max(0, ...useful.map(({ node }) => node.handOverMs / 1_000));
  const executors = useful.reduce((sum, { node }) => sum + node.executors, 0);
  if (!isKnown(facts, places)) {
    const hasModel = places.some((place) => pipeline.stages[place]!.runs.kind === "model");
    return hasModel ? UNKNOWN_ELEMENTS.model : UNKNOWN_ELEMENTS.operator;
  }
  // Of a list of which nothing is known yet no more is asked than that tasks are as long as they should be.
  const length = facts.elements.get(listOf(pipeline, places[0]!)) ?? Number.POSITIVE_INFINITY;
  if (slowest === 0) return LIMITS.elementsPerTaskMax;
  const fitting = Math.floor(Math.max(TASK_SECONDS, HAND_OVERS_PER_TASK * handOver) / slowest);
  const spread = Math.ceil((length * facts.items) / (TASKS_PER_EXECUTOR * Math.max(1, executors)));
  const worthIt = Math.ceil(handOver / slowest);
  return Math.min(LIMITS.elementsPerTaskMax, Math.max(1, worthIt, Math.min(fitting, spread)));
}

const isKnown = ({ nodes }: FormFacts, places: readonly number[]): boolean =>
  places.every((place) => nodes.some(({ seconds }) => seconds[place] !== undefined));

/** One copy where making an output again, if it is lost, costs less than copying it each time. */
function copiesOf(pipeline: CompiledPipeline, facts: FormFacts, places: readonly number[], perTask?: number): number {
  const kept = new Set(places.map((place) => pipeline.stages[place]!.keep));
  if (kept.has("durable")) return facts.copies;
  if (!kept.has("auto")) return 1;
  const able = ableNodes(facts, places);
  if (able.length === 0 || !isKnown(facts, places)) return facts.copies;
  const ofItem = Math.min(
    ...able.map((node) => secondsOn(node, places, (place) => runsPerItem(pipeline, facts, place))),
  );
  const share =
    perTask === undefined ? 1 : Math.min(1, perTask / Math.max(1, runsPerItem(pipeline, facts, places[0]!)));
  const again = ofItem * share * facts.lossShare;
  const link = Math.max(...facts.nodes.map(linkOf));
  const handOver = Math.min(...facts.nodes.map(({ handOverMs }) => handOverMs)) / 1_000;
  const copying = (facts.copies - 1) * ((givenBytes({ pipeline, facts }, { places }) * share) / link + handOver);
  return again <= copying ? 1 : facts.copies;
}

function said({ seconds, itemsPerSecond, itemSeconds }: Foretold): string {
  if (!Number.isFinite(seconds)) return "cannot be run by any node";
  return `${figure(seconds)} s (an item alone ${figure(itemSeconds)} s, at most ${figure(itemsPerSecond)} items/s)`;
}

const figure = (value: number): string => `${Number(value.toPrecision(2))}`;

const namesOf = (nodes: readonly { name: string }[]): string =>
  nodes.length === 0
    ? "no node"
    : nodes.length === 1
      ? nodes[0]!.name
      : `${nodes[0]!.name} and ${nodes.length - 1} more`;
