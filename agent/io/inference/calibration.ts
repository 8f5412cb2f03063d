import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeCanaryInput } from "../../../shared/canary.ts";
import type { ModelManifest } from "../../../shared/model.ts";
import { encodeRequest } from "../../../shared/tensors.ts";
import { madeUpInputs } from "./model/made-up.ts";
import { pagesFolder } from "./samples.ts";

/** An input whose time stands for that of a pipeline's inputs. */
export interface CalibrationSample {
  name: string;
  input: Uint8Array;
}

/** A page of average cost. */
const ocrPage = "letter.webp";
/** Some milliseconds, long against the hop to an executor. */
const canaryRounds = 4_000;

/** By pipeline. */
export const CALIBRATION_SAMPLES: Readonly<Record<string, () => Promise<CalibrationSample>>> = {
  ocr: async () => ({ name: ocrPage, input: await readFile(join(pagesFolder(), ocrPage)) }),
  canary: async () => ({ name: "canary", input: writeCanaryInput({ rounds: canaryRounds, seed: "calibration" }) }),
};

/** Of a model: what it was warmed with. */
export const modelSample = (manifest: ModelManifest, length: number): CalibrationSample => ({
  name: "a made-up input",
  input: encodeRequest({ inputs: madeUpInputs(manifest.inputs, { rows: 1, length }), binary: true }),
});
