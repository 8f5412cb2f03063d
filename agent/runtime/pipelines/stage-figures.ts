import type { NodeView } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { fitsLabels } from "../../../shared/labels.ts";
import type { CompiledPipeline, CompiledStage, FormSegment } from "../../../shared/pipeline/compiled.ts";
import { segmentNamed, sourceKey, stageModels } from "../../../shared/pipeline/segment.ts";
import type { StageTime } from "../../../shared/stage-time.ts";

/** Of a stage of which nothing is known at all: operators are small code next to models. */
const GUESSED_SECONDS = { model: 1, operator: 0.01 };
/** Runs on every node, so that it tells nodes apart. */
const COMMON = "canary";

/** What all nodes together know of what stages cost, as they reported it last. */
export class StageFigures {
  readonly #nodes: readonly NodeView[];
  /** By pipeline and stage. */
  readonly #times = new Map<string, { node: NodeView; time: StageTime }[]>();
  /** Asked for each segment on each node. */
  readonly #lengths = new Map<string, Map<string, number>>();

  constructor(nodes: readonly NodeView[]) {
    this.#nodes = nodes;
    for (const node of nodes)
      for (const time of node.report?.stageTimes ?? []) {
        const key = `${time.pipeline}/${time.stage}`;
        this.#times.set(key, [...(this.#times.get(key) ?? []), { node, time }]);
      }
  }

  get nodes(): readonly NodeView[] {
    return this.#nodes;
  }

  /** Of one run on one executor of a node: as measured there, elsewhere, or with the model alone; undefined of what is not known. */
  seconds({ reference, stages }: CompiledPipeline, place: number, node: NodeView): number | undefined {
    const known = this.#times.get(`${reference}/${place}`) ?? [];
    const own = known.find((one) => one.node.nodeId === node.nodeId);
    if (own) return own.time.seconds;
    const others = known.map((one) => one.time.seconds * slownessTo(node, one.node));
    if (others.length > 0) return others.reduce((sum, one) => sum + one, 0) / others.length;
    const { runs } = stages[place]!;
    return runs.kind === "model" ? secondsOf(node, runs.model) : undefined;
  }

  /** The same, and a guess where nothing is known. */
  guessed(pipeline: CompiledPipeline, place: number, node: NodeView): number {
    return this.seconds(pipeline, place, node) ?? GUESSED_SECONDS[pipeline.stages[place]!.runs.kind];
  }

  /** Bytes of one run; undefined where it never ran. */
  outputBytes({ reference }: CompiledPipeline, place: number): number | undefined {
    return meanOf((this.#times.get(`${reference}/${place}`) ?? []).map(({ time }) => time.outputBytes));
  }

  /** Usual lengths of the lists that stages run over, by the key of where they are made. */
  elements({ reference, stages }: CompiledPipeline): Map<string, number> {
    const known = this.#lengths.get(reference);
    if (known) return known;
    const lengths = new Map<string, number>();
    this.#lengths.set(reference, lengths);
    for (const { over } of stages) {
      if (!over || lengths.has(sourceKey(over))) continue;
      const told = (this.#times.get(`${reference}/${over.stage}`) ?? []).flatMap(({ time }) => time.elements ?? []);
      const mean = meanOf(told);
      if (mean !== undefined) lengths.set(sourceKey(over), mean);
    }
    return lengths;
  }

  /** Tasks a second of a segment, or items of a whole pipeline, on all executors of a node; undefined where it cannot run. */
  rateOn(
    node: NodeView,
    pipeline: CompiledPipeline,
    { name, over }: Pick<FormSegment, "name" | "over">,
  ): number | undefined {
    const places = segmentNamed(pipeline, name).stages;
    if (!node.report || !places.every((place) => canRun(node, pipeline.stages[place]!))) return undefined;
    const lengths = this.elements(pipeline);
    const runs = ({ over: list }: CompiledStage): number => {
      const length = list ? (lengths.get(sourceKey(list)) ?? 1) : 1;
      return over ? Math.min(over.elementsPerTask, length) : length;
    };
    const seconds = places.reduce(
      (sum, place) => sum + runs(pipeline.stages[place]!) * this.guessed(pipeline, place, node),
      0,
    );
    return node.report.executors / Math.max(SECONDS_MIN, seconds);
  }
}

/** An executor does no more than so many tasks a second, whatever they are. */
const SECONDS_MIN = 0.001;

/** Its models are ready there, and it has the labels. */
export function canRun({ report, labels }: NodeView, stage: CompiledStage): boolean {
  if (!report || !fitsLabels(stage.on ?? {}, labels ?? {})) return false;
  return stageModels(stage).every((model) => report.rates.some(({ pipeline }) => pipeline === model));
}

/** How many times longer `node` takes for the same than `other`. */
function slownessTo(node: NodeView, other: NodeView): number {
  const [here, there] = [secondsOf(node, COMMON), secondsOf(other, COMMON)];
  return here === undefined || there === undefined ? 1 : here / there;
}

/** Of one item on one executor, by what a node reports. */
function secondsOf({ report }: NodeView, pipeline: string): number | undefined {
  const rate = report?.rates.find((one) => one.pipeline === pipeline)?.itemsPerSecond;
  return rate !== undefined && rate > 0 && report ? report.executors / rate : undefined;
}

const meanOf = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((sum, one) => sum + one, 0) / values.length;

/** To others and from them: the fastest that was measured. */
export function linkBytesPerSecond(nodes: readonly NodeView[], nodeId: NodeId): number | undefined {
  const speeds = nodes.flatMap(({ nodeId: from, report }) =>
    (report?.links ?? []).flatMap((link) => (from === nodeId || link.nodeId === nodeId ? [link.bytesPerSecond] : [])),
  );
  return speeds.length === 0 ? undefined : Math.max(...speeds);
}
