import { SkeinError } from "../../../shared/errors.ts";
import { compilePipeline } from "../../../shared/pipeline/compile.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import { OPERATORS } from "../../../shared/pipeline/operators/index.ts";
import type { Ledger } from "../../core/ledger/index.ts";

/** The pipelines that the fleet knows, checked and flat, by `name:version`. */
export class PipelineCatalogue {
  readonly #ledger: Ledger;
  readonly #compiled = new Map<string, CompiledPipeline>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  compiled(reference: string): CompiledPipeline | undefined {
    const known = this.#compiled.get(reference);
    const { planning } = this.#ledger;
    const added = planning.pipelines.get(reference);
    if (known || !added) return known;
    const compiled = compilePipeline(added.definition, {
      operator: (name) => OPERATORS.get(name),
      model: (name) => planning.models.get(name)?.manifest,
      pipeline: (name) => planning.pipelines.get(name)?.definition,
    });
    this.#compiled.set(reference, compiled);
    return compiled;
  }

  async fetched(reference: string): Promise<CompiledPipeline> {
    const compiled = this.compiled(reference);
    if (!compiled) throw new SkeinError("UNKNOWN_PIPELINE", { pipeline: reference, known: [] });
    return compiled;
  }
}
