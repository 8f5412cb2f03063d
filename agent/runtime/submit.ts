import { SkeinError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import type { JobInput, JobSpec } from "../../shared/job.ts";
import { LIMITS } from "../../shared/limits.ts";
import { fleetSettings } from "../../shared/settings.ts";
import type { Ledger } from "../core/ledger/index.ts";
import { type DurableParts, makeDurable } from "./durable.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";

export interface SubmitParts extends DurableParts {
  ledger: Ledger;
  proposer: Proposer;
  noQuorum: () => SkeinError | undefined;
  /** What some node of the fleet is known to run, this one included. */
  pipelines: () => ReadonlySet<string>;
}

/**
 * Takes a job in on any node: checks it, copies its inputs until they are durable, then has it agreed. The answer means
 * that the job survives the loss of any one box.
 */
export async function submitJob(
  world: Surroundings,
  parts: SubmitParts,
  spec: JobSpec,
): Promise<{ jobId: JobId; existing: boolean }> {
  const known = parts.pipelines();
  if (known.size === 0) throw new SkeinError("NOT_READY");
  if (!known.has(spec.pipeline))
    throw new SkeinError("UNKNOWN_PIPELINE", { pipeline: spec.pipeline, known: [...known] });
  checkInputs(spec.inputs);
  const missing = parts.noQuorum();
  if (missing) throw missing;
  const copies = spec.copies ?? fleetSettings(parts.ledger.settings).copies;
  const holders = await makeDurable(world, parts, spec.inputs, copies);
  const submittedAtMs = world.clock.nowMs();
  const outcome = await parts.proposer.propose({
    kind: "jobSubmitted",
    jobId: `job-${world.randomness.token(8)}` as JobId,
    pipeline: spec.pipeline,
    idempotencyKey: spec.idempotencyKey ?? world.randomness.token(16),
    inputs: spec.inputs,
    holders,
    submittedBy: world.network.self,
    submittedAtMs,
    priority: spec.priority ?? "normal",
    copies,
    ...(spec.deadlineInMs === undefined ? {} : { deadlineAtMs: submittedAtMs + spec.deadlineInMs }),
  });
  return { jobId: outcome.jobId!, existing: outcome.existing ?? false };
}

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
