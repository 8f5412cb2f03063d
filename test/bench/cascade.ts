/**
 * What the cascade of the application customer-service saves: each question of the test split of BANKING77 through the
 * small model and, below the threshold, the large one, against the large one for all. One question at a time on one core,
 * its text made into ids each time, no agent around. `node test/bench/cascade.ts [rounds]`; rounds alternate, so that a
 * neighbour on the machine hits both. Exits 1 above 0.45.
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

const byLarge = async (text: string): Promise<Answer> => (await large.answers([text]))[0]!;
async function byCascade(text: string): Promise<Answer> {
  const first = (await small.answers([text]))[0]!;
  return first.score < isSure ? byLarge(text) : first;
}

async function timed(answer: (text: string) => Promise<Answer>): Promise<{ ms: number; right: number }> {
  const startedMs = performance.now();
  const answers: Answer[] = [];
  for (const { text } of asked) answers.push(await answer(text));
  const ms = (performance.now() - startedMs) / asked.length;
  return { ms, right: shareOf(answers, ({ label }, i) => label === asked[i]!.label) };
}

const bySmall = async (text: string): Promise<Answer> => (await small.answers([text]))[0]!;
const times = { small: [] as number[], large: [] as number[], cascade: [] as number[] };
let right = "";
await timed(byCascade);
for (let round = 0; round < rounds; round++) {
  const [one, all, both] = [await timed(bySmall), await timed(byLarge), await timed(byCascade)];
  times.small.push(one.ms);
  times.large.push(all.ms);
  times.cascade.push(both.ms);
  right = [one, all, both].map((run) => `${(100 * run.right).toFixed(1)} %`).join(", ");
}
const ratio = median(times.cascade.map((ms, i) => ms / times.large[i]!));
const first = await small.answers(asked.map(({ text }) => text));
console.log(`small for all:   ${figure(times.small, 3)} ms a question
large for all:   ${figure(times.large, 3)} ms
cascade:         ${figure(times.cascade, 3)} ms, ${(100 * shareOf(first, ({ score }) => score < isSure)).toFixed(1)} % reach the large model
right:           ${right}
cascade / large: ${ratio.toFixed(2)} (at most ${RATIO_MAX})`);
if (ratio > RATIO_MAX) process.exitCode = 1;
