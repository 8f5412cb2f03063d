/**
 * A pipeline in this process, by the code that executors run: what is trained on features gets them as the pipeline makes
 * them, and a test scores what people will run.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import type { ModelManifest } from "../../../shared/model.ts";
import { graphsOf, sortFiles } from "../../../shared/model-files.ts";
import { compilePipeline } from "../../../shared/pipeline/compile.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import type { Json, PipelineDefinition } from "../../../shared/pipeline/definition.ts";
import { writeItem } from "../../../shared/pipeline/item.ts";
import { OPERATORS } from "../../../shared/pipeline/operators/index.ts";
import { readPipeline } from "../../../shared/pipeline/read.ts";
import { segmentOf } from "../../../shared/pipeline/segment.ts";
import type { Value } from "../../../shared/pipeline/values.ts";
import { plainChoice } from "../../../shared/session-choice.ts";
import { loadModelPipeline } from "../../io/inference/model/pipeline.ts";
import { IMPLEMENTATIONS } from "../../io/inference/operators/index.ts";
import type { ModelPipeline } from "../../io/inference/protocol.ts";
import { InstalledSegment } from "../../io/inference/segment/installed.ts";
import { examine } from "../../io/inference/trials/session.ts";
import { type PackagedFile, packagedFiles } from "../../io/models/index.ts";

export interface RunningOptions {
  /** Other outputs than those it has, by reference; only the stages that these need are run, and only their models loaded. */
  outputs?: Record<string, string>;
  /** Folders of applications whose models, and pipelines, are stages of it. */
  beside?: readonly URL[];
}

/** As an application's `pipeline.yaml` says it. @throws PIPELINE_INVALID */
export class RunningPipeline {
  readonly #pipeline: CompiledPipeline;
  readonly #segment: InstalledSegment;
  readonly #models: readonly ModelPipeline[];

  private constructor(pipeline: CompiledPipeline, models: ReadonlyMap<string, ModelPipeline>) {
    this.#pipeline = pipeline;
    this.#models = [...models.values()];
    const every = pipeline.stages.map((_, place) => place);
    const around = { models, operators: IMPLEMENTATIONS };
    this.#segment = new InstalledSegment(segmentOf(pipeline, every, true), around, () => {});
  }

  /** @param folder of an application, its URL with "/" at the end */
  static async open(folder: URL, { outputs, beside = [] }: RunningOptions = {}): Promise<RunningPipeline> {
    const whole = definitionIn(folder);
    const definition = outputs ? pruned(whole, outputs) : whole;
    const pipelines = new Map(beside.map(definitionIn).map((one) => [`${one.name}:1`, one]));
    const named = [definition, ...pipelines.values()].flatMap(modelsNamed);
    const models = new Map<string, ModelPipeline>();
    for (const reference of new Set(named)) models.set(reference, await loadedModel(reference, [folder, ...beside]));
    const pipeline = compilePipeline(definition, {
      operator: (name) => OPERATORS.get(name),
      model: (reference) => models.get(reference)?.model.manifest,
      pipeline: (reference) => pipelines.get(reference),
    });
    return new RunningPipeline(pipeline, models);
  }

  /** What comes of one item, as a client gets it. @throws what the item fails with */
  async run(values: Readonly<Record<string, Value>>): Promise<Record<string, Json>> {
    const bytes = writeItem(this.#pipeline.inputs, new Map(Object.entries(values)));
    const [end] = await this.#segment.run([{ name: "an item", parts: [{ kind: "item", bytes }] }]);
    if (!end || !("output" in end)) throw SkeinError.from(end?.error);
    return JSON.parse(Buffer.from(end.output).toString("utf8")) as Record<string, Json>;
  }

  async close(): Promise<void> {
    for (const { release, model } of this.#models) {
      await release();
      if (model.folder.startsWith(join(tmpdir(), LAID_OUT))) await rm(model.folder, { recursive: true });
    }
  }
}

function definitionIn(folder: URL): PipelineDefinition {
  return readPipeline(readFileSync(new URL("pipeline.yaml", folder), "utf8")).definition as PipelineDefinition;
}

/** Only what these outputs need. */
function pruned(definition: PipelineDefinition, outputs: Record<string, string>): PipelineDefinition {
  const stages: PipelineDefinition["stages"] = {};
  const need = (reference: string): void => {
    const name = reference.split(".")[0]!;
    const stage = definition.stages[name];
    if (!stage || stages[name]) return;
    stages[name] = stage;
    for (const source of [...Object.values(stage.in ?? {}), ...(stage.when ? [stage.when.value] : [])]) need(source);
  };
  for (const reference of Object.values(outputs)) need(reference);
  return { ...definition, stages, outputs };
}

const modelsNamed = ({ stages }: PipelineDefinition): string[] =>
  Object.values(stages).flatMap(({ model, files = {} }) => [
    ...(model === undefined ? [] : [model]),
    ...Object.values(files).map((file) => file.slice(0, file.indexOf("/"))),
  ]);

/** A model of an application, in this process. @param folders of applications, in the order in which it is looked for */
export async function loadedModel(reference: string, folders: readonly URL[]): Promise<ModelPipeline> {
  const name = reference.split(":")[0]!;
  const places = folders.map((folder) => new URL(`models/${name}/`, folder).pathname);
  const folder = places.find((place) => filesIn(place).length > 0);
  if (folder === undefined) throw new SkeinError("FOLDER_MISSING", { path: places[0] });
  const files = await packagedFiles(folder);
  const whole = files ? await laidOut(files) : folder;
  return loadModelPipeline({
    pipeline: reference,
    manifest: await manifestOf(name, whole),
    folder: whole,
    choice: { ...plainChoice(1), batch: BATCH },
  });
}
const BATCH = 32;

/** A folder of a model of which a package has the files, until the pipeline is closed. */
async function laidOut(files: readonly PackagedFile[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), LAID_OUT));
  for (const { path, at } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await copyFile(at, join(folder, path));
  }
  return folder;
}
const LAID_OUT = "skein-packaged-";

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** As registering it makes it: its graph is tried. */
async function manifestOf(name: string, folder: string): Promise<ModelManifest> {
  const found = filesIn(folder).map((path) => {
    const bytes = readFileSync(join(folder, path));
    return { path, bytes: bytes.length, blob: createHash("sha256").update(bytes).digest("hex") as BlobHash };
  });
  const chosen = graphsOf(found);
  const { inputs, outputs, batches } = await examine({ folder, path: chosen.graph }, MEMORY_BYTES_MAX);
  return { name, version: 1, files: sortFiles(found, chosen, new Set()), inputs, outputs, batches };
}
const MEMORY_BYTES_MAX = 2 * 1024 ** 3;
