import { SkeinError } from "../../../../shared/errors.ts";
import { type ModelManifest, modelReference } from "../../../../shared/model.ts";
import {
  checkAgainst,
  decodeRequest,
  encodeResponse,
  type InferRequest,
  type Tensor,
} from "../../../../shared/tensors.ts";
import type { ModelToLoad } from "../../../ports/index.ts";
import type { ItemEnd, ModelPipeline } from "../protocol.ts";
import { MADE_UP_LENGTHS, madeUpInputs } from "./made-up.ts";
import { ModelSession } from "./session.ts";
import { type ModelRun, runTogether } from "./together.ts";

interface Item extends ModelRun {
  request: InferRequest;
}

/**
 * The pipeline of a registered model: a request of the Open Inference Protocol in (shared/tensors.ts), its response out.
 * Loads and warms it. @throws MODEL_INVALID
 */
export async function loadModelPipeline(model: ModelToLoad): Promise<ModelPipeline> {
  const session = await ModelSession.open(model);
  const sampleLength = await warm(session, model);
  const { manifest } = model;
  const batchMax = manifest.batches ? model.choice.batch : 1;
  return {
    ...(sampleLength !== undefined && { sampleLength }),
    model,
    runTogether: (items) => runItems(session, manifest, batchMax, items),
    // What a stage says of its batches goes before what was found best for the model by itself.
    runTensors: (runs, rowsMax = batchMax) => runTogether(session, manifest.batches ? rowsMax : 1, runs),
    release: () => session.release(),
  };
}

/**
 * Memory grows and kernels are chosen at the first run of a shape. Made-up inputs may be none that the model takes: then
 * its first item pays for it. Answers with the length of free dimensions that it took.
 */
async function warm(session: ModelSession, { manifest, choice }: ModelToLoad): Promise<number | undefined> {
  const wanted = manifest.outputs.map(({ name }) => name);
  const isTaken = (rows: number, length: number): Promise<boolean> =>
    session.run(madeUpInputs(manifest.inputs, { rows, length }), wanted, "a made-up input").then(
      () => true,
      (error: unknown) => {
        if (SkeinError.from(error).code === "INPUT_INVALID") return false;
        throw error;
      },
    );
  for (const length of MADE_UP_LENGTHS) {
    if (!(await isTaken(1, length))) continue;
    if (manifest.batches && choice.batch > 1) await isTaken(choice.batch, length);
    return length;
  }
  return undefined;
}

async function runItems(
  session: ModelSession,
  manifest: ModelManifest,
  batchMax: number,
  given: readonly { name: string; input: Uint8Array }[],
): Promise<ItemEnd[]> {
  const startedMs = performance.now();
  const read = given.map(({ name, input }): Item | SkeinError => {
    try {
      const request = readInput(input, name, manifest);
      return { name, request, inputs: request.inputs, wanted: wantedOf(request, manifest) };
    } catch (error) {
      return SkeinError.from(error);
    }
  });
  const items = read.filter((one): one is Item => !(one instanceof SkeinError));
  const outputs = await runTogether(session, batchMax, items);
  // Nobody's own time is known where all ran at once; of each the rate wants its share.
  const durationMs = (performance.now() - startedMs) / given.length;
  const ends = new Map(items.map((item, n) => [item, outputs[n]!]));
  return read.map((item) => {
    const end = item instanceof SkeinError ? item : ends.get(item)!;
    if (end instanceof SkeinError) return { error: end.toJSON() };
    return { output: written(end, (item as Item).request, manifest), durationMs };
  });
}

/** @throws INPUT_EMPTY, INPUT_INVALID with the place and the reason */
function readInput(input: Uint8Array, name: string, manifest: ModelManifest): InferRequest {
  if (input.length === 0) throw new SkeinError("INPUT_EMPTY", { name });
  try {
    const request = decodeRequest(input);
    checkAgainst(manifest.inputs, request.inputs);
    checkWanted(request, manifest);
    return request;
  } catch (error) {
    const { reason } = SkeinError.from(error).facts;
    throw new SkeinError("INPUT_INVALID", { name, pipeline: modelReference(manifest), reason }, { cause: error });
  }
}

function checkWanted({ outputs = [] }: InferRequest, manifest: ModelManifest): void {
  const unknown = outputs.find(({ name }) => !manifest.outputs.some((spec) => spec.name === name));
  if (!unknown) return;
  const reason = `outputs must be of ${manifest.outputs.map(({ name }) => name).join(", ")}, not "${unknown.name}"`;
  throw new SkeinError("BAD_REQUEST", { reason });
}

const wantedOf = ({ outputs }: InferRequest, manifest: ModelManifest): string[] =>
  (outputs ?? manifest.outputs).map(({ name }) => name);

/** The same bytes for the same tensors: no id of the request, no time. */
function written(outputs: Tensor[], request: InferRequest, { name, version }: ModelManifest): Uint8Array {
  const isBinary = (output: string): boolean =>
    request.outputs?.find((wanted) => wanted.name === output)?.binary ?? request.binary;
  return encodeResponse({ model: name, version: `${version}`, outputs }, isBinary);
}
