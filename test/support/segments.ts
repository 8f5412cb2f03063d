/** Pipelines run in this process, whole or cut into segments as a fleet would: what the executor does, without one. */
import { loadModelPipeline } from "../../agent/io/inference/model/pipeline.ts";
import type { ModelRun } from "../../agent/io/inference/model/together.ts";
import { IMPLEMENTATIONS } from "../../agent/io/inference/operators/index.ts";
import type { Operator } from "../../agent/io/inference/operators/operator.ts";
import type { ModelPipeline } from "../../agent/io/inference/protocol.ts";
import { InstalledSegment } from "../../agent/io/inference/segment/installed.ts";
import type { SegmentTask } from "../../agent/io/inference/segment/item.ts";
import type { InferenceOutcome, InputPart, ModelToLoad } from "../../agent/ports/index.ts";
import { SkeinError } from "../../shared/errors.ts";
import { compilePipeline } from "../../shared/pipeline/compile.ts";
import type { CompiledPipeline, Segment } from "../../shared/pipeline/compiled.ts";
import type { PipelineDefinition } from "../../shared/pipeline/definition.ts";
import { listsToldBy, segmentOf, sourceKey } from "../../shared/pipeline/segment.ts";
import { sliceValues } from "../../shared/pipeline/values.ts";

export class Workbench {
  readonly models = new Map<string, ModelPipeline>();
  readonly operators: ReadonlyMap<string, Operator>;
  /** Rows of each run that models were asked for, in order. */
  readonly asked: ModelRun[][] = [];

  constructor(operators: readonly Operator[] = []) {
    this.operators = new Map([...IMPLEMENTATIONS, ...operators.map((one) => [one.spec.name, one] as const)]);
  }

  async load(model: ModelToLoad): Promise<void> {
    const loaded = await loadModelPipeline(model);
    this.models.set(model.pipeline, {
      ...loaded,
      runTensors: (runs, rowsMax) => {
        this.asked.push([...runs]);
        return loaded.runTensors(runs, rowsMax);
      },
    });
  }

  compile(definition: PipelineDefinition): CompiledPipeline {
    return compilePipeline(definition, {
      operator: (name) => this.operators.get(name)?.spec,
      model: (reference) => this.models.get(reference)?.model.manifest,
      pipeline: () => undefined,
    });
  }

  installed(segment: Segment, onStage: (stage: string) => void = () => {}): InstalledSegment {
    return new InstalledSegment(segment, this, onStage);
  }

  whole(pipeline: CompiledPipeline): InstalledSegment {
    return this.installed(wholeOf(pipeline));
  }

  /** @throws what the item failed by */
  async run(pipeline: CompiledPipeline, input: Uint8Array, name = "one"): Promise<InferenceOutcome> {
    return this.runSegment(wholeOf(pipeline), { name, parts: [{ kind: "item", bytes: input }] });
  }

  async runSegment(segment: Segment, task: SegmentTask): Promise<InferenceOutcome> {
    const [end] = await this.installed(segment).run([task]);
    if (!end || "error" in end) throw SkeinError.from(end?.error);
    return end;
  }

  /** Each segment once, or once for each slice of its list; the last one gives the item's output. */
  async runCut(
    pipeline: CompiledPipeline,
    cut: readonly number[][],
    input: Uint8Array,
    elementsPerTask = 2,
  ): Promise<InferenceOutcome> {
    const segments = cut.map((places, n) => segmentOf(pipeline, places, n === cut.length - 1));
    const made: Made[] = [];
    for (const segment of segments) {
      const outcomes: InferenceOutcome[] = [];
      for (const parts of tasksOf(segment, made, input, elementsPerTask))
        outcomes.push(await this.runSegment(segment, { name: "one", parts }));
      made.push({ segment, outcomes });
    }
    return made.at(-1)!.outcomes[0]!;
  }
}

/** What a segment gave, of each of its tasks. */
interface Made {
  segment: Segment;
  outcomes: InferenceOutcome[];
}

const wholeOf = (pipeline: CompiledPipeline): Segment =>
  segmentOf(
    pipeline,
    pipeline.stages.map((_, place) => place),
    true,
  );

/** The parts of each of its tasks: as many tasks as its list has slices, or one. */
function tasksOf(segment: Segment, made: readonly Made[], input: Uint8Array, elementsPerTask: number): InputPart[][] {
  const { over, takes } = segment;
  const taken = new Set(takes.map(sourceKey));
  const before = made.filter((one) => one.segment.gives.some((source) => taken.has(sourceKey(source))));
  const item: InputPart[] = takes.some(({ stage }) => stage < 0) ? [{ kind: "item", bytes: input }] : [];
  const values = (bytes: Uint8Array): InputPart => ({ kind: "values", bytes });
  if (!over) return [[...item, ...before.flatMap(({ outcomes }) => outcomes.map(({ output }) => values(output)))]];
  const key = sourceKey(over);
  const length = lengthTold(made, key);
  return Array.from({ length: Math.ceil(length / elementsPerTask) }, (_, n) => {
    const [from, to] = [n * elementsPerTask, Math.min(length, (n + 1) * elementsPerTask)];
    // One that ran over the same slices gave this one's.
    const own = before.map((one) =>
      one.segment.over ? one.outcomes[n]!.output : sliceValues(one.outcomes[0]!.output, key, from, to),
    );
    return [...item, ...own.map(values)];
  });
}

function lengthTold(made: readonly Made[], key: string): number {
  for (const { segment, outcomes } of made) {
    const place = listsToldBy(segment).findIndex((source) => sourceKey(source) === key);
    if (place >= 0) return outcomes[0]!.elements![place]!;
  }
  throw new Error(`nothing told the length of ${key}`);
}
