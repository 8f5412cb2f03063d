import { type Candidate, candidate } from "./greedy.ts";
import { fits, noPlaces, put, type Question } from "./question.ts";

/** Files that take longer to come are not fetched for this. */
const FETCH_SECONDS_MAX = 60;

/**
 * With copies that make pipelines whole on boxes that have a part of their models, where memory is left. Of the models alone
 * they serve nothing more: one box for each would do. But an item that runs whole on one box crosses no network and waits for
 * no agreement, and a box without one of the models gets no such item at all.
 */
export function completed(question: Question, chosen: Candidate): Candidate {
  const { models, nodes, request, moveSeconds } = question;
  const N = nodes.length;
  const places = noPlaces(question);
  chosen.placed.forEach((stands, pair) => {
    if (stands) put(question, places, pair);
  });
  const placeOf = new Map(models.map(({ pipeline }, m) => [pipeline, m]));
  const sets = (request.together ?? []).map((one) => one.models.flatMap((model) => placeOf.get(model) ?? []));
  let more = 0;
  // What one pipeline brought may be a part of another.
  for (let before = -1; before < more; ) {
    before = more;
    for (const set of sets)
      for (let i = 0; i < N; i++) {
        const missing = set.map((m) => m * N + i).filter((pair) => !places.placed[pair]);
        if (missing.length === 0 || missing.length === set.length) continue;
        const takes = missing.reduce((sum, pair) => sum + question.takes[pair]!, 0);
        const isNear = missing.every((pair) => moveSeconds[pair]! <= FETCH_SECONDS_MAX);
        if (!isNear || takes > places.memoryLeft[i]! || !missing.every((pair) => fits(question, places, pair)))
          continue;
        for (const pair of missing) put(question, places, pair);
        more += missing.length;
      }
  }
  return more === 0 ? chosen : candidate(question, places.placed, chosen.served);
}

/** Pipelines of which a model is a part and that a node can run whole, as it is placed. */
export function wholeOn({ models, nodes, request }: Question, placed: Uint8Array, m: number, i: number): string[] {
  const placeOf = new Map(models.map(({ pipeline }, place) => [pipeline, place]));
  const { pipeline: name } = models[m]!;
  const isHere = (model: string): boolean => placed[(placeOf.get(model) ?? -1) * nodes.length + i] === 1;
  return (request.together ?? [])
    .filter((one) => one.models.length > 1 && one.models.includes(name) && one.models.every(isHere))
    .map(({ pipeline }) => pipeline);
}
