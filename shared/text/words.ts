/** A text as a row of words with their places and what they look like, for models that give each word a label: the operator text/words@1. */
import { LIMITS } from "../limits.ts";
import { fnv1a, UNKNOWN_ID, type WordTable } from "./ngrams.ts";

export interface Word {
  text: string;
  /** Place in the text, in UTF-16 units; `to` is the first after it. */
  from: number;
  to: number;
}

/** Numbers per word of `wordShapes`. */
export const SHAPE_FEATURES = 7;
/** Ids per word of `affixIds`: its first 2 and 3 letters, its last 2 and 3. */
export const AFFIXES = 4;

/** A dot belongs to initials (J. or U.S.) and to these. */
const ABBREVIATIONS =
  "Inc|Corp|Co|Cos|Ltd|Bros|Mr|Mrs|Ms|Dr|Jr|Sr|St|No|vs|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec";
const WORD = new RegExp(
  [
    String.raw`(?:\p{Lu}\.){2,}`,
    String.raw`(?<![\p{L}\p{N}])(?:\p{Lu}|${ABBREVIATIONS})\.(?!\p{L}{2})`,
    String.raw`\p{N}+(?:[.,]\p{N}+)*`,
    String.raw`\p{L}[\p{L}\p{N}\p{M}]*(?:(?!['’]s\b)['’&-][\p{L}\p{N}\p{M}]+)*`,
    String.raw`['’]s\b`,
    String.raw`\S`,
  ].join("|"),
  "gu",
);

/** At most LIMITS.textWordsMax; what comes after is not read. */
export function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  for (const match of text.matchAll(WORD)) {
    if (words.length === LIMITS.textWordsMax) break;
    words.push({ text: match[0], from: match.index, to: match.index + match[0].length });
  }
  return words;
}

/** By the lower-case word; digits are all 0, so that years and amounts are few. */
export const wordIds = (words: readonly string[], { ids }: WordTable): number[] =>
  words.map((word) => ids.get(wordKey(word)) ?? UNKNOWN_ID);

export const wordKey = (word: string): string => word.toLowerCase().replace(/\p{N}/gu, "0");

/** [words, AFFIXES]: hashed into `buckets`, from 1; 0 is left for padding. */
export function affixIds(words: readonly string[], { buckets }: WordTable): number[] {
  return words.flatMap((word) => {
    const key = wordKey(word);
    return [`<${key.slice(0, 2)}`, `<${key.slice(0, 3)}`, `${key.slice(-2)}>`, `${key.slice(-3)}>`].map(
      (affix) => 1 + (fnv1a(affix) % buckets),
    );
  });
}

/** [words, SHAPE_FEATURES] of 0 or 1: capital first, all capitals, has a digit, not of letters and digits, longer than 8, ends in ".", known. */
export function wordShapes(words: readonly string[], { ids }: WordTable): number[] {
  return words.flatMap((word) =>
    [
      /^\p{Lu}/u.test(word),
      /^\p{Lu}[\p{Lu}.&-]+$/u.test(word),
      /\p{N}/u.test(word),
      !/^[\p{L}\p{N}]+$/u.test(word),
      word.length > 8,
      word.endsWith("."),
      ids.has(wordKey(word)),
    ].map(Number),
  );
}
