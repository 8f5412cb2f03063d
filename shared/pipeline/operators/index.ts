/**
 * The operators that every box has, as data: what each takes, gives and may be told. What they do is in
 * agent/io/inference/operators; the page about them, written from here, lies there too.
 */
import type { OperatorSpec } from "../operators.ts";
import { AUDIO } from "./audio.ts";
import { CORE } from "./core.ts";
import { DECIDE } from "./decide.ts";
import { IMAGES } from "./image.ts";
import { JSONS } from "./json.ts";
import { NEAR } from "./near.ts";
import { OCR } from "./ocr.ts";
import { TENSORS } from "./tensor.ts";
import { TEXTS } from "./text.ts";
import { VISION } from "./vision.ts";

export const OPERATOR_GROUPS = {
  core: CORE,
  image: IMAGES,
  vision: VISION,
  ocr: OCR,
  text: TEXTS,
  audio: AUDIO,
  tensor: TENSORS,
  json: JSONS,
  decide: DECIDE,
  near: NEAR,
};

export const OPERATORS: ReadonlyMap<string, OperatorSpec> = new Map(
  Object.values(OPERATOR_GROUPS)
    .flat()
    .map((spec) => [spec.name, spec]),
);
