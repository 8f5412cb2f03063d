/** Decisions as they lie in the ledger: a leader wrote them, perhaps of another version, so they are checked like all else. */
import {
  checkBoolean,
  checkList,
  checkNumber,
  checkOneOf,
  checkRecord,
  checkText,
  checkWhole,
  refuse,
} from "./checks.ts";
import type {
  JobCandidate,
  JobDecision,
  ModelsTogether,
  PlacementDecision,
  PlacementModel,
  PlacementNode,
  Replicas,
} from "./decision.ts";
import { isNodeId, type JobId, type NodeId } from "./ids.ts";
import { checkLabels } from "./labels.ts";
import { LIMITS } from "./limits.ts";
import { checkModelProfile } from "./model-profile.ts";
import { type Plan, type PlanShare, type PlanWay, WAYS } from "./plan.ts";
import { checkRule } from "./rules.ts";

/** Longer than any job may take, so that sums of it stay finite. */
const FIGURE_MAX = 1e12;
const SENTENCES_BYTES_MAX = 4_096;

type Fields = Record<string, unknown>;

/** @throws BAD_REQUEST with the field and the reason */
export function readJobDecision(json: string): JobDecision {
  const made = checkRecord(parsed(json), "decision");
  checkOneOf(made.kind, "kind", ["job"]);
  const jobId = checkText(made.jobId, "jobId", LIMITS.nameBytesMax) as JobId;
  const uplink = optionalFigure(made, "uplinkBytesPerSecond");
  return {
    kind: "job",
    jobId,
    pipeline: checkText(made.pipeline, "pipeline", LIMITS.nameBytesMax),
    term: checkWhole(made.term, "term", 0),
    madeAtMs: checkNumber(made.madeAtMs, "madeAtMs", 0, Number.MAX_SAFE_INTEGER),
    items: checkWhole(made.items, "items", 0, LIMITS.jobItemsMax),
    bytesPerItem: checkWhole(made.bytesPerItem, "bytesPerItem", 0),
    ...(uplink !== undefined && { uplinkBytesPerSecond: uplink }),
    nodes: checkList(made.nodes, "nodes", LIMITS.nodesMax, checkCandidate),
    nodesLeftOut: checkWhole(made.nodesLeftOut, "nodesLeftOut", 0, LIMITS.nodesMax),
    ...(made.form !== undefined && { form: checkText(made.form, "form", LIMITS.formWhyBytesMax) }),
    plan: checkPlan(checkRecord(made.plan, "plan"), jobId),
  };
}

/** @throws BAD_REQUEST with the field and the reason */
export function readPlacementDecision(json: string): PlacementDecision {
  const made = checkRecord(parsed(json), "decision");
  checkOneOf(made.kind, "kind", ["placement"]);
  const models = checkList(made.models, "models", LIMITS.modelsMax, checkPlacementModel);
  const gap = optionalFigure(made, "gap");
  const together = checkList(made.together ?? [], "together", LIMITS.pipelinesMax, checkTogether);
  const notes = checkList(made.notes ?? [], "notes", 64, sentence);
  return {
    kind: "placement",
    term: checkWhole(made.term, "term", 0),
    madeAtMs: checkNumber(made.madeAtMs, "madeAtMs", 0, Number.MAX_SAFE_INTEGER),
    because: sentence(made.because, "because"),
    nodes: checkList(made.nodes, "nodes", LIMITS.nodesMax, checkPlacementNode),
    models,
    rules: checkList(made.rules, "rules", LIMITS.rulesMax, (value, at) => {
      const kept = checkRecord(value, at);
      return { ruleId: checkText(kept.ruleId, `${at}.ruleId`, LIMITS.nameBytesMax), rule: checkRule(kept.rule) };
    }),
    ...(together.length > 0 && { together }),
    before: checkList(made.before, "before", LIMITS.modelsMax, checkReplicas),
    replicas: checkList(made.replicas, "replicas", LIMITS.modelsMax, checkReplicas),
    short: checkList(made.short, "short", 4 * LIMITS.modelsMax, checkReason),
    by: checkOneOf(made.by, "by", ["solver", "greedy", "kept"]),
    served: figure(made, "served"),
    bound: figure(made, "bound"),
    ...(made.boundBy === "solver" && { boundBy: "solver" }),
    ...(gap !== undefined && { gap }),
    solveSeconds: figure(made, "solveSeconds"),
    ...(notes.length > 0 && { notes }),
  };
}

