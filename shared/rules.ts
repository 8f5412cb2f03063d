/** What people ask of the planner: where models stand, what is kept free, when a box is left alone. */
import { checkKeys, checkNumber, checkOneOf, checkRecord, checkText, checkWhole, refuse } from "./checks.ts";
import type { NodeId } from "./ids.ts";
import type { Labels } from "./labels.ts";
import { LIMITS } from "./limits.ts";
import { readModelReference } from "./model.ts";

/**
 * pin: it stands on every box that fits · only: it stands and runs nowhere else · forbid: never there · replicas: on at least
 * so many boxes, and at most · reserve: memory that no model takes · quiet: no work between two times of the box's own day ·
 * battery: no work on battery below so many percent · heat: no work from so many degrees on.
 */
export type Rule =
  | { kind: "pin" | "only" | "forbid"; model: string; on: string }
  | { kind: "replicas"; model: string; min: number; max?: number }
  | { kind: "reserve"; on: string; bytes: number }
  | { kind: "quiet"; on: string; from: string; to: string }
  | { kind: "battery"; on: string; percent: number }
  | { kind: "heat"; on: string; celsius: number };
export type RuleKind = Rule["kind"];

export interface KeptRule {
  /** e.g. `rule-7`; counts up in a fleet's life. */
  ruleId: string;
  rule: Rule;
}

/** A rule as it is shown: with what it means now. */
export interface RuleView extends KeptRule {
  /** As people write it. */
  text: string;
  /** Names of the boxes, and the models, that it speaks of just now. Of a rule about boxes, or models, alone the other is absent. */
  nodes?: string[];
  models?: string[];
}

const KINDS = ["pin", "only", "forbid", "replicas", "reserve", "quiet", "battery", "heat"] as const;
const TIME = /^([01]\d|2[0-3]):[0-5]\d$/;

/** @throws BAD_REQUEST */
export function checkRule(value: unknown): Rule {
  const rule = checkRecord(value, "rule");
  const kind = checkOneOf(rule.kind, "rule.kind", KINDS);
  const keys = (...known: string[]): void => checkKeys(rule, "rule", ["kind", ...known]);
  const on = (): string => checkText(rule.on, "rule.on", LIMITS.nameBytesMax);
  switch (kind) {
    case "pin":
    case "only":
    case "forbid":
      keys("model", "on");
      return { kind, model: checkModelPattern(rule.model), on: on() };
    case "replicas": {
      keys("model", "min", "max");
      const min = checkWhole(rule.min, "rule.min", 0, LIMITS.nodesMax);
      const max = rule.max === undefined ? undefined : checkWhole(rule.max, "rule.max", 1, LIMITS.nodesMax);
      if (max !== undefined && max < min) refuse("rule.max", `must be at least rule.min (${min}), not ${max}`);
      return { kind, model: checkModelPattern(rule.model), min, ...(max !== undefined && { max }) };
    }
    case "reserve":
      keys("on", "bytes");
      return { kind, on: on(), bytes: checkWhole(rule.bytes, "rule.bytes", 0, 2 ** 50) };
    case "quiet":
      keys("on", "from", "to");
      return { kind, on: on(), from: checkTime(rule.from, "rule.from"), to: checkTime(rule.to, "rule.to") };
    case "battery":
      keys("on", "percent");
      return { kind, on: on(), percent: checkNumber(rule.percent, "rule.percent", 0, 100) };
    case "heat":
      keys("on", "celsius");
      return { kind, on: on(), celsius: checkNumber(rule.celsius, "rule.celsius", 20, 120) };
  }
}

function checkModelPattern(value: unknown): string {
  const model = checkText(value, "rule.model", LIMITS.nameBytesMax);
  if (model !== "*") readModelReference(model);
  return model;
}

function checkTime(value: unknown, at: string): string {
  const time = checkText(value, at, 5);
  return TIME.test(time) ? time : refuse(at, `must be a time of day as 22:30, not ${JSON.stringify(time)}`);
}

/** Whether `on` means this box: `*`, its name or id, or one of its labels as `zone=garage`. */
export function meansNode(on: string, node: { nodeId: NodeId; name: string; labels?: Labels }): boolean {
  if (on === "*" || on === node.name || on === node.nodeId) return true;
  const [key = "", value] = on.split("=");
  return value !== undefined && node.labels?.[key] === value;
}

/** Whether a rule's model means this pipeline: `*`, the name for all its versions, or `name:version`. */
export const meansModel = (model: string, pipeline: string): boolean =>
  model === "*" || model === pipeline || model === pipeline.split(":")[0];

/** As people write it behind `skein rule add`. */
export function ruleText(rule: Rule): string {
  switch (rule.kind) {
    case "pin":
    case "only":
    case "forbid":
      return `${rule.kind} ${rule.model} ${rule.on}`;
    case "replicas":
      return `replicas ${rule.model} ${rule.min}${rule.max === undefined ? "" : `-${rule.max}`}`;
    case "reserve":
      return `reserve ${rule.on} ${Math.round(rule.bytes / 1e6)}MB`;
    case "quiet":
      return `quiet ${rule.on} ${rule.from}-${rule.to}`;
    case "battery":
      return `battery ${rule.on} ${rule.percent}%`;
    case "heat":
      return `heat ${rule.on} ${rule.celsius}C`;
  }
}
