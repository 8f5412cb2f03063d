import type { NodeView } from "../../../shared/fleet.ts";
import type { CompiledPipeline, FormSegment } from "../../../shared/pipeline/compiled.ts";
import { modelsOf, segmentNamed } from "../../../shared/pipeline/segment.ts";
import type { KeptRule } from "../../../shared/rules.ts";
import type { Ledger } from "../../core/ledger/index.ts";
import { barredBecause } from "../../core/planner/index.ts";
import type { KnownPipelines } from "./segments.ts";
import type { StageFigures } from "./stage-figures.ts";

interface OpenSegment {
  pipeline: CompiledPipeline;
  segment: Pick<FormSegment, "name" | "over">;
  /** Itself, its pipeline and its models, as rules may name any of them. */
  names: string[];
}

/** Those that open jobs of pipelines consist of, the whole pipeline too. */
export function openSegments(ledger: Ledger, pipelines: Pick<KnownPipelines, "compiled">): OpenSegment[] {
  const open = new Map<string, OpenSegment>();
  for (const { staged, form, pipeline: reference } of ledger.openJobs()) {
    const pipeline = staged ? pipelines.compiled(reference) : undefined;
    if (!pipeline) continue;
    for (const segment of [{ name: reference }, ...(form?.segments ?? [])])
      if (!open.has(segment.name))
        open.set(segment.name, { pipeline, segment, names: namesOf(pipeline, segment.name) });
  }
  return [...open.values()];
}

const namesOf = (pipeline: CompiledPipeline, name: string): string[] => [
  ...new Set([name, pipeline.reference, ...modelsOf(segmentNamed(pipeline, name))]),
];

/** Tasks a second of each that a node can run and no rule keeps from it, by what is known of their stages. */
export function segmentRates(
  open: readonly OpenSegment[],
  figures: StageFigures,
  { node, rules }: { node: NodeView; rules: readonly KeptRule[] },
): [string, number][] {
  return open.flatMap(({ pipeline, segment, names }): [string, number][] => {
    if (names.some((name) => barredBecause(rules, node, name) !== undefined)) return [];
    const rate = figures.rateOn(node, pipeline, segment);
    return rate === undefined ? [] : [[segment.name, rate]];
  });
}
