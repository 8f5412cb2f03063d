/** Where models stand: decided by whoever leads, agreed on, and decided anew when the fleet or the rules change. */
import { expect, test } from "vitest";
import type { ModelFolders, Solver } from "../../../agent/ports/index.ts";
import type { PlacementDecision } from "../../../shared/decision.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import type { Rule } from "../../../shared/rules.ts";
import { modelOfSize } from "../../support/nouns.ts";
import { realSolver } from "../../support/real-solver.ts";
import { SimFleet } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

const real = realSolver();

/** The models of these tests are sizes and no bytes: their files are taken to be wherever they shall stand. */
const everywhere: ModelFolders = {
  place: async (digest) => `pretend/${digest}`,
  folderOf: async (digest) => `pretend/${digest}`,
  remove: async () => {},
  list: async () => [],
};

async function started(agreed: LedgerEntry[], solver?: Solver, size = 4): Promise<SimFleet> {
  const fleet = new SimFleet(3, size, { agreed, alike: { secondsPerItem: 0.1, executors: 1 } });
  for (const node of fleet.nodes) {
    node.models.open = () => everywhere;
    if (solver) node.solver = solver;
  }
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 5_000);
  await fleet.run(3_000);
  return fleet;
}

const ledgerOf = (fleet: SimFleet) => fleet.leader!.agent!.ledger;
const lastOf = (fleet: SimFleet) => ledgerOf(fleet).planning.placements.at(-1);
const decisionOf = (fleet: SimFleet): PlacementDecision => JSON.parse(lastOf(fleet)!.decisionJson) as PlacementDecision;
const placesOf = (fleet: SimFleet, pipeline: string): string[] =>
  (lastOf(fleet)?.replicas.find((one) => one.pipeline === pipeline)?.nodes ?? []).map(
    (nodeId) => fleet.nodes.find((node) => node.nodeId === nodeId)!.name,
  );
const addRule = (fleet: SimFleet, node: SimNode, rule: Rule) => fleet.settled(node.agent!.addRule(rule), 5_000);

test("without a model nothing is decided and nothing is written", async () => {
  const fleet = await started([]);
  const { appliedIndex } = ledgerOf(fleet);
  await fleet.run(100_000);
  expect(ledgerOf(fleet).planning.placements).toEqual([]);
  expect(ledgerOf(fleet).appliedIndex).toBe(appliedIndex);
});

test("every model has its places in a second, on two boxes at least and within their memory, and then nothing more is written", async () => {
  const fleet = await started([modelOfSize("large", 1e9), modelOfSize("small", 10e6)]);
  await fleet.until(
    "both stand",
    () => placesOf(fleet, "large:1").length > 1 && placesOf(fleet, "small:1").length > 1,
    1_000,
  );
  const decision = decisionOf(fleet);
  expect(decision).toMatchObject({ kind: "placement", by: "greedy", short: [], because: "another box leads" });
  expect(decision.served).toBeGreaterThan(0);
  expect(decision.bound).toBeGreaterThanOrEqual(decision.served);
  await fleet.run(5_000);
  const { appliedIndex } = ledgerOf(fleet);
  await fleet.run(100_000);
  expect(ledgerOf(fleet).appliedIndex).toBe(appliedIndex);
  for (const { agent } of fleet.nodes)
    expect(agent!.ledger.planning.placements).toEqual(ledgerOf(fleet).planning.placements);
});

test("when a box dies its models stand elsewhere, and when the leader dies the next one decides on", async () => {
  const fleet = await started([modelOfSize("m", 1e9)]);
  await addRule(fleet, fleet.leader!, { kind: "replicas", model: "m", min: 2, max: 2 });
  await fleet.until("two boxes", () => placesOf(fleet, "m:1").length === 2, 10_000);
  const victim = fleet.nodes.find((node) => node.name === placesOf(fleet, "m:1")[0])!;
  victim.crash();
  const stands = (): boolean => {
    if (!fleet.leader) return false;
    const places = placesOf(fleet, "m:1");
    return places.length === 2 && !places.includes(victim.name);
  };
  await fleet.until("two others", stands, 15_000);
  expect(decisionOf(fleet)).toMatchObject({ by: "greedy", short: [] });
});

