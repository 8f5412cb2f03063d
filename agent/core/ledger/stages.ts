import { type ErrorBody, invariant } from "../../../shared/errors.ts";
import { type JobId, type NodeId, stageJobId } from "../../../shared/ids.ts";
import { type ItemResult, isOpen, type JobInput, type StageTask } from "../../../shared/job.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { LeasedItem, LeasedPart } from "../../../shared/peer-requests.ts";
import type { JobForm } from "../../../shared/pipeline/compiled.ts";
import { formFault } from "../../../shared/pipeline/form-check.ts";
import { codeStated } from "../../../shared/statement.ts";
import { type JobRecord, unrecordedItems } from "./job.ts";
import type { Ledger } from "./ledger.ts";
import { plainTasks } from "./staging.ts";
import type { GrowingJob, TaskView } from "./tasks.ts";

/** Why a job cannot be cut so, as the end of a sentence. */
export function formRefusal(job: JobRecord, form: JobForm): string | undefined {
  if (!isOpen(job.state)) return "is of a job that has ended";
  if (!job.staged) return "is of a job that was not submitted as one of stages";
  if (plainTasks(job, form.segments) > LIMITS.jobTasksMax) return `makes more than ${LIMITS.jobTasksMax} tasks`;
  return formFault(form);
}

/** A record for each segment but the last, without tasks. */
export const stageJobs = (job: JobRecord, form: JobForm, index: number): GrowingJob[] =>
  form.segments.slice(0, -1).map(({ name, copies }, segment) => ({
    ...job,
    jobId: stageJobId(job.jobId, segment),
    pipeline: name,
    idempotencyKey: "",
    submittedAtIndex: index,
    copies,
    staged: false,
    cut: "auto",
    form: undefined,
    parent: { jobId: job.jobId, segment },
    inputs: [],
    tasks: [],
    results: [],
    recordedCount: 0,
    failedCount: 0,
    runsAgain: 0,
    duplicatesIgnored: 0,
    ignoredReports: [],
  }));

/** The record of an item that cannot go on for what came of a task of this segment: with that task's signature. */
export function failedItem(
  task: ItemResult,
  segment: number,
  item: number,
  error: ErrorBody,
): ItemResult & { holders: NodeId[] } {
  const { node, shardId, durationMs, finishedAtMs, lostAttempts } = task;
  const lost = lostAttempts && { lostAttempts };
  const told = { node, shardId, durationMs, finishedAtMs, ...lost, ...signedBy(task, segment) };
  return { item, outputBytes: 0, error, ...told, holders: [] };
}

function signedBy(
  { item, output, outputBytes, error, madeWith, signature }: ItemResult,
  segment: number,
): Pick<ItemResult, "madeWith" | "signature" | "signedTask"> {
  if (signature === undefined) return {};
  const code = error && codeStated(error);
  const made = { ...(output && { output }), ...(code !== undefined && { code }) };
  return { ...(madeWith && { madeWith }), signature, signedTask: { segment, item, outputBytes, ...made } };
}

/** Throws where a stage job contradicts the job that it belongs to. */
export function assertStageSound(job: JobRecord | undefined, stage: JobRecord): void {
  const { jobId, parent, inputs, tasks, results } = stage;
  invariant(job?.form?.segments[parent!.segment]?.name === stage.pipeline, `${jobId}: its job is cut so`);
  invariant(job.state === stage.state, `${jobId}: is as its job is`);
  invariant(tasks.length === inputs.length && results.length === inputs.length, `${jobId}: every place is a task`);
}

/** Why a record of a snapshot cannot be of stages, as the end of a sentence. The job of a stage job comes before it. */
export function stageFault(jobs: ReadonlyMap<JobId, JobRecord>, record: JobRecord): string | undefined {
  const { jobId, pipeline, staged, cut, form, parent, state } = record;
  if ((form || cut !== "auto") && !staged) return "has a form, or says how it is cut, and is not staged";
  if (!parent) return undefined;
  const job = jobs.get(parent.jobId);
  const segment = job?.form?.segments.slice(0, -1)[parent.segment];
  if (!job || job.parent || !segment) return "is of no job";
  if (staged || jobId !== stageJobId(job.jobId, parent.segment)) return "is no stage of its job";
  if (pipeline !== segment.name || state !== job.state) return "is not as its job is";
  return undefined;
}

/** Why this cannot be a place of a job in a snapshot, as the end of a sentence. */
export function placeFault(
  jobs: ReadonlyMap<JobId, JobRecord>,
  { parent, tasks }: JobRecord,
  task: StageTask | undefined,
  input: JobInput,
): string | undefined {
  if (!parent || !task) return Boolean(parent) === Boolean(task) ? undefined : "is a task and is none";
  const { form, inputs } = jobs.get(parent.jobId)!;
  const { over } = form!.segments[parent.segment]!;
  const { item, slice } = task;
  if (inputs[item]?.blob !== input.blob) return "is of no item of its job";
  if (tasks.length >= LIMITS.jobTasksMax) return "is one too many";
  if (!over || !slice) return Boolean(over) === Boolean(slice) ? undefined : "is a slice and is none";
  const { from, to } = slice;
  const isSlice = from % over.elementsPerTask === 0 && to > from && to - from <= over.elementsPerTask;
  return isSlice && to <= LIMITS.fanOutMax ? undefined : "is no slice";
}

