import type { NodeId } from "../../../shared/ids.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import { sourceKey } from "../../../shared/pipeline/segment.ts";

/** What the form of a job is chosen by. */
export interface FormFacts {
  items: number;
  /** Nodes that shall hold each output of the job. */
  copies: number;
  /** Those that may work now. */
  nodes: readonly FormNode[];
  /** By stage: bytes that one run of it gives; undefined where it never ran. */
  outputBytes: readonly (number | undefined)[];
  /** By the key of the source that makes the list: its usual length. Of others 1 is taken. */
  elements: ReadonlyMap<string, number>;
  /** How likely it is that what one node holds is lost before it is needed. */
  lossShare: number;
  /** How many times longer than foretold jobs of either form took lately; 1 where none was seen. */
  slowness?: { whole: number; stages: number };
}

export interface FormNode {
  nodeId: NodeId;
  name: string;
  executors: number;
  /** From a lease to its report, beside the run. */
  handOverMs: number;
  /** To and from others; undefined until it was measured. */
  bytesPerSecond?: number;
  /** By stage: whether its model is ready there, and the node has its labels. */
  canRun: readonly boolean[];
  /** By stage: of one run on one executor; undefined until it was measured anywhere. */
  seconds: readonly (number | undefined)[];
  /** Of one whole item on one executor, as it was seen, with all that is beside its stages; undefined if it was not. */
  wholeSeconds?: number;
}

/** A link of which nothing is known: a good home's. */
const LINK_BYTES_PER_SECOND = 30_000_000;

export const linkOf = ({ bytesPerSecond }: FormNode): number => bytesPerSecond ?? LINK_BYTES_PER_SECOND;

/** Runs of a stage that one item brings. */
export function runsPerItem({ stages }: CompiledPipeline, { elements }: FormFacts, place: number): number {
  const { over } = stages[place]!;
  return over ? (elements.get(sourceKey(over)) ?? 1) : 1;
}

/** Of one executor, for some stages of one item; `elements` of the list that they run over, if it is not all of it. Infinity where they cannot run. */
export function secondsOn(node: FormNode, places: readonly number[], runs: (place: number) => number): number {
  return places.reduce(
    (sum, place) => sum + (node.canRun[place] ? runs(place) * (node.seconds[place] ?? 0) : Number.POSITIVE_INFINITY),
    0,
  );
}

/** Whether every stage was measured somewhere. */
export const isMeasured = (pipeline: CompiledPipeline, { nodes }: FormFacts): boolean =>
  pipeline.stages.every((_, place) => nodes.some((node) => node.seconds[place] !== undefined));

/** Nodes that can run all of these. */
export const ableNodes = ({ nodes }: FormFacts, places: readonly number[]): FormNode[] =>
  nodes.filter(({ canRun }) => places.every((place) => canRun[place]));
