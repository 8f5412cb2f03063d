import type { ModelsTogether, PlacementModel, PlacementNode, Replicas } from "../../../../shared/decision.ts";
import { invariant } from "../../../../shared/errors.ts";
import type { KeptRule } from "../../../../shared/rules.ts";
import { barredBecause, pinnedBy, replicaRules } from "../rules.ts";
import { bytes } from "../words.ts";
import { Figures } from "./figures.ts";

/** What a placement is made from; all of it is kept in the decision. */
export interface PlacementRequest {
  nodes: readonly PlacementNode[];
  models: readonly PlacementModel[];
  rules: readonly KeptRule[];
  together?: readonly ModelsTogether[];
  before: readonly Replicas[];
}

/**
 * The same as arithmetic: models by pipeline, nodes by id, so that nothing depends on how they were listed, and for a model m
 * and a node i the figures at `m * nodes.length + i`.
 */
export interface Question {
  request: PlacementRequest;
  models: PlacementModel[];
  nodes: PlacementNode[];
  /** Bytes that models may take on each node. */
  memory: Float64Array;
  /** Items a second if the node does nothing else, after heat and battery; 0 where the model may not stand. */
  rate: Float64Array;
  /** Bytes that it counts for: its peak where it has still to be loaded, for several may be loaded at once. */
  takes: Float64Array;
  /** Seconds until its files are there; 0 where it stands. */
  moveSeconds: Float64Array;
  stands: Uint8Array;
  pinned: Uint8Array;
  /** Why a model may not stand on a node. */
  whyNot: Map<number, string>;
  /** Replicas that can and shall be, by what each node could hold alone. */
  min: number[];
  max: number[];
  /** Wishes that cannot be met whatever else is decided, by model. */
  short: Map<number, string[]>;
  notes: string[];
}

/** A link that was not measured: an ordinary Wi-Fi. */
const LINK_BYTES_PER_SECOND = 5e6;
/** Pairs without a measurement that are named. */
const NOTES_MAX = 8;

export function askWhere(request: PlacementRequest): Question {
  const models = [...request.models].sort((a, b) => (a.pipeline < b.pipeline ? -1 : 1));
  const nodes = [...request.nodes].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  invariant(
    models.every(({ demandPerSecond }) => demandPerSecond > 0),
    "every model is asked for",
  );
  const pairs = models.length * nodes.length;
  const question: Question = {
    request,
    models,
    nodes,
    memory: Float64Array.from(nodes, ({ memoryForModelsBytes }) => Math.max(0, memoryForModelsBytes)),
    rate: new Float64Array(pairs),
    takes: new Float64Array(pairs),
    moveSeconds: new Float64Array(pairs),
    stands: new Uint8Array(pairs),
    pinned: new Uint8Array(pairs),
    whyNot: new Map(),
    min: [],
    max: [],
    short: new Map(),
    notes: [],
  };
  fillPairs(question);
  for (const m of models.keys()) avoidFailures(question, m);
  keepPins(question);
  for (const m of models.keys()) boundReplicas(question, m);
  return question;
}

function fillPairs(question: Question): void {
  const { models, nodes, request } = question;
  const figures = new Figures(nodes);
  const before = new Map(request.before.map(({ pipeline, nodes: on }) => [pipeline, new Set(on)]));
  const guessed: string[] = [];
  models.forEach((model, m) => {
    nodes.forEach((node, i) => {
      const pair = m * nodes.length + i;
      const figure = figures.of(model, node);
      const stands = before.get(model.pipeline)?.has(node.nodeId) ?? false;
      question.stands[pair] = stands ? 1 : 0;
      question.takes[pair] = stands ? figure.settledBytes : figure.peakBytes;
      question.moveSeconds[pair] = stands ? 0 : model.bytes / (node.linkBytesPerSecond ?? LINK_BYTES_PER_SECOND);
      const whyNot = obstacle(question, m, i);
      if (whyNot) question.whyNot.set(pair, whyNot);
      else {
        question.rate[pair] = figure.itemsPerSecond * node.derating;
        if (figure.from === "guess") guessed.push(`${model.pipeline} on ${node.name}`);
      }
    });
  });
  if (guessed.length === 0) return;
  const more = guessed.length > NOTES_MAX ? ` and ${guessed.length - NOTES_MAX} more` : "";
  question.notes.push(
    `not measured there nor on a box of its class, so taken from the model's size and the slowest speed that is known: ${guessed.slice(0, NOTES_MAX).join(", ")}${more}`,
  );
}

/** Why a model cannot stand on a node, as the end of a sentence. */
function obstacle(
  { models, nodes, request, takes, memory, stands }: Question,
  m: number,
  i: number,
): string | undefined {
  const [model, node] = [models[m]!, nodes[i]!];
  const pair = m * nodes.length + i;
  if (!node.eligible) return node.whyNot ?? "it is not eligible";
  if (node.executors === 0) return "it runs nothing";
  const barred = barredBecause(request.rules, node, model.pipeline);
  if (barred) return barred;
  if (takes[pair]! > memory[i]!)
    return `it needs ${bytes(takes[pair]!)}${stands[pair] ? "" : " while it loads"} and ${node.name} has ${bytes(memory[i]!)} for models`;
  return undefined;
}

