import { randomUUID } from "node:crypto";
import { relative, resolve } from "node:path";
import { checkOneOf } from "../../shared/checks.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import { isOpen, JOB_CUTS, JOB_PRIORITIES } from "../../shared/job.ts";
import { LIMITS } from "../../shared/limits.ts";
import { FOLLOW_DEADLINE_MS, FOLLOW_PATIENCE_MS, follow, patiently } from "./follow.ts";
import type { LocalInput } from "./inputs.ts";
import { type CommonOptions, clientFor, durationMs, wholeNumber } from "./options.ts";
import { Pages } from "./pages.ts";
import { bundledApplication, samplesOf } from "./pipelines/applications.ts";
import { Progress } from "./progress.ts";
import { outputsOf, type Runnable, runnableNamed } from "./runnable.ts";
import type { SteadyClient } from "./steady-client.ts";
import { type JobTerms, uploadAndSubmit, whileAlive } from "./submit.ts";
import { plural } from "./table.ts";
import { tell } from "./told.ts";
import type { World } from "./world.ts";

export interface RunOptions extends CommonOptions {
  out?: string;
  key?: string;
  detach?: boolean;
  priority?: string;
  copies?: string;
  deadline?: string;
  cut?: string;
}

/** As the shell counts it: 128 and SIGINT. */
const INTERRUPTED = 130;

/** Hands files to the fleet and waits for what it makes of them. Exit code 0 if every page was read, 1 if any was not. */
export async function run(pipeline: string, paths: string[], options: RunOptions, world: World): Promise<number> {
  const terms = termsOf(options);
  const client = await clientFor(options, world, FOLLOW_DEADLINE_MS);
  const progress = new Progress(world);
  const { form, item, ...what } = await whatToRun(pipeline, paths, client, { world, progress });
  progress.item = item;
  const inputs = await what.gather(paths);
  // Without this a missing agent would be waited for as if it were restarting.
  await client.call((one) => one.health());
  const { jobId, existing, ...taken } = await submit(client, {
    pipeline: what.pipeline,
    inputs,
    terms,
    options,
    progress,
  });
  if (taken.waitsForModel) world.err(`No node has ${taken.pipeline} ready yet; the job waits until it is placed.\n`);
  if (options.detach) {
    world.out(options.json ? `${JSON.stringify({ jobId, existing })}\n` : `${jobId}\n`);
    return 0;
  }
  progress.say(
    existing ? `${jobId} was submitted before under this key.` : `${jobId}: ${plural(inputs.length, item.noun)}`,
  );
  const interrupted = new AbortController();
  const quit = world.onInterrupt(() => interrupted.abort());
  try {
    const pages = new Pages((hash) => client.call((one) => one.getBlob(hash), patiently(interrupted.signal)), {
      outDir: options.out,
      form,
    });
    const names = inputs.map((input) => input.name);
    const job = await follow({ client, jobId, pages, progress, names, signal: interrupted.signal });
    progress.clear();
    if (job) {
      tell({ job, pages, item, out: options.out, isJson: options.json ?? false }, world);
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

/** Without paths nothing can be run, but of an application what may be tried. @throws UNKNOWN_PIPELINE, NO_INPUTS */
async function whatToRun(
  name: string,
  paths: readonly string[],
  client: SteadyClient,
  say: { world: World; progress: Progress },
): Promise<Runnable> {
  if (paths.length > 0) return runnableNamed(name, client, say);
  const application = await bundledApplication(name);
  const [sample] = application ? await samplesOf(application) : [];
  if (sample === undefined) throw new SkeinError("NO_INPUTS", { where: `\`skein run ${name}\`` });
  throw new SkeinError("NO_INPUTS", {
    where: `\`skein run ${name}\``,
    sample: `skein run ${name} ${relative("", sample)}`,
  });
}

/** How the job is to be done. @throws BAD_REQUEST */
function termsOf({ priority, copies, deadline, cut }: RunOptions): JobTerms {
  return {
    ...(priority === undefined ? {} : { priority: checkOneOf(priority, "--priority", JOB_PRIORITIES) }),
    ...(copies === undefined ? {} : { copies: wholeNumber(copies, "--copies", 1, LIMITS.copiesMax) }),
    ...(deadline === undefined ? {} : { deadlineInMs: durationMs(deadline, "--deadline", LIMITS.jobDeadlineMsMax) }),
    ...(cut === undefined ? {} : { cut: checkOneOf(cut, "--cut", JOB_CUTS) }),
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

/** Pages recorded so far, of a job of any age. Exit code 1 if any of them failed. */
export async function results(jobId: string, options: RunOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const page = await client.call((one) => one.results(jobId));
  const { form, item } = await outputsOf(page.job.pipeline, client);
  const pages = new Pages((hash) => client.call((one) => one.getBlob(hash)), { outDir: options.out, form });
  await pages.keep(
    page.results,
    page.results.map((result) => result.name),
  );
  if (isOpen(page.job.state)) world.err(`${jobId} is still ${page.job.state}; this is what is recorded so far.\n`);
  tell({ job: page.job, pages, item, out: options.out, isJson: options.json ?? false }, world);
  return pages.failed.length === 0 ? 0 : 1;
}
