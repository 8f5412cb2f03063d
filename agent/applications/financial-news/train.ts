/**
 * Trains the models of this application and prints their scores: `node agent/applications/financial-news/train.ts`, some
 * minutes. The tagger's nets are fitted by PyTorch (Debian's python3-torch, which only its own python3 sees), called from
 * here; words, graph and scores are made here, so that they are those of the operators.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ngramIds, plainWords, type WordTable, wordTable } from "../../../shared/text/ngrams.ts";
import { AFFIXES, affixIds, SHAPE_FEATURES, wordIds, wordShapes } from "../../../shared/text/words.ts";
import { scoresOf, trainBag } from "../training/bag.ts";
import { bagGraph } from "../training/bag-graph.ts";
import { linesText, vocabularyText, writeModelFolder } from "../training/model-folder.ts";
import { seededRandom } from "../training/random.ts";
import { bestOf, examplesOf, type LabelledText, shareOf, vocabularyOf } from "../training/texts.ts";
import { heldOutSentences, lexiconLabel, opinions, valence, wikigoldParts } from "./sources.ts";
import { spanScores, TAGS, type TaggedSentence, taggedSentences, tokenTags } from "./tagged.ts";
import { type TaggerNet, taggerGraph } from "./tagger-graph.ts";

const TAGGER = {
  width: 100,
  buckets: 4_096,
  affixWidth: 48,
  hidden: 128,
  vectorScale: 3 / 127,
  dropout: 0.4,
  wordDropout: 0.1,
  rate: 2e-3,
  batch: 16,
  epochs: 10,
  seeds: [1, 2, 3],
};
const SENTIMENT = {
  grams: { textsMin: 2, buckets: 16_384, wordNgrams: [2], letterNgrams: [3, 4, 5] },
  width: 24,
  training: { seed: 1, epochs: 12, rate: 0.05, dropout: 0.2, smoothing: 0.1 },
};
const SENTIMENTS = ["negative", "positive"];

const here = (path: string): string => new URL(path, import.meta.url).pathname;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const featuresOf = ({ words, tokenOf, tags }: TaggedSentence, table: WordTable) => ({
  ids: wordIds(words, table),
  affixes: affixIds(words, table),
  shapes: wordShapes(words, table),
  tags: tokenOf.map((token) => tags[token]!),
});

function fittedNets(train: readonly TaggedSentence[], score: readonly TaggedSentence[], table: WordTable) {
  const folder = mkdtempSync(join(tmpdir(), "tagger-"));
  try {
    const shape = { tags: TAGS.length, shapes: SHAPE_FEATURES, affixes: AFFIXES };
    writeFileSync(join(folder, "settings.json"), JSON.stringify({ ...TAGGER, ...shape }));
    writeFileSync(join(folder, "vectors.int8"), readFileSync(here("data/glove/vectors.int8")));
    const examples = [train, score].map((all) => all.map((sentence) => featuresOf(sentence, table)));
    writeFileSync(join(folder, "examples.json"), JSON.stringify({ train: examples[0], score: examples[1] }));
    execFileSync("/usr/bin/python3", [here("train-tagger.py"), folder], { stdio: ["ignore", "inherit", "inherit"] });
    const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
    const nets = TAGGER.seeds.map((_, i) => netFrom(read("weights.json"), readFileSync(join(folder, `net${i}.f32`))));
    return { nets, told: read("predictions.json") as number[][] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function netFrom(order: { name: string; shape: number[] }[], bytes: Buffer): TaggerNet {
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const weights: TaggerNet["weights"] = {};
  let at = 0;
  for (const { name, shape } of order) {
    const length = shape.reduce((a, b) => a * b, 1);
    weights[name] = { shape, values: all.slice(at, at + length) };
    at += length;
  }
  return { weights };
}

async function trainTagger(): Promise<void> {
  const words = readFileSync(here("data/glove/words.txt"), "utf8").trimEnd().split("\n");
  const table = wordTable({ words, buckets: TAGGER.buckets, wordNgrams: [], letterNgrams: [] });
  const wikigold = wikigoldParts();
  const train = [...taggedSentences("sec-filings/train-FIN5.txt"), ...wikigold.train];
  const score = [...taggedSentences("sec-filings/test-FIN3.txt"), ...wikigold.test];
  const { nets, told } = fittedNets(train, score, table);
  const vectors = new Int8Array(readFileSync(here("data/glove/vectors.int8")));
  const shape = { ...TAGGER, vectors, tags: TAGS.length, shapes: SHAPE_FEATURES, affixes: AFFIXES };
  const files = { "vocabulary.json": vocabularyText(table), "labels.txt": linesText(TAGS) };
  const bytes = await writeModelFolder(here("models/entities"), taggerGraph(nets, shape), files);
  console.log(`entities: ${bytes} bytes`);
  const secCount = score.length - wikigold.test.length;
  const parts = { "SEC filings, test": [0, secCount], "wikigold, a fifth": [secCount, score.length] } as const;
  for (const [name, [from, to]] of Object.entries(parts)) {
    const own = score.slice(from, to);
    const given = own.map((sentence, i) => tokenTags(sentence, told[from + i]!));
    const { precision, recall, f1 } = spanScores(
      own.map(({ tags }) => tags),
      given,
    );
    console.log(`  ${name}: F1 ${f1.toFixed(3)}, precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)}`);
  }
}

async function trainSentiment(): Promise<void> {
  const { train, test } = heldOutSentences(opinions());
  const single: LabelledText[] = Object.entries(valence()).map(([text, worth]) => ({
    text,
    label: worth > 0 ? "positive" : "negative",
  }));
  // Words of the lexicon are counted twice, so that each is in the vocabulary.
  const table = vocabularyOf([...train, ...single, ...single], SENTIMENT.grams);
  const shape = { rows: table.rows, width: SENTIMENT.width, classes: SENTIMENTS.length };
  const bag = trainBag(examplesOf([...train, ...single], table, SENTIMENTS), shape, SENTIMENT.training);
  const files = { "vocabulary.json": vocabularyText(table), "labels.txt": linesText(SENTIMENTS) };
  console.log(`sentiment: ${await writeModelFolder(here("models/sentiment"), bagGraph([bag]), files)} bytes`);
  const said = ({ text }: LabelledText) => SENTIMENTS[bestOf(scoresOf(bag, ngramIds(text, table)))];
  console.log(`  held-out opinions (${test.length}):
    one answer for all ${percent(Math.max(...SENTIMENTS.map((label) => shareOf(test, (one) => one.label === label))))}
    lexicon alone      ${percent(shareOf(test, ({ text, label }) => lexiconLabel(plainWords(text)) === label))}
    model              ${percent(shareOf(test, (one) => said(one) === one.label))}`);
}

await trainSentiment();
await trainTagger();
