import { canonicalJson } from "../../../shared/canonical-json.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { NodeView } from "../../../shared/fleet.ts";
import { type JobId, shortNodeId } from "../../../shared/ids.ts";
import type { PipelineAdded } from "../../../shared/ledger-entry.ts";
import { compilePipeline } from "../../../shared/pipeline/compile.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import { type PipelineDefinition, pipelineReference } from "../../../shared/pipeline/definition.ts";
import { checkDefinition, checkKeptDefinition } from "../../../shared/pipeline/definition-check.ts";
import { Faults, type PlaceOf } from "../../../shared/pipeline/faults.ts";
import { outputTypes } from "../../../shared/pipeline/output-types.ts";
import { readPipeline } from "../../../shared/pipeline/read.ts";
import { modelsOf, segmentOf } from "../../../shared/pipeline/segment.ts";
import type {
  PipelineAddAnswer,
  PipelineCheckAnswer,
  PipelineDetail,
  PipelineParts,
  PipelineRemoval,
  PipelineSource,
  PipelineView,
} from "../../../shared/pipeline-registry.ts";
import { findPipeline, type Ledger } from "../../core/ledger/index.ts";
import type { Proposer } from "../proposer.ts";
import type { Surroundings } from "../surroundings.ts";
import { knownIn, type PipelineCatalogue, partsIn } from "./catalogue.ts";

export interface PipelineRegistryInit {
  ledger: Ledger;
  proposer: Proposer;
  pipelines: PipelineCatalogue;
  nodes: () => NodeView[];
}

/** Others may add a version of that name at the same moment. */
const VERSION_TRIES = 8;
/** Pipelines named in an error. */
const NAMED_MAX = 32;

/** The fleet's pipelines by this node's ledger, and what people change of them. */
export class PipelineRegistry {
  readonly #world: Surroundings;
  readonly #init: PipelineRegistryInit;

  constructor(world: Surroundings, init: PipelineRegistryInit) {
    this.#world = world;
    this.#init = init;
  }

  /** As a whole, against the models and pipelines of the fleet; nothing is kept. @throws PIPELINE_INVALID, NAME_TAKEN, PIPELINE_EXISTS */
  check(source: PipelineSource): PipelineCheckAnswer {
    const { definition, existing, compiled } = this.#examined(source);
    return { pipeline: pipelineReference(definition), existing, compiled };
  }

