import type { Examination, GraphFile, TrialLimits, Trials } from "../../agent/ports/index.ts";
import { SkeinError } from "../../shared/errors.ts";

const tensor = (name: string) => ({ name, datatype: "FP32" as const, shape: [-1, 4] });
export const TINY_EXAMINATION: Examination = {
  inputs: [tensor("x")],
  outputs: [tensor("y")],
  batches: true,
  loadMs: 5,
  memoryPeakBytes: 1_000_000,
};

/** Trials that go as the test says. */
export class PretendTrials implements Trials {
  readonly examined: { graph: GraphFile; limits: TrialLimits }[] = [];
  /** What comes of examining a graph. */
  outcome: (graph: GraphFile, limits: TrialLimits) => Promise<Examination> = async () => TINY_EXAMINATION;

  examine(graph: GraphFile, limits: TrialLimits): Promise<Examination> {
    this.examined.push({ graph, limits });
    return this.outcome(graph, limits);
  }

  async run(): Promise<never> {
    throw new SkeinError("MODEL_REFUSED", { model: "pretend", reason: "these trials only examine" });
  }
}
