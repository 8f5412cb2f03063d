import type { Column, Program, Row, Solution } from "../../../../shared/program.ts";
import { type Candidate, candidate } from "./greedy.ts";
import { fits, noPlaces, put, type Question } from "./question.ts";
import { type Served, serve } from "./serve.ts";

/** The program of a placement, and which of its columns are what. */
export interface PlacementProgram {
  program: Program;
  /** Pairs that may stand: the share of the node's time at `time + k`, whether it stands at `placed + k`. */
  pairs: number[];
  time: number;
  placed: number;
  /** The common share, in units of `unit`. */
  share: number;
  unit: number;
  /** One value a column: the candidate that it was written around. */
  start: number[];
  /** Of each node, the row of its memory, if anything could stand there. */
  memoryRows: (number | undefined)[];
}

/** Against a share that is about 1: a missing replica, and a model that stands nowhere. */
const MISSING_COST = 2;
const NOWHERE_COST = 20;
/** A minute of fetching for every node, as in greedy.ts. */
const MOVE_COST_PER_SECOND = 0.01 / 60;

/**
 * Maximises the common served share less what moves cost. Columns: for each pair that may be, the share of the node's time
 * and whether it stands; for each model the replicas that are missing; the share. `seed` gives the scale, the start, and which
 * models have to be let go of: those that it could place nowhere may stay so, at a cost.
 *
 * `relaxed`: the same without whole columns and without costs, whose optimum no placement beats.
 */
export function placementProgram(question: Question, seed: Candidate, relaxed = false): PlacementProgram {
  const { models, nodes, rate, takes, memory, min, max, pinned, moveSeconds } = question;
  const [M, N] = [models.length, nodes.length];
  const pairs = [...rate.keys()].filter((pair) => rate[pair]! > 0);
  const [time, placed, missing] = [0, pairs.length, 2 * pairs.length];
  const [share, nowhere] = [missing + M, missing + M + 1];
  const unit = Number.isFinite(seed.served.share) && seed.served.share > 0 ? seed.served.share : 1;
  const has = models.map((_, m) => pairs.filter((pair) => Math.floor(pair / N) === m && seed.placed[pair]).length);
  const columns: Column[] = [];
  for (const _ of pairs) columns.push({ cost: 0, lower: 0, upper: 1 });
  for (const pair of pairs) {
    const cost = relaxed ? 0 : -(MOVE_COST_PER_SECOND * moveSeconds[pair]!) / N;
    columns.push({ cost, lower: pinned[pair] ? 1 : 0, upper: 1, ...(!relaxed && { integer: true }) });
  }
  for (let m = 0; m < M; m++) {
    const short = Math.max(0, min[m]! - has[m]!);
    columns.push({ cost: relaxed ? 0 : -MISSING_COST, lower: 0, upper: short });
  }
  columns.push({ cost: 1, lower: 0, upper: Number.POSITIVE_INFINITY });
  for (let m = 0; m < M; m++) {
    const mayBeNowhere = has[m] === 0;
    columns.push({
      cost: relaxed ? 0 : -NOWHERE_COST,
      lower: 0,
      upper: mayBeNowhere ? 1 : 0,
      ...(!relaxed && mayBeNowhere && { integer: true }),
    });
  }
  const byModel: [number, number][][] = models.map(() => []);
  const standing: [number, number][][] = models.map(() => []);
  const byNode: [number, number][][] = nodes.map(() => []);
  const memoryOf: [number, number][][] = nodes.map(() => []);
  const rows: Row[] = [];
  const open = Number.POSITIVE_INFINITY;
  pairs.forEach((pair, k) => {
    const [m, i] = [Math.floor(pair / N), pair % N];
    byModel[m]!.push([time + k, rate[pair]! / (models[m]!.demandPerSecond * unit)]);
    standing[m]!.push([placed + k, 1]);
    byNode[i]!.push([time + k, 1]);
    if (takes[pair]! > 0) memoryOf[i]!.push([placed + k, takes[pair]! / memory[i]!]);
    rows.push({
      lower: -open,
      upper: 0,
      terms: [
        [time + k, 1],
        [placed + k, -1],
      ],
    });
  });
  // Far above any share: a model that stands nowhere holds the others back no more.
  const letGo = 1_000;
  models.forEach((_, m) => {
    rows.push({ lower: 0, upper: open, terms: [...byModel[m]!, [share, -1], [nowhere + m, letGo]] });
    rows.push({ lower: min[m]!, upper: open, terms: [...standing[m]!, [missing + m, 1]] });
    if (max[m]! < standing[m]!.length) rows.push({ lower: -open, upper: max[m]!, terms: standing[m]! });
    if (has[m] === 0) rows.push({ lower: 1, upper: open, terms: [...standing[m]!, [nowhere + m, 1]] });
  });
  const memoryRows = nodes.map((_, i) => {
    if (byNode[i]!.length > 0) rows.push({ lower: -open, upper: 1, terms: byNode[i]! });
    if (memoryOf[i]!.length === 0) return undefined;
    return rows.push({ lower: -open, upper: 1, terms: memoryOf[i]! }) - 1;
  });
  const start = [
    ...pairs.map((pair) => seed.served.time[pair]!),
    ...pairs.map((pair) => seed.placed[pair]!),
    ...models.map((_, m) => Math.max(0, min[m]! - has[m]!)),
    Number.isFinite(seed.served.share) ? seed.served.share / unit : 0,
    ...models.map((_, m) => (has[m] === 0 ? 1 : 0)),
  ];
  return { program: { sense: "maximise", columns, rows }, pairs, time, placed, share, unit, start, memoryRows };
}

