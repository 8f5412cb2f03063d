/** Pipelines that have in them all that a drawing shows: a fan-out and its gathering, conditions, a loop, branches that join. */
import type { PipelineDefinition } from "../../shared/pipeline/definition.ts";

/** Ten stages. */
export const DOCUMENT_READING: PipelineDefinition = {
  name: "document-reading",
  version: 1,
  says: "Reads a page: finds its lines, turns them, recognises their text & joins them in reading order.",
  inputs: { page: { type: "bytes" } },
  stages: {
    image: { operator: "image/decode@1", in: { file: "page" } },
    scaled: { operator: "image/letterbox@1", in: { image: "image.image" } },
    det: { model: "ocr-det:1", in: { x: "scaled.tensor" } },
    boxes: { operator: "ocr/boxes@1", in: { map: "det.map", scale: "scaled.scale" } },
    crops: { operator: "image/crop@1", in: { image: "image.image", boxes: "boxes.boxes" } },
    turned: { model: "ocr-cls:1", in: { x: "crops.crops" }, map: ["x"] },
    upright: {
      operator: "image/turn@1",
      in: { image: "crops.crops", by: "turned.p" },
      map: ["image", "by"],
      when: { value: "turned.p", above: 0.9 },
    },
    rec: { model: "ocr-rec:1", in: { x: "upright.image" }, map: ["x"], onError: "skip" },
    text: { operator: "ocr/ctc@1", in: { logits: "rec.logits" }, map: ["logits"] },
    merge: { operator: "ocr/reading-order@1", in: { texts: "text.text", boxes: "boxes.boxes" } },
  },
  outputs: { text: "merge.text", lines: "merge.lines" },
};

export const TICKET: PipelineDefinition = {
  name: "ticket",
  version: 2,
  says: "Picture, voice and text of a ticket, fused to a route.",
  inputs: { picture: { type: "bytes" }, voice: { type: "bytes" }, text: { type: "text" } },
  stages: {
    ocr: { pipeline: "document-reading:1", in: { page: "picture" }, on: { zone: "garage" } },
    frames: { operator: "audio/frame@1", in: { sound: "voice" } },
    vad: { model: "vad:1", in: { frames: "frames.frames" }, loop: { over: "frames", carry: { state: "state" } } },
    language: {
      model: "language:1",
      in: { sound: "voice", active: "vad.active" },
      when: { value: "vad.share", above: 0.1 },
    },
    words: { operator: "text/ngrams@1", in: { text: "text" } },
    intent: { model: "intent:1", in: { ids: "words.ids" } },
    best: { operator: "tensor/top-k@1", in: { scores: "intent.p" } },
    expert: { model: "intent-large:1", in: { ids: "words.ids" }, when: { value: "best.score", below: 0.8 } },
    fused: { operator: "core/first@1", in: { a: "expert.label", b: "best.label" } },
    route: {
      operator: "decide/table@1",
      in: { intent: "fused.value", text: "ocr.text", language: "language.label", active: "vad.share" },
    },
  },
  outputs: { route: "route.route", reason: "route.reason", intent: "fused.value" },
};
