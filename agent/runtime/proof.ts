import { toBase64 } from "../../shared/base64.ts";
import type { BlobHash, FleetId } from "../../shared/ids.ts";
import type { CompiledPipeline } from "../../shared/pipeline/compiled.ts";
import {
  pipelineStatement,
  type ResultPlace,
  resultStatement,
  signatureState,
  stagesStatement,
} from "../../shared/statement.ts";
import type { ReportedResult } from "../../shared/wire/results.ts";
import type { FinishedResult } from "../core/worker/index.ts";
import type { PipelineInfo } from "../ports/index.ts";
import type { Surroundings } from "./surroundings.ts";

/** This node's word on what it made. */
export class ResultSigner {
  readonly #world: Surroundings;
  readonly #fleetId: FleetId;
  /** By name, of the pipeline as it was loaded last: it may be loaded anew with other files, or be gone before what it made is signed. */
  readonly #madeWith = new Map<string, { info: PipelineInfo; digest: BlobHash }>();
  /** A report may be made many times; what it says is signed once. */
  readonly #signed = new WeakMap<FinishedResult, ReportedResult>();

  readonly #stagesOf: (pipeline: string) => CompiledPipeline | undefined;
  readonly #madeWithStages = new WeakMap<CompiledPipeline, BlobHash>();

  /** @param stagesOf what the name of a pipeline of stages, or of a part of one, stands for */
  constructor(world: Surroundings, fleetId: FleetId, stagesOf: (pipeline: string) => CompiledPipeline | undefined) {
    this.#world = world;
    this.#fleetId = fleetId;
    this.#stagesOf = stagesOf;
  }

  /** What was signed before a restart stays as it was: another version of the pipeline may be here now. */
  signed(finished: FinishedResult): ReportedResult {
    const known = this.#signed.get(finished);
    if (known) return known;
    const { input, pipeline, basis: _, ...result } = finished;
    const signed = result.signature === undefined ? this.#sign(result, input, pipeline) : result;
    this.#signed.set(finished, signed);
    return signed;
  }

  /** SHA-256 that names a pipeline of this node's engine with its models; undefined for one that it never had. */
  digestOf(pipeline: string): BlobHash | undefined {
    const stages = this.#stagesOf(pipeline);
    if (stages) return this.#digestOfStages(stages);
    const info = this.#world.engine.pipelines().find(({ name }) => name === pipeline);
    const known = this.#madeWith.get(pipeline);
    if (!info || known?.info === info) return known?.digest;
    const digest = this.#world.sha256(pipelineStatement(info));
    this.#madeWith.set(pipeline, { info, digest });
    return digest;
  }

  #digestOfStages(stages: CompiledPipeline): BlobHash {
    const digest = this.#madeWithStages.get(stages) ?? this.#world.sha256(stagesStatement(stages));
    this.#madeWithStages.set(stages, digest);
    return digest;
  }

  #sign(result: ReportedResult, input: BlobHash, pipeline: string): ReportedResult {
    const madeWith = this.digestOf(pipeline);
    const stated = { ...result, ...(madeWith && { madeWith }) };
    const statement = resultStatement({ fleetId: this.#fleetId, jobId: result.jobId, input }, stated);
    return { ...stated, signature: toBase64(this.#world.signer.sign(statement)) };
  }
}

/** Why a report of another node proves nothing, as the end of a sentence; undefined if it is signed as it should be. */
export async function proofFault(
  world: Surroundings,
  place: ResultPlace,
  result: ReportedResult,
): Promise<string | undefined> {
  const state = await signatureState(place, result, (...asked) => world.signer.verify(...asked));
  if (state === "absent") return "it is not signed";
  return state === "wrong" ? "its signature is not by that node, or over something else" : undefined;
}
