import type { PlacementDecision, PlacementNode } from "../../../../shared/decision.ts";
import { bestBatch } from "../../../../shared/model-profile.ts";

const sizeOf = (decision: PlacementDecision): number => new TextEncoder().encode(JSON.stringify(decision)).length;

/**
 * The decision in so many bytes of JSON, without what is needed least: first the batches that were not best, then figures of
 * models where they do not stand (the fastest few stay, as what could have been), then all of those, then boxes that got
 * nothing, then what stood before. What was left out is said.
 */
export function trimDecision(decision: PlacementDecision, bytesMax: number): PlacementDecision {
  let trimmed = decision;
  for (const { without, what } of STEPS) {
    if (sizeOf(trimmed) <= bytesMax) return trimmed;
    const left = without(trimmed);
    trimmed = { ...left, notes: [...(left.notes ?? []), `left out here for want of room: ${what}`] };
  }
  return trimmed;
}

const RUNNERS_UP = 5;

const STEPS: { what: string; without: (decision: PlacementDecision) => PlacementDecision }[] = [
  {
    what: "batches other than the best of each box",
    without: (decision) => ({ ...decision, nodes: decision.nodes.map(bestRunsOnly) }),
  },
  {
    what: "figures of models where they do not stand, but for the fastest boxes",
    without: (decision) => standingProfiles(decision, fastest(decision)),
  },
  {
    what: "figures of models where they do not stand",
    without: (decision) => standingProfiles(decision, new Set()),
  },
  {
    what: "boxes on which nothing stands",
    without: (decision) => {
      const used = new Set(decision.replicas.flatMap(({ nodes }) => nodes));
      return { ...decision, nodes: decision.nodes.filter(({ nodeId }) => used.has(nodeId)) };
    },
  },
  {
    what: "which pipelines run several models",
    without: ({ together: _, ...decision }) => decision,
  },
  { what: "where models stood before", without: (decision) => ({ ...decision, before: [] }) },
  {
    what: "all figures of boxes",
    without: (decision) => ({ ...decision, nodes: decision.nodes.map((node) => ({ ...node, profiles: [] })) }),
  },
  { what: "the boxes", without: (decision) => ({ ...decision, nodes: [] }) },
  // The ledger's entry has them beside this.
  { what: "where models stand, which the entry itself says", without: (decision) => ({ ...decision, replicas: [] }) },
];

function bestRunsOnly(node: PlacementNode): PlacementNode {
  const profiles = node.profiles.map((profile) => {
    const best = bestBatch(profile);
    return { ...profile, runs: profile.runs.filter(({ items }) => items === best) };
  });
  return { ...node, profiles };
}

function standingProfiles(decision: PlacementDecision, others: ReadonlySet<string>): PlacementDecision {
  const standing = new Set(decision.replicas.flatMap(({ pipeline, nodes }) => nodes.map((id) => `${pipeline} ${id}`)));
  const isKept = (key: string): boolean => standing.has(key) || others.has(key);
  const nodes = decision.nodes.map((node) => ({
    ...node,
    profiles: node.profiles.filter(({ pipeline }) => isKept(`${pipeline} ${node.nodeId}`)),
  }));
  return { ...decision, nodes };
}

function fastest({ nodes, models }: PlacementDecision): Set<string> {
  return new Set(
    models.flatMap(({ pipeline }) => {
      const speeds = nodes.flatMap(({ nodeId, executors, profiles }) => {
        const run = profiles.find((profile) => profile.pipeline === pipeline)?.runs[0];
        return run ? [{ nodeId, perSecond: (executors * run.items) / run.ms }] : [];
      });
      speeds.sort((a, b) => b.perSecond - a.perSecond || (a.nodeId < b.nodeId ? -1 : 1));
      return speeds.slice(0, RUNNERS_UP).map(({ nodeId }) => `${pipeline} ${nodeId}`);
    }),
  );
}
