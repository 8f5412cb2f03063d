import { PROFILED_BATCHES } from "../../../shared/model-profile.ts";
import { GRAPH_LEVELS, plainChoice, type SessionChoice } from "../../../shared/session-choice.ts";

/** What may be chosen at all. */
export interface Axes {
  /** Cores that the agent computes on: executors times threads are never more. */
  cores: number;
  /** Items may share a run. */
  batches: boolean;
  /** The model has a graph with weights of eight bits. */
  int8: boolean;
  /** What can not be chosen: a pipeline that comes with the agent runs one item on every executor. */
  fixed?: Partial<SessionChoice>;
}

/** What onnxruntime does when nothing is asked of it: one session, a thread for each core, and they spin. */
export const defaultsChoice = (cores: number): SessionChoice => ({
  executors: 1,
  threads: cores,
  batch: 1,
  graphLevel: "all",
  memoryPattern: true,
  spinning: true,
  variant: "graph",
});

const powersUpTo = (most: number): number[] => {
  const powers: number[] = [];
  for (let one = 1; one < most; one *= 2) powers.push(one);
  return [...powers, most];
};

/** Executors and threads that keep more than half of the cores busy and none twice. */
function splits(cores: number): Pick<SessionChoice, "executors" | "threads" | "spinning">[] {
  return powersUpTo(cores).flatMap((executors) =>
    powersUpTo(Math.floor(cores / executors))
      .filter((threads) => executors * threads * 2 > cores)
      .flatMap((threads) => [
        { executors, threads, spinning: false },
        ...(threads > 1 ? [{ executors, threads, spinning: true }] : []),
      ]),
  );
}

const unique = (choices: SessionChoice[]): SessionChoice[] => [
  ...new Map(choices.map((choice) => [keyOf(choice), choice])).values(),
];

export const keyOf = (choice: SessionChoice): string =>
  [
    choice.executors,
    choice.threads,
    choice.batch,
    choice.graphLevel,
    choice.memoryPattern,
    choice.spinning,
    choice.variant,
  ].join();

/** Items together at which shapes are compared, beside one: what gains by batches gains by this one. */
const TELLING_BATCH = 8;

/** What decides most: how the cores are shared out, and which weights; alone, and with some items together. The plainest first. */
export function shapes({ cores, batches, int8, fixed = {} }: Axes): SessionChoice[] {
  const variants = int8 ? (["graph", "int8"] as const) : (["graph"] as const);
  const all = splits(cores).flatMap((split) =>
    (batches ? [1, TELLING_BATCH] : [1]).flatMap((batch) =>
      variants.map((variant): SessionChoice => ({ ...plainChoice(cores), ...split, batch, variant, ...fixed })),
    ),
  );
  return unique([{ ...plainChoice(cores), ...fixed }, ...all]).sort(
    (a, b) => plainness(a, cores) - plainness(b, cores),
  );
}

/** So many of these shapes, the first first, with every batch, the smaller first. */
export function batched(
  best: readonly SessionChoice[],
  { batches, fixed = {} }: Axes,
  count = best.length,
): SessionChoice[] {
  const alone = unique(best.map((choice) => ({ ...choice, batch: 1 }))).slice(0, count);
  return unique(
    (batches ? PROFILED_BATCHES : [1]).flatMap((batch) => alone.map((choice) => ({ ...choice, batch, ...fixed }))),
  );
}

/** What decides less and goes well with any shape: each of these in all levels of the graph, with and without patterns. */
export function finer(best: readonly SessionChoice[], { fixed = {} }: Axes): SessionChoice[] {
  return unique(
    best.flatMap((choice) =>
      [...GRAPH_LEVELS]
        .reverse()
        .flatMap((graphLevel) =>
          [false, true].map((memoryPattern) => ({ ...choice, graphLevel, memoryPattern, ...fixed })),
        ),
    ),
  );
}

/** Of two that are as quick the plainer is taken: in how much a choice differs from the one before anything was tried. */
export function plainness(choice: SessionChoice, cores: number): number {
  const plain = plainChoice(cores);
  return (
    (choice.variant === plain.variant ? 0 : 8) +
    (choice.executors === plain.executors ? 0 : 3) +
    (choice.threads === plain.threads ? 0 : 2) +
    (choice.spinning ? 4 : 0) +
    (choice.memoryPattern ? 1 : 0) +
    Math.abs(GRAPH_LEVELS.indexOf(choice.graphLevel) - GRAPH_LEVELS.indexOf(plain.graphLevel)) * 0.5 +
    Math.log2(choice.batch) * 0.5
  );
}
