/** Labels of words joined to the spans they mark: the operator text/spans@1. */
import type { Word } from "./words.ts";

export interface Span {
  text: string;
  label: string;
  /** Place in the text, in UTF-16 units; `end` is the first after it. */
  start: number;
  end: number;
  /** The mean over its words of the probability of the label, 0 to 1. */
  score: number;
}

/**
 * Neighbouring words of one label are one span; words labelled `outside` are in none.
 * @param probabilities by word, `labels.length` each
 */
export function spansOf(
  text: string,
  words: readonly Word[],
  probabilities: ArrayLike<number>,
  labels: readonly string[],
  outside = "O",
): Span[] {
  const spans: (Span & { words: number })[] = [];
  let isOpen = false;
  words.forEach(({ start, end }, i) => {
    const place = bestOf(probabilities, i * labels.length, labels.length);
    const label = labels[place]!;
    const score = probabilities[i * labels.length + place]!;
    const last = spans.at(-1);
    if (label === outside) isOpen = false;
    else if (isOpen && last?.label === label) {
      Object.assign(last, { end, text: text.slice(last.start, end), score: last.score + score, words: last.words + 1 });
    } else {
      spans.push({ text: text.slice(start, end), label, start, end, score, words: 1 });
      isOpen = true;
    }
  });
  return spans.map(({ words: count, ...span }) => ({ ...span, score: span.score / count }));
}

function bestOf(values: ArrayLike<number>, from: number, count: number): number {
  let best = 0;
  for (let k = 1; k < count; k++) if (values[from + k]! > values[from + best]!) best = k;
  return best;
}
