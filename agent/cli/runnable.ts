/** What a person names to be run: what comes with the agent, a model, a pipeline, or an application that is yet to be added. */
import { SkeinError } from "../../shared/errors.ts";
import { BUILT_IN, readModelReference } from "../../shared/model.ts";
import type { Json } from "../../shared/pipeline/definition.ts";
import type { PipelineView } from "../../shared/pipeline-registry.ts";
import { filesOf, type PipelineFiles } from "../../shared/pipelines.ts";
import { gatherInputs, type LocalInput } from "./inputs.ts";
import { outputText } from "./outputs.ts";
import type { OutputForm } from "./pages.ts";
import type { Progress } from "./progress.ts";
import type { SteadyClient } from "./steady-client.ts";
import type { World } from "./world.ts";

export interface Runnable {
  /** As the fleet knows it; a model's version may be left to the fleet. */
  pipeline: string;
  form: OutputForm;
  item: PipelineFiles["item"];
  gather(paths: readonly string[]): Promise<LocalInput[]>;
}

/** @throws UNKNOWN_PIPELINE, NO_INPUTS where no path is given, with what may be handed in */
export async function runnableNamed(
  name: string,
  client: SteadyClient,
  say: { world: World; progress: Progress },
): Promise<Runnable> {
  if (isBuiltIn(name)) return ofFiles(name);
  const known = await pipelineNamed(name, client);
  if (known) return ofPipeline(known);
  const models = (await client.call((one) => one.models())).map((model) => model.name);
  if (models.includes(readModelReference(name).name)) return ofFiles(name);
  const added = await addBundled(name, client, say);
  if (added) return ofPipeline(added);
  const pipelines = (await client.call((one) => one.pipelines())).map((one) => one.pipeline);
  throw new SkeinError("UNKNOWN_PIPELINE", { pipeline: name, known: [...BUILT_IN, ...new Set(models), ...pipelines] });
}

const isBuiltIn = (name: string): boolean => (BUILT_IN as readonly string[]).includes(name);

/** How the outputs of a job are shown; its pipeline may be gone by now. */
export async function outputsOf(pipeline: string, client: SteadyClient): Promise<Pick<Runnable, "form" | "item">> {
  const known = isBuiltIn(pipeline) ? undefined : await pipelineNamed(pipeline, client);
  return known ? ofPipeline(known) : ofFiles(pipeline);
}

async function pipelineNamed(text: string, client: SteadyClient): Promise<PipelineView | undefined> {
  const { name, tag } = readModelReference(text);
  const views = await client.call((one) => one.pipelines());
  const versions = views.filter((one) => one.name === name && (tag === undefined || String(one.version) === tag));
  return versions.sort((a, b) => b.version - a.version)[0];
}

function ofFiles(pipeline: string): Runnable {
  const { textOf, item } = filesOf(pipeline);
  return { pipeline, form: { textOf }, item, gather: (paths) => gatherInputs(paths, pipeline) };
}

function ofPipeline({ pipeline, inputs }: PipelineView): Runnable {
  const gather = async (paths: readonly string[]): Promise<LocalInput[]> => {
    const { gatherItems } = await import("./items/gather.ts");
    return gatherItems(
      paths,
      Object.entries(inputs).map(([name, { type }]) => ({ name, type })),
    );
  };
  return { pipeline, form: PIPELINE_FORM, item: { noun: "item", done: "done" }, gather };
}

const PIPELINE_FORM: OutputForm = {
  textOf: (output) => {
    const json = jsonOf(output);
    return json === undefined ? undefined : outputText(json);
  },
  jsonOf,
};

/** Undefined for the raw bytes of a pipeline whose one output is bytes. */
function jsonOf(output: Uint8Array): Json | undefined {
  if (output[0] !== 0x7b) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(output)) as Json;
  } catch {
    return undefined;
  }
}

/** Told, added, and waited for. Undefined if none of that name comes with Skein. */
async function addBundled(
  name: string,
  client: SteadyClient,
  { world, progress }: { world: World; progress: Progress },
): Promise<PipelineView | undefined> {
  const { bundledApplication } = await import("./pipelines/applications.ts");
  const application = await bundledApplication(name);
  if (!application) return undefined;
  const { addApplication, untilStanding } = await import("./pipelines/add.ts");
  progress.say(`This fleet does not have ${name} yet; it comes with Skein, so it is added.`);
  const { pipeline, models } = await addApplication(client, application, { world, progress });
  progress.say(`${pipeline} is added.`);
  await untilStanding(
    client,
    models.map(({ model }) => model),
    progress,
  );
  return pipelineNamed(pipeline, client);
}
