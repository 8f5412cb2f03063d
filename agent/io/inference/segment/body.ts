/** What a stage runs: a model that is loaded here, or an operator. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SkeinError } from "../../../../shared/errors.ts";
import type { CompiledStage } from "../../../../shared/pipeline/compiled.ts";
import type { TensorValue, Value } from "../../../../shared/pipeline/values.ts";
import { arrayOf, dataToBytes } from "../../../../shared/tensor-data.ts";
import { checkAgainst, type Tensor } from "../../../../shared/tensors.ts";
import type { ModelRun } from "../model/together.ts";
import { readyOperator } from "../operators/index.ts";
import type { Operator } from "../operators/operator.ts";
import type { ModelPipeline } from "../protocol.ts";
import type { UnitEnd } from "./units.ts";

/** Inputs of one run, by port. */
export interface BodyRun {
  name: string;
  inputs: Record<string, Value>;
}

export interface BodyEnd {
  end: UnitEnd;
  ms: number;
}

export interface Body {
  /** It runs without what comes here. */
  isOptional(port: string): boolean;
  /** How each ended, in their order; never rejects. */
  run(runs: readonly BodyRun[]): Promise<BodyEnd[]>;
}

/** What stages find in an executor. */
export interface Surroundings {
  models: ReadonlyMap<string, ModelPipeline>;
  operators: ReadonlyMap<string, Operator>;
}

/** @throws INPUT_INVALID for an operator that refuses its parameters or files, MODEL_INVALID without the model */
export async function bodyOf(stage: CompiledStage, wanted: readonly string[], around: Surroundings): Promise<Body> {
  return stage.runs.kind === "model"
    ? modelBody(stage, wanted, loadedModel(around, stage.runs.model))
    : operatorBody(stage, stage.runs.operator, around);
}

function loadedModel({ models }: Surroundings, model: string): ModelPipeline {
  const loaded = models.get(model);
  // The agent gives a segment only to who has its models.
  if (!loaded) throw new SkeinError("MODEL_INVALID", { model, reason: "it is not loaded in this executor" });
  return loaded;
}

/** Equal shapes go together, as many as a batch of it takes. */
function modelBody(stage: CompiledStage, wanted: readonly string[], model: ModelPipeline): Body {
  const { manifest } = model.model;
  return {
    isOptional: () => false,
    run: async (runs) => {
      const startedMs = performance.now();
      const asked = runs.map(({ name, inputs }): ModelRun | Error => {
        try {
          const tensors = Object.entries(inputs).map(([port, value]) => tensorOf(port, value));
          checkAgainst(manifest.inputs, tensors);
          return { name, inputs: tensors, wanted };
        } catch (error) {
          return error as Error;
        }
      });
      const fit = asked.filter((one): one is ModelRun => !(one instanceof Error));
      const ends = await model.runTensors(fit, stage.batch);
      const ms = (performance.now() - startedMs) / runs.length;
      let n = 0;
      return asked.map((one) => {
        const end = one instanceof Error ? one : ends[n++]!;
        return { end: end instanceof Error ? end : Object.fromEntries(end.map(portOf)), ms };
      });
    },
  };
}

/** Of a model's port, where its elements lie. */
function tensorOf(name: string, value: Value): Tensor {
  if (value.kind !== "tensor") throw new SkeinError("BAD_REQUEST", { reason: `${name} must be a tensor` });
  const { datatype, shape, bytes } = value;
  return { name, datatype, shape, data: arrayOf(datatype, bytes) };
}

const portOf = ({ name, datatype, shape, data }: Tensor): [string, Value] => [
  name,
  { kind: "tensor", datatype: datatype as TensorValue["datatype"], shape, bytes: dataToBytes(data) },
];

async function operatorBody(stage: CompiledStage, name: string, around: Surroundings): Promise<Body> {
  const files = await Promise.all(
    Object.entries(stage.files).map(async ([parameter, { model, path }]): Promise<[string, Uint8Array]> => {
      const { folder, manifest } = loadedModel(around, model).model;
      if (!manifest.files.some((file) => file.path === path))
        throw new SkeinError("MODEL_INVALID", { model, reason: `it has no file ${path}, which ${stage.name} reads` });
      return [parameter, await readFile(join(folder, path))];
    }),
  );
  const operator = readyOperator(around.operators, name, stage.with, Object.fromEntries(files));
  const spec = around.operators.get(name)!.spec;
  return {
    isOptional: (port) => spec.inputs[port]?.optional === true,
    run: async (runs) => {
      const ends: BodyEnd[] = [];
      for (const { inputs } of runs) {
        const startedMs = performance.now();
        const end = await operator.run(inputs).catch((error: unknown) => SkeinError.from(error));
        ends.push({ end, ms: performance.now() - startedMs });
      }
      return ends;
    },
  };
}
