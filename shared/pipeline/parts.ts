import type { PipelineDefinition } from "./definition.ts";

/** What a definition names, by `name:version`: models, those whose files operators read counted in, and pipelines. */
export function partsNamedIn({ stages }: Pick<PipelineDefinition, "stages">): {
  models: string[];
  pipelines: string[];
} {
  const all = Object.values(stages);
  const models = all.flatMap(({ model, files = {} }) => [
    ...(model === undefined ? [] : [model]),
    ...Object.values(files).map((file) => file.slice(0, file.indexOf("/"))),
  ]);
  const pipelines = all.flatMap(({ pipeline }) => (pipeline === undefined ? [] : [pipeline]));
  return { models: [...new Set(models)], pipelines: [...new Set(pipelines)] };
}
