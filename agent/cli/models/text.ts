/** Models as text for a person. */
import type { TensorSpec } from "../../../shared/model.ts";
import { bestBatch } from "../../../shared/model-profile.ts";
import type { ModelDetail, ModelOnNode, ModelView } from "../../../shared/model-registry.ts";
import { bytes, pairs, plural, table } from "../table.ts";

export function describeModels(models: readonly ModelView[]): string {
  if (models.length === 0) return "This fleet has no models of its own yet. `skein model add` takes one in.\n";
  const head = ["MODEL", "ALIASES", "SIZE", "TAKES", "GIVES", "BATCHES", "HELD BY", "STANDS ON"];
  const rows = models.map((one) => [
    one.model,
    one.aliases.join(", ") || "-",
    bytes(one.bytes),
    tensorsText(one.inputs),
    tensorsText(one.outputs),
    one.batches ? "yes" : "no",
    heldText(one),
    one.nodes.map((node) => onNode(node, one.bytes)).join(", ") || "-",
  ]);
  return table(head, rows, ["SIZE"]);
}

export function describeModel(model: ModelDetail): string {
  const { manifest, nodes, jobs } = model;
  const files = manifest.files.map(({ path, use, bytes: size, blob }) => [path, use, bytes(size), blob.slice(0, 16)]);
  const parts = [
    pairs([
      ["model", model.model],
      ["aliases", model.aliases.join(", ") || "none"],
      ["takes", tensorsText(model.inputs)],
      ["gives", tensorsText(model.outputs)],
      ["batches", model.batches ? "yes: items are run together" : "no: one item a run"],
      ["files", `${plural(model.files, "file")}, ${bytes(model.bytes)}, held by ${heldText(model)}`],
      ["digest", model.digest],
      ["added", `${new Date(model.addedAtMs).toISOString().slice(0, 16).replace("T", " ")} UTC at ${model.addedBy}`],
      ["open jobs", jobs.join(", ") || "none"],
    ]),
    table(["FILE", "USE", "SIZE", "SHA-256"], files, ["SIZE"]),
  ];
  if (nodes.length > 0) parts.push(nodeTable(nodes, model.bytes));
  return parts.join("\n");
}

function nodeTable(nodes: readonly ModelOnNode[], modelBytes: number): string {
  const head = ["NODE", "STATE", "RATE", "BEST BATCH", "LOADS IN", "MEMORY PEAK", "SETTLED"];
  const rows = nodes.map((node) => {
    const { profile } = node;
    return [
      node.name,
      stateText(node, modelBytes),
      node.itemsPerSecond === undefined ? "-" : `${node.itemsPerSecond.toFixed(1)}/s`,
      profile ? String(bestBatch(profile)) : "-",
      profile ? `${Math.round(profile.loadMs)} ms` : "-",
      profile ? bytes(profile.memoryPeakBytes) : "-",
      profile ? bytes(profile.memorySettledBytes) : "-",
    ];
  });
  return table(head, rows, head.slice(2));
}

/** Of how many that shall. */
const heldText = ({ holders, copies }: ModelView): string =>
  `${holders.join(", ") || "nobody"}${holders.length < copies ? ` (of ${copies})` : ""}`;

const onNode = (node: ModelOnNode, modelBytes: number): string => `${node.name} ${stateText(node, modelBytes)}`;

function stateText({ placed, state, reason, bytesHere }: ModelOnNode, modelBytes: number): string {
  if (state === "fetching") return `fetching ${Math.floor((100 * (bytesHere ?? 0)) / Math.max(1, modelBytes))} %`;
  if (state === "failed") return `failed (${reason ?? "no reason told"})`;
  return state ?? (placed ? "placed" : "measured");
}

/** `x FP32[?,224,224,3]` */
const tensorsText = (tensors: readonly TensorSpec[]): string =>
  tensors
    .map(({ name, datatype, shape }) => `${name} ${datatype}[${shape.map((one) => (one < 0 ? "?" : one)).join(",")}]`)
    .join(", ");
