import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";

/** The pipelines that the fleet knows, checked and flat, by `name:version`. */
export declare class PipelineCatalogue {
  /** By this node's ledger, or as a member told before; undefined if there is none, or it is not known here yet. */
  compiled(reference: string): CompiledPipeline | undefined;
  /** The same; a node without the ledger asks a member. @throws UNKNOWN_PIPELINE, NO_LEADER */
  fetched(reference: string): Promise<CompiledPipeline>;
}