/** The stage jobs of a job that is cut in several segments, by segment; none of others. */
export const stagesOf = (
  ledger: { readonly jobs: ReadonlyMap<JobId, JobRecord> },
  { jobId, form }: JobRecord,
): JobRecord[] =>
  (form?.segments.slice(0, -1) ?? []).flatMap((_, segment) => ledger.jobs.get(stageJobId(jobId, segment)) ?? []);

/** What an item of this job runs, as it stands in a lease: of a job in several segments the last one; of a stage job its own. */
export const runsAs = (job: JobRecord): string => job.form?.segments.at(-1)?.name ?? job.pipeline;

/** Of a job in several segments and of its stage jobs: the job whose turn they share, and which segment of it this is. */
export function partOf({ jobId, form, parent }: JobRecord): { jobId: JobId; segment: number } | undefined {
  if (parent || !form || form.segments.length < 2) return parent;
  return { jobId, segment: form.segments.length - 1 };
}

/** Items of an open job, or tasks of a stage job, that are not recorded and may be leased: all that they start from is there. */
export function openItems(ledger: Ledger, job: JobRecord): number[] {
  if (!isOpen(job.state) || (job.staged && !job.form)) return [];
  const found = ledger.stagingOf(job);
  return found ? found.staging.tasks.readyPlaces(found.segment) : unrecordedItems(job);
}

/** Whether `openItems` would name it. */
export function isOpenItem(ledger: Ledger, job: JobRecord, item: number): boolean {
  if (!isOpen(job.state) || (job.staged && !job.form) || !job.inputs[item]) return false;
  const found = ledger.stagingOf(job);
  if (!found) return job.results[item] === undefined;
  const task = found.staging.tasks.taskAt(found.segment, item)!;
  return found.staging.tasks.isReady(found.segment, task.item, task.slice);
}

/**
 * What a task starts from, in this order: the item's input, then what other segments gave, by segment and by slice; only
 * meant for one that `isOpenItem`: what is not there is left out. Undefined: the item's input as it is, of a job that is not
 * staged or runs as a whole.
 */
export function taskParts(ledger: Ledger, job: JobRecord, item: number): LeasedPart[] | undefined {
  const found = ledger.stagingOf(job);
  if (!found) return undefined;
  const { segment } = found;
  const { tasks } = found.staging;
  const task = tasks.taskAt(segment, item);
  return task ? allParts(tasks, segment, task) : [];
}

/** An item of a job, or a task of a stage job, as it stands in a lease; undefined where there is no such place. */
export function taskOf(ledger: Ledger, job: JobRecord, item: number): LeasedItem | undefined {
  const input = job.inputs[item];
  const parts = input && taskParts(ledger, job, item);
  return input && { item, ...input, ...(parts && { parts }) };
}

/** The same of a task that is not there yet, and starts from what is expected. */
export const taskFrom = (
  view: TaskView,
  segment: number,
  input: JobInput,
  { place, ...task }: { place: number; item: number; slice: number },
): LeasedItem => ({ item: place, ...input, parts: allParts(view, segment, task) });

const allParts = (view: TaskView, segment: number, task: { item: number; slice: number }): LeasedPart[] =>
  view.job.form!.segments[segment]!.after.flatMap((before) => partsFrom(view, before, segment, task));

function partsFrom(
  tasks: TaskView,
  before: number,
  segment: number,
  { item, slice }: { item: number; slice: number },
): LeasedPart[] {
  const { blob, bytes } = tasks.job.inputs[item]!;
  if (before === -1) return [{ kind: "item", blob, bytes }];
  if (tasks.isInStep(before, segment)) return partFrom(tasks, before, item, slice);
  const { over } = tasks.job.form!.segments[segment]!;
  const elements = over && tasks.elementsOf(segment, item, slice);
  const cut = elements && { slice: { sources: over.sources, ...elements } };
  const slices = tasks.slicesOf(before, item) ?? 0;
  // That there is nothing in a list has to be said too.
  if (slices === 0) return [{ kind: "gap", segment: tasks.recordOf(before).pipeline, elements: 0 }];
  return Array.from({ length: slices }, (_, at) => at).flatMap((at) =>
    partFrom(tasks, before, item, at).map((part) => (part.kind === "values" && cut ? { ...part, ...cut } : part)),
  );
}

function partFrom(tasks: TaskView, before: number, item: number, slice: number): LeasedPart[] {
  const result = tasks.resultOf(before, item, slice);
  if (!result) return [];
  if (result.output) return [{ kind: "values", blob: result.output, bytes: result.outputBytes }];
  const elements = tasks.elementsOf(before, item, slice);
  const count = elements ? elements.to - elements.from : 1;
  return [{ kind: "gap", segment: tasks.recordOf(before).pipeline, elements: count }];
}
