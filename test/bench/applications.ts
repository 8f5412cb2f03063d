/**
 * Every application with its samples: whole on one agent, and cut into stages over three, once undisturbed and once for each
 * boundary between segments with an agent killed when the first result behind it is recorded. Outputs must be equal; what
 * runs again is counted. `npm run bench -- applications [NAME...]`. Exits 1 where an output differs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { bundledApplication, bundledApplications, samplesOf } from "../../agent/cli/pipelines/applications.ts";
import type { JobId } from "../../shared/ids.ts";
import type { JobView } from "../../shared/job.ts";
import type { RealAgent } from "../fleet/real-agent.ts";
import { RealFleet } from "../fleet/real-fleet.ts";

const POLL_MS = 20;
const JOB_MS = 120_000;

const names = process.argv.length > 2 ? process.argv.slice(2) : await bundledApplications();
const samples = new Map(
  await Promise.all(names.map(async (name) => [name, await samplesOf((await bundledApplication(name))!)] as const)),
);

async function submitted(agent: RealAgent, name: string, cut: "whole" | "stages"): Promise<JobId> {
  const key = `${name}-${cut}-${performance.now()}`;
  const { exitCode, out, err } = await agent.skein(
    "run",
    name,
    ...samples.get(name)!,
    "--cut",
    cut,
    "--key",
    key,
    "--detach",
  );
  if (exitCode !== 0) throw new Error(err || out);
  return (await agent.client.jobs()).find(({ idempotencyKey }) => idempotencyKey === key)!.jobId;
}

/** Until it holds or the job has ended. */
async function jobUntil(agent: RealAgent, jobId: JobId, holds: (job: JobView) => boolean): Promise<JobView> {
  for (const endsAtMs = performance.now() + JOB_MS; performance.now() < endsAtMs; await sleep(POLL_MS)) {
    const { job } = await agent.client.job(jobId);
    if (holds(job) || job.state !== "running") return job;
  }
  throw new Error(`${jobId} is not there after ${JOB_MS / 1_000} s`);
}

async function outputsOf(fleet: RealFleet, agent: RealAgent, jobId: JobId): Promise<string[]> {
  const job = await jobUntil(agent, jobId, () => false);
  if (job.state !== "done" || job.itemsFailed > 0) throw new Error(`${job.state}, ${job.itemsFailed} items failed`);
  const outputs = await fleet.outputs(jobId, agent);
  return Array.from({ length: job.items }, (_, item) => Buffer.from(outputs.get(item)!).toString("base64"));
}

const alone = new Map<string, string[]>();
const solo = await RealFleet.raise(["solo"]);
try {
  for (const name of names) {
    const [agent] = solo.agents as [RealAgent];
    alone.set(name, await outputsOf(solo, agent, await submitted(agent, name, "whole")));
  }
} finally {
  await solo.end();
}

const fleet = await RealFleet.raise(["attic", "bench", "cellar"]);
try {
  for (const name of names) await application(name);
} finally {
  await RealFleet.endAll();
}

async function application(name: string): Promise<void> {
  const [asked, ...others] = fleet.agents as [RealAgent, RealAgent, RealAgent];
  const first = await submitted(asked, name, "stages");
  tell(name, "undisturbed", await outputsOf(fleet, asked, first), (await asked.client.job(first)).job);
  let boundaries = (await asked.client.job(first)).job.stages?.length ?? 0;
  for (let boundary = 0; boundary < boundaries; boundary++) {
    const jobId = await submitted(asked, name, "stages");
    const victim = others[boundary % others.length]!;
    const seen = await jobUntil(asked, jobId, ({ stages }) => (stages?.[boundary]?.recorded ?? 0) > 0);
    await victim.kill();
    const outputs = await outputsOf(fleet, asked, jobId);
    const { job } = await asked.client.job(jobId);
    const when = `behind segment ${boundary}${seen.state === "running" ? "" : ", when the job had ended"}`;
    tell(name, `${victim.name} killed ${when}`, outputs, job);
    await fleet.start(victim);
    await fleet.whole();
    // Cut anew by what was measured meanwhile.
    boundaries = job.stages?.length ?? 0;
  }
}

function tell(name: string, what: string, outputs: string[], { stages = [], items }: JobView): void {
  const wanted = alone.get(name)!;
  const differing = outputs.filter((output, item) => output !== wanted[item]).length;
  const tasks = stages.reduce((sum, stage) => sum + stage.tasks, 0);
  const again = stages.reduce((sum, stage) => sum + stage.runsAgain, 0);
  const verdict = differing === 0 ? "equal byte for byte" : `${differing} OF ${items} OUTPUTS DIFFER`;
  console.log(
    `${name}, ${what}: ${verdict}; ${stages.length + 1} segments, ${tasks} tasks before the last, ${again} lost and made again`,
  );
  if (differing > 0) process.exitCode = 1;
}
