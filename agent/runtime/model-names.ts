import { SkeinError } from "../../shared/errors.ts";
import { modelReference, readModelReference } from "../../shared/model.ts";
import { findModel, type Ledger, type Planning } from "../core/ledger/index.ts";

/** What the ledger says to a name that people gave. */
export interface MeantModel {
  /** `name:version`; null if there is no such model. */
  pipeline: string | null;
  /** What could have been said, to tell whoever said something else. */
  known: string[];
}

/**
 * The pipeline that people mean: one that runs somewhere goes by its own name, anything else is looked for among the models.
 * Without a ledger it is the newest version of that name that runs. What is not found comes back as it was said.
 */
export function pipelineMeant(text: string, running: ReadonlySet<string>, planning?: Planning): string {
  if (running.has(text)) return text;
  const { name, tag } = referenceIn(text) ?? {};
  if (name === undefined) return text;
  const found = planning && findModel(planning, text);
  if (found) return modelReference(found.manifest);
  const versions = [...running].flatMap((pipeline) => {
    const one = referenceIn(pipeline);
    return one?.name === name && one.tag !== undefined ? Number(one.tag) : [];
  });
  return tag === undefined && versions.length > 0 ? modelReference({ name, version: Math.max(...versions) }) : text;
}

/** For a job: one that is handed in again under its key stays with the version it had, wherever the alias points by now. */
export function modelMeant({ planning, jobOfKey }: LedgerOfModels, text: string, key: string | null): MeantModel {
  const known = [...planning.models.keys(), ...planning.aliases.keys()];
  const name = referenceIn(text)?.name;
  if (name === undefined) return { pipeline: null, known };
  const before = key === null ? undefined : jobOfKey(key)?.pipeline;
  if (before !== undefined && referenceIn(before)?.name === name) return { pipeline: before, known };
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
