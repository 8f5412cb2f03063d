import type { NodeView } from "../../../shared/fleet.ts";
import { sourceKey } from "../../../shared/pipeline/segment.ts";
import type { RunsPerItem } from "../placement-demand.ts";
import type { KnownPipelines } from "./segments.ts";
import { StageFigures } from "./stage-figures.ts";

/** Runs of each model that an item of a pipeline brings, by the usual lengths of its lists; files of operators count as a run. */
export function modelRuns(pipelines: Pick<KnownPipelines, "compiled">, nodes: readonly NodeView[]): RunsPerItem {
  const figures = new StageFigures(nodes);
  const known = new Map<string, Map<string, number>>();
  return (name) => {
    const counted = known.get(name);
    if (counted) return counted;
    const pipeline = pipelines.compiled(name);
    if (!pipeline) return [[name, 1]];
    const lengths = figures.elements(pipeline);
    const runs = new Map<string, number>();
    for (const { runs: of, files, over } of pipeline.stages) {
      const length = over ? (lengths.get(sourceKey(over)) ?? 1) : 1;
      if (of.kind === "model") runs.set(of.model, (runs.get(of.model) ?? 0) + length);
      for (const { model } of Object.values(files)) if (!runs.has(model)) runs.set(model, 1);
    }
    known.set(name, runs);
    return runs;
  };
}