function checkReplicas(value: unknown, at: string): Replicas {
  const one = checkRecord(value, at);
  const nodes = checkList(one.nodes, `${at}.nodes`, LIMITS.nodesMax, (nodeId, where) =>
    isNodeId(nodeId) ? nodeId : refuse(where, "must be a peer id"),
  );
  return { pipeline: checkText(one.pipeline, `${at}.pipeline`, LIMITS.nameBytesMax), nodes };
}

function checkTogether(value: unknown, at: string): ModelsTogether {
  const one = checkRecord(value, at);
  const name = (text: unknown, where: string): string => checkText(text, where, LIMITS.nameBytesMax);
  return {
    pipeline: name(one.pipeline, `${at}.pipeline`),
    models: checkList(one.models, `${at}.models`, LIMITS.modelsMax, name),
  };
}

function checkReason(value: unknown, at: string): { pipeline: string; because: string } {
  const one = checkRecord(value, at);
  const pipeline = checkText(one.pipeline, `${at}.pipeline`, LIMITS.nameBytesMax);
  return { pipeline, because: sentence(one.because, `${at}.because`) };
}

function checkPlacementModel(value: unknown, at: string): PlacementModel {
  const model = checkRecord(value, at);
  return {
    pipeline: checkText(model.pipeline, `${at}.pipeline`, LIMITS.nameBytesMax),
    bytes: checkWhole(model.bytes, `${at}.bytes`, 0),
    demandPerSecond: checkNumber(model.demandPerSecond, `${at}.demandPerSecond`, Number.MIN_VALUE, FIGURE_MAX),
    replicasMin: checkWhole(model.replicasMin, `${at}.replicasMin`, 0, LIMITS.nodesMax),
    replicasMax: checkWhole(model.replicasMax, `${at}.replicasMax`, 0, LIMITS.nodesMax),
  };
}

