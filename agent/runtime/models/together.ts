import type { ModelsTogether } from "../../../shared/decision.ts";
import { stageModels } from "../../../shared/pipeline/segment.ts";
import type { Planning } from "../../core/ledger/index.ts";
import type { KnownPipelines } from "../pipelines/segments.ts";

/** Of each pipeline in the ledger that runs several of its models: which. */
export function modelsTogether(
  { pipelines, models }: Pick<Planning, "pipelines" | "models">,
  known: Pick<KnownPipelines, "compiled">,
): ModelsTogether[] {
  return [...pipelines.keys()].flatMap((pipeline): ModelsTogether[] => {
    const named = known.compiled(pipeline)?.stages.flatMap(stageModels) ?? [];
    const parts = [...new Set(named)].filter((model) => models.has(model));
    return parts.length > 1 ? [{ pipeline, models: parts }] : [];
  });
}
