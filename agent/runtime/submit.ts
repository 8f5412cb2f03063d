import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import type { JobInput, JobSpec } from "../../shared/job.ts";
import { LIMITS } from "../../shared/limits.ts";
import { BUILT_IN } from "../../shared/model.ts";
import type { SubmitAnswer } from "../../shared/routes.ts";
import { fleetSettings } from "../../shared/settings.ts";
import type { Ledger } from "../core/ledger/index.ts";
import { type DurableParts, makeDurable } from "./durable.ts";
import type { MeantModel } from "./model-names.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";

export interface SubmitParts extends DurableParts {
  ledger: Ledger;
  proposer: Proposer;
  noQuorum: () => SkeinError | undefined;
  /** What some node of the fleet is known to run, this one included. */
  pipelines: () => ReadonlySet<string>;
  /** What the ledger knows by that name, here or at a member. */
  meant: (text: string, key: string | null) => Promise<MeantModel>;
}

/**
 * Takes a job in on any node: checks it, copies its inputs until they are durable, then has it agreed. The answer means
 * that the job survives the loss of any one box.
 */
export async function submitJob(world: Surroundings, parts: SubmitParts, spec: JobSpec): Promise<SubmitAnswer> {
  checkInputs(spec.inputs);
  const { pipeline, models } = await pipelineOf(parts, spec);
  const { cut = "auto" } = spec;
  if (cut !== "auto" && !models)
    throw new SkeinError("BAD_REQUEST", { reason: `cut: ${pipeline} is no pipeline of stages, so it cannot be cut` });
  const missing = parts.noQuorum();
  if (missing) throw missing;
  const copies = spec.copies ?? fleetSettings(parts.ledger.settings).copies;
  const holders = await makeDurable(world, parts, spec.inputs, copies);
  const submittedAtMs = world.clock.nowMs();
  const outcome = await parts.proposer.propose({
    kind: "jobSubmitted",
    jobId: `job-${world.randomness.token(8)}` as JobId,
    pipeline,
    idempotencyKey: spec.idempotencyKey ?? world.randomness.token(16),
    inputs: spec.inputs,
    holders,
    submittedBy: world.network.self,
    submittedAtMs,
    priority: spec.priority ?? "normal",
    copies,
    ...(models && { staged: true as const }),
    ...(cut === "auto" ? {} : { cut }),
    ...(spec.deadlineInMs === undefined ? {} : { deadlineAtMs: submittedAtMs + spec.deadlineInMs }),
  });
  const answer = { jobId: outcome.jobId!, existing: outcome.existing ?? false, pipeline };
  const running = parts.pipelines();
  const isWaiting = (models ?? [pipeline]).some((model) => !running.has(model));
  return isWaiting ? { ...answer, waitsForModel: true } : answer;
}

/**
 * One pipeline and one version of it: what an alias or a bare name points to may be another before the job ends. `models`
 * are those of a pipeline of stages, and absent of any other. @throws UNKNOWN_PIPELINE, NOT_READY
 */
async function pipelineOf(parts: SubmitParts, spec: JobSpec): Promise<{ pipeline: string; models?: string[] }> {
  const running = parts.pipelines();
  const isBuiltIn = (BUILT_IN as readonly string[]).includes(spec.pipeline);
  // Asked even of what runs somewhere: only the ledger knows whether that is a pipeline of stages.
  const { pipeline, models, known } = isBuiltIn
    ? NOTHING_MEANT
    : await parts.meant(spec.pipeline, spec.idempotencyKey ?? null);
  if (pipeline !== null) return { pipeline, ...(models && { models }) };
  if (running.has(spec.pipeline)) return { pipeline: spec.pipeline };
  if (running.size === 0) throw new SkeinError("NOT_READY");
  throw new SkeinError("UNKNOWN_PIPELINE", {
    pipeline: spec.pipeline,
    known: [...new Set([...running, ...known])].slice(0, NAMED_MAX),
  });
}

const NOTHING_MEANT: MeantModel = { pipeline: null, known: [] };
/** Pipelines and models named in an error: a fleet may have hundreds. */
const NAMED_MAX = 32;

function checkInputs(inputs: readonly JobInput[]): void {
  if (inputs.length === 0) throw new SkeinError("BAD_REQUEST", { reason: "a job needs at least one input" });
  if (inputs.length > LIMITS.jobItemsMax)
    throw new SkeinError("TOO_LARGE", {
      what: "the number of inputs",
      actual: inputs.length,
      limit: LIMITS.jobItemsMax,
    });
  const names = new Set<string>();
  for (const { name } of inputs) {
    if (names.has(name)) throw new SkeinError("BAD_REQUEST", { reason: `two inputs are named ${name}` });
    names.add(name);
  }
}
