import { LIMITS } from "../../../shared/limits.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import { sourcesOf } from "../../../shared/pipeline/segment.ts";
import { type FormFacts, type FormNode, linkOf, runsPerItem, secondsOn } from "./facts.ts";
import { type GraphTask, heft, type Transfer } from "./heft.ts";
import { steadyRate } from "./steady-rate.ts";

/** A segment of a form that is thought of. */
export interface Piece {
  places: readonly number[];
  /** Pieces before it. */
  after: readonly number[];
  /** Of the list that it runs over; absent: one task for each item. */
  elementsPerTask?: number;
  copies: number;
}

export interface Foretold {
  /** Until the last item is done; Infinity if it cannot be. */
  seconds: number;
  /** Of one item alone. */
  itemSeconds: number;
  /** As many items as one likes. */
  itemsPerSecond: number;
}

/** An executor's part in a run that is none of its stages: to take it and to hand it back. */
const RUN_SECONDS = 0.001;
/**
 * What a byte between two segments costs the quickest node on either side, on one box too: to and from the executor, encoded,
 * hashed, to disk and back, to a second box. By a blob of 512 MB from disk to disk between two agents: 100 MB/s.
 */
const BYTE_SECONDS = 10e-9;

/**
 * How long a form takes: the items that fit into one schedule by HEFT, all others at the rate that is left when every node
 * gives its time to what it is best at.
 */
export function foretell(pipeline: CompiledPipeline, pieces: readonly Piece[], facts: FormFacts): Foretold {
  const nodes = strongest(pipeline, facts);
  const about = { pipeline, facts, nodes, pieces };
  const slowness = slownessOf(nodes, pipeline.stages.length);
  const works: Works = { ...about, slowness, handedBytes: handedBytes(pieces, about) };
  const itemTasks = pieces.reduce((sum, piece) => sum + tasksOf(works, piece), 0);
  const scheduled = Math.max(1, Math.min(facts.items, Math.floor(LIMITS.formTasksMax / itemTasks)));
  const itemsPerSecond = steadyRate({
    seconds: pieces.map((piece) => nodes.map((node) => itemSecondsOn(works, piece, node))),
    executors: nodes.map(({ executors }) => executors),
  });
  const itemSeconds = makespanOf(works, 1);
  const first = scheduled === 1 ? itemSeconds : makespanOf(works, scheduled);
  const rest = facts.items - scheduled;
  return { seconds: rest > 0 ? first + rest / itemsPerSecond : first, itemSeconds, itemsPerSecond };
}

interface Works {
  pipeline: CompiledPipeline;
  facts: FormFacts;
  nodes: readonly FormNode[];
  pieces: readonly Piece[];
  slowness: ReadonlyMap<FormNode, number>;
  handedBytes: ReadonlyMap<Piece, number>;
}

/** Those with most executors for their speed: a schedule over all of a large fleet costs more than it tells. */
function strongest({ stages }: CompiledPipeline, { nodes }: FormFacts): FormNode[] {
  const speed = ({ executors, seconds }: FormNode): number =>
    executors /
    Math.max(
      1e-6,
      stages.reduce((sum, _, place) => sum + (seconds[place] ?? 0), 0),
    );
  const kept: FormNode[] = [];
  let executors = 0;
  for (const node of [...nodes].sort((a, b) => speed(b) - speed(a))) {
    if (kept.length > 0 && executors + node.executors > LIMITS.formExecutorsMax) break;
    kept.push(node);
    executors += node.executors;
  }
  return kept;
}

const lengthOf = ({ pipeline, facts }: Works, { places }: Piece): number =>
  places.length === 0 ? 1 : runsPerItem(pipeline, facts, places[0]!);

/** Of one item. */
function tasksOf(works: Works, piece: Piece): number {
  const { elementsPerTask } = piece;
  const most = LIMITS.formTasksMax;
  return elementsPerTask === undefined
    ? 1
    : Math.min(most, Math.max(1, Math.ceil(lengthOf(works, piece) / elementsPerTask)));
}

function itemSecondsOn(works: Works, piece: Piece, node: FormNode): number {
  const { pipeline, facts } = works;
  // What was seen counts more than the sum of stages that were measured apart, in runs of other forms too.
  if (piece.places.length === pipeline.stages.length && node.wholeSeconds !== undefined) return node.wholeSeconds;
  const runs = secondsOn(node, piece.places, (place) => runsPerItem(pipeline, facts, place));
  return (
    runs +
    tasksOf(works, piece) * RUN_SECONDS +
    works.handedBytes.get(piece)! * BYTE_SECONDS * works.slowness.get(node)!
  );
}

