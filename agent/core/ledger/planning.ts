import { canonicalJson } from "../../../shared/canonical-json.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { JobId } from "../../../shared/ids.ts";
import type {
  JobPlanned,
  ModelAdded,
  ModelAliased,
  ModelRemoved,
  PlacementDecided,
  RuleChanged,
} from "../../../shared/ledger-entry.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { modelReference, readModelReference } from "../../../shared/model.ts";
import type { Rule } from "../../../shared/rules.ts";

/** What the fleet knows of models and of how work is placed. */
export interface Planning {
  /** By `name:version`, in the order in which they came. */
  models: ReadonlyMap<string, ModelAdded>;
  /** By `name:alias`. */
  aliases: ReadonlyMap<string, number>;
  /** By rule id. */
  rules: ReadonlyMap<string, Rule>;
  /** Oldest first; the last one holds. */
  placements: readonly PlacementDecided[];
  /** By job, oldest first; jobs in the order of their last decision. */
  decisions: ReadonlyMap<JobId, readonly string[]>;
}

export const noPlanning: Planning = {
  models: new Map(),
  aliases: new Map(),
  rules: new Map(),
  placements: [],
  decisions: new Map(),
};

/** What a change came to: the new state, the old one if it said so already, or why it is refused. */
type Changed = Planning | SkeinError;

const refused = (reason: string): SkeinError => new SkeinError("BAD_REQUEST", { reason });
const tooMany = (what: string, limit: number): SkeinError =>
  new SkeinError("TOO_LARGE", { what: `the number of ${what}`, actual: limit + 1, limit });

/** A version means one content for ever: the same again is a no-op, another is refused. */
export function addModel(planning: Planning, entry: ModelAdded): Changed {
  const reference = modelReference(entry.manifest);
  const known = planning.models.get(reference);
  if (known) {
    const isSame = canonicalJson(known.manifest) === canonicalJson(entry.manifest);
    return isSame ? planning : new SkeinError("MODEL_EXISTS", { model: reference });
  }
  if (planning.models.size >= LIMITS.modelsMax) return tooMany("models", LIMITS.modelsMax);
  // An entry and a record of a snapshot are told apart by their kind, which is no part of the model.
  const { manifest, holders, copies, addedBy, addedAtMs } = entry;
  const model = { manifest, holders, copies, addedBy, addedAtMs };
  return { ...planning, models: new Map(planning.models).set(reference, model) };
}

/** With the aliases that mean it, and its places in every placement that is kept: none may name a model that nobody knows. */
export function removeModel(planning: Planning, { name, version }: ModelRemoved): Changed {
  const reference = modelReference({ name, version });
  if (!planning.models.has(reference)) return planning;
  const models = new Map(planning.models);
  models.delete(reference);
  const aliases = new Map([...planning.aliases].filter(([key, to]) => to !== version || key.split(":")[0] !== name));
  const placements = planning.placements.map((placement) => ({
    ...placement,
    replicas: placement.replicas.filter(({ pipeline }) => pipeline !== reference),
  }));
  return { ...planning, models, aliases, placements };
}

export function aliasModel(planning: Planning, { name, alias, version }: ModelAliased): Changed {
  const aliases = new Map(planning.aliases);
  if (version === 0) aliases.delete(`${name}:${alias}`);
  else if (!planning.models.has(modelReference({ name, version })))
    return new SkeinError("MODEL_UNKNOWN", { model: modelReference({ name, version }) });
  else aliases.set(`${name}:${alias}`, version);
  if (aliases.size > LIMITS.modelAliasesMax) return tooMany("aliases", LIMITS.modelAliasesMax);
  return { ...planning, aliases };
}

export function changeRule(planning: Planning, { ruleId, rule }: RuleChanged): Changed {
  const rules = new Map(planning.rules);
  if (!rule) rules.delete(ruleId);
  else if (rules.has(ruleId) && canonicalJson(rules.get(ruleId)) !== canonicalJson(rule))
    return refused(`there is another rule ${ruleId}`);
  else rules.set(ruleId, rule);
  return rules.size > LIMITS.rulesMax ? tooMany("rules", LIMITS.rulesMax) : { ...planning, rules };
}

/** Of a deposed leader it comes too late. Models that went meanwhile have no place. */
export function decidePlacement(planning: Planning, entry: PlacementDecided): Changed {
  if (entry.term < (planning.placements.at(-1)?.term ?? 0))
    return refused(`the leader of term ${entry.term} was deposed`);
  const { term, decisionJson } = entry;
  const replicas = entry.replicas.filter(({ pipeline }) => planning.models.has(pipeline));
  const placements = [...planning.placements, { term, replicas, decisionJson }].slice(-LIMITS.placementsKept);
  return { ...planning, placements };
}

export function keepDecision(planning: Planning, { jobId, decisionJson }: JobPlanned): Planning {
  const decisions = new Map(planning.decisions);
  const kept = [...(decisions.get(jobId) ?? []), decisionJson].slice(-LIMITS.decisionsPerJob);
  decisions.delete(jobId);
  decisions.set(jobId, kept);
  for (const oldest of decisions.keys()) {
    if (decisions.size <= LIMITS.decisionsKept) break;
    decisions.delete(oldest);
  }
  return { ...planning, decisions };
}

export function forgetDecisions(planning: Planning, jobIds: readonly JobId[]): Planning {
  if (!jobIds.some((jobId) => planning.decisions.has(jobId))) return planning;
  const decisions = new Map(planning.decisions);
  for (const jobId of jobIds) decisions.delete(jobId);
  return { ...planning, decisions };
}

/**
 * The model that people mean by `name`, `name:version` or `name:alias`; a bare name means its alias `stable` if there is one,
 * else its newest version. Undefined if there is none.
 */
export function findModel(planning: Planning, text: string): ModelAdded | undefined {
  const { name, tag = "stable" } = readModelReference(text);
  const exact = planning.models.get(`${name}:${tag}`);
  if (exact) return exact;
  const aliased = planning.aliases.get(`${name}:${tag}`);
  if (aliased !== undefined) return planning.models.get(modelReference({ name, version: aliased }));
  if (text.includes(":")) return undefined;
  const versions = [...planning.models.values()].filter(({ manifest }) => manifest.name === name);
  return versions.sort((a, b) => b.manifest.version - a.manifest.version)[0];
}
