/** Fleets and models for the planner, drawn under a seed. */
import type { PlacementRequest } from "../../agent/core/planner/index.ts";
import type { PlacementModel, PlacementNode } from "../../shared/decision.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { ModelProfile } from "../../shared/model-profile.ts";
import { blob } from "./nouns.ts";
import { seededRandomness } from "./virtual-clock.ts";

const LETTERS = "abcdefghijkmnopqrstuvwxyz";
export const nodeNumber = (i: number): NodeId =>
  `12D3KooW${LETTERS[Math.floor(i / LETTERS.length)]}${LETTERS[i % LETTERS.length]}${"x".repeat(42)}` as NodeId;

export const profileOf = (
  pipeline: string,
  perSecond: number,
  bytes: number,
  more: Partial<ModelProfile> = {},
): ModelProfile => ({
  pipeline,
  digest: blob(1),
  runs: [{ items: 1, ms: 1_000 / perSecond }],
  loadMs: 1_000,
  firstRunMs: 1_500 / perSecond,
  memorySettledBytes: Math.round(bytes),
  memoryPeakBytes: Math.round(1.6 * bytes),
  source: "measured",
  ...more,
});

export const nodeOf = (i: number, more: Partial<PlacementNode> = {}): PlacementNode => ({
  nodeId: nodeNumber(i),
  name: `n${i}`,
  executors: 1,
  memoryForModelsBytes: 1e9,
  derating: 1,
  linkBytesPerSecond: 50e6,
  profiles: [],
  eligible: true,
  ...more,
});

export const modelOf = (pipeline: string, more: Partial<PlacementModel> = {}): PlacementModel => ({
  pipeline,
  bytes: 100e6,
  demandPerSecond: 1,
  replicasMin: 1,
  replicasMax: 1_000,
  ...more,
});

/**
 * Boxes of tenfold speeds with 1 to 16 GB, each better at some models than at others; models of 10 MB to 1 GB, tenfold costs and
 * hundredfold demands, each wanted twice.
 */
export function drawFleet(seed: number, models: number, nodes: number, memoryShare = 1): PlacementRequest {
  const { random } = seededRandomness(seed);
  const between = (low: number, high: number): number => low * (high / low) ** random();
  const kinds = Array.from({ length: models }, (_, m) => ({
    pipeline: `m${String(m).padStart(2, "0")}:1`,
    bytes: Math.round(between(10e6, 1e9)),
    perSecond: between(1, 10),
    demandPerSecond: between(0.1, 10),
  }));
  return {
    nodes: Array.from({ length: nodes }, (_, i) => {
      const speed = between(1, 10);
      return nodeOf(i, {
        executors: 1 + Math.floor(4 * random()),
        memoryForModelsBytes: Math.round(memoryShare * [0.7e9, 1.5e9, 3e9, 6e9, 12e9][Math.floor(5 * random())]!),
        linkBytesPerSecond: between(5e6, 100e6),
        profiles: kinds.map((kind) =>
          profileOf(kind.pipeline, kind.perSecond * speed * between(0.5, 2), 1.2 * kind.bytes),
        ),
      });
    }),
    models: kinds.map(({ pipeline, bytes, demandPerSecond }) =>
      modelOf(pipeline, { bytes, demandPerSecond, replicasMin: 2, replicasMax: nodes }),
    ),
    rules: [],
    before: [],
  };
}