  /** The same content again is no new version. @throws PIPELINE_INVALID, NAME_TAKEN, PIPELINE_EXISTS, TOO_LARGE, NO_QUORUM */
  async add(source: PipelineSource): Promise<PipelineAddAnswer> {
    for (let tries = 1; ; tries++) {
      const { definition, existing, asked } = this.#examined(source);
      const pipeline = pipelineReference(definition);
      if (existing) return { pipeline, existing };
      const [addedBy, addedAtMs] = [this.#world.network.self, this.#world.clock.nowMs()];
      try {
        await this.#init.proposer.propose({ kind: "pipelineAdded", definition, addedBy, addedAtMs });
        return { pipeline, existing: false };
      } catch (error) {
        const isTaken = SkeinError.from(error).code === "PIPELINE_EXISTS" && asked === undefined;
        if (!isTaken || tries === VERSION_TRIES) throw error;
      }
    }
  }

  list(): PipelineView[] {
    return [...this.#init.ledger.planning.pipelines.values()].map((kept) => this.#viewOf(kept));
  }

  /** By name (the newest) or `name:version`. @throws UNKNOWN_PIPELINE */
  show(text: string): PipelineDetail {
    const kept = this.#find(text);
    const compiled = this.#compiledOf(kept);
    const { definition } = kept;
    return { ...this.#viewOf(kept), definition, ...(compiled && { compiled }), jobs: this.#jobsThatWant(kept) };
  }

  /** For a node without the ledger. @throws UNKNOWN_PIPELINE */
  parts(reference: string): PipelineParts {
    return partsIn(this.#init.ledger.planning, reference);
  }

  /**
   * A bare name goes only if it has one version: what it means may have changed since it was read.
   * @throws UNKNOWN_PIPELINE, BAD_REQUEST, PART_WANTED, PIPELINE_WANTED unless forced
   */
  async remove(text: string, force: boolean): Promise<PipelineRemoval> {
    const kept = this.#find(text);
    const { name, version } = kept.definition;
    const removed = pipelineReference({ name, version });
    const versions = this.#versionsOf(name).map(({ definition }) => pipelineReference(definition));
    if (text !== removed && versions.length > 1)
      throw new SkeinError("BAD_REQUEST", {
        reason: `${name} has several versions; say which one goes: ${versions.join(", ")}`,
      });
    const jobs = this.#jobsThatWant(kept);
    if (jobs.length > 0 && !force) throw new SkeinError("PIPELINE_WANTED", { pipeline: removed, jobs });
    for (const jobId of jobs) {
      const [reason, cancelledAtMs] = [`its pipeline ${removed} was removed`, this.#world.clock.nowMs()];
      await this.#init.proposer.propose({ kind: "jobCancelled", jobId, reason, cancelledAtMs });
    }
    await this.#init.proposer.propose({ kind: "pipelineRemoved", name, version });
    return { removed, cancelled: jobs };
  }

  /** With the version that it has or would get. */
  #examined(source: PipelineSource): {
    definition: PipelineDefinition & { version: number };
    /** The version that was asked for. */
    asked: number | undefined;
    existing: boolean;
    compiled: CompiledPipeline;
  } {
    const { planning } = this.#init.ledger;
    const { definition: given, placeOf } = definitionOf(source);
    // Its faults are told when it is compiled.
    const read = checkDefinition(given, new Faults());
    const versions = this.#versionsOf(read.name);
    const next = Math.max(0, ...versions.map(({ definition }) => definition.version)) + 1;
    const version = read.version ?? sameIn(versions, read) ?? next;
    const whole = typeof given === "object" ? { version, ...given } : given;
    const compiled = compilePipeline(whole, knownIn(planning, this.#init.pipelines.operators), placeOf);
    const definition = checkKeptDefinition(whole);
    const { name } = definition;
    if ([...planning.models.values()].some(({ manifest }) => manifest.name === name))
      throw new SkeinError("NAME_TAKEN", { name, of: "model" });
    const there = planning.pipelines.get(compiled.reference)?.definition;
    if (there && !isSame(there, definition)) throw new SkeinError("PIPELINE_EXISTS", { pipeline: compiled.reference });
    return { definition, asked: read.version, existing: there !== undefined, compiled };
  }

  #versionsOf(name: string): PipelineAdded[] {
    return [...this.#init.ledger.planning.pipelines.values()].filter(({ definition }) => definition.name === name);
  }

  #find(text: string): PipelineAdded {
    const { planning } = this.#init.ledger;
    const kept = findPipeline(planning, text);
    if (kept) return kept;
    const known = [...planning.pipelines.keys()].slice(0, NAMED_MAX);
    throw new SkeinError("UNKNOWN_PIPELINE", { pipeline: text, known });
  }

  #compiledOf({ definition }: PipelineAdded): CompiledPipeline | undefined {
    return this.#init.pipelines.compiled(pipelineReference(definition));
  }

  #jobsThatWant({ definition }: PipelineAdded): JobId[] {
    const wanted = pipelineReference(definition);
    return this.#init.ledger.openJobs().flatMap(({ jobId, pipeline }) => (pipeline === wanted ? [jobId] : []));
  }

  #viewOf(kept: PipelineAdded): PipelineView {
    const { definition, addedBy, addedAtMs } = kept;
    const { name, version, says = "", inputs, outputs, stages } = definition;
    const compiled = this.#compiledOf(kept);
    const every = compiled?.stages.map((_, place) => place) ?? [];
    return {
      ...{ pipeline: pipelineReference(definition), name, version, says, inputs },
      outputs: compiled ? outputTypes(compiled) : Object.fromEntries(Object.keys(outputs).map((port) => [port, "any"])),
      stages: compiled?.stages.length ?? Object.keys(stages).length,
      models: compiled ? modelsOf(segmentOf(compiled, every, true)) : [],
      addedBy: this.#init.nodes().find(({ nodeId }) => nodeId === addedBy)?.name ?? shortNodeId(addedBy),
      addedAtMs,
    };
  }
}

function definitionOf(source: PipelineSource): { definition: unknown; placeOf?: PlaceOf } {
  return "text" in source ? readPipeline(source.text) : { definition: source.definition };
}

const isSame = (one: PipelineDefinition, other: PipelineDefinition): boolean =>
  canonicalJson({ ...one, version: 0 }) === canonicalJson({ ...other, version: 0 });

/** The version that says the same, the newest if there are several. */
function sameIn(versions: readonly PipelineAdded[], read: PipelineDefinition): number | undefined {
  const same = versions.flatMap(({ definition }) => (isSame(definition, read) ? [definition.version] : []));
  return same.length > 0 ? Math.max(...same) : undefined;
}
