/** What classifiers of texts need around their trainer: a vocabulary, scores, and the simplest thing to compare with. */
import { ngramIds, plainWords, type Vocabulary, type WordTable, wordTable } from "../../../shared/text/ngrams.ts";
import type { Example } from "./bag.ts";

export interface LabelledText {
  text: string;
  label: string;
}

/** The words that stand in at least `textsMin` of the texts, by name. */
export function vocabularyOf(
  texts: readonly LabelledText[],
  { textsMin, ...grams }: Omit<Vocabulary, "words"> & { textsMin: number },
): WordTable {
  const counts = new Map<string, number>();
  for (const { text } of texts)
    for (const word of new Set(plainWords(text))) counts.set(word, (counts.get(word) ?? 0) + 1);
  const words = [...counts].flatMap(([word, count]) => (count >= textsMin ? word : [])).sort();
  return wordTable({ words, ...grams });
}

export const examplesOf = (texts: readonly LabelledText[], table: WordTable, labels: readonly string[]): Example[] =>
  texts.map(({ text, label }) => ({ ids: ngramIds(text, table), label: labels.indexOf(label) }));

/** The place of the highest, the first of equals. */
export function bestOf(scores: ArrayLike<number>): number {
  let best = 0;
  for (let c = 1; c < scores.length; c++) if (scores[c]! > scores[best]!) best = c;
  return best;
}

export const shareOf = <T>(all: readonly T[], holds: (one: T, i: number) => boolean): number =>
  all.filter(holds).length / all.length;

/** Multinomial naive Bayes over words, add-one smoothed: Manning, Raghavan, Schütze, "Introduction to Information Retrieval", 13.2. */
export function naiveBayes(texts: readonly LabelledText[]): (text: string) => string {
  const words = new Set(texts.flatMap(({ text }) => plainWords(text)));
  const classes = Map.groupBy(texts, ({ label }) => label);
  const models = [...classes].map(([label, own]) => {
    const counts = new Map<string, number>();
    const all = own.flatMap(({ text }) => plainWords(text));
    for (const word of all) counts.set(word, (counts.get(word) ?? 0) + 1);
    const score = (word: string) => Math.log(((counts.get(word) ?? 0) + 1) / (all.length + words.size));
    return { label, prior: Math.log(own.length / texts.length), score };
  });
  return (text) => {
    const known = plainWords(text).filter((word) => words.has(word));
    const scores = models.map(({ prior, score }) => known.reduce((sum, word) => sum + score(word), prior));
    return models[bestOf(scores)]!.label;
  };
}
