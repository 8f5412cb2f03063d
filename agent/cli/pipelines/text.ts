/** Pipelines of the fleet as text for a person. */
import type { PipelineDefinition, StageDefinition } from "../../../shared/pipeline/definition.ts";
import type { PipelineDetail, PipelineView } from "../../../shared/pipeline/registry.ts";
import { pairs, plural, table } from "../table.ts";
import { conditionText } from "./graph.ts";

export function describePipelines(pipelines: readonly PipelineView[], bundled: readonly string[]): string {
  const more = `Bundled, and added when they are first run: ${bundled.join(", ")}.\n`;
  const rest = bundled.length === 0 ? "" : more;
  if (pipelines.length === 0) return `This fleet has no pipelines yet. \`skein pipeline add\` takes one in.\n${rest}`;
  const rows = pipelines.map(({ pipeline, says, inputs, outputs, stages }) => [
    pipeline,
    portsText(inputs),
    portsText(outputs),
    String(stages),
    says ?? "",
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
    ["takes", portsText(inputs)],
    ["gives", portsText(outputs)],
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

const portsText = (ports: readonly { name: string; type: string }[]): string =>
  ports.map(({ name, type }) => `${name} ${type}`).join(", ");

export const uncheckedText = (unchecked: readonly string[]): string =>
  `Not checked, because no agent answers: what ${plural(unchecked.length, "model or pipeline", "models and pipelines")} take and give (${unchecked.join(", ")}), and what follows from that.\n`;
