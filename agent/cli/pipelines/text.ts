/** Pipelines of the fleet as text for a person. */
import type { PipelineDefinition, StageDefinition, TypeText } from "../../../shared/pipeline/definition.ts";
import type { PipelineDetail, PipelineView } from "../../../shared/pipeline-registry.ts";
import { pairs, plain, plural, table } from "../table.ts";
import type { Checked } from "./check.ts";
import { conditionText } from "./graph.ts";

export function describePipelines(pipelines: readonly PipelineView[], bundled: readonly string[]): string {
  const more = `Bundled, and added when they are first run: ${bundled.join(", ")}.\n`;
  const rest = bundled.length === 0 ? "" : more;
  if (pipelines.length === 0) return `This fleet has no pipelines yet. \`skein pipeline add\` takes one in.\n${rest}`;
  const rows = pipelines.map(({ pipeline, says, inputs, outputs, stages }) => [
    pipeline,
    inputsText(inputs),
    outputsText(outputs),
    String(stages),
    says,
  ]);
  return `${table(["PIPELINE", "TAKES", "GIVES", "STAGES", "SAYS"], rows, ["STAGES"])}${rest && `\n${rest}`}`;
}

export function describePipeline({
  pipeline,
  definition,
  inputs,
  outputs,
  addedAtMs,
  addedBy,
}: PipelineDetail): string {
  const head = pairs([
    ["pipeline", pipeline],
    ["says", definition.says ?? "-"],
    ["takes", inputsText(inputs)],
    ["gives", outputsText(outputs)],
    ["added", `${new Date(addedAtMs).toISOString().slice(0, 16).replace("T", " ")} UTC at ${addedBy}`],
  ]);
  return `${head}\n${stageTable(definition)}`;
}

export function stageTable({ stages }: PipelineDefinition): string {
  const rows = Object.entries(stages).map(([name, stage]) => [
    name,
    stage.model ?? stage.pipeline ?? stage.operator ?? "",
    Object.values(stage.in ?? {}).join(", ") || "-",
    howText(stage),
  ]);
  return table(["STAGE", "RUNS", "TAKES", "HOW"], rows);
}

function howText({ map, when, loop, onError, batch, on, keep }: StageDefinition): string {
  const parts = [
    ...(map && map.length > 0 ? [`for each of ${map.join(", ")}`] : []),
    ...(when ? [`if ${conditionText(when)}`] : []),
    ...(loop ? ["in a loop"] : []),
    ...(batch === undefined ? [] : [`${batch} at a time`]),
    ...(on
      ? [
          `only where ${Object.entries(on)
            .map((pair) => pair.join("="))
            .join(" ")}`,
        ]
      : []),
    ...(onError === undefined || onError === "fail"
      ? []
      : [onError === "skip" ? "skipped if it fails" : "a default if it fails"]),
    ...(keep === undefined || keep === "auto" ? [] : [keep]),
  ];
  return parts.join("; ");
}

const inputsText = (inputs: PipelineDefinition["inputs"]): string =>
  Object.entries(inputs)
    .map(([name, { type }]) => `${name} ${type}`)
    .join(", ");
const outputsText = (outputs: Record<string, TypeText>): string =>
  Object.entries(outputs)
    .map((pair) => pair.join(" "))
    .join(", ");

export function checkedText(file: string, definition: PipelineDefinition, checked: Checked): string {
  const { unchecked, because, pipeline, existing } = checked;
  const sound = unchecked.length === 0 ? "is sound" : "is sound as far as it was checked";
  const fate =
    pipeline === undefined ? "" : existing ? `; the fleet has it, as ${pipeline}` : `; it would be ${pipeline}`;
  const stages = plural(Object.keys(definition.stages).length, "stage");
  const head = plain(`${file}: ${definition.name}, ${stages}, ${sound}${fate}.`);
  const left = `Not checked, because ${because}: what these take and give, and what follows from it: ${unchecked.join(", ")}`;
  return `${head}\n\n${stageTable(definition)}${unchecked.length === 0 ? "" : `\n${plain(left)}\n`}`;
}
