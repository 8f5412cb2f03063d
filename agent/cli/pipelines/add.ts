/** A pipeline into the fleet, its models first. */
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { ModelManifest } from "../../../shared/model.ts";
import type { ModelView } from "../../../shared/model-registry.ts";
import { FOLLOW_PATIENCE_MS } from "../follow.ts";
import { inParallel } from "../in-parallel.ts";
import { digestOf, FILES_AT_ONCE } from "../inputs.ts";
import { type Added, addToFleet } from "../models/add.ts";
import { gatherModel, type LocalModelFile } from "../models/gather.ts";
import type { Progress } from "../progress.ts";
import type { SteadyClient } from "../steady-client.ts";
import type { World } from "../world.ts";
import { type Application, FIRST_VERSION } from "./applications.ts";
import { bundledWithin } from "./check.ts";

export interface AddedApplication {
  /** `name:version` */
  pipeline: string;
  /** The fleet had the same already. */
  existing: boolean;
  models: Added[];
}

const PATIENCE = { patienceMs: FOLLOW_PATIENCE_MS };
const STANDS_LOOK_MS = 500;
/** Longer than a small box takes to fetch and load some models; the job then waits for them by itself. */
const STANDS_MS = 120_000;

/**
 * The bundled pipelines that it holds, then every model that the fleet lacks, then the pipeline; may be made again, on any agent.
 * @throws PIPELINE_INVALID, MODEL_EXISTS where the fleet has another model of that name, and what addToFleet throws
 */
export async function addApplication(
  client: SteadyClient,
  { file, models }: Application,
  terminal: { world: World; progress: Progress },
  within: readonly string[] = [],
): Promise<AddedApplication> {
  const { world, progress } = terminal;
  const text = await readFile(file, "utf8");
  const added: Added[] = [];
  for (const inner of await bundledWithin(text)) {
    if (within.includes(inner.name) || (await hasPipeline(client, inner.name))) continue;
    const one = await addApplication(client, inner, terminal, [...within, inner.name]);
    progress.say(`${one.pipeline} is added: it is part of ${basename(dirname(file))}`);
    added.push(...one.models);
  }
  for (const [i, { name, folder }] of models.entries()) {
    const one = await addModel(client, name, folder, world);
    const fate = one.existing ? "is there already, with the same files" : "is added";
    progress.say(`${one.model} ${fate} (model ${i + 1} of ${models.length})`);
    added.push(one);
  }
  const { pipeline, existing } = await client.call((one) => one.pipelineAdd({ text }), PATIENCE);
  return { pipeline, existing, models: added };
}

const hasPipeline = async (client: SteadyClient, name: string): Promise<boolean> =>
  (await client.call((one) => one.pipelines(), PATIENCE)).some((one) => one.name === name);

async function addModel(client: SteadyClient, name: string, folder: string, world: World): Promise<Added> {
  const version = FIRST_VERSION;
  const { files } = await gatherModel(folder, name);
  const hashed = await inParallel(files, FILES_AT_ONCE, async (file) => ({
    ...file,
    ...(await digestOf(file.at, LIMITS.blobBytesMax)),
  }));
  const model = `${name}:${version}`;
  const known = await client.call((one) => one.models(), PATIENCE);
  if (known.some((one) => one.model === model)) {
    const { manifest } = await client.call((one) => one.model(model), PATIENCE);
    if (hasSameFiles(manifest, hashed)) return { model, existing: true };
  }
  return addToFleet(client, { name, version, files: hashed }, world);
}

function hasSameFiles({ files }: ModelManifest, mine: readonly (LocalModelFile & { blob: BlobHash })[]): boolean {
  const theirs = new Map(files.map(({ path, blob }) => [path, blob]));
  return theirs.size === mine.length && mine.every(({ path, blob }) => theirs.get(path) === blob);
}

/** Waits until each of these stands on some node; not for ever, since a job waits for its models too. */
export async function untilStanding(
  client: SteadyClient,
  models: readonly string[],
  progress: Progress,
): Promise<void> {
  const endsAtMs = performance.now() + STANDS_MS;
  let told = "";
  while (performance.now() < endsAtMs) {
    const views = await client.call((one) => one.models(), PATIENCE);
    const missing = views.filter((one) => models.includes(one.model) && !stands(one));
    if (missing.length === 0) return;
    const text = `waiting until ${missing.map(({ model }) => model).join(", ")} can be run`;
    if (text !== told) progress.say(text);
    told = text;
    await sleep(STANDS_LOOK_MS);
  }
}

const stands = ({ nodes }: ModelView): boolean => nodes.some(({ state }) => state === "ready");
