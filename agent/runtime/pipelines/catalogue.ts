import { checkList } from "../../../shared/checks.ts";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { checkManifest, type ModelManifest, modelReference } from "../../../shared/model.ts";
import { compilePipeline, type KnownParts } from "../../../shared/pipeline/compile.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import { type PipelineDefinition, pipelineReference } from "../../../shared/pipeline/definition.ts";
import { checkKeptDefinition } from "../../../shared/pipeline/definition-check.ts";
import type { OperatorSpec } from "../../../shared/pipeline/operators.ts";
import { partsNamedIn } from "../../../shared/pipeline/parts.ts";
import type { PipelineParts } from "../../../shared/pipeline-registry.ts";
import type { Ledger, Planning } from "../../core/ledger/index.ts";
import type { Surroundings } from "../surroundings.ts";

export type Operators = ReadonlyMap<string, OperatorSpec>;

export interface PipelineCatalogueInit {
  ledger: Ledger;
  holdsLedger: () => boolean;
  /** Those that this box knows; more may be added. */
  operators: Operators;
  /** Of a member. @throws UNKNOWN_PIPELINE, NO_LEADER */
  askParts: (reference: string) => Promise<PipelineParts>;
}

/** What a member told is asked again after so long: a name that was given back may have been given anew. */
const TOLD_MS = 60_000;

/** The pipelines that the fleet knows, checked and flat, by `name:version`. */
export class PipelineCatalogue {
  readonly #world: Surroundings;
  readonly #init: PipelineCatalogueInit;
  /** By what the ledger keeps of it, which is another if the name is given anew. */
  readonly #compiled = new WeakMap<object, CompiledPipeline>();
  /** Those that cannot be read here, and with how many operators: a box's own become known only once its executors have started. */
  readonly #unreadable = new WeakMap<object, number>();
  /** What members told, the oldest first. */
  readonly #told = new Map<string, { compiled: CompiledPipeline; atMs: number }>();

  constructor(world: Surroundings, init: PipelineCatalogueInit) {
    this.#world = world;
    this.#init = init;
  }

  get operators(): Operators {
    return this.#init.operators;
  }

  /** By this node's ledger, or as a member told before; undefined if there is none, or it is not known here yet. */
  compiled(reference: string): CompiledPipeline | undefined {
    const { ledger, holdsLedger } = this.#init;
    if (!holdsLedger()) return this.#told.get(reference)?.compiled;
    const kept = ledger.planning.pipelines.get(reference);
    if (!kept) return undefined;
    const known = this.#compiled.get(kept);
    if (known || this.#unreadable.get(kept) === this.operators.size) return known;
    const compiled = this.#compile(kept.definition);
    if (compiled) this.#compiled.set(kept, compiled);
    else this.#unreadable.set(kept, this.operators.size);
    return compiled;
  }

  /** The same; a node without the ledger asks a member. @throws UNKNOWN_PIPELINE, PIPELINE_INVALID, NO_LEADER */
  async fetched(reference: string): Promise<CompiledPipeline> {
    const { holdsLedger, ledger, askParts } = this.#init;
    const nowMs = this.#world.clock.nowMs();
    const told = this.#told.get(reference);
    if (!holdsLedger() && told && nowMs - told.atMs < TOLD_MS) return told.compiled;
    const parts = holdsLedger() ? partsIn(ledger.planning, reference) : await askParts(reference);
    const compiled = this.compiled(reference) ?? compileParts(parts, reference, this.operators);
    if (!holdsLedger()) this.#keep(reference, compiled, nowMs);
    return compiled;
  }

  #keep(reference: string, compiled: CompiledPipeline, atMs: number): void {
    this.#told.delete(reference);
    this.#told.set(reference, { compiled, atMs });
    if (this.#told.size > LIMITS.pipelinesMax) this.#told.delete(this.#told.keys().next().value!);
  }

  /** One that was agreed on cannot be read only where it names an operator that this box does not have. */
  #compile(definition: PipelineDefinition): CompiledPipeline | undefined {
    try {
      return compilePipeline(definition, knownIn(this.#init.ledger.planning, this.operators));
    } catch (error) {
      const { code, message } = SkeinError.from(error);
      if (code !== "PIPELINE_INVALID") throw error;
      this.#world.telemetry.log("warn", "pipelineUnreadable", { reason: message });
      return undefined;
    }
  }
}

export const knownIn = ({ models, pipelines }: Planning, operators: Operators): KnownParts => ({
  operator: (name) => operators.get(name),
  operatorNames: [...operators.keys()],
  model: (reference) => models.get(reference)?.manifest,
  pipeline: (reference) => pipelines.get(reference)?.definition,
});

/** All that one is made of. @throws UNKNOWN_PIPELINE */
export function partsIn(planning: Planning, reference: string): PipelineParts {
  const kept = planning.pipelines.get(reference);
  if (!kept)
    throw new SkeinError("UNKNOWN_PIPELINE", {
      pipeline: reference,
      known: [...planning.pipelines.keys()].slice(0, NAMED_MAX),
    });
  const pipelines = new Map<string, PipelineDefinition>();
  const models = new Map<string, ModelManifest>();
  const take = (name: string): void => {
    const definition = planning.pipelines.get(name)?.definition;
    if (!definition || pipelines.has(name)) return;
    pipelines.set(name, definition);
    const named = partsNamedIn(definition);
    for (const model of named.models) {
      const manifest = planning.models.get(model)?.manifest;
      if (manifest) models.set(model, manifest);
    }
    named.pipelines.forEach(take);
  };
  take(reference);
  return { pipelines: [...pipelines.values()], models: [...models.values()] };
}
const NAMED_MAX = 32;

/** What a member told is checked like anything else from a peer. @throws BAD_REQUEST, PIPELINE_INVALID, UNKNOWN_PIPELINE */
function compileParts(parts: PipelineParts, reference: string, operators: Operators): CompiledPipeline {
  const definitions = checkList(parts.pipelines, "pipelines", LIMITS.pipelinesMax, checkKeptDefinition);
  const manifests = checkList(parts.models, "models", LIMITS.modelsMax, checkManifest);
  const pipelines = new Map(definitions.map((one) => [pipelineReference(one), one]));
  const models = new Map(manifests.map((one) => [modelReference(one), one]));
  const definition = pipelines.get(reference);
  if (!definition) throw new SkeinError("UNKNOWN_PIPELINE", { pipeline: reference, known: [...pipelines.keys()] });
  return compilePipeline(definition, {
    operator: (name) => operators.get(name),
    model: (name) => models.get(name),
    pipeline: (name) => pipelines.get(name),
  });
}
