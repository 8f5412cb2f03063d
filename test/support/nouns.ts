/** Short makers of ids and records for tests. */
import type { BlobHash, JobId, NodeId, ShardId } from "../../shared/ids.ts";
import type { JobSubmitted, LedgerEntry, ModelAdded, PipelineAdded } from "../../shared/ledger-entry.ts";
import type { ModelFile, ModelManifest } from "../../shared/model.ts";
import type { ReportedResult } from "../../shared/wire/results.ts";

export const node = (letter: string): NodeId => `12D3KooW${letter.repeat(44)}` as NodeId;
export const blob = (n: number): BlobHash => n.toString(16).padStart(64, "0") as BlobHash;
export const job = (name: string): JobId => `job-${name}` as JobId;
export const shard = (name: string): ShardId => name as ShardId;

export const [A, B, C] = [node("a"), node("b"), node("c")] as [NodeId, NodeId, NodeId];

export const founded: LedgerEntry = {
  kind: "fleetFounded",
  fleetId: "f" as never,
  name: "geese",
  founder: { nodeId: A, name: "attic", addresses: [] },
};

export const submitted = (
  name: string,
  items: number,
  more: Partial<JobSubmitted> = {},
): { kind: "jobSubmitted" } & JobSubmitted => ({
  kind: "jobSubmitted",
  jobId: job(name),
  pipeline: "ocr",
  idempotencyKey: `key-${name}`,
  inputs: Array.from({ length: items }, (_, i) => ({ name: `page-${i}`, blob: blob(1_000 + i), bytes: 10 })),
  holders: [A, B],
  submittedBy: A,
  submittedAtMs: 1_000,
  priority: "normal",
  copies: 2,
  ...more,
});

export const result = (name: string, item: number, more: Partial<ReportedResult> = {}): ReportedResult => ({
  jobId: job(name),
  item,
  output: blob(2_000 + item),
  outputBytes: 5,
  node: A,
  shardId: shard(`${name}/1.1`),
  durationMs: 100,
  finishedAtMs: 2_000 + item,
  holders: [A, B],
  ...more,
});

export const recorded = (...results: ReportedResult[]): LedgerEntry => ({ kind: "resultsRecorded", term: 1, results });

/** Its graph is the blob 3000 + version, unless said otherwise. */
export const manifest = (name: string, version = 1, files?: ModelFile[]): ModelManifest => ({
  name,
  version,
  files: files ?? [{ path: "model.onnx", blob: blob(3_000 + version), bytes: 100, use: "graph" }],
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 4] }],
  batches: true,
});

export const modelAdded = (
  model: ModelManifest,
  more: Partial<ModelAdded> = {},
): { kind: "modelAdded" } & ModelAdded => ({
  kind: "modelAdded",
  manifest: model,
  holders: [A],
  copies: 2,
  addedBy: A,
  addedAtMs: 7_000,
  ...more,
});

/** A model of one file, of so many bytes. */
export const modelOfSize = (name: string, bytes: number): { kind: "modelAdded" } & ModelAdded =>
  modelAdded(manifest(name, 1, [{ path: "model.onnx", blob: blob(bytes), bytes, use: "graph" }]));

/** A pipeline whose stages run these models (or pipelines) one after the other; nothing but their names matters here. */
export const pipelineAdded = (
  name: string,
  version: number,
  parts: { models?: string[]; pipelines?: string[] },
  says = "",
): { kind: "pipelineAdded" } & PipelineAdded => ({
  kind: "pipelineAdded",
  definition: {
    name,
    version,
    says,
    inputs: { x: { type: "FP32[-1,4]" } },
    stages: Object.fromEntries([
      ...(parts.models ?? []).map((model, i) => [`m${i}`, { model, in: { x: "x" } }] as const),
      ...(parts.pipelines ?? []).map((pipeline, i) => [`p${i}`, { pipeline, in: { x: "x" } }] as const),
    ]),
    outputs: { y: parts.models ? "m0.y" : "p0.y" },
  },
  addedBy: A,
  addedAtMs: 8_000,
});
