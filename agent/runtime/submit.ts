import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, JobId, NodeId } from "../../shared/ids.ts";
import type { JobInput, JobSpec } from "../../shared/job.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { BUILT_IN } from "../../shared/model.ts";
import type { SubmitAnswer } from "../../shared/routes.ts";
import { fleetSettings } from "../../shared/settings.ts";
import type { Ledger } from "../core/ledger/index.ts";
import { type CopyPlace, copiesPossible, copiesStaying, copyTargets } from "../core/replication/index.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { MeantModel } from "./model-names.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";

/** Inputs looked for on this disk at once. */
const LOOKUPS_AT_ONCE = 64;
/** Small inputs go to another box in so many rows of requests side by side: its answer to each waits for a disk. */
const SMALL_LANES = 4;

export interface SubmitParts {
  ledger: Ledger;
  proposer: Proposer;
  blobAccess: BlobAccess;
  places: () => CopyPlace[];
  noQuorum: () => SkeinError | undefined;
  /** What some node of the fleet is known to run, this one included. */
  pipelines: () => ReadonlySet<string>;
  /** What the ledger knows by that name, here or at a member. */
  meant: (text: string, key: string | null) => Promise<MeantModel>;
}

/** The first makes the copies, the second finds them there. */
const DURABLE_TRIES = 3;

/**
 * Takes a job in on any node: checks it, copies its inputs until they are durable, then has it agreed. The answer means
 * that the job survives the loss of any one box.
 */
export async function submitJob(world: Surroundings, parts: SubmitParts, spec: JobSpec): Promise<SubmitAnswer> {
  checkInputs(spec.inputs);
  const pipeline = await pipelineOf(parts, spec);
  const missing = parts.noQuorum();
  if (missing) throw missing;
  const copies = spec.copies ?? fleetSettings(parts.ledger.settings).copies;
  const holders = await makeDurableNow(world, parts, spec.inputs, copies);
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
    ...(spec.deadlineInMs === undefined ? {} : { deadlineAtMs: submittedAtMs + spec.deadlineInMs }),
  });
  const answer = { jobId: outcome.jobId!, existing: outcome.existing ?? false, pipeline };
  return parts.pipelines().has(pipeline) ? answer : { ...answer, waitsForModel: true };
}

/** One pipeline and, of a model, one version: what an alias points to may be another before the job ends. @throws UNKNOWN_PIPELINE, NOT_READY */
async function pipelineOf(parts: SubmitParts, spec: JobSpec): Promise<string> {
  const running = parts.pipelines();
  if (running.has(spec.pipeline)) return spec.pipeline;
  const isBuiltIn = (BUILT_IN as readonly string[]).includes(spec.pipeline);
  const { pipeline, known } = isBuiltIn ? NOTHING_MEANT : await parts.meant(spec.pipeline, spec.idempotencyKey ?? null);
  if (pipeline !== null) return pipeline;
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

async function checkBlobs(world: Surroundings, inputs: readonly JobInput[]): Promise<void> {
  for (let from = 0; from < inputs.length; from += LOOKUPS_AT_ONCE)
    await Promise.all(
      inputs.slice(from, from + LOOKUPS_AT_ONCE).map(async ({ name, blob, bytes }) => {
        const actual = await world.blobs.size(blob);
        if (actual === undefined) throw new SkeinError("BLOB_MISSING", { hash: blob, name });
        if (actual !== bytes)
          throw new SkeinError("BAD_REQUEST", { reason: `${name} has ${actual} bytes, not ${bytes}` });
      }),
    );
}

interface Sized {
  hash: BlobHash;
  bytes: number;
}

/** Large ones fill a link by themselves, and one row of them keeps to the deadlines of their requests on a slow one. */
function lanesOf(blobs: readonly Sized[]): Sized[][] {
  const isSmall = ({ bytes }: Sized): boolean => bytes <= LIMITS.smallInHandBytesMax;
  const small = blobs.filter(isSmall);
  const perLane = Math.ceil(small.length / SMALL_LANES);
  const lanes = Array.from({ length: SMALL_LANES }, (_, n) => small.slice(n * perLane, (n + 1) * perLane));
  return [...lanes, blobs.filter((blob) => !isSmall(blob))].filter((lane) => lane.length > 0);
}

/**
 * What was found here or there long ago may have been let go with another job meanwhile: when it took long, it is looked for
 * again, which is quick. @throws BLOB_MISSING, COPIES_SHORT
 */
async function makeDurableNow(
  world: Surroundings,
  parts: SubmitParts,
  inputs: readonly JobInput[],
  copies: number,
): Promise<NodeId[]> {
  for (let tries = 0; tries < DURABLE_TRIES; tries++) {
    const begunAtMs = world.clock.monotonicMs();
    await checkBlobs(world, inputs);
    const holders = await makeDurable(world, parts, inputs, copies);
    if (world.clock.monotonicMs() - begunAtMs < TIMING.blobLetGoMs / 2) return holders;
  }
  throw new SkeinError("COPIES_SHORT", {
    made: 1,
    wanted: copies,
    reason: "the links are too slow to be sure of them",
  });
}

/** Copies every input to as many other nodes as the copies rule wants; one set of nodes for the whole job. */
async function makeDurable(
  world: Surroundings,
  parts: SubmitParts,
  inputs: readonly JobInput[],
  copies: number,
): Promise<NodeId[]> {
  const self = world.network.self;
  const places = parts.places();
  const wanted = copiesPossible(copies, places);
  const unique = new Map(inputs.map(({ blob, bytes }) => [blob, { hash: blob, bytes }]));
  const holders: NodeId[] = [self];
  const made = (): number => copiesStaying(holders, places);
  let reason = "no other node is reachable";
  for (const target of copyTargets(inputs[0]!.blob, places, holders, LIMITS.diskFreeBytesMin)) {
    if (made() >= wanted) break;
    try {
      await Promise.all(lanesOf([...unique.values()]).map((lane) => parts.blobAccess.copyTo(target, lane)));
      holders.push(target);
    } catch (error) {
      reason = SkeinError.from(error).message;
    }
  }
  if (made() < wanted) throw new SkeinError("COPIES_SHORT", { made: made(), wanted, reason });
  return holders;
}
