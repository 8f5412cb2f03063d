/** Jobs of pipelines, whole and stage by stage, whatever is unplugged meanwhile: on the real runtime over a pretend world. */
import { describe, expect, test } from "vitest";
import type { JobId, NodeId } from "../../../shared/ids.ts";
import type { JobInput } from "../../../shared/job.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import type { PipelineDefinition } from "../../../shared/pipeline/definition.ts";
import { SimFleet, type SimFleetOptions } from "./sim-fleet.ts";
import { type SimNode, sha256 } from "./sim-node.ts";

const SOON_MS = 30_000;

/** Lines, something made of each, and all of it together. `ends` run on boxes with the label part=ends, `middle` likewise. */
const LINES: PipelineDefinition & { version: number } = {
  name: "lines",
  version: 1,
  inputs: { page: { type: "json" } },
  stages: {
    lines: { operator: "core/split@1", in: { list: "page" }, on: { part: "ends" } },
    word: {
      operator: "json/pick@1",
      in: { json: "lines.elements" },
      map: ["json"],
      with: { pointer: "/word", as: "text" },
      on: { part: "middle" },
    },
    named: { operator: "json/merge@1", in: { a: "word.value" }, map: ["a"], with: { names: ["word"] }, on: { part: "middle" } },
    all: { operator: "core/join@1", in: { elements: "named.json" }, on: { part: "ends" } },
  },
  outputs: { all: "all.list" },
};

const added = (definition: PipelineDefinition & { version: number }): LedgerEntry =>
  ({ kind: "pipelineAdded", definition, addedBy: `12D3KooW${"a".repeat(44)}` as NodeId, addedAtMs: 0 });

/** @param parts of each box: its label `part`; none for one that has none */
async function raise(parts: readonly (string | undefined)[], options: SimFleetOptions = {}, seed = 7): Promise<SimFleet> {
  const alike = { secondsPerItem: 0.1, executors: 1 };
  const fleet = new SimFleet(seed, parts.length, { alike, agreed: [added(LINES)], ...options });
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, SOON_MS);
  const isReady = ({ agent }: SimNode): boolean => agent!.health().ok && agent!.fleet().leader !== undefined;
  await fleet.until("all are ready", () => fleet.nodes.every(isReady), SOON_MS);
  for (const [n, part] of parts.entries())
    if (part !== undefined) await fleet.settled(fleet.leader!.agent!.labelNode(fleet.nodes[n]!.name, { part }), SOON_MS);
  await fleet.run(3_000);
  return fleet;
}

const page = (words: readonly string[]): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(words.map((word) => ({ word }))));
const expected = (words: readonly string[]): string => JSON.stringify({ all: words.map((word) => ({ word })) });

async function submit(fleet: SimFleet, node: SimNode, pages: readonly Uint8Array[]): Promise<JobId> {
  const inputs = pages.map((bytes, n): JobInput => {
    node.blobs.keep(sha256(bytes), bytes);
    return { name: `page-${n}`, blob: sha256(bytes), bytes: bytes.length };
  });
  const { jobId } = await fleet.settled(node.agent!.submit({ pipeline: "lines:1", inputs }), SOON_MS);
  return jobId;
}

const jobOf = (fleet: SimFleet, jobId: JobId) => fleet.leader?.agent?.ledger.jobs.get(jobId);
const isDone = (fleet: SimFleet, jobId: JobId): boolean => jobOf(fleet, jobId)?.state === "done";

/** What came of each item, as text; its error's code if it failed. */
function outputs(fleet: SimFleet, jobId: JobId): string[] {
  const { ledger } = fleet.leader!.agent!;
  return ledger.jobs.get(jobId)!.results.map((result) => {
    if (!result?.output) return result?.error?.code ?? "nothing";
    const holder = fleet.nodes.find(({ nodeId }) => ledger.holdersOf(result.output!).includes(nodeId))!;
    return new TextDecoder().decode(holder.blobs.held().get(result.output!));
  });
}

describe("a job of a pipeline", () => {
  test("is run stage by stage where no box can run all of it, and gives what one box gives", async () => {
    const fleet = await raise(["ends", "middle", "ends", "middle"]);
    const words = Array.from({ length: 12 }, (_, n) => `w${n}`);
    const jobId = await submit(fleet, fleet.nodes[0]!, [page(words), page(["x"]), page([])]);
    await fleet.until("the job is done", () => isDone(fleet, jobId), 60_000).catch((e) => { console.log(fleet.story(60_000, 100)); throw e; });
    expect(outputs(fleet, jobId)).toEqual([expected(words), expected(["x"]), expected([])]);
  });
});
