/** Recommendation, scored through the code that executors run, on people that nothing was learned from. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mostVisited, readVisits, scored } from "../../agent/applications/recommendation/visits.ts";
import { RunningPipeline } from "../../agent/applications/training/running.ts";

const FOLDER = new URL("../../agent/applications/recommendation/", import.meta.url);
let recommendation: RunningPipeline;
beforeAll(async () => {
  recommendation = await RunningPipeline.open(FOLDER);
});
afterAll(() => recommendation.close());

const recommended = async (visited: readonly string[]): Promise<string[]> =>
  (await recommendation.run({ visited: { kind: "json", json: [...visited] } })).recommended as string[];

test("recall@10 on people not learned from is at least 74 %, and 12 points above what most people visit", async () => {
  const { pages, test: people } = readVisits();
  const some = people.filter(({ length }) => length > 1).slice(0, 400);
  const tops = new Map<string, number[]>();
  for (const person of some)
    for (const left of person) {
      const visited = person.filter((page) => page !== left);
      const top = await recommended(visited.map((page) => pages[page]!));
      tops.set(
        visited.join(),
        top.map((page) => pages.indexOf(page)),
      );
    }
  const own = scored(some, (visited) => tops.get(visited.join())!);
  const baseline = scored(some, mostVisited);
  expect(own.visits).toBeGreaterThan(1_000);
  expect(own.hits).toBeGreaterThan(0.74);
  expect(own.hits).toBeGreaterThan(baseline.hits + 0.12);
  expect(own.reciprocal).toBeGreaterThan(baseline.reciprocal + 0.1);
});

test("every sample gets ten pages, none of which was visited", async () => {
  const lines = readFileSync(new URL("samples/users.jsonl", FOLDER), "utf8").trim().split("\n");
  for (const line of lines) {
    const { visited } = JSON.parse(line) as { visited: string[] };
    const pages = await recommended(visited);
    expect(new Set(pages).size, line).toBe(10);
    expect(pages.filter((page) => visited.includes(page))).toEqual([]);
  }
});

test("who is not known gets what most people visit", async () => {
  const { pages } = readVisits();
  expect(await recommended([])).toEqual(pages.slice(0, 10));
  expect(await recommended(["/home-of-nobody"])).toEqual(pages.slice(0, 10));
});
