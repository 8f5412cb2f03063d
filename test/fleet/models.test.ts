/** Models of people's own on three real agents: taken in, placed, fetched, loaded, run, moved by a rule, explained. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { Explanation } from "../../shared/explanation.ts";
import { addGraph, foreignGraph, writeModel } from "../support/onnx.ts";
import { setStage } from "./promises.ts";

const stage = setStage(["attic", "bench", "cellar"]);
const ITEMS = 40;
const sumOf = (n: number): number[] => [1 + n, 2 + n, 3 + n, 4 + n];

let inputs: string;
beforeAll(async () => {
  inputs = join(stage.fleet.folder, "inputs");
  await mkdir(inputs);
  for (let n = 0; n < ITEMS; n++) {
    const tensor = (name: string, data: number[]) => ({ name, shape: [1, 4], datatype: "FP32", data });
    const request = { inputs: [tensor("a", [1, 2, 3, 4]), tensor("b", [n, n, n, n])] };
    await writeFile(join(inputs, `${n}.json`), JSON.stringify(request));
  }
});

/** Names of the boxes on which it is ready. */
async function standsOn(model: string): Promise<string[]> {
  const { nodes } = await stage.fleet.agents[0]!.client.model(model);
  return nodes.flatMap(({ name, state }) => (state === "ready" ? [name] : [])).sort();
}

test("a model that is added through one box is ready on all, and a job over it gives what onnxruntime gives", async () => {
  const { fleet } = stage;
  const [box, other] = fleet.agents;
  const { folder } = await writeModel(join(fleet.folder, "adder"), addGraph(), { name: "adder", batches: true });
  expect(await box!.skein("model", "add", folder, "--name", "adder")).toMatchObject({
    exitCode: 0,
    out: "adder:1 is added.\n",
  });
  await fleet.poll("it is ready everywhere", async () => (await standsOn("adder")).length === 3);
  const out = join(fleet.folder, "sums");
  const said = await other!.skein("run", "adder", inputs, "--out", out, "--json");
  expect(said).toMatchObject({ exitCode: 0 });
  for (let n = 0; n < ITEMS; n++) {
    const answer = JSON.parse(await readFile(join(out, `${n}.json`), "utf8"));
    expect(answer.outputs).toEqual([{ name: "sum", shape: [1, 4], datatype: "FP32", data: sumOf(n) }]);
  }
  const { jobId } = JSON.parse(said.out) as { jobId: string };
  expect(await other!.skein("verify", jobId, "--recompute", "3")).toMatchObject({ exitCode: 0 });
  const explained = JSON.parse((await box!.skein("explain", jobId, "--json")).out) as Explanation;
  expect(explained).toMatchObject({ of: "job", what: jobId });
  expect(explained.nodes.map(({ name }) => name).sort()).toEqual(["attic", "bench", "cellar"]);
});

test("a rule takes it off the other boxes, whose explanation says so, and it is back when the rule is gone", async () => {
  const { fleet } = stage;
  const [attic, bench] = fleet.agents;
  expect(await bench!.skein("rule", "add", "only", "adder", "attic")).toMatchObject({ exitCode: 0 });
  await fleet.poll("it stands on attic alone", async () => (await standsOn("adder")).join() === "attic");
  const refused = await bench!.skein("rule", "add", "pin", "adder", "cellar");
  expect(refused.exitCode).toBe(2);
  expect(refused.err).toContain("These rules cannot hold together: rule-1 (only adder attic), the new one");
  const why = await attic!.skein("explain", "adder", "--why-not", "cellar");
  expect(why.out).toContain("only adder attic");
  expect(await bench!.skein("rule", "remove", "rule-1")).toMatchObject({ exitCode: 0 });
  await fleet.poll("it is ready everywhere", async () => (await standsOn("adder")).length === 3);
});

test("what cannot run is refused with the reason before the fleet hears of it, and the boxes go on", async () => {
  const { fleet } = stage;
  const [box] = fleet.agents;
  const { folder } = await writeModel(join(fleet.folder, "foreign"), foreignGraph());
  const refused = await box!.skein("model", "add", folder, "--name", "foreign");
  expect(refused.exitCode).toBe(2);
  expect(refused.err).toMatch(/foreign is not accepted: .*custom operator/);
  expect((await box!.client.models()).map(({ model }) => model)).toEqual(["adder:1"]);
  const jobId = await fleet.submit(box!, stage.pages(0));
  await stage.expectPromisesHeld(jobId, stage.pages(0));
});
