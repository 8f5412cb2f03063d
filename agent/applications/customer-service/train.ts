/**
 * Trains the two models of this application on BANKING77 and prints their scores: `node agent/applications/customer-service/train.ts`,
 * about three minutes. Thresholds are chosen on a part of the training questions that the models they are chosen for have
 * not seen; the models that are kept see all of them. Nothing looks at the test questions but the table of scores.
 */
import { readFileSync } from "node:fs";
import { type BagWeights, scoresOf, trainBag } from "../training/bag.ts";
import { bagGraph } from "../training/bag-graph.ts";
import { csvRecords } from "../training/csv.ts";
import { linesText, vocabularyText, writeModelFolder } from "../training/model-folder.ts";
import { seededRandom } from "../training/random.ts";
import { bestOf, examplesOf, type LabelledText, naiveBayes, shareOf, vocabularyOf } from "../training/texts.ts";

/** One embedding per word: a twentieth of the numbers that the large one adds up. */
const SMALL = {
  grams: { textsMin: 2, buckets: 0, wordNgrams: [], letterNgrams: [] },
  width: 24,
  seeds: [1],
  training: { epochs: 12, rate: 0.1, dropout: 0.2, smoothing: 0.1 },
};
/** Pairs of words, and runs of letters, so that a word written wrong is still half known; three of them, each from other chance. */
const LARGE = {
  grams: { textsMin: 2, buckets: 16_384, wordNgrams: [2], letterNgrams: [3, 4, 5] },
  width: 48,
  seeds: [1, 2, 3],
  training: { epochs: 20, rate: 0.05, dropout: 0.5, smoothing: 0.1 },
};
const HELD_OUT = 1_500;
/** Of the questions, those that may go to the large model; and how often what is answered without a person must be right. */
const LARGE_SHARE = 0.3;
const ANSWERED_RIGHT = 0.95;

interface Answer {
  label: string;
  score: number;
}

function questionsIn(file: string): LabelledText[] {
  const text = readFileSync(new URL(`data/${file}`, import.meta.url), "utf8");
  return csvRecords(text).map(({ text = "", category = "" }) => ({ text, label: category }));
}

const train = questionsIn("train.csv");
const test = questionsIn("test.csv");
const labels = [...new Set(train.map(({ label }) => label))].sort();

function fitted({ grams, width, seeds, training }: typeof LARGE | typeof SMALL, questions: readonly LabelledText[]) {
  const table = vocabularyOf(questions, grams);
  const examples = examplesOf(questions, table, labels);
  const shape = { rows: table.rows, width, classes: labels.length };
  const bags = seeds.map((seed) => trainBag(examples, shape, { ...training, seed }));
  const answers = (asked: readonly LabelledText[]) =>
    examplesOf(asked, table, labels).map(({ ids }) => answerOf(bags, ids));
  return { table, bags, answers };
}

function answerOf(bags: readonly BagWeights[], ids: readonly number[]): Answer {
  const all = bags.map((bag) => scoresOf(bag, ids));
  const mean = labels.map((_, c) => all.reduce((sum, scores) => sum + scores[c]!, 0) / bags.length);
  const best = bestOf(mean);
  return { label: labels[best]!, score: mean[best]! };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const right = (questions: readonly LabelledText[], answers: readonly Answer[]): number =>
  shareOf(answers, ({ label }, i) => label === questions[i]!.label);

/** The lowest score at which the answers above it are right often enough. */
function surenessFor(questions: readonly LabelledText[], answers: readonly Answer[]): number {
  const order = answers.map(({ label, score }, i) => ({ score, isRight: label === questions[i]!.label }));
  order.sort((a, b) => b.score - a.score);
  let good = 0;
  let kept = 1;
  order.forEach(({ score, isRight }, i) => {
    if (isRight) good++;
    if (good / (i + 1) >= ANSWERED_RIGHT) kept = score;
  });
  return kept;
}

const mixed = seededRandom(77).shuffle(train);
const heldOut = mixed.slice(0, HELD_OUT);
const rest = mixed.slice(HELD_OUT);
const [trialSmall, trialLarge] = [SMALL, LARGE].map((model) => fitted(model, rest).answers(heldOut));
const isSure = round2(trialSmall!.map(({ score }) => score).sort((a, b) => a - b)[Math.floor(HELD_OUT * LARGE_SHARE)]!);
const cascade = (small: readonly Answer[], large: readonly Answer[]): Answer[] =>
  small.map((answer, i) => (answer.score < isSure ? large[i]! : answer));
const isSureEnough = round2(surenessFor(heldOut, cascade(trialSmall!, trialLarge!)));

function round2(score: number): number {
  return Math.round(score * 100) / 100;
}

const small = fitted(SMALL, train);
const large = fitted(LARGE, train);
for (const [name, { table, bags }] of Object.entries({ intent: small, "intent-large": large })) {
  const folder = new URL(`models/${name}`, import.meta.url).pathname;
  const files = { "vocabulary.json": vocabularyText(table), "labels.txt": linesText(labels) };
  console.log(`${name}: ${await writeModelFolder(folder, bagGraph(bags), files)} bytes`);
}

const [smallAnswers, largeAnswers] = [small.answers(test), large.answers(test)];
const answers = cascade(smallAnswers, largeAnswers);
const bayes = naiveBayes(train);
console.log(
  `held out (${HELD_OUT} of train): small ${percent(right(heldOut, trialSmall!))}, large ${percent(right(heldOut, trialLarge!))}`,
);
console.log(`thresholds chosen there: large model below ${isSure}, a person below ${isSureEnough}`);
console.log(`test (${test.length}):
  one intent for all   ${percent(1 / labels.length)}
  naive Bayes          ${percent(shareOf(test, ({ text, label }) => bayes(text) === label))}
  small                ${percent(right(test, smallAnswers))}
  large                ${percent(right(test, largeAnswers))}
  cascade              ${percent(right(test, answers))}, ${percent(shareOf(smallAnswers, ({ score }) => score < isSure))} to the large
  without a person     ${percent(shareOf(answers, ({ score }) => score >= isSureEnough))} of them, ${percent(rightAmong(answers))} right`);

function rightAmong(all: readonly Answer[]): number {
  const answered = all.flatMap(({ label, score }, i) => (score >= isSureEnough ? label === test[i]!.label : []));
  return shareOf(answered, (isRight) => isRight);
}