test("a rule moves a model at once; one that contradicts it is refused with both, and taken back it is no more", async () => {
  const fleet = await started([modelOfSize("m", 1e9)]);
  const [first] = fleet.nodes;
  const rule = await addRule(fleet, first!, { kind: "only", model: "m", on: "n2" });
  expect(rule).toMatchObject({ ruleId: "rule-1", text: "only m n2", nodes: ["n2"], models: ["m:1"] });
  await fleet.until("it stands there alone", () => placesOf(fleet, "m:1").join() === "n2", 3_000);
  expect(decisionOf(fleet).because).toBe("the rules changed");
  await expect(addRule(fleet, first!, { kind: "pin", model: "m:1", on: "n0" })).rejects.toMatchObject({
    code: "RULES_CONFLICT",
    facts: {
      rules: ["rule-1 (only m n2)", "the new one (pin m:1 n0)"],
      reason: "m:1 is wanted on n0 and may not be there",
    },
  });
  await expect(addRule(fleet, first!, { kind: "forbid", model: "m", on: "nobody" })).rejects.toMatchObject({
    code: "NODE_UNKNOWN",
  });
  await expect(addRule(fleet, first!, { kind: "pin", model: "ocr", on: "n0" })).rejects.toMatchObject({
    code: "BAD_REQUEST",
  });
  // The same again is no second one, whoever is asked.
  expect((await addRule(fleet, fleet.nodes[3]!, { kind: "only", model: "m", on: "n2" })).ruleId).toBe("rule-1");
  expect(await fleet.settled(first!.agent!.removeRule("rule-1"), 5_000)).toMatchObject({ text: "only m n2" });
  await fleet.until("it stands on others", () => placesOf(fleet, "m:1").length > 1, 3_000);
  await expect(fleet.settled(first!.agent!.removeRule("rule-1"), 5_000)).rejects.toMatchObject({
    code: "RULE_UNKNOWN",
  });
});

test("a model that fits nowhere says why, and a box without the ledger tells it too", async () => {
  const fleet = await started([modelOfSize("huge", 3.9e9), modelOfSize("m", 1e6)]);
  await fleet.until("a decision", () => lastOf(fleet) !== undefined, 2_000);
  const { short, models } = {
    ...decisionOf(fleet),
    ...(await fleet.settled(fleet.nodes[3]!.agent!.placement(), 5_000)),
  };
  expect(short).toEqual([
    {
      pipeline: "huge:1",
      because: "it stands nowhere: it needs 7.9 GB while it loads and the largest box has 3.7 GB for models",
    },
  ]);
  expect(models.map(({ pipeline, nodes }) => [pipeline, nodes.length])).toEqual([
    ["huge:1", 0],
    ["m:1", 4],
  ]);
  expect(models[1]!.nodes[0]).toMatchObject({ state: "ready", fetched: 1 });
});

test("the solver's answer follows, with what it proved", async () => {
  const pending: Promise<unknown>[] = [];
  // It takes no time by the fleet's clock, however busy this machine is: the fleet stands still until it has answered.
  const solver: Solver = {
    solve: (program, options) => {
      const answer = real.solve(program, { ...options, timeLimitMs: 60_000 });
      pending.push(answer);
      return answer;
    },
    close: async () => {},
  };
  const fleet = await started([modelOfSize("a", 1e9), modelOfSize("b", 1e9), modelOfSize("c", 0.5e9)], solver);
  for (let step = 0; step < 40 && decisionOf(fleet)?.boundBy !== "solver"; step++) {
    await fleet.run(50);
    while (pending.length > 0) await pending.shift();
  }
  const decision = decisionOf(fleet);
  expect(decision.boundBy).toBe("solver");
  expect(decision.served / decision.bound).toBeGreaterThan(0.9);
  expect(decision.replicas.every(({ nodes }) => nodes.length >= 2)).toBe(true);
});

test("while the solver searches, a model that may not stay where it is has another place at once", async () => {
  const solver: Solver = { solve: () => new Promise(() => {}), close: async () => {} };
  const fleet = await started([modelOfSize("m", 1e9)], solver);
  await fleet.until("it stands", () => placesOf(fleet, "m:1").length > 1, 2_000);
  await addRule(fleet, fleet.leader!, { kind: "only", model: "m", on: "n1" });
  await fleet.until("it stands there", () => placesOf(fleet, "m:1").join() === "n1", 2_000);
});

test("with a solver that fails the greedy plan stands, and it is told", async () => {
  const solver: Solver = {
    solve: async () => {
      throw new SkeinError("SOLVER_FAILED", { reason: "it was killed" });
    },
    close: async () => {},
  };
  const fleet = await started([modelOfSize("m", 1e9)], solver);
  await fleet.until("it stands", () => placesOf(fleet, "m:1").length > 1, 2_000);
  expect(decisionOf(fleet).by).toBe("greedy");
  expect(fleet.leader!.story.join("\n")).toMatch(/solverFailed .*it was killed/);
});

test("a box that is forbidden a pipeline or has its quiet hours gets none of its work, and all of it is done", async () => {
  const fleet = await started([], undefined, 3);
  await addRule(fleet, fleet.leader!, { kind: "forbid", model: "ocr", on: "n0" });
  await addRule(fleet, fleet.leader!, { kind: "quiet", on: "n1", from: "00:00", to: "00:00" });
  await fleet.run(3_000);
  const jobId = (await fleet.submit(fleet.nodes[2]!, 20))!;
  await fleet.until("the job has ended", () => fleet.leader?.agent?.ledger.jobs.get(jobId)?.state === "done", 30_000);
  const shares = (await fleet.settled(fleet.leader!.agent!.job(jobId), 5_000)).job.shares;
  expect(shares.map(({ name, itemsRecorded }) => [name, itemsRecorded])).toEqual([
    ["n0", 0],
    ["n1", 0],
    ["n2", 20],
  ]);
});
