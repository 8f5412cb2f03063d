import type { PlacementModel, PlacementNode } from "../../../shared/decision.ts";
import { type KeptRule, meansModel, meansNode } from "../../../shared/rules.ts";
import { Figures } from "./placement/figures.ts";
import { barredBecause, pinnedBy, replicaRules, reservedBytes } from "./rules.ts";
import { bytes } from "./words.ts";

/** The fleet that rules are held against. */
export interface RuledFleet {
  /** `memoryForModelsBytes`: without any rule; 0 where nothing is known of it. */
  nodes: readonly PlacementNode[];
  models: readonly Pick<PlacementModel, "pipeline" | "bytes">[];
}

export interface Conflict {
  /** A smallest set: without any one of them the others can hold together. The new one last. */
  rules: KeptRule[];
  /** As a sentence. */
  reason: string;
}

/**
 * Whether a rule contradicts those that are there, as far as that can be known: a pin against forbid, only, the most replicas
 * and the memory; only against only and forbid; the least replicas against the most, and against too few boxes that may. Rules
 * that the fleet has outgrown (a box was taken out) do not make every new one a contradiction.
 */
export function conflictOf(existing: readonly KeptRule[], added: KeptRule, fleet: RuledFleet): Conflict | undefined {
  const fault = (rules: readonly KeptRule[]): string | undefined => faultOf(rules, fleet);
  const sound: KeptRule[] = [];
  for (const rule of existing) if (fault([...sound, rule]) === undefined) sound.push(rule);
  const reason = fault([...sound, added]);
  if (reason === undefined) return undefined;
  // Most contradictions are between two; else whatever can be left out is left out, the newest first.
  const pair = sound.find((rule) => fault([added]) === undefined && fault([rule, added]) !== undefined);
  const rules = pair ? [pair] : needed(sound, (kept) => fault([...kept, added]) !== undefined);
  return { rules: [...rules, added], reason: fault([...rules, added]) ?? reason };
}

/** A set that none can be left out of (deletion filter). */
function needed(rules: readonly KeptRule[], contradicts: (rules: KeptRule[]) => boolean): KeptRule[] {
  let kept = [...rules];
  for (const rule of [...rules].reverse()) {
    const without = kept.filter((one) => one !== rule);
    if (contradicts(without)) kept = without;
  }
  return kept;
}

/** Why these rules cannot all hold, as a sentence without its full stop; undefined if they can. */
function faultOf(rules: readonly KeptRule[], fleet: RuledFleet): string | undefined {
  // A box or a label that is not there yet forbids nothing everywhere.
  const meant = rules.filter(
    ({ rule }) => rule.kind !== "only" || fleet.nodes.some((node) => meansNode(rule.on, node)),
  );
  for (const pipeline of pipelinesOf(meant, fleet)) {
    const fault = replicasFault(meant, fleet, pipeline);
    if (fault) return fault;
  }
  return fleet.nodes.map((node) => memoryFault(meant, fleet, node)).find((fault) => fault !== undefined);
}

/** All that there are, and those that rules speak of before they are there. */
function pipelinesOf(rules: readonly KeptRule[], { models }: RuledFleet): string[] {
  const known = models.map(({ pipeline }) => pipeline);
  const named = rules.flatMap(({ rule }) => ("model" in rule && rule.model !== "*" ? [rule.model] : []));
  const coming = named.filter((model) => !known.some((pipeline) => meansModel(model, pipeline)));
  // A rule for every model speaks of models that are still to come, too.
  const any = known.length + coming.length === 0 ? ["any-model"] : [];
  return [...new Set([...known, ...coming, ...any])];
}

function replicasFault(rules: readonly KeptRule[], { nodes }: RuledFleet, pipeline: string): string | undefined {
  const able = nodes.filter((node) => barredBecause(rules, node, pipeline) === undefined);
  const pinned = nodes.filter((node) => pinnedBy(rules, node, pipeline));
  const barred = pinned.find((node) => !able.includes(node));
  const { min, max } = replicaRules(rules, pipeline);
  if (barred) return `${pipeline} is wanted on ${barred.name} and may not be there`;
  if (max && pinned.length > max.count)
    return `${pipeline} is wanted on ${pinned.length} boxes and may be on ${max.count}`;
  if (min && max && min.count > max.count)
    return `${pipeline} is wanted on ${min.count} boxes and may be on ${max.count}`;
  const isRestricted = rules.some(({ rule }) => rule.kind === "only" && meansModel(rule.model, pipeline));
  if (isRestricted && able.length === 0) return `no box is left on which ${pipeline} may be`;
  if (min && min.count <= nodes.length && min.count > able.length)
    return `${pipeline} is wanted on ${min.count} boxes and may be on ${able.length}`;
  return undefined;
}

/** What is pinned to a box together, while it loads and once it is settled. Guessed figures refuse nothing. */
function memoryFault(
  rules: readonly KeptRule[],
  { nodes, models }: RuledFleet,
  node: PlacementNode,
): string | undefined {
  if (node.memoryForModelsBytes === 0) return undefined;
  const figures = new Figures(nodes);
  const pinned = models.flatMap((model) => {
    if (!pinnedBy(rules, node, model.pipeline)) return [];
    const figure = figures.of({ ...model, demandPerSecond: 1, replicasMin: 0, replicasMax: 0 }, node);
    return figure.from === "guess" ? [] : [{ ...figure, pipeline: model.pipeline }];
  });
  if (pinned.length === 0) return undefined;
  // One after the other, with the largest peak above what stays first: no other order needs less.
  pinned.sort((a, b) => b.peakBytes - b.settledBytes - (a.peakBytes - a.settledBytes));
  let [settled, needs] = [0, 0];
  for (const { peakBytes, settledBytes } of pinned) {
    needs = Math.max(needs, settled + peakBytes);
    settled += settledBytes;
  }
  const reserved = reservedBytes(rules, node);
  const has = node.memoryForModelsBytes - reserved;
  if (needs <= has) return undefined;
  const besides = reserved > 0 ? ` beside the ${bytes(reserved)} that are reserved` : "";
  const names = pinned.map(({ pipeline }) => pipeline);
  return `${names.join(" and ")} ${names.length === 1 ? "needs" : "need"} ${bytes(needs)} on ${node.name}, which has ${bytes(Math.max(0, has))} for models${besides}`;
}
