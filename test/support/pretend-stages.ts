/**
 * The stages of the simulator's engine: the operators are the real ones, the models are made up, and how long each takes is
 * told and not measured.
 */

import { CORE } from "../../agent/io/inference/operators/core.ts";
import { JSONS } from "../../agent/io/inference/operators/json.ts";
import type { ModelPipeline } from "../../agent/io/inference/protocol.ts";
import { InstalledSegment } from "../../agent/io/inference/segment/installed.ts";
import type {
  InferenceOutcome,
  InferenceTask,
  InputPart,
  ModelToLoad,
  PipelineInfo,
  StageRun,
} from "../../agent/ports/index.ts";
import { type ErrorBody, SkeinError } from "../../shared/errors.ts";
import type { Segment } from "../../shared/pipeline/compiled.ts";
import { OPERATORS } from "../../shared/pipeline/operators/index.ts";
import { modelsOf } from "../../shared/pipeline/segment.ts";
import { dataToBytes } from "../../shared/tensor-data.ts";
import type { Tensor } from "../../shared/tensors.ts";

const SECONDS_PER_RUN = 0.01;

const operators = new Map(
  Object.entries({ ...CORE, ...JSONS }).map(([name, prepare]) => [name, { spec: OPERATORS.get(name)!, prepare }]),
);

/** What a pretend model makes of its inputs: the sum of all their bytes, times what tells models apart. */
function pretendModel(model: ModelToLoad): ModelPipeline {
  const factor = [...model.pipeline].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const refuse = async (): Promise<never> => {
    throw new SkeinError("MODEL_INVALID", { model: model.pipeline, reason: "a pretend model runs in stages only" });
  };
  return {
    model,
    runTogether: refuse,
    runTensors: async (runs) =>
      runs.map(({ inputs, wanted }): Tensor[] => {
        const sum = inputs.flatMap(({ data }) => [...dataToBytes(data)]).reduce((all, byte) => all + byte, 0);
        return wanted.map((name) => ({ name, datatype: "FP32", shape: [1], data: new Float32Array([sum * factor]) }));
      }),
    release: async () => {},
  };
}

interface Ended {
  durationMs: number;
  end: InferenceOutcome | { error: ErrorBody };
}

/** The segments that were installed, and the models that are there for them. */
export class PretendStages {
  /** By operator or model: of one run, from now on. */
  readonly secondsPerRun = new Map<string, number>();
  readonly #segments = new Map<string, { segment: Segment; installed: InstalledSegment }>();
  readonly #models = new Map<string, ModelPipeline>();

  load(model: ModelToLoad): void {
    this.#models.set(model.pipeline, pretendModel(model));
  }

  unload(pipeline: string): void {
    this.#models.delete(pipeline);
  }

  install(segment: Segment): void {
    if (this.#segments.has(segment.name)) return;
    const installed = new InstalledSegment(segment, { models: this.#models, operators }, () => {});
    this.#segments.set(segment.name, { segment, installed });
  }

  has(name: string): boolean {
    return this.pipelines().some((pipeline) => pipeline.name === name);
  }

  pipelines(): PipelineInfo[] {
    return [...this.#segments.values()].flatMap(({ segment }) =>
      modelsOf(segment).every((model) => this.#models.has(model))
        ? [{ name: segment.name, version: "1", models: [], itemsAlike: false }]
        : [],
    );
  }

  /** At once. How long it would have taken is told by its stages; what fails takes as long as one run of one. */
  async run({ pipeline, name, input, parts }: InferenceTask & { input: Uint8Array }): Promise<Ended> {
    const { segment, installed } = this.#segments.get(pipeline)!;
    const whole: InputPart[] = [{ kind: "item", bytes: input }];
    const [end] = await installed.run([{ name, parts: parts ?? whole }]);
    if (!end || "error" in end) return { end: end!, durationMs: 1_000 * SECONDS_PER_RUN };
    const stages = (end.stages ?? []).map((run): StageRun => ({ ...run, ms: 1_000 * this.#seconds(segment, run) }));
    const durationMs = stages.reduce((sum, { ms }) => sum + ms, 0);
    return { end: { ...end, stages, durationMs }, durationMs };
  }

  #seconds({ pipeline }: Segment, { stage, runs }: StageRun): number {
    const body = pipeline.stages[stage]!.runs;
    const name = body.kind === "model" ? body.model : body.operator;
    return runs * (this.secondsPerRun.get(name) ?? SECONDS_PER_RUN);
  }
}
