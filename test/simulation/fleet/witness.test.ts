/** Two boxes and a witness: either box may die, and what was agreed is neither lost nor waited for. */
import { expect, test } from "vitest";
import { SimFleet } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";
import { weather } from "./weather.ts";

interface Trio {
  fleet: SimFleet;
  boxes: SimNode[];
  witness: SimNode;
}

async function raise(seed: number): Promise<Trio> {
  const fleet = new SimFleet(seed, 2, { witness: true });
  await fleet.start();
  const witness = fleet.nodes[2]!;
  await fleet.until("the witness votes", () => witnessesOf(fleet).includes(witness.nodeId), 20_000);
  await fleet.run(2_000);
  return { fleet, boxes: fleet.nodes.slice(0, 2), witness };
}

const witnessesOf = (fleet: SimFleet) => fleet.leader?.agent?.raftStatus().conf.witnesses ?? [];

test.each([1, 2, 3, 4])(
  "either of two boxes dies in the middle of a job, and the other ends it (seed %i)",
  async (seed) => {
    const { fleet, boxes } = await raise(seed);
    for (const diesAsLeader of [true, false]) {
      const jobId = (await fleet.submit(boxes[seed % 2]!, 60))!;
      await fleet.run(2_000);
      const { leader } = fleet;
      const dies = boxes.find((node) => (node === leader) === diesAsLeader)!;
      const stays = boxes.find((node) => node !== dies)!;
      dies.crash();
      const job = () => stays.agent!.ledger.jobs.get(jobId)!;
      expect(job().state).toBe("running");
      await fleet.until("the other ends the job", () => job().state === "done", 90_000);
      expect(job().failedCount).toBe(0);
      const next = await fleet.submit(stays, 5);
      expect(next, "one box and the witness take work in").toBeDefined();
      await dies.start();
      await fleet.until("both tell the same", () => fleet.hasConverged(), 60_000);
      const outputs = job().results.map((result) => result!.output!);
      const copies = () => outputs.map((output) => boxes.filter((node) => node.blobs.held().has(output)).length);
      await fleet.until("every result has two copies again", () => copies().every((count) => count === 2), 60_000);
    }
  },
);

test("a witness shows itself, keeps no ledger, no page and no job, and answers through a box", async () => {
  const { fleet, boxes, witness } = await raise(5);
  const jobId = await fleet.submit(boxes[0]!, 20);
  await fleet.until("the job ends", () => boxes[0]!.agent!.ledger.jobs.get(jobId!)?.state === "done", 60_000);
  for (const node of fleet.nodes)
    expect(node.agent!.fleet().nodes.map(({ name, role }) => `${name} ${role}`)).toEqual([
      "n0 voter",
      "n1 voter",
      "n2 witness",
    ]);
  expect(witness.agent!.fleet().leader).toBe(fleet.leader!.nodeId);
  expect(witness.agent!.ledger.jobs.size).toBe(0);
  expect(witness.blobs.held().size).toBe(0);
  await expect(witness.agent!.submit({ pipeline: "ocr", inputs: [] })).rejects.toMatchObject({ code: "BAD_REQUEST" });
  let told = "";
  void witness.agent!.job(jobId!).then(({ job }) => {
    told = job.state;
  });
  await fleet.until("the witness tells of the job", () => told === "done", 5_000);
});

test("a witness forgets its log as the boxes do, and comes back with what is left of it", async () => {
  const { fleet, boxes, witness } = await raise(6);
  await fleet.submit(boxes[0]!, 60);
  const snapshot = () => witness.journal.durableSnapshot();
  await fleet.until("its log begins anew", () => snapshot() !== undefined, 60_000);
  expect(snapshot()!.data).toHaveLength(0);
  witness.crash();
  await fleet.submit(boxes[1]!, 20);
  await witness.start();
  const { lastIndex } = fleet.leader!.agent!.raftStatus();
  await fleet.until(
    "it acknowledges what came meanwhile",
    () => witness.agent!.raftStatus().commit >= lastIndex,
    20_000,
  );
  expect(witnessesOf(fleet)).toEqual([witness.nodeId]);
});

test("no promise is broken in storms over two boxes and a witness", async () => {
  for (let first = 71; first < 75; first++) {
    const report = await weather({ first, forMs: 0, nodes: 2, faults: 30, witness: true });
    expect(report.broken ?? "").toBe("");
  }
});
