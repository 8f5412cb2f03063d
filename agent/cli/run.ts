import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { checkOneOf } from "../../shared/checks.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import { isOpen, JOB_PRIORITIES, type JobView } from "../../shared/job.ts";
import { LIMITS } from "../../shared/limits.ts";
import { BUILT_IN } from "../../shared/model.ts";
import { filesOf } from "../../shared/pipelines.ts";
import { FOLLOW_DEADLINE_MS, FOLLOW_PATIENCE_MS, follow, patiently } from "./follow.ts";
import { gatherInputs, type LocalInput } from "./inputs.ts";
import { type CommonOptions, clientFor, durationMs, wholeNumber } from "./options.ts";
import { Pages } from "./pages.ts";
import { Progress } from "./progress.ts";
import type { SteadyClient } from "./steady-client.ts";
import { type JobTerms, uploadAndSubmit, whileAlive } from "./submit.ts";
import { duration, plain, plural } from "./table.ts";
import type { World } from "./world.ts";

export interface RunOptions extends CommonOptions {
  out?: string;
  key?: string;
  detach?: boolean;
  priority?: string;
  copies?: string;
  deadline?: string;
}

/** As the shell counts it: 128 and SIGINT. */
const INTERRUPTED = 130;

/** Hands files to the fleet and waits for what it makes of them. Exit code 0 if every page was read, 1 if any was not. */
export async function run(pipeline: string, paths: string[], options: RunOptions, world: World): Promise<number> {
  const terms = termsOf(options);
  const client = await clientFor(options, world, FOLLOW_DEADLINE_MS);
  const inputs = await gatherInputs(paths, pipeline).catch((error: unknown) =>
    explainNoInputs(error, pipeline, client),
  );
  // Without this a missing agent would be waited for as if it were restarting.
  await client.call((one) => one.health());
  const progress = new Progress(world);
  const { jobId, existing, ...taken } = await submit(client, { pipeline, inputs, terms, options, progress });
  if (taken.waitsForModel) world.err(`No node has ${taken.pipeline} ready yet; the job waits until it is placed.\n`);
  if (options.detach) {
    world.out(options.json ? `${JSON.stringify({ jobId, existing })}\n` : `${jobId}\n`);
    return 0;
  }
  progress.say(
    existing ? `${jobId} was submitted before under this key.` : `${jobId}: ${plural(inputs.length, "file")}`,
  );
  const interrupted = new AbortController();
  const quit = world.onInterrupt(() => interrupted.abort());
  try {
    const pages = new Pages((hash) => client.call((one) => one.getBlob(hash), patiently(interrupted.signal)), {
      outDir: options.out,
      pipeline: taken.pipeline,
    });
    const names = inputs.map((input) => input.name);
    const job = await follow({ client, jobId, pages, progress, names, signal: interrupted.signal });
    progress.clear();
    if (job) {
      tell(job, pages, options, world);
      return job.state === "done" && job.itemsFailed === 0 ? 0 : 1;
    }
  } catch (error) {
    progress.clear();
    if (!interrupted.signal.aborted) world.err(howToComeBack(jobId, options, "is not followed any more"));
    if (!interrupted.signal.aborted) throw error;
  } finally {
    quit();
  }
  world.err(howToComeBack(jobId, options, "goes on without this terminal"));
  return INTERRUPTED;
}

/** That a folder has no files for a pipeline is beside the point where there is no such pipeline. */
async function explainNoInputs(error: unknown, pipeline: string, client: SteadyClient): Promise<never> {
  const isKnownHere = (BUILT_IN as readonly string[]).includes(pipeline);
  if (isKnownHere || SkeinError.from(error).code !== "NO_INPUTS") throw error;
  const models = await client.call((one) => one.models());
  const known = models.map(({ name }) => name);
  if (known.includes(pipeline.split(":")[0]!)) throw error;
  throw new SkeinError("UNKNOWN_PIPELINE", { pipeline, known: [...new Set([...BUILT_IN, ...known])] });
}

