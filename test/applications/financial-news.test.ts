import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  heldOutSentences,
  lexiconLabel,
  opinions,
  wikigoldParts,
} from "../../agent/applications/financial-news/sources.ts";
import {
  commonTags,
  spanScores,
  TAGS,
  type TaggedSentence,
  taggedSentences,
  tokenTags,
} from "../../agent/applications/financial-news/tagged.ts";
import { csvRecords } from "../../agent/applications/training/csv.ts";
import { RunningPipeline } from "../../agent/applications/training/running.ts";
import { bestOf, shareOf } from "../../agent/applications/training/texts.ts";
import type { Json } from "../../shared/pipeline/definition.ts";
import { plainWords, readVocabulary } from "../../shared/text/ngrams.ts";
import { AFFIXES, affixIds, SHAPE_FEATURES, wordIds, wordShapes } from "../../shared/text/words.ts";
import { bundledClassifier, bundledText } from "../support/text-models.ts";

const NAME = "financial-news";
const FOLDER = new URL(`../../agent/applications/${NAME}/`, import.meta.url);
const vocabulary = readVocabulary(bundledText(NAME, "models/entities/vocabulary.json"));
const filings = taggedSentences("sec-filings/test-FIN3.txt");
let tagger: ort.InferenceSession;
let news: RunningPipeline;
beforeAll(async () => {
  tagger = await ort.InferenceSession.create(new URL("models/entities/model.onnx", FOLDER).pathname);
  news = await RunningPipeline.open(FOLDER);
});
afterAll(() => news.close());

/** Probabilities by word and tag; `padding` words that are none behind it. */
async function probabilitiesOf(words: readonly string[], padding = 0): Promise<Float32Array> {
  const count = words.length + padding;
  const padded = (values: number[], width: number) => [...values, ...Array<number>(padding * width).fill(0)];
  const whole = (values: number[], width: number) => BigInt64Array.from(padded(values, width), BigInt);
  const { probabilities } = await tagger.run({
    ids: new ort.Tensor("int64", whole(wordIds(words, vocabulary), 1), [1, count]),
    affixes: new ort.Tensor("int64", whole(affixIds(words, vocabulary), AFFIXES), [1, count, AFFIXES]),
    shapes: new ort.Tensor("float32", padded(wordShapes(words, vocabulary), SHAPE_FEATURES), [
      1,
      count,
      SHAPE_FEATURES,
    ]),
  });
  return (probabilities!.data as Float32Array).slice(0, words.length * TAGS.length);
}

async function tagged(sentence: TaggedSentence): Promise<number[]> {
  const scores = await probabilitiesOf(sentence.words);
  const tags = sentence.words.map((_, i) => bestOf(scores.subarray(i * TAGS.length, (i + 1) * TAGS.length)));
  return tokenTags(sentence, tags);
}

async function f1Of(sentences: readonly TaggedSentence[]): Promise<number> {
  const given: number[][] = [];
  for (const sentence of sentences) given.push(await tagged(sentence));
  return spanScores(
    sentences.map(({ tags }) => tags),
    given,
  ).f1;
}

/** Of the common tag of each token in what the tagger was trained on. */
function tableF1(sentences: readonly TaggedSentence[]): number {
  const common = commonTags([...taggedSentences("sec-filings/train-FIN5.txt"), ...wikigoldParts().train]);
  return spanScores(
    sentences.map(({ tags }) => tags),
    sentences.map(({ tokens }) => common(tokens)),
  ).f1;
}

test("names in filings that nothing was trained on are found with an F1 of 0.78, whole spans only", async () => {
  expect(filings).toHaveLength(303);
  const f1 = await f1Of(filings);
  expect(f1).toBeGreaterThan(0.775);
  expect(f1).toBeGreaterThan(tableF1(filings));
});

test("names in Wikipedia that nothing was trained on are found far better than by the common tag of each token", async () => {
  const { test: held } = wikigoldParts();
  expect(await f1Of(held)).toBeGreaterThan(tableF1(held) + 0.15);
});

test("padding changes no word's tags", async () => {
  const { words } = filings.find((one) => one.words.length > 10)!;
  const [alone, padded] = [await probabilitiesOf(words), await probabilitiesOf(words, 9)];
  alone.forEach((score, i) => {
    expect(padded[i]).toBeCloseTo(score, 5);
  });
});

test("opinions held out are told apart better than by the lexicon alone", async () => {
  const { test: held } = heldOutSentences(opinions());
  const answers = await (await bundledClassifier(NAME, "sentiment")).answers(held.map(({ text }) => text));
  const model = shareOf(answers, ({ label }, i) => label === held[i]!.label);
  const lexicon = shareOf(held, ({ text, label }) => lexiconLabel(plainWords(text)) === label);
  expect(model).toBeGreaterThan(0.82);
  expect(model).toBeGreaterThan(lexicon + 0.03);
});

const told = (text: string) => news.run({ text: { kind: "json", json: text } });

test("bad news of a company is an alert whose reason names it", async () => {
  const answer = await told(
    "Shares of Silicon Valley Bank fell sharply after the bank warned of heavy losses and a possible bankruptcy.",
  );
  expect(answer).toMatchObject({ sentiment: "negative", decision: "alert", rule: "bad-news-of-a-company" });
  expect(answer.reason).toContain("Silicon Valley Bank");
});

test("every sample gets a decision by a rule of the table, and entities as they stand in the text", async () => {
  const samples = csvRecords(readFileSync(new URL("samples/news.csv", FOLDER), "utf8"));
  const decisions = new Set<Json>();
  for (const { text = "" } of samples) {
    const { decision, entities } = await told(text);
    decisions.add(decision!);
    for (const { text: name, from, to } of entities as { text: string; from: number; to: number }[])
      expect(text.slice(from, to)).toBe(name);
  }
  expect(decisions.size).toBeGreaterThanOrEqual(3);
});

test("a name of two tokens counts only whole", () => {
  expect(spanScores([[1, 1, 0]], [[1, 0, 0]])).toEqual({ precision: 0, recall: 0, f1: 0 });
  expect(spanScores([[1, 1, 0, 2]], [[1, 1, 0, 0]])).toEqual({ precision: 1, recall: 0.5, f1: 2 / 3 });
});
