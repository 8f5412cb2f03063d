import { SkeinError } from "../../shared/errors.ts";
import { modelReference, readModelReference } from "../../shared/model.ts";
import { pipelineReference } from "../../shared/pipeline/definition.ts";
import { findModel, findPipeline, type Ledger, type Planning } from "../core/ledger/index.ts";
import { partsIn } from "./pipelines/catalogue.ts";

/** What the ledger says to a name that people gave. */
export interface MeantModel {
  /** `name:version`; null if there is no such model, and no pipeline of stages. */
  pipeline: string | null;
  /** Of a pipeline of stages: the models that it is made of. */
  models?: string[];
  /** What could have been said, to tell whoever said something else. */
  known: string[];
}

/**
 * The pipeline that people mean: one that runs somewhere goes by its own name, anything else is looked for among the models
 * and the pipelines of stages, which share their names.
 * Without a ledger it is the newest version of that name that runs. What is not found comes back as it was said.
 */
export function pipelineMeant(text: string, running: ReadonlySet<string>, planning?: Planning): string {
  if (running.has(text)) return text;
  const { name, tag } = referenceIn(text) ?? {};
  if (name === undefined) return text;
  const found = planning && findModel(planning, text);
  if (found) return modelReference(found.manifest);
  const staged = planning && findPipeline(planning, text);
  if (staged) return pipelineReference(staged.definition);
  const versions = [...running].flatMap((pipeline) => {
    const one = referenceIn(pipeline);
    return one?.name === name && one.tag !== undefined ? Number(one.tag) : [];
  });
  return tag === undefined && versions.length > 0 ? modelReference({ name, version: Math.max(...versions) }) : text;
}

/** For a job: one that is handed in again under its key stays with the version it had, wherever the alias points by now. */
export function modelMeant({ planning, jobOfKey }: LedgerOfModels, text: string, key: string | null): MeantModel {
  const known = [...planning.models.keys(), ...planning.aliases.keys(), ...planning.pipelines.keys()];
  const name = referenceIn(text)?.name;
  if (name === undefined) return { pipeline: null, known };
  const before = key === null ? undefined : jobOfKey(key)?.pipeline;
  const said = before !== undefined && referenceIn(before)?.name === name ? before : text;
  const staged = findPipeline(planning, said);
  if (staged) {
    const pipeline = pipelineReference(staged.definition);
    return { pipeline, models: partsIn(planning, pipeline).models.map(modelReference), known };
  }
  if (said === before) return { pipeline: before, known };
  const found = findModel(planning, text);
  return { pipeline: found ? modelReference(found.manifest) : null, known };
}

interface LedgerOfModels {
  planning: Planning;
  jobOfKey: (key: string) => { pipeline: string } | undefined;
}

export const modelsIn = (ledger: Ledger): LedgerOfModels => ({
  planning: ledger.planning,
  jobOfKey: (key) => ledger.jobOfKey(key),
});

function referenceIn(text: string): { name: string; tag?: string } | undefined {
  try {
    return readModelReference(text);
  } catch (error) {
    // No model can be called that.
    if (SkeinError.from(error).code === "BAD_REQUEST") return undefined;
    throw error;
  }
}