/** By piece, of one item: what it takes from others, and what it gives to them. */
function handedBytes(
  pieces: readonly Piece[],
  about: { pipeline: CompiledPipeline; facts: FormFacts },
): Map<Piece, number> {
  const given = pieces.map((piece) => givenBytes(about, piece));
  return new Map(
    pieces.map((piece, place) => {
      const gives = place < pieces.length - 1 ? given[place]! : 0;
      return [piece, piece.after.reduce((sum, before) => sum + given[before]!, gives)];
    }),
  );
}

/** By node: how many times longer it takes for the stages that it can run than whoever is quickest at each. */
function slownessOf(nodes: readonly FormNode[], stages: number): Map<FormNode, number> {
  const known = ({ canRun, seconds }: FormNode, place: number): number | undefined =>
    canRun[place] ? seconds[place] : undefined;
  const least = Array.from({ length: stages }, (_, place) =>
    Math.min(...nodes.map((node) => known(node, place) ?? Number.POSITIVE_INFINITY)),
  );
  return new Map(
    nodes.map((node) => {
      const [own, quickest] = least.reduce(
        ([mine, best], one, place) => {
          const seconds = known(node, place);
          return seconds === undefined ? [mine, best] : [mine + seconds, best + one];
        },
        [0, 0] as [number, number],
      );
      return [node, quickest > 0 ? own / quickest : 1];
    }),
  );
}

function makespanOf(works: Works, items: number): number {
  const { nodes, pieces, facts } = works;
  const homes = nodes.flatMap((node) => new Array<FormNode>(node.executors).fill(node));
  const tasks: GraphTask[] = [];
  for (let item = 0; item < items; item++) {
    const ofPiece: number[][] = [];
    for (const piece of pieces) ofPiece.push(addTasks(works, piece, { tasks, ofPiece, homes }));
  }
  return heft(tasks, transferOver(homes, facts)).makespan;
}

/** The tasks of one item in one piece; a sliced one takes its slice of what another over the same slices gives, else of all. */
function addTasks(
  works: Works,
  piece: Piece,
  { tasks, ofPiece, homes }: { tasks: GraphTask[]; ofPiece: readonly number[][]; homes: readonly FormNode[] },
): number[] {
  const count = tasksOf(works, piece);
  const perNode = new Map(works.nodes.map((node) => [node, itemSecondsOn(works, piece, node) / count]));
  const seconds = homes.map((node) => perNode.get(node)!);
  return Array.from({ length: count }, (_, nth) => {
    const after = piece.after.flatMap((before) => {
      const from = works.pieces[before]!;
      const given = ofPiece[before]!;
      const bytes = givenBytes(works, from) / given.length;
      const isInStep = count > 1 && given.length === count;
      return (isInStep ? [given[nth]!] : given).map((task) => ({
        task,
        bytes: given.length === 1 ? bytes / count : bytes,
      }));
    });
    return tasks.push({ seconds, after }) - 1;
  });
}

/** By one item, of those of its stages of which others take, or the item's output. */
export function givenBytes(
  { pipeline, facts }: Pick<Works, "pipeline" | "facts">,
  { places }: Pick<Piece, "places">,
): number {
  const takenOutside = new Set([
    ...pipeline.stages.flatMap((stage, place) =>
      places.includes(place) ? [] : sourcesOf(stage).map((source) => source.stage),
    ),
    ...Object.values(pipeline.outputs).map(({ stage }) => stage),
  ]);
  return places.reduce((sum, place) => {
    const bytes = takenOutside.has(place) ? (facts.outputBytes[place] ?? 0) : 0;
    return sum + runsPerItem(pipeline, facts, place) * bytes;
  }, 0);
}

/** What is handed from task to task goes over the ledger even on one node; its bytes cross the network only between two. */
function transferOver(homes: readonly FormNode[], { nodes }: FormFacts): Transfer {
  const handOver = ({ handOverMs }: FormNode): number => handOverMs / 1_000;
  const meanHandOver = nodes.reduce((sum, node) => sum + handOver(node), 0) / Math.max(1, nodes.length);
  const meanByte = nodes.reduce((sum, node) => sum + 1 / linkOf(node), 0) / Math.max(1, nodes.length);
  return {
    seconds: (bytes, from, to) => {
      const [source, target] = [homes[from]!, homes[to]!];
      const crosses = source !== target;
      return handOver(target) + (crosses ? bytes / Math.min(linkOf(source), linkOf(target)) : 0);
    },
    meanSeconds: (bytes) => meanHandOver + bytes * meanByte,
  };
}
