/**
 * The job on one agent, from its submit to its last recorded result, against the bare loop of inference.ts doing the same
 * pages with the same number of processes. `node test/bench/agent.ts [executors] [rounds]`; rounds alternate. Exits 1 under 0.95.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { LocalFleet } from "../../agent/cli/demo/local-fleet.ts";
import { type DemoPage, demoPages } from "../../agent/cli/demo/pages.ts";
import { uploadAndSubmit } from "../../agent/cli/submit.ts";
import { median } from "./figures.ts";

const RATIO_MIN = 0.95;
/** As often as the bare loop reads them in one round. */
const PASSES = 2;

const executors = Number(process.argv[2] ?? availableParallelism());
const rounds = Number(process.argv[3] ?? 3);

async function agentRound(fleet: LocalFleet, pages: readonly DemoPage[], round: number): Promise<string[]> {
  const { client } = fleet.agents[0]!;
  const submission = { pipeline: "ocr", inputs: pages, idempotencyKey: `bench-${round}` };
  const abort = new AbortController();
  const ended = (async () => {
    for await (const { event } of client.events({ signal: abort.signal })) if (event === "jobEnded") return;
  })();
  const { jobId } = await uploadAndSubmit(client, submission, () => {});
  await ended;
  abort.abort();
  const { results } = await client.results(jobId);
  return results.map((result) => result.output ?? "");
}

async function bareRound(processes: readonly ChildProcess[], pages: number): Promise<string[]> {
  const answers = await Promise.all(
    processes.map(async (child): Promise<string[]> => {
      child.send("go");
      return ((await once(child, "message"))[0] as { digests: string[] }).digests;
    }),
  );
  return Array.from({ length: pages }, (_, at) => answers[at % answers.length]![at]!);
}

const fleet = await LocalFleet.create(executors);
const bareScript = fileURLToPath(new URL("inference.ts", import.meta.url));
const bare = Array.from({ length: executors }, (_, part) =>
  fork(bareScript, ["bare", String(part), String(executors)], { serialization: "advanced" }),
);
try {
  await Promise.all(bare.map((child) => once(child, "message")));
  await fleet.raise(["solo"], () => {});
  const pages = await demoPages(PASSES);
  const speeds: { agent: number[]; bare: number[] } = { agent: [], bare: [] };
  for (let round = 0; round < rounds; round++) {
    const startMs = performance.now();
    const ours = await agentRound(fleet, pages, round);
    const middleMs = performance.now();
    const theirs = await bareRound(bare, pages.length);
    const endMs = performance.now();
    if (ours.join() !== theirs.join()) throw new Error("the agent and the bare loop read differently");
    speeds.agent.push((1_000 * pages.length) / (middleMs - startMs));
    speeds.bare.push((1_000 * pages.length) / (endMs - middleMs));
  }
  const ratio = median(speeds.agent.map((speed, round) => speed / speeds.bare[round]!));
  console.log(`${executors} executors, ${rounds} rounds of ${pages.length} pages, outputs equal byte for byte`);
  console.log(
    `one agent ${median(speeds.agent).toFixed(2)} pages/s, bare loop ${median(speeds.bare).toFixed(2)} pages/s`,
  );
  console.log(`ratio ${ratio.toFixed(3)} (target at least ${RATIO_MIN})`);
  if (ratio < RATIO_MIN) process.exitCode = 1;
} finally {
  for (const child of bare) child.kill();
  await fleet.end();
}
