/** The entries about models, rules and plans: in the journal and in snapshots alike. */
import type { JobId } from "../ids.ts";
import type {
  JobPlanned,
  ModelAdded,
  ModelAliased,
  PipelineAdded,
  PlacementDecided,
  RuleChanged,
} from "../ledger-entry.ts";
import { LIMITS } from "../limits.ts";
import { checkManifest } from "../model.ts";
import type { JobForm } from "../pipeline/compiled.ts";
import { checkKeptDefinition } from "../pipeline/definition-check.ts";
import { checkForm } from "../pipeline/form-check.ts";
import { checkRule } from "../rules.ts";
import {
  checkCount,
  checkFinite,
  checkList,
  checkNodeId,
  checkNodeIds,
  checkText,
  type Fields,
  invalid,
} from "./codec.ts";

export const modelFields = ({ manifest, ...entry }: ModelAdded): object => ({
  ...entry,
  manifestJson: JSON.stringify(manifest),
});

export const readModel = (f: Fields): ModelAdded => ({
  manifest: fromJson(f.manifestJson, "manifest", LIMITS.manifestBytesMax, checkManifest),
  holders: checkNodeIds(f.holders, "holders"),
  copies: checkCount(f.copies, "copies", LIMITS.copiesMax),
  addedBy: checkNodeId(f.addedBy, "addedBy"),
  addedAtMs: checkFinite(f.addedAtMs, "addedAtMs"),
});

export const readAlias = (f: Fields): ModelAliased => ({
  name: checkText(f.name, "model"),
  alias: checkText(f.alias, "alias"),
  version: checkCount(f.version, "version"),
});

export const pipelineFields = ({ definition, ...entry }: PipelineAdded): object => ({
  ...entry,
  definitionJson: JSON.stringify(definition),
});

export const readPipeline = (f: Fields): PipelineAdded => ({
  definition: fromJson(f.definitionJson, "definition", LIMITS.pipelineBytesMax, checkKeptDefinition),
  addedBy: checkNodeId(f.addedBy, "addedBy"),
  addedAtMs: checkFinite(f.addedAtMs, "addedAtMs"),
});

export const ruleFields = ({ ruleId, rule }: RuleChanged): object => ({
  ruleId,
  ruleJson: rule ? JSON.stringify(rule) : "",
});

export const readRule = (f: Fields): RuleChanged => ({
  ruleId: checkText(f.ruleId, "rule id"),
  ...(f.ruleJson === "" ? {} : { rule: fromJson(f.ruleJson, "rule", LIMITS.settingBytesMax, checkRule) }),
});

export const readPlacement = (f: Fields): PlacementDecided => ({
  term: checkCount(f.term, "term"),
  replicas: checkList(f.replicas, "replicas", LIMITS.modelsMax, (value) => {
    const one = value as Fields;
    return { pipeline: checkText(one.pipeline, "pipeline"), nodes: checkNodeIds(one.nodes, "nodes") };
  }),
  decisionJson: checkText(f.decisionJson, "decision", LIMITS.placementBytesMax),
});

export const readJobPlanned = (f: Fields): JobPlanned => ({
  jobId: checkText(f.jobId, "job id") as JobId,
  decisionJson: checkText(f.decisionJson, "decision", LIMITS.decisionBytesMax),
});

export const readForm = (value: unknown): JobForm => fromJson(value, "form", LIMITS.formBytesMax, checkForm);

/** JSON inside a message. @throws FRAME_INVALID */
function fromJson<T>(value: unknown, what: string, bytesMax: number, check: (value: unknown) => T): T {
  try {
    return check(JSON.parse(checkText(value, what, bytesMax)));
  } catch (error) {
    throw invalid(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
