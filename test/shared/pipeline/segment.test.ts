import { expect, test } from "vitest";
import type { CompiledPipeline, CompiledStage, Source } from "../../../shared/pipeline/compiled.ts";
import { listsToldBy, placesText, segmentNamed, segmentOf, sourceKey } from "../../../shared/pipeline/segment.ts";

const from = (stage: number, port: string): Source => ({ stage, port });

function stage(name: string, sources: Record<string, Source>, over?: Source): CompiledStage {
  return {
    name,
    runs: { kind: "operator", operator: "test/none@1" },
    in: sources,
    with: {},
    files: {},
    map: over ? Object.keys(sources).slice(0, 1) : [],
    ...(over && { over }),
    onError: "fail",
    keep: "auto",
    send: {},
    gives: {},
  };
}

/** detect → crops → turn → read → merge, the middle two over the crops. */
const reading: CompiledPipeline = {
  reference: "reading:1",
  says: "",
  inputs: [{ name: "page", type: "bytes" }],
  stages: [
    stage("detect", { page: from(-1, "page") }),
    stage("crop", { page: from(-1, "page"), boxes: from(0, "boxes") }),
    stage("turn", { crop: from(1, "crops") }, from(1, "crops")),
    stage("read", { crop: from(2, "crop") }, from(1, "crops")),
    stage("merge", { texts: from(3, "text"), boxes: from(0, "boxes") }),
  ],
  outputs: { text: from(4, "text") },
};
const keys = (sources: readonly Source[]): string[] => sources.map(sourceKey);

test("places are written as ranges and read back", () => {
  expect(placesText([0, 1, 2, 5])).toBe("0-2,5");
  expect(segmentNamed(reading, "reading:1/0-1").stages).toEqual([0, 1]);
  expect(segmentNamed(reading, "reading:1/0,3-4!").stages).toEqual([0, 3, 4]);
  expect(segmentNamed(reading, "reading:1").stages).toEqual([0, 1, 2, 3, 4]);
  for (const wrong of ["reading:1/5", "reading:1/2-1,0", "reading:1/x", "reading:1/1,1", "reading:1/0-9999"])
    expect(() => segmentNamed(reading, wrong)).toThrow("must name stages of reading:1");
});

test("a segment takes what is made outside of it, and gives what is taken outside of it", () => {
  const first = segmentOf(reading, [0, 1], false);
  expect(keys(first.takes)).toEqual(["-1.page"]);
  expect(keys(first.gives)).toEqual(["1.crops", "0.boxes"]);
  expect(keys(listsToldBy(first))).toEqual(["1.crops"]);
  const last = segmentOf(reading, [4], true);
  expect(keys(last.takes)).toEqual(["3.text", "0.boxes"]);
  expect(last.gives).toEqual([]);
});

test("stages over one list of another segment run over slices of it, others do not", () => {
  expect(segmentOf(reading, [2, 3], false).over).toEqual(from(1, "crops"));
  expect(segmentOf(reading, [1, 2, 3], false).over).toBeUndefined();
  expect(segmentOf(reading, [3, 4], true).over).toBeUndefined();
});

test("the last segment may have no stage: it hands on the outputs", () => {
  const none = segmentNamed(reading, "reading:1/!");
  expect(none.isLast).toBe(true);
  expect(keys(none.takes)).toEqual(["4.text"]);
});

test("a stage that takes a list whole, beside one in step with it, is not run over slices", () => {
  const [detect, crop, turn, read, merge] = reading.stages as [
    CompiledStage,
    CompiledStage,
    CompiledStage,
    CompiledStage,
    CompiledStage,
  ];
  const compared = { ...read, in: { ...read.in, all: from(1, "crops") } };
  const pipeline = { ...reading, stages: [detect, crop, turn, compared, merge] };
  expect(segmentOf(pipeline, [3], false).over).toBeUndefined();
  expect(segmentOf(pipeline, [2], false).over).toEqual(from(1, "crops"));
  const inStep = { ...read, in: { crop: from(1, "crops"), turned: from(2, "crop") } };
  expect(segmentOf({ ...pipeline, stages: [detect, crop, turn, inStep, merge] }, [3], false).over).toBeUndefined();
});
