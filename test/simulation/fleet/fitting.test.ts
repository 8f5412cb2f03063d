/** Heads fitted over a fleet's boxes: boxes leave between rounds and within them, and the next round may be asked of any. */
import { expect, test } from "vitest";
import { beginFit, type FitState, takeMean, weightedMean } from "../../../shared/fitting/rounds.ts";
import { type FitRoundAnswer, type FitRoundRequest, readWeights, writeWeights } from "../../../shared/fitting/wire.ts";
import { labelledLines } from "../../support/labelled-rows.ts";
import { PretendFitting } from "../../support/pretend-fitting.ts";
import { SimFleet } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

const LABELS = ["east", "north", "south", "west"];
const SHAPE = { dimensions: 3, classes: 4 };
const TERMS = { optimiser: "adam", learningRate: 0.1, l2: 0, localEpochs: 1, batchRows: 32, seed: 1 } as const;
const LINES = labelledLines(300, 8, 0.8);

async function fleetWithRows(seed: number, rows: string[][]): Promise<SimFleet> {
  const fleet = new SimFleet(seed, rows.length);
  for (const [i, node] of fleet.nodes.entries()) {
    node.fitting = new PretendFitting();
    if (rows[i]!.length > 0) node.fitting.putLines("corners", rows[i]!);
  }
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 5_000);
  await fleet.until(
    "links",
    () => fleet.nodes.every((node) => (node.agent?.fleet().nodes.length ?? 0) === rows.length),
    5_000,
  );
  await fleet.run(3_000);
  return fleet;
}

async function answerOf<T>(fleet: SimFleet, asked: Promise<T>): Promise<T> {
  let end: { value: T } | { error: unknown } | undefined;
  asked.then(
    (value) => {
      end = { value };
    },
    (error: unknown) => {
      end = { error };
    },
  );
  await fleet.until("an answer", () => end !== undefined, 30_000);
  if ("error" in end!) throw end!.error;
  return (end as { value: T }).value;
}

const request = (state: FitState): FitRoundRequest => ({
  ...{ dataset: "corners", labels: LABELS, dimensions: 3, round: state.steps, terms: TERMS },
  weights: writeWeights(state.weights),
});

function taken(state: FitState, { parts }: FitRoundAnswer): FitState {
  const values = parts.map((part) => ({ values: readWeights(part.values, SHAPE), rows: part.trained.rows }));
  return takeMean(SHAPE, TERMS, state, weightedMean(values));
}

async function rounds(fleet: SimFleet, count: number, state: FitState, ask: () => SimNode): Promise<FitState> {
  let now = state;
  for (let i = 0; i < count; i++) now = taken(now, await answerOf(fleet, ask().agent!.fitRound(request(now))));
  return now;
}

test("over three boxes, each round asked of another, it comes to what one box with all rows comes to, within 1e-9", async () => {
  const three = await fleetWithRows(11, [LINES.slice(0, 40), LINES.slice(40, 180), LINES.slice(180)]);
  let turn = 0;
  const apart = await rounds(three, 20, beginFit(16), () => three.nodes[turn++ % 3]!);
  const one = await fleetWithRows(12, [LINES, [], []]);
  const together = await rounds(one, 20, beginFit(16), () => one.nodes[1]!);
  const farthest = apart.weights.reduce((most, w, i) => Math.max(most, Math.abs(w - together.weights[i]!)), 0);
  expect(farthest).toBeLessThan(1e-9);
});

test("a box that dies within a round, and the one that was asked, cost no round of what the others know", async () => {
  const fleet = await fleetWithRows(13, [LINES.slice(0, 100), LINES.slice(100, 200), LINES.slice(200)]);
  const [first, second, third] = fleet.nodes as [SimNode, SimNode, SimNode];
  const before = await rounds(fleet, 5, beginFit(16), () => first);
  third.fitting!.onRound = () => third.crash();
  const answer = await answerOf(fleet, first.agent!.fitRound(request(before)));
  expect(answer.parts.map(({ node }) => node)).toEqual([first.name, second.name].sort());
  expect(answer.missing.map(({ node }) => node)).toEqual([third.name]);
  first.crash();
  third.fitting!.onRound = () => {};
  await third.start();
  await fleet.run(5_000);
  const after = await rounds(fleet, 20, taken(before, answer), () => second);
  const { heldOut } = await third.fitting!.round(request(after));
  expect(heldOut.right / heldOut.rows).toBeGreaterThan(0.7);
});

test("places tell who has rows, never the rows; without any a round is refused", async () => {
  const fleet = await fleetWithRows(14, [LINES.slice(0, 100), LINES.slice(100), []]);
  const places = await answerOf(fleet, fleet.nodes[2]!.agent!.fitPlaces("corners"));
  expect(places.nodes.map(({ rows }) => rows).sort((a, b) => a - b)).toEqual([100, 200]);
  expect(JSON.stringify(places)).not.toContain("vector");
  const asked = answerOf(fleet, fleet.nodes[0]!.agent!.fitRound({ ...request(beginFit(16)), dataset: "other" }));
  await expect(asked).rejects.toMatchObject({ code: "FIT_NOBODY" });
});
