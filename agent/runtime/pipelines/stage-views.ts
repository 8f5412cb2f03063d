import type { NodeView } from "../../../shared/fleet.ts";
import type { StageView } from "../../../shared/job.ts";
import { segmentNamed } from "../../../shared/pipeline/segment.ts";
import { type JobRecord, type Ledger, stagesOf } from "../../core/ledger/index.ts";
import type { KnownPipelines } from "./segments.ts";

/** Of a job that is cut in several segments; undefined of any other. */
export function stageViews(
  ledger: Ledger,
  job: JobRecord,
  { pipelines, nodes }: { pipelines: Pick<KnownPipelines, "compiled">; nodes: readonly NodeView[] },
): StageView[] | undefined {
  const stages = stagesOf(ledger, job);
  if (stages.length === 0) return undefined;
  const pipeline = pipelines.compiled(job.pipeline);
  const names = new Map(nodes.map(({ nodeId, name }) => [nodeId, name]));
  return [...stages, job].map((record, place): StageView => {
    const { name, copies } = job.form!.segments[place]!;
    const made = new Map<string, number>();
    for (const result of record.results) {
      if (!result) continue;
      const maker = names.get(result.node) ?? result.node;
      made.set(maker, (made.get(maker) ?? 0) + 1);
    }
    return {
      segment: name,
      stages: pipeline ? segmentNamed(pipeline, name).stages.map((stage) => pipeline.stages[stage]!.name) : [],
      tasks: record.inputs.length,
      recorded: record.recordedCount,
      failed: record.failedCount,
      runsAgain: record.runsAgain,
      copies,
      nodes: Object.fromEntries(made),
    };
  });
}
