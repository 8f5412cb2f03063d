/** A text as a bag of numbered features, the same in training and in the operator text/ngrams@1: words, then hashed n-grams of words and of letters. */
import { checkList, checkRecord, checkWhole, refuse } from "../checks.ts";
import { LIMITS } from "../limits.ts";

/** Padding, by which texts of unequal length share a batch: counts for nothing. */
export const PAD_ID = 0;
/** A word that the vocabulary does not have. */
export const UNKNOWN_ID = 1;
const FIRST_WORD_ID = 2;

export interface Vocabulary {
  /** The word at place i has id i + 2. */
  words: string[];
  /** Ids after the words that n-grams share by their hash. 0: no n-grams. */
  buckets: number;
  /** Lengths of runs of words, each from 2. */
  wordNgrams: number[];
  /** Lengths of runs of letters inside a word, its ends marked by < and >. */
  letterNgrams: number[];
}

/** A vocabulary that can be looked up. */
export interface WordTable extends Vocabulary {
  ids: ReadonlyMap<string, number>;
  /** Rows that an embedding of these ids needs: padding, unknown, words, buckets. */
  rows: number;
}

/** @throws BAD_REQUEST where it is no vocabulary */
export function readVocabulary(json: string): WordTable {
  const { words, buckets = 0, wordNgrams = [], letterNgrams = [] } = checkRecord(parsed(json), "vocabulary");
  if (!Array.isArray(words) || words.length > LIMITS.vocabularyRowsMax || !words.every((w) => typeof w === "string"))
    return refuse("vocabulary.words", `must be a list of at most ${LIMITS.vocabularyRowsMax} words`);
  return wordTable({
    words,
    buckets: checkWhole(buckets, "vocabulary.buckets", 0, LIMITS.vocabularyRowsMax),
    wordNgrams: checkLengths(wordNgrams, "vocabulary.wordNgrams", 2),
    letterNgrams: checkLengths(letterNgrams, "vocabulary.letterNgrams", 1),
  });
}

export function wordTable(vocabulary: Vocabulary): WordTable {
  const ids = new Map(vocabulary.words.map((word, i) => [word, i + FIRST_WORD_ID]));
  return { ...vocabulary, ids, rows: FIRST_WORD_ID + vocabulary.words.length + vocabulary.buckets };
}

/** Ids of a text: of each word, of each run of words, of each run of letters. Never empty: a text without words is one unknown. */
export function ngramIds(text: string, table: WordTable): number[] {
  const words = plainWords(text);
  const ids = words.map((word) => table.ids.get(word) ?? UNKNOWN_ID);
  if (table.buckets > 0) {
    for (const gram of [...wordGrams(words, table.wordNgrams), ...letterGrams(words, table.letterNgrams)])
      ids.push(bucketId(gram, table));
  }
  return ids.length > 0 ? ids : [UNKNOWN_ID];
}

/** Lower-case words, numbers and the marks that say something, "n't" apart; what comes after LIMITS.textWordsMax is not read. */
export function plainWords(text: string): string[] {
  const plain = text.normalize("NFKC").toLowerCase().replace(/[’`]/g, "'");
  const parts = plain.replace(/n't\b/g, " n't").match(/n't|\p{L}+|\p{N}+|[!?$%€£]/gu) ?? [];
  return parts.slice(0, LIMITS.textWordsMax);
}

function* wordGrams(words: readonly string[], lengths: readonly number[]): Iterable<string> {
  for (const length of lengths)
    for (let i = 0; i + length <= words.length; i++) yield words.slice(i, i + length).join("_");
}

/** A space in front tells them from words: `re` in `re` the word is not `re` in `refund`. */
function* letterGrams(words: readonly string[], lengths: readonly number[]): Iterable<string> {
  for (const word of words) {
    const letters = [...`<${word}>`];
    for (const length of lengths)
      for (let i = 0; i + length <= letters.length; i++) yield ` ${letters.slice(i, i + length).join("")}`;
  }
}

const bucketId = (gram: string, { words, buckets }: Vocabulary): number =>
  FIRST_WORD_ID + words.length + (fnv1a(gram) % buckets);

/** FNV-1a of 32 bits, over UTF-8: http://www.isthe.com/chongo/tech/comp/fnv/ */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

const checkLengths = (value: unknown, path: string, min: number): number[] =>
  checkList(value, path, 8, (length, place) => checkWhole(length, place, min, 8));

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return refuse("vocabulary", "must be JSON");
  }
}