/** What the solver found, checked again and made better where that costs nothing; undefined if it found nothing. */
export function readPlacement(question: Question, asked: PlacementProgram, solution: Solution): Candidate | undefined {
  if (solution.values.length === 0) return undefined;
  const { models, nodes, stands, min } = question;
  const N = nodes.length;
  const places = noPlaces(question);
  const time = new Float64Array(models.length * N);
  const idle: number[] = [];
  asked.pairs.forEach((pair, k) => {
    if (solution.values[asked.placed + k]! < 0.5) return;
    const spent = Math.max(0, solution.values[asked.time + k]!);
    time[pair] = spent;
    // Whole numbers are whole to a millionth, and so is memory: what would be over by that is not put.
    if (spent < 1e-6 && !stands[pair] && !question.pinned[pair]) idle.push(pair);
    else if (fits(question, places, pair)) put(question, places, pair);
  });
  // Replicas that do nothing are there for their number only; what stands and is in nobody's way stays.
  for (const pair of idle)
    if (places.counts[Math.floor(pair / N)]! < min[Math.floor(pair / N)]! && fits(question, places, pair))
      put(question, places, pair);
  stands.forEach((standing, pair) => {
    if (standing && fits(question, places, pair)) put(question, places, pair);
  });
  return candidate(question, places.placed, best(question, places.placed, time));
}

/** The solver's own division of time, or the quick one if that is better. */
function best(question: Question, placed: Uint8Array, time: Float64Array): Served {
  const { models, nodes, rate } = question;
  const N = nodes.length;
  const quick = serve(question, placed);
  const load = new Float64Array(N);
  time.forEach((spent, pair) => {
    if (placed[pair]) load[pair % N] = load[pair % N]! + spent;
  });
  const fair = Float64Array.from(time, (spent, pair) => (placed[pair] ? spent / Math.max(1, load[pair % N]!) : 0));
  let share = Number.POSITIVE_INFINITY;
  models.forEach((model, m) => {
    let got = 0;
    let counts = false;
    for (let pair = m * N; pair < (m + 1) * N; pair++) {
      if (!placed[pair]) continue;
      counts = true;
      got += fair[pair]! * rate[pair]!;
    }
    if (counts) share = Math.min(share, got / model.demandPerSecond);
  });
  return share > quick.share ? { ...quick, share, time: fair } : quick;
}

/** What no placement serves more than, by the relaxed program; undefined if it was not solved. */
export const boundOf = ({ unit }: PlacementProgram, { status, objective }: Solution): number | undefined =>
  status === "optimal" ? objective * unit : undefined;

/** How sure the relaxed program is of each pair, 0 to 1. */
export function sureOf(
  { models, nodes }: Question,
  { pairs, placed }: PlacementProgram,
  { values }: Solution,
): Float64Array {
  const sure = new Float64Array(models.length * nodes.length);
  for (const [k, pair] of pairs.entries()) sure[pair] = values[placed + k] ?? 0;
  return sure;
}