/** How the job is to be done. @throws BAD_REQUEST */
function termsOf({ priority, copies, deadline }: RunOptions): JobTerms {
  return {
    ...(priority === undefined ? {} : { priority: checkOneOf(priority, "--priority", JOB_PRIORITIES) }),
    ...(copies === undefined ? {} : { copies: wholeNumber(copies, "--copies", 1, LIMITS.copiesMax) }),
    ...(deadline === undefined ? {} : { deadlineInMs: durationMs(deadline, "--deadline", LIMITS.jobDeadlineMsMax) }),
  };
}

interface Submitting {
  pipeline: string;
  inputs: readonly LocalInput[];
  terms: JobTerms;
  options: RunOptions;
  progress: Progress;
}

function submit(client: SteadyClient, { pipeline, inputs, terms, options, progress }: Submitting) {
  const submission = { pipeline, inputs, terms, idempotencyKey: options.key ?? `run-${randomUUID()}` };
  return client.call(
    (one) =>
      whileAlive(
        one,
        uploadAndSubmit(one, submission, (done) => progress.showUpload(done, inputs.length)),
      ),
    // The agent that took the files may die before it took the job; the next one then says that it lacks them.
    { patienceMs: FOLLOW_PATIENCE_MS, alsoPassing: ["BLOB_MISSING", "COPIES_SHORT"] },
  );
}

function howToComeBack(jobId: JobId, options: RunOptions, what: string): string {
  const out = options.out === undefined ? "DIR" : resolve(options.out);
  return `${jobId} ${what}.\n  skein job ${jobId}                  shows how far it is\n  skein results ${jobId} --out ${out}   fetches its pages\n`;
}

function tell(job: JobView, pages: Pages, options: RunOptions, world: World): void {
  if (options.json) world.out(`${JSON.stringify(summaryOf(job, pages, options.out), null, 2)}\n`);
  else if (options.out === undefined) world.out(allText(pages));
  world.err(verdict(job, options.out));
  for (const { name, error } of pages.failed) world.err(`  ${plain(name)}: ${plain(error?.message ?? "")}\n`);
}

function verdict(job: JobView, out: string | undefined): string {
  const took = job.endedAtMs === undefined ? "" : ` in ${duration(job.endedAtMs - job.submittedAtMs)}`;
  const busy = job.shares.filter((share) => share.itemsRecorded > 0);
  const by = busy.map((share) => `${plain(share.name)} ${share.itemsRecorded}`).join(", ");
  const read = job.itemsRecorded - job.itemsFailed;
  const failed = job.itemsFailed > 0 ? `, ${job.itemsFailed} failed` : "";
  const early: Partial<Record<JobView["state"], string>> = {
    cancelled: " before it was cancelled",
    expired: " before its deadline passed",
  };
  const fate = early[job.state] ?? took;
  const where = out === undefined ? "" : ` Their text is in ${out}.`;
  const { noun, done } = filesOf(job.pipeline).item;
  return `${read} of ${plural(job.items, noun)} ${done}${fate} by ${plural(busy.length, "node")}${by ? ` (${by})` : ""}${failed}.${where}\n`;
}

/** One page alone is its text and nothing else, for pipes. */
export function allText(pages: Pages): string {
  const read = pages.inOrder.filter((result) => pages.texts.has(result.item));
  const isAlone = pages.kept.size === 1;
  return read.map((one) => `${isAlone ? "" : `== ${plain(one.name)}\n`}${pages.texts.get(one.item)}\n`).join("");
}

export function summaryOf(job: JobView, pages: Pages, out: string | undefined) {
  return {
    ...job,
    ...(out === undefined ? {} : { out: resolve(out) }),
    pages: pages.inOrder.map(({ name, node, output, error, item }) => {
      const text = pages.texts.get(item);
      return { name, node, output, error, ...(text === undefined ? {} : { text }) };
    }),
  };
}

/** Pages recorded so far, of a job of any age. Exit code 1 if any of them failed. */
export async function results(jobId: string, options: RunOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const page = await client.call((one) => one.results(jobId));
  const pages = new Pages((hash) => client.call((one) => one.getBlob(hash)), {
    outDir: options.out,
    pipeline: page.job.pipeline,
  });
  await pages.keep(
    page.results,
    page.results.map((result) => result.name),
  );
  if (isOpen(page.job.state)) world.err(`${jobId} is still ${page.job.state}; this is what is recorded so far.\n`);
  tell(page.job, pages, options, world);
  return pages.failed.length === 0 ? 0 : 1;
}
