/** Where the texts come from that the models are trained and scored on, and which part is for which. See DATA.md. */
import { readFileSync } from "node:fs";
import { seededRandom } from "../training/random.ts";
import type { LabelledText } from "../training/texts.ts";
import { type TaggedSentence, taggedSentences } from "./tagged.ts";

const readJson = (path: string): unknown => JSON.parse(readFileSync(new URL(`data/${path}`, import.meta.url), "utf8"));

/** Sentences of reviews: things, films, restaurants. */
export const opinions = (): LabelledText[] =>
  ["amazon", "imdb", "yelp"].flatMap((file) =>
    (readJson(`sentences/${file}.json`) as { text: string; class: 0 | 1 }[]).map(({ text, class: isGood }) => ({
      text,
      label: isGood ? "positive" : "negative",
    })),
  );

/** 600 of them, by a fixed seed, that nothing is trained on. */
export function heldOutSentences(all: readonly LabelledText[]): { train: LabelledText[]; test: LabelledText[] } {
  const mixed = seededRandom(5).shuffle(all);
  return { test: mixed.slice(0, 600), train: mixed.slice(600) };
}

/** What a word is worth to whoever reads financial news: from -5 to 5. */
export const valence = (): Record<string, number> => readJson("lexicon/valence.json") as Record<string, number>;

const worths = valence();
/** The simplest thing to compare with: more good words than bad ones, by their worth. */
export const lexiconLabel = (words: readonly string[]): string =>
  words.reduce((sum, word) => sum + (Object.hasOwn(worths, word) ? worths[word]! : 0), 0) > 0 ? "positive" : "negative";

/** A fifth of the sentences, by a fixed seed, that nothing is trained on. */
export function wikigoldParts(): { train: TaggedSentence[]; test: TaggedSentence[] } {
  const mixed = seededRandom(9).shuffle(taggedSentences("wikigold/wikigold.conll.txt"));
  const fifth = Math.floor(mixed.length / 5);
  return { test: mixed.slice(0, fifth), train: mixed.slice(fifth) };
}
