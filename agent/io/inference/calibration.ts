import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeCanaryInput } from "../../../shared/canary.ts";
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
