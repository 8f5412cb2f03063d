/**
 * What the cascade of the application customer-service saves: each question of the test split of BANKING77 through the
 * small model and, below the threshold, the large one, against the large one for all. On one core, texts made into ids each
 * time, no agent around: one question at a time, and 32 at once, as an executor runs stages over the items that wait. There
 * the questions of which the small model is unsure are one smaller batch for the large one. `node test/bench/cascade.ts
 * [rounds]`. The ways take turns at every few questions, and of each few the median of the rounds counts, so that a neighbour
 * on the machine hits all alike or is left out. Exits 1 above 0.45 for 32 at once: one alone mostly pays for two calls of
 * onnxruntime, which the small model needs as much as the large.
 */
import { parse } from "yaml";
import { shareOf } from "../../agent/applications/training/texts.ts";
import type { PipelineDefinition } from "../../shared/pipeline/definition.ts";
import { type Answer, bundledClassifier, bundledText, labelledQuestions } from "../support/text-models.ts";
import { median } from "./figures.ts";

const RATIO_MAX = 0.45;
const NAME = "customer-service";
/** Whole batches. */
const FEW = 96;
const rounds = Number(process.argv[2] ?? 5);

const asked = labelledQuestions(NAME, "data/test.csv");
const { stages } = parse(bundledText(NAME, "pipeline.yaml")) as PipelineDefinition;
const isSure = stages.parts!.when!.below!;
const small = await bundledClassifier(NAME, "intent");
const large = await bundledClassifier(NAME, "intent-large");

type Way = (texts: readonly string[]) => Promise<Answer[]>;
async function cascade(texts: readonly string[]): Promise<Answer[]> {
  const first = await small.answers(texts);
  const unsure = texts.filter((_, i) => first[i]!.score < isSure);
  const second = unsure.length > 0 ? await large.answers(unsure) : [];
  return first.map((answer) => (answer.score < isSure ? second.shift()! : answer));
}

interface Timed {
  ms: number;
  right: boolean[];
}

async function timed(way: Way, batch: number, questions: typeof asked): Promise<Timed> {
  const startedMs = performance.now();
  const answers: Answer[] = [];
  for (let from = 0; from < questions.length; from += batch)
    answers.push(...(await way(questions.slice(from, from + batch).map(({ text }) => text))));
  const ms = performance.now() - startedMs;
  return { ms, right: answers.map(({ label }, i) => label === questions[i]!.label) };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const ways: Record<string, Way> = { small: small.answers, large: large.answers, cascade };
const first = await small.answers(asked.map(({ text }) => text));
console.log(
  `${percent(shareOf(first, ({ score }) => score < isSure))} of ${asked.length} questions reach the large model`,
);
for (const batch of [1, 32]) {
  /** By way: of each few questions the times of all rounds. */
  const times = new Map(
    Object.keys(ways).map((name) => [name, Array.from({ length: Math.ceil(asked.length / FEW) }, (): number[] => [])]),
  );
  const right = new Map(Object.keys(ways).map((name): [string, boolean[]] => [name, []]));
  for (let round = -1; round < rounds; round++)
    for (let from = 0, few = 0; from < asked.length; from += FEW, few++)
      for (const [name, way] of Object.entries(ways)) {
        const run = await timed(way, batch, asked.slice(from, from + FEW));
        // The first round warms up.
        if (round < 0) right.get(name)!.push(...run.right);
        else times.get(name)![few]!.push(run.ms);
      }
  const msOf = (name: string): number => times.get(name)!.reduce((sum, all) => sum + median(all), 0) / asked.length;
  console.log(`${batch} at once, ms a question:`);
  for (const name of Object.keys(ways))
    console.log(`  ${name.padEnd(8)} ${msOf(name).toFixed(3)}, ${percent(shareOf(right.get(name)!, Boolean))} right`);
  const ratio = msOf("cascade") / msOf("large");
  console.log(`  cascade / large ${ratio.toFixed(2)}`);
  if (batch > 1 && ratio > RATIO_MAX) process.exitCode = 1;
}
