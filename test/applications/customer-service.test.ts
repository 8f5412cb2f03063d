import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { RunningPipeline } from "../../agent/applications/training/running.ts";
import { naiveBayes, shareOf } from "../../agent/applications/training/texts.ts";
import type { PipelineDefinition } from "../../shared/pipeline/definition.ts";
import { type Answer, bundledClassifier, bundledText, labelledQuestions } from "../support/text-models.ts";

const NAME = "customer-service";
const asked = labelledQuestions(NAME, "data/test.csv");
const texts = asked.map(({ text }) => text);
const labels = bundledText(NAME, "models/intent/labels.txt").trimEnd().split("\n");
const pipeline = parse(bundledText(NAME, "pipeline.yaml")) as PipelineDefinition;
const isSure = pipeline.stages.parts!.when!.below!;
const rules = pipeline.stages.sureness!.with!.rules as { when: [{ below: number }] }[];
const isSureEnough = rules[0]!.when[0].below;

const small = (await bundledClassifier(NAME, "intent")).answers(texts);
const large = (await bundledClassifier(NAME, "intent-large")).answers(texts);
const right = (answers: readonly Answer[]): number => shareOf(answers, ({ label }, i) => label === asked[i]!.label);
async function cascade(): Promise<Answer[]> {
  const second = await large;
  return (await small).map((answer, i) => (answer.score < isSure ? second[i]! : answer));
}

test("all 3,080 questions of the test split are there, the three that span lines too, and 77 intents", () => {
  expect([asked.length, new Set(asked.map(({ label }) => label)).size]).toEqual([3_080, 77]);
  expect(texts.filter((text) => text.includes("\n"))).toHaveLength(3);
});

test("the cascade names the intent of more than 92 % of them, as the large model alone does; 30 % of them reach it", async () => {
  expect(right(await small)).toBeGreaterThan(0.88);
  expect(right(await large)).toBeGreaterThan(0.92);
  expect(right(await cascade())).toBeGreaterThan(0.92);
  const toLarge = shareOf(await small, ({ score }) => score < isSure);
  expect(toLarge).toBeGreaterThan(0.2);
  expect(toLarge).toBeLessThan(0.33);
});

test("naive Bayes over the same words is right for fewer than 80 %", () => {
  const bayes = naiveBayes(labelledQuestions(NAME, "data/train.csv"));
  const share = shareOf(asked, ({ text, label }) => bayes(text) === label);
  expect(share).toBeGreaterThan(0.75);
  expect(share).toBeLessThan(0.8);
});

test("what is answered without a person is right 19 times in 20, and is nine tenths of all", async () => {
  const answered = (await cascade()).map((answer, i) => ({ ...answer, isRight: answer.label === asked[i]!.label }));
  const kept = answered.filter(({ score }) => score >= isSureEnough);
  expect(kept.length / asked.length).toBeGreaterThan(0.9);
  expect(shareOf(kept, ({ isRight }) => isRight)).toBeGreaterThan(0.95);
});

test("every intent has one category of its own choosing, and a reply", () => {
  const read = (file: string) => JSON.parse(bundledText(NAME, `models/intent/${file}`));
  type Rules = { when?: [{ among: string[] }] }[];
  const grouped = (read("categories.json") as Rules).flatMap(({ when }) => when?.[0].among ?? []);
  expect(grouped.toSorted()).toEqual(labels);
  expect(Object.keys(read("replies.json")).toSorted()).toEqual(labels);
  const ranked = (read("priorities.json") as Rules).flatMap(({ when }) => when?.[0].among ?? []);
  expect(ranked.filter((intent) => !labels.includes(intent))).toEqual([]);
  expect(new Set(ranked).size).toBe(ranked.length);
});

test("both models together are smaller than 3 MB", () => {
  const bytes = ["intent", "intent-large"].map(
    (model) =>
      readFileSync(new URL(`../../agent/applications/${NAME}/models/${model}/model.onnx`, import.meta.url)).length,
  );
  expect(bytes[0]! + bytes[1]!).toBeLessThan(3_000_000);
});

test("the pipeline as a box runs it: what is clear gets a reply, what is not goes to a person with the likeliest intents", async () => {
  const running = await RunningPipeline.open(new URL(`../../agent/applications/${NAME}/`, import.meta.url));
  const run = (text: string) => running.run({ text: { kind: "json", json: text } });
  const clear = await run("my phone is gone");
  expect(clear).toMatchObject({
    intent: "lost_or_stolen_phone",
    category: "security",
    priority: "urgent",
    decision: "answer",
  });
  expect(clear.reply).toContain("another phone");
  const odd = await run("Do you sell umbrellas?");
  expect(odd).toMatchObject({ decision: "ask a person", reason: expect.stringContaining("unsure") });
  expect(Object.keys(odd.candidates as object)).toHaveLength(3);
  const first = asked.slice(0, 200);
  const answers = await Promise.all(first.map(({ text }) => run(text)));
  expect(answers.map(({ intent }) => intent)).toEqual((await cascade()).slice(0, 200).map(({ label }) => label));
  await running.close();
});
