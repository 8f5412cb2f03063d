/**
 * What the cascade of the application customer-service saves: each question of the test split of BANKING77 through the
 * small model and, below the threshold, the large one, against the large one for all. On one core, texts made into ids each
 * time, no agent around: one question at a time, and 32 at once, as an executor runs stages over the items that wait. There
 * the questions of which the small model is unsure are one smaller batch for the large one. `node test/bench/cascade.ts
 * [rounds]`; rounds alternate, so that a neighbour on the machine hits all. Exits 1 above 0.45 for 32 at once: one alone
 * mostly pays for two calls of onnxruntime, which the small model needs as much as the large.
 */
import { parse } from "yaml";
import { shareOf } from "../../agent/applications/training/texts.ts";
import type { PipelineDefinition } from "../../shared/pipeline/definition.ts";
import { type Answer, bundledClassifier, bundledText, labelledQuestions } from "../support/text-models.ts";
import { figure, median } from "./figures.ts";

const RATIO_MAX = 0.45;
const NAME = "customer-service";
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

async function timed(way: Way, batch: number): Promise<{ ms: number; right: number }> {
  const startedMs = performance.now();
  const answers: Answer[] = [];
  for (let from = 0; from < asked.length; from += batch)
    answers.push(...(await way(asked.slice(from, from + batch).map(({ text }) => text))));
  const ms = (performance.now() - startedMs) / asked.length;
  return { ms, right: shareOf(answers, ({ label }, i) => label === asked[i]!.label) };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const ways: Record<string, Way> = { small: small.answers, large: large.answers, cascade };
const first = await small.answers(asked.map(({ text }) => text));
console.log(
  `${percent(shareOf(first, ({ score }) => score < isSure))} of ${asked.length} questions reach the large model`,
);
for (const batch of [1, 32]) {
  const times: Record<string, number[]> = { small: [], large: [], cascade: [] };
  const right: Record<string, number> = {};
  for (let round = -1; round < rounds; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const run = await timed(way, batch);
      right[name] = run.right;
      // The first round warms up.
      if (round >= 0) times[name]!.push(run.ms);
    }
  }
  console.log(`${batch} at once, ms a question:`);
  for (const name of Object.keys(ways))
    console.log(`  ${name.padEnd(8)} ${figure(times[name]!, 3)}, ${percent(right[name]!)} right`);
  const ratio = median(times.cascade!.map((ms, i) => ms / times.large![i]!));
  console.log(`  cascade / large ${ratio.toFixed(2)}`);
  if (batch > 1 && ratio > RATIO_MAX) process.exitCode = 1;
}
