import { expect, test } from "vitest";
import { fnv1a, ngramIds, plainWords, readVocabulary } from "../../shared/text/ngrams.ts";
import { affixIds, wordIds, wordShapes, wordsOf } from "../../shared/text/words.ts";

const table = readVocabulary(
  JSON.stringify({ words: ["my", "card", "0000"], buckets: 100, wordNgrams: [2], letterNgrams: [] }),
);

test("FNV-1a gives the values of its authors' test suite", () => {
  expect([fnv1a(""), fnv1a("a"), fnv1a("foobar")]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
});

test("a text is its words by the vocabulary, the unknown as 1, then pairs by their hash behind the words", () => {
  const ids = ngramIds("My new card", table);
  expect(ids.slice(0, 3)).toEqual([2, 1, 3]);
  expect(ids.slice(3)).toEqual([5 + (fnv1a("my_new") % 100), 5 + (fnv1a("new_card") % 100)]);
});

test("letters are counted within words whose ends are marked", () => {
  const letters = readVocabulary(JSON.stringify({ words: [], buckets: 1_000, letterNgrams: [3] }));
  expect(ngramIds("to a", letters)).toEqual([
    1,
    1,
    ...[" <to", " to>", " <a>"].map((gram) => 2 + (fnv1a(gram) % 1_000)),
  ]);
});

test("a text without words is one unknown word", () => {
  expect([ngramIds("", table), ngramIds(" ... ", table)]).toEqual([[1], [1]]);
});

test("can't is can and n't whatever apostrophe it is written with", () => {
  expect(plainWords("I CAN’T pay 5£!")).toEqual(["i", "ca", "n't", "pay", "5", "£", "!"]);
});

test.each([
  ["no JSON", "words", "must be JSON"],
  ["words that are none", '{"words":[1]}', "must be a list"],
  ["buckets without end", '{"words":[],"buckets":1e9}', "vocabulary.buckets"],
  ["runs of no word", '{"words":[],"wordNgrams":[0]}', "vocabulary.wordNgrams[0]"],
])("a vocabulary of %s is refused", (_, json, says) => {
  expect(() => readVocabulary(json)).toThrow(says);
});

test("words stand where the text says; dots belong to initials and abbreviations, 's is a word", () => {
  const text = "J. P. Morgan & Co. of the U.S. paid Bank’s $1,250.50 (net).";
  const words = wordsOf(text);
  expect(words.map(({ text: word }) => word).join(" | ")).toBe(
    "J. | P. | Morgan | & | Co. | of | the | U.S. | paid | Bank | ’s | $ | 1,250.50 | ( | net | ) | .",
  );
  for (const word of words) expect(text.slice(word.from, word.to)).toBe(word.text);
});

test("a year is known by its digits' places, and shapes say what a word looks like", () => {
  expect(wordIds(["1999", "Card", "loan"], table)).toEqual([4, 3, 1]);
  expect(wordShapes(["1999", "IBM", "Borrowers", "Co."], table)).toEqual(
    [
      [0, 0, 1, 0, 0, 0, 1],
      [1, 1, 0, 0, 0, 0, 0],
      [1, 0, 0, 0, 1, 0, 0],
      [1, 0, 0, 1, 0, 1, 0],
    ].flat(),
  );
  expect(affixIds(["Borrower"], table)).toEqual(
    ["<bo", "<bor", "er>", "wer>"].map((affix) => 1 + (fnv1a(affix) % 100)),
  );
});
