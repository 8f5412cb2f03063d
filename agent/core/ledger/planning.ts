import { canonicalJson } from "../../../shared/canonical-json.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { JobId } from "../../../shared/ids.ts";
import type {
  JobPlanned,
  ModelAdded,
  ModelAliased,
  ModelRemoved,
  PipelineAdded,
  PipelineRemoved,
  PlacementDecided,
  RuleChanged,
} from "../../../shared/ledger-entry.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { modelReference, readModelReference } from "../../../shared/model.ts";
import { pipelineReference } from "../../../shared/pipeline/definition.ts";
import { partsNamedIn } from "../../../shared/pipeline/parts.ts";
import type { Rule } from "../../../shared/rules.ts";

/** What the fleet knows of models and of how work is placed. */
export interface Planning {
  /** By `name:version`, in the order in which they came. */
  models: ReadonlyMap<string, ModelAdded>;
  /** By `name:alias`. */
  aliases: ReadonlyMap<string, number>;
  /** By `name:version`, in the order in which they came: each behind the pipelines that it is made of. */
  pipelines: ReadonlyMap<string, PipelineAdded>;
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
  pipelines: new Map(),
  rules: new Map(),
  placements: [],
  decisions: new Map(),
};

/** What a change came to: the new state, the old one if it said so already, or why it is refused. */
type Changed = Planning | SkeinError;

/** Pipelines named in an error: there may be hundreds. */
const NAMED_MAX = 16;

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
  const { name } = entry.manifest;
  if ([...planning.pipelines.values()].some(({ definition }) => definition.name === name))
    return new SkeinError("NAME_TAKEN", { name, of: "pipeline" });
  if (planning.models.size >= LIMITS.modelsMax) return tooMany("models", LIMITS.modelsMax);
  // An entry and a record of a snapshot are told apart by their kind, which is no part of the model.
  const { manifest, holders, copies, addedBy, addedAtMs } = entry;
  const model = { manifest, holders, copies, addedBy, addedAtMs };
  return { ...planning, models: new Map(planning.models).set(reference, model) };
}

/**
 * With the aliases that mean it, and its places in every placement that is kept: none may name a model that nobody knows.
 * Refused while a pipeline names it.
 */
export function removeModel(planning: Planning, { name, version }: ModelRemoved): Changed {
  const reference = modelReference({ name, version });
  if (!planning.models.has(reference)) return planning;
  const by = pipelinesOf(planning, ({ models }) => models.includes(reference));
  if (by.length > 0) return new SkeinError("PART_WANTED", { part: reference, by });
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

/** A version means one content for ever: the same again is a no-op, another is refused. */
export function addPipeline(planning: Planning, { definition, addedBy, addedAtMs }: PipelineAdded): Changed {
  const { name } = definition;
  const reference = pipelineReference(definition);
  const known = planning.pipelines.get(reference);
  if (known) {
    const isSame = canonicalJson(known.definition) === canonicalJson(definition);
    return isSame ? planning : new SkeinError("PIPELINE_EXISTS", { pipeline: reference });
  }
  if ([...planning.models.values()].some(({ manifest }) => manifest.name === name))
    return new SkeinError("NAME_TAKEN", { name, of: "model" });
  if (planning.pipelines.size >= LIMITS.pipelinesMax) return tooMany("pipelines", LIMITS.pipelinesMax);
  const { models, pipelines } = partsNamedIn(definition);
  const model = models.find((one) => !planning.models.has(one));
  if (model !== undefined) return new SkeinError("MODEL_UNKNOWN", { model });
  const pipeline = pipelines.find((one) => !planning.pipelines.has(one));
  if (pipeline !== undefined)
    return new SkeinError("UNKNOWN_PIPELINE", { pipeline, known: [...planning.pipelines.keys()].slice(0, NAMED_MAX) });
  const kept = { definition, addedBy, addedAtMs };
  return { ...planning, pipelines: new Map(planning.pipelines).set(reference, kept) };
}

export function removePipeline(planning: Planning, removed: PipelineRemoved): Changed {
  const reference = pipelineReference(removed);
  if (!planning.pipelines.has(reference)) return planning;
  const by = pipelinesOf(planning, ({ pipelines }) => pipelines.includes(reference));
  if (by.length > 0) return new SkeinError("PART_WANTED", { part: reference, by });
  const pipelines = new Map(planning.pipelines);
  pipelines.delete(reference);
  return { ...planning, pipelines };
}

function pipelinesOf(planning: Planning, names: (parts: ReturnType<typeof partsNamedIn>) => boolean): string[] {
  return [...planning.pipelines].flatMap(([reference, { definition }]) =>
    names(partsNamedIn(definition)) ? [reference] : [],
  );
}

/** Of `name` the newest, or of `name:version` that one. Undefined if there is none. */
export function findPipeline(planning: Planning, text: string): PipelineAdded | undefined {
  const exact = planning.pipelines.get(text);
  if (exact) return exact;
  const versions = [...planning.pipelines.values()].filter(({ definition }) => definition.name === text);
  return versions.sort((a, b) => b.definition.version - a.definition.version)[0];
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
