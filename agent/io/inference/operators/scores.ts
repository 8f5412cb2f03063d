import type { Json } from "../../../../shared/pipeline/definition.ts";
import { readTexts } from "./json.ts";
import type { Implementation } from "./operator.ts";
import type { Parameters } from "./parameters.ts";
import type { Ports } from "./ports.ts";
import { json } from "./values.ts";

/** Of a file, or as the stage says; undefined if neither has any. */
export function labelsOf(
  operator: string,
  { labels }: Parameters,
  files: Record<string, Uint8Array>,
): string[] | undefined {
  if (files.labels) return readTexts(files.labels, "its file labels", operator);
  const given = labels as string[];
  return given.length > 0 ? given : undefined;
}

function scoresIn(ports: Ports, labels: readonly string[] | undefined): Float32Array {
  const { elements } = ports.floats("scores");
  if (labels && labels.length !== elements.length)
    ports.refuse("scores", `must have ${labels.length} elements, one for each label, not ${elements.length}`);
  if (elements.some(Number.isNaN)) ports.refuse("scores", "must be numbers");
  return elements;
}

/** [from, to), each as long as its places follow one another. */
function runsOf(places: readonly number[]): Json[] {
  const runs: [number, number][] = [];
  for (const place of places) {
    const last = runs.at(-1);
    if (last?.[1] === place) last[1] = place + 1;
    else runs.push([place, place + 1]);
  }
  return runs;
}

export const SCORES: Record<string, Implementation> = {
  "tensor/top-k@1": (parameters, files) => {
    const labels = labelsOf("tensor/top-k@1", parameters, files);
    return (ports) => {
      const scores = scoresIn(ports, labels);
      if (scores.length === 0) ports.refuse("scores", "must have at least one element");
      const places = Array.from(scores, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
      const label = (place: number): string => labels?.[place] ?? `${place}`;
      const best = places.slice(0, parameters.k as number);
      const [first, second] = places as [number, number | undefined];
      return {
        label: json(label(first)),
        score: json(scores[first]!),
        index: json(first),
        margin: json(scores[first]! - (second === undefined ? 0 : scores[second]!)),
        labels: json(best.map(label)),
        scores: json(best.map((place) => scores[place]!)),
        byLabel: json(Object.fromEntries(best.map((place) => [label(place), scores[place]!]))),
      };
    };
  },
  "tensor/threshold@1": (parameters, files) => {
    const labels = labelsOf("tensor/threshold@1", parameters, files);
    const min = parameters.min as number;
    return (ports) => {
      const scores = scoresIn(ports, labels);
      const places = Array.from(scores, (_, i) => i).filter((place) => scores[place]! >= min);
      return {
        labels: json(places.map((place) => labels?.[place] ?? `${place}`)),
        indexes: json(places),
        count: json(places.length),
        share: json(scores.length === 0 ? 0 : places.length / scores.length),
        highest: json(scores.length === 0 ? 0 : scores.reduce((a, b) => Math.max(a, b))),
        runs: json(runsOf(places)),
      };
    };
  },
};