/** A box that could not load a model has it no more, if another could: where all failed (its files are out of reach, say) they go on trying. */
function avoidFailures(question: Question, m: number): void {
  const { models, nodes, rate, whyNot } = question;
  const { pipeline } = models[m]!;
  const able = nodes.flatMap((node, i) => {
    const pair = m * nodes.length + i;
    const failed = node.failed?.find((one) => one.pipeline === pipeline);
    return rate[pair]! > 0 ? [{ pair, because: failed?.because }] : [];
  });
  const failures = able.filter(({ because }) => because !== undefined);
  if (failures.length > 0 && failures.length === able.length) {
    complain(
      question,
      m,
      `it failed on every box that could have it, and is tried again there: ${failures[0]!.because}`,
    );
    return;
  }
  for (const { pair, because } of failures) {
    rate[pair] = 0;
    whyNot.set(pair, `it failed there lately: ${because}`);
  }
}

/** Pins hold as far as they can be: in the order of the rules, then the smaller first, until the memory is full. */
function keepPins(question: Question): void {
  const { models, nodes, request, memory, takes, whyNot } = question;
  const left = Float64Array.from(memory);
  const counts = models.map(() => 0);
  const wanted = models.flatMap((model, m) =>
    nodes.flatMap((node, i) => {
      const by = pinnedBy(request.rules, node, model.pipeline);
      return by ? [{ m, i, pair: m * nodes.length + i, by, order: request.rules.indexOf(by) }] : [];
    }),
  );
  wanted.sort((a, b) => a.order - b.order || takes[a.pair]! - takes[b.pair]! || a.pair - b.pair);
  for (const { m, i, pair, by } of wanted) {
    const name = nodes[i]!.name;
    const { max } = replicaRules(request.rules, models[m]!.pipeline);
    const reason =
      whyNot.get(pair) ??
      (takes[pair]! > left[i]!
        ? `${bytes(left[i]!)} is left of its memory beside what else is pinned there`
        : undefined) ??
      (max && counts[m]! >= max.count ? `${max.by.ruleId} allows ${max.count}` : undefined);
    if (reason) {
      complain(question, m, `it is not on ${name}, where ${by.ruleId} wants it: ${reason}`);
      continue;
    }
    question.pinned[pair] = 1;
    left[i] = left[i]! - takes[pair]!;
    counts[m] = counts[m]! + 1;
  }
}

function boundReplicas(question: Question, m: number): void {
  const { models, nodes, rate, request } = question;
  const { pipeline, replicasMin, replicasMax } = models[m]!;
  const able = nodes.filter((_, i) => rate[m * nodes.length + i]! > 0).length;
  const asked = replicaRules(request.rules, pipeline).min;
  question.min[m] = Math.min(replicasMin, able);
  question.max[m] = Math.max(question.min[m]!, replicasMax);
  if (able === 0) complain(question, m, nowhereBecause(question, m));
  else if (asked && able < replicasMin)
    complain(question, m, `${asked.by.ruleId} wants it on ${replicasMin} boxes and ${able} can hold it`);
}

/** "it needs 1.2 GB while it loads and the largest box has 0.9 GB for models". */
function nowhereBecause({ nodes, whyNot, takes, memory, stands }: Question, m: number): string {
  const at = (i: number): number => m * nodes.length + i;
  const byMemory = nodes.flatMap((node, i) => (node.eligible && takes[at(i)]! > memory[i]! ? [i] : []));
  const [largest] = [...byMemory].sort((a, b) => memory[b]! - memory[a]!);
  if (nodes.length === 0) return "it stands nowhere: no box is known";
  if (largest !== undefined) {
    const needs = bytes(takes[at(largest)]!);
    const others = nodes.length - byMemory.length;
    const rest = others > 0 ? `; ${others === 1 ? "another" : `${others} others`} cannot take it either` : "";
    return `it stands nowhere: it needs ${needs}${stands[at(largest)] ? "" : " while it loads"} and the largest box has ${bytes(memory[largest]!)} for models${rest}`;
  }
  const reasons = nodes.slice(0, 3).map((node, i) => `${node.name}: ${whyNot.get(at(i))}`);
  const more = nodes.length > 3 ? ` and ${nodes.length - 3} more boxes` : "";
  return `it stands nowhere: ${reasons.join("; ")}${more}`;
}

export function complain(question: Pick<Question, "short">, m: number, because: string): void {
  question.short.set(m, [...(question.short.get(m) ?? []), because]);
}

/** A placement under way: which pairs, and what is left of each node's memory. */
export interface Places {
  placed: Uint8Array;
  memoryLeft: Float64Array;
  /** Replicas of each model. */
  counts: number[];
}

export const noPlaces = ({ memory, models }: Question): Places => ({
  placed: new Uint8Array(models.length * memory.length),
  memoryLeft: Float64Array.from(memory),
  counts: models.map(() => 0),
});

export function put(question: Question, places: Places, pair: number): void {
  const n = question.nodes.length;
  places.placed[pair] = 1;
  places.memoryLeft[pair % n] = places.memoryLeft[pair % n]! - question.takes[pair]!;
  places.counts[Math.floor(pair / n)]!++;
}

export const fits = (
  { rate, takes, max, nodes }: Question,
  { placed, memoryLeft, counts }: Places,
  pair: number,
): boolean =>
  !placed[pair] &&
  rate[pair]! > 0 &&
  takes[pair]! <= memoryLeft[pair % nodes.length]! &&
  counts[Math.floor(pair / nodes.length)]! < max[Math.floor(pair / nodes.length)]!;
