import type { Vitals } from "../../../shared/capacity.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { Labels } from "../../../shared/labels.ts";
import { type KeptRule, meansModel, meansNode, type Rule, type RuleKind, ruleText } from "../../../shared/rules.ts";

/** A node as rules see it. */
export interface RuledNode {
  nodeId: NodeId;
  name: string;
  labels?: Labels;
}
/** What of a node's vitals rules ask for. */
export type RuledVitals = Pick<Vitals, "power" | "batteryPercent" | "temperatureC" | "utcOffsetMinutes">;

type Narrow<R, K> = R extends { kind: infer Kinds } ? (K extends Kinds ? R : never) : never;
type RuleOf<K extends RuleKind> = Narrow<Rule, K>;

const MINUTES_A_DAY = 24 * 60;
const named = ({ ruleId, rule }: KeptRule): string => `${ruleId}: ${ruleText(rule)}`;

function* ofKind<K extends RuleKind>(
  rules: readonly KeptRule[],
  kind: K,
): Generator<{ kept: KeptRule; rule: RuleOf<K> }> {
  for (const kept of rules) if (kept.rule.kind === kind) yield { kept, rule: kept.rule as RuleOf<K> };
}

/** Why a node gets no work at all just now, as the end of a sentence; undefined if no rule says so. */
export function restsBecause(
  rules: readonly KeptRule[],
  node: RuledNode,
  vitals: RuledVitals,
  nowMs: number,
): string | undefined {
  if (rules.length === 0) return undefined;
  for (const { kept, rule } of ofKind(rules, "quiet"))
    if (meansNode(rule.on, node) && isQuiet(rule, nowMs, vitals.utcOffsetMinutes ?? 0))
      return `it is ${timeText(nowMs, vitals.utcOffsetMinutes ?? 0)} there (${named(kept)})`;
  for (const { kept, rule } of ofKind(rules, "battery")) {
    const { power, batteryPercent } = vitals;
    if (
      power === "battery" &&
      batteryPercent !== undefined &&
      batteryPercent < rule.percent &&
      meansNode(rule.on, node)
    )
      return `it runs on battery at ${Math.round(batteryPercent)} % (${named(kept)})`;
  }
  for (const { kept, rule } of ofKind(rules, "heat")) {
    const { temperatureC } = vitals;
    if (temperatureC !== undefined && temperatureC >= rule.celsius && meansNode(rule.on, node))
      return `it is at ${Math.round(temperatureC)} °C (${named(kept)})`;
  }
  return undefined;
}

/** From its first minute to the one before its last, over midnight if it begins later than it ends; all day if both are one. */
function isQuiet({ from, to }: RuleOf<"quiet">, nowMs: number, utcOffsetMinutes: number): boolean {
  const now = minuteOfDay(nowMs, utcOffsetMinutes);
  const [begins, ends] = [minutesOf(from), minutesOf(to)];
  return begins < ends ? now >= begins && now < ends : now >= begins || now < ends;
}

const minutesOf = (time: string): number => 60 * Number(time.slice(0, 2)) + Number(time.slice(3));
function minuteOfDay(nowMs: number, utcOffsetMinutes: number): number {
  const minutes = (Math.floor(nowMs / 60_000) + utcOffsetMinutes) % MINUTES_A_DAY;
  return (minutes + MINUTES_A_DAY) % MINUTES_A_DAY;
}
function timeText(nowMs: number, utcOffsetMinutes: number): string {
  const minutes = Math.floor(minuteOfDay(nowMs, utcOffsetMinutes));
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}

/** Why a pipeline may not stand or run on a node, whatever the time; undefined if it may. */
export function barredBecause(rules: readonly KeptRule[], node: RuledNode, pipeline: string): string | undefined {
  // Asked for every pipeline of every node some times a second, and mostly there are no rules.
  if (rules.length === 0) return undefined;
  for (const { kept, rule } of ofKind(rules, "forbid"))
    if (meansModel(rule.model, pipeline) && meansNode(rule.on, node)) return named(kept);
  for (const { kept, rule } of ofKind(rules, "only"))
    if (meansModel(rule.model, pipeline) && !meansNode(rule.on, node)) return named(kept);
  return undefined;
}

/** The rule that wants a model on this node. */
export function pinnedBy(rules: readonly KeptRule[], node: RuledNode, pipeline: string): KeptRule | undefined {
  for (const { kept, rule } of ofKind(rules, "pin"))
    if (meansModel(rule.model, pipeline) && meansNode(rule.on, node)) return kept;
  return undefined;
}

/** Memory of a node that no model takes: of several rules the largest. */
export function reservedBytes(rules: readonly KeptRule[], node: RuledNode): number {
  let bytes = 0;
  for (const { rule } of ofKind(rules, "reserve")) if (meansNode(rule.on, node)) bytes = Math.max(bytes, rule.bytes);
  return bytes;
}

export interface ReplicaRules {
  /** The largest and the least that is asked for, and by which rules. */
  min?: { count: number; by: KeptRule };
  max?: { count: number; by: KeptRule };
}

export function replicaRules(rules: readonly KeptRule[], pipeline: string): ReplicaRules {
  const asked: ReplicaRules = {};
  for (const { kept, rule } of ofKind(rules, "replicas")) {
    if (!meansModel(rule.model, pipeline)) continue;
    if (rule.min > (asked.min?.count ?? -1)) asked.min = { count: rule.min, by: kept };
    if (rule.max !== undefined && rule.max < (asked.max?.count ?? Number.POSITIVE_INFINITY))
      asked.max = { count: rule.max, by: kept };
  }
  return asked;
}