function checkPlacementNode(value: unknown, at: string): PlacementNode {
  const node = checkRecord(value, at);
  const texts = (["deratedBecause", "class", "whyNot"] as const).filter((key) => node[key] !== undefined);
  const link = optionalFigure(node, "linkBytesPerSecond", at);
  const failed = checkList(node.failed ?? [], `${at}.failed`, LIMITS.modelsMax, checkReason);
  return {
    ...checkNode(node, at),
    ...(node.labels !== undefined && { labels: checkLabels(node.labels) }),
    ...Object.fromEntries(texts.map((key) => [key, sentence(node[key], `${at}.${key}`)])),
    executors: checkWhole(node.executors, `${at}.executors`, 0, 4_096),
    memoryForModelsBytes: figure(node, "memoryForModelsBytes", at),
    derating: checkNumber(node.derating, `${at}.derating`, 0, 1),
    ...(link !== undefined && { linkBytesPerSecond: link }),
    profiles: checkList(node.profiles, `${at}.profiles`, LIMITS.modelsMax, checkModelProfile),
    ...(failed.length > 0 && { failed }),
    eligible: checkBoolean(node.eligible, `${at}.eligible`),
    ...(node.rests === true && { rests: true as const }),
  };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    return refuse("decision", `is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const figure = (fields: Fields, key: string, at = ""): number =>
  checkNumber(fields[key], at ? `${at}.${key}` : key, 0, FIGURE_MAX);
const optionalFigure = (fields: Fields, key: string, at = ""): number | undefined =>
  fields[key] === undefined ? undefined : figure(fields, key, at);
const sentence = (value: unknown, at: string): string => checkText(value, at, SENTENCES_BYTES_MAX, 0);

function checkNode(fields: Fields, at: string): { nodeId: NodeId; name: string } {
  if (!isNodeId(fields.nodeId)) refuse(`${at}.nodeId`, "must be a peer id");
  return { nodeId: fields.nodeId, name: checkText(fields.name, `${at}.name`, LIMITS.nameBytesMax) };
}

function checkCandidate(value: unknown, at: string): JobCandidate {
  const node = checkRecord(value, at);
  const link = optionalFigure(node, "linkBytesPerSecond", at);
  const texts = (["profile", "deratedBecause", "whyNot"] as const).filter((key) => node[key] !== undefined);
  return {
    ...checkNode(node, at),
    ...Object.fromEntries(texts.map((key) => [key, sentence(node[key], `${at}.${key}`)])),
    itemsPerSecond: figure(node, "itemsPerSecond", at),
    executors: checkWhole(node.executors, `${at}.executors`, 0, 4_096),
    derating: checkNumber(node.derating, `${at}.derating`, 0, 1),
    handOverMs: figure(node, "handOverMs", at),
    itemsQueued: checkWhole(node.itemsQueued, `${at}.itemsQueued`, 0),
    holdsInputs: checkBoolean(node.holdsInputs, `${at}.holdsInputs`),
    ...(link !== undefined && { linkBytesPerSecond: link }),
    memoryFreeBytes: checkWhole(node.memoryFreeBytes, `${at}.memoryFreeBytes`, 0),
    ...(node.temperatureC !== undefined && {
      temperatureC: checkNumber(node.temperatureC, `${at}.temperatureC`, -60, 200),
    }),
    eligible: checkBoolean(node.eligible, `${at}.eligible`),
  };
}

function checkPlan(plan: Fields, jobId: JobId): Plan {
  return {
    jobId,
    madeAtMs: checkNumber(plan.madeAtMs, "plan.madeAtMs", 0, Number.MAX_SAFE_INTEGER),
    term: checkWhole(plan.term, "plan.term", 0),
    shares: checkList(plan.shares, "plan.shares", LIMITS.nodesMax, checkShare),
    expectedSeconds: figure(plan, "expectedSeconds", "plan"),
    singleBestSeconds: figure(plan, "singleBestSeconds", "plan"),
    keptWhole: checkBoolean(plan.keptWhole, "plan.keptWhole"),
    summary: sentence(plan.summary, "plan.summary"),
    ways: checkList(plan.ways, "plan.ways", WAYS.length, checkWay),
    chosen: checkOneOf(plan.chosen, "plan.chosen", WAYS),
    boundSeconds: figure(plan, "boundSeconds", "plan"),
  };
}

function checkWay(value: unknown, at: string): PlanWay {
  const way = checkRecord(value, at);
  return {
    way: checkOneOf(way.way, `${at}.way`, WAYS),
    seconds: figure(way, "seconds", at),
    nodes: checkWhole(way.nodes, `${at}.nodes`, 0, LIMITS.nodesMax),
    ...(way.name !== undefined && { name: checkText(way.name, `${at}.name`, LIMITS.nameBytesMax) }),
  };
}

function checkShare(value: unknown, at: string): PlanShare {
  const share = checkRecord(value, at);
  return {
    ...checkNode(share, at),
    items: checkWhole(share.items, `${at}.items`, 0, LIMITS.jobItemsMax),
    itemsPerSecond: figure(share, "itemsPerSecond", at),
    reason: sentence(share.reason, `${at}.reason`),
    computeSeconds: figure(share, "computeSeconds", at),
    transferSeconds: figure(share, "transferSeconds", at),
    queueSeconds: figure(share, "queueSeconds", at),
    handOverSeconds: figure(share, "handOverSeconds", at),
    derating: checkNumber(share.derating, `${at}.derating`, 0, 1),
    endSeconds: figure(share, "endSeconds", at),
  };
}
