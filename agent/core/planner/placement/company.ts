import type { Candidate } from "./greedy.ts";
import { fits, noPlaces, put, type Question } from "./question.ts";

/** Of a node's memory for models that stays free beside a copy that only keeps others company. */
const FREE_SHARE = 0.5;

/** Other models of a pipeline that stand where one stands. */
export interface Company {
  pipeline: string;
  models: string[];
}

/**
 * The same, and where a model of a pipeline stands the pipeline's other models too, wherever memory is ample: more is served
 * elsewhere perhaps, but only there can stages be run together, so that nothing between them crosses the network.
 */
export function withCompany(question: Question, chosen: Candidate): Candidate {
  const { models, nodes, memory, takes, request } = question;
  const N = nodes.length;
  const places = noPlaces(question);
  chosen.placed.forEach((stands, pair) => {
    if (stands) put(question, places, pair);
  });
  let added = false;
  const together = [...(request.together ?? [])].sort((a, b) => (a.pipeline < b.pipeline ? -1 : 1));
  for (const pipeline of together) {
    const parts = models.flatMap((model, m) => (pipeline.models.includes(model.pipeline) ? [m] : []));
    for (let i = 0; i < N; i++) {
      const missing = parts.map((m) => m * N + i).filter((pair) => !places.placed[pair]);
      if (missing.length === 0 || missing.length === parts.length) continue;
      // All or none: a part more would be loaded for nothing.
      const takesAll = missing.reduce((sum, pair) => sum + takes[pair]!, 0);
      if (places.memoryLeft[i]! - takesAll < FREE_SHARE * memory[i]!) continue;
      if (!missing.every((pair) => fits(question, places, pair))) continue;
      for (const pair of missing) put(question, places, pair);
      added = true;
    }
  }
  return added ? { ...chosen, placed: places.placed } : chosen;
}

/** With which models of which pipelines model m stands on node i, or would stand there. */
export function companyOf({ models, nodes, request }: Question, placed: Uint8Array, m: number, i: number): Company[] {
  const name = models[m]!.pipeline;
  const standing = new Set(
    models.flatMap(({ pipeline }, other) => (other !== m && placed[other * nodes.length + i] ? [pipeline] : [])),
  );
  return (request.together ?? []).flatMap(({ pipeline, models: parts }) => {
    const others = parts.includes(name) ? parts.filter((part) => standing.has(part)) : [];
    return others.length > 0 ? [{ pipeline, models: others }] : [];
  });
}
