/** A task of a graph that is to be placed on processors. */
export interface GraphTask {
  /** On each processor; Infinity where it cannot run. */
  seconds: readonly number[];
  /** Tasks before it in the list, and what it takes from each. */
  after: readonly { task: number; bytes: number }[];
}

/** What it takes from the end of one task to the begin of one that needs its output. */
export interface Transfer {
  seconds(bytes: number, from: number, to: number): number;
  /** Over all pairs of processors, for the ranks. */
  meanSeconds(bytes: number): number;
}

export interface Schedule {
  /** From the begin of the first task to the end of the last; Infinity if one of them can run nowhere. */
  makespan: number;
  /** By task. */
  placed: { processor: number; begins: number; ends: number }[];
}

interface Span {
  begins: number;
  ends: number;
}

/**
 * Heterogeneous Earliest Finish Time (Topcuoglu, Hariri and Wu, IEEE TPDS 13(3), 2002): tasks in the order of their upward
 * ranks, each on the processor that ends it first, in a gap between others if it fits there.
 */
export function heft(tasks: readonly GraphTask[], transfer: Transfer): Schedule {
  const ranks = upwardRanks(tasks, transfer);
  const order = tasks.map((_, task) => task).sort((a, b) => ranks[b]! - ranks[a]! || a - b);
  const busy: Span[][] = (tasks[0]?.seconds ?? []).map(() => []);
  const placed: Schedule["placed"] = new Array(tasks.length);
  for (const task of order) {
    const best = earliestEnd(tasks[task]!, placed, busy, transfer);
    if (!best) return { makespan: Number.POSITIVE_INFINITY, placed: [] };
    placed[task] = best;
    insert(busy[best.processor]!, best);
  }
  return { makespan: placed.reduce((latest, { ends }) => Math.max(latest, ends), 0), placed };
}

/** The longest way from each task to the end, in mean times; a task comes before what needs it. */
export function upwardRanks(tasks: readonly GraphTask[], transfer: Transfer): number[] {
  const ranks = tasks.map(({ seconds }) => meanOf(seconds));
  const beyond = tasks.map(() => 0);
  for (let task = tasks.length - 1; task >= 0; task--) {
    ranks[task] = ranks[task]! + beyond[task]!;
    for (const { task: before, bytes } of tasks[task]!.after)
      beyond[before] = Math.max(beyond[before]!, transfer.meanSeconds(bytes) + ranks[task]!);
  }
  return ranks;
}

/** Of the processors that can run it. */
function meanOf(seconds: readonly number[]): number {
  const able = seconds.filter(Number.isFinite);
  return able.reduce((sum, one) => sum + one, 0) / Math.max(1, able.length);
}

function earliestEnd(
  { seconds, after }: GraphTask,
  placed: Schedule["placed"],
  busy: readonly Span[][],
  transfer: Transfer,
): Schedule["placed"][number] | undefined {
  let best: Schedule["placed"][number] | undefined;
  for (const [processor, lasts] of seconds.entries()) {
    if (!Number.isFinite(lasts)) continue;
    const ready = after.reduce((latest, { task, bytes }) => {
      const { processor: from, ends } = placed[task]!;
      return Math.max(latest, ends + transfer.seconds(bytes, from, processor));
    }, 0);
    const begins = firstGap(busy[processor]!, ready, lasts);
    if (!best || begins + lasts < best.ends) best = { processor, begins, ends: begins + lasts };
  }
  return best;
}

function firstGap(spans: readonly Span[], ready: number, lasts: number): number {
  let free = ready;
  for (const { begins, ends } of spans) {
    if (begins - free >= lasts) return free;
    free = Math.max(free, ends);
  }
  return free;
}

/** Spans stay in the order of time. */
function insert(spans: Span[], { begins, ends }: Span): void {
  const place = spans.findIndex((span) => span.begins > begins);
  spans.splice(place < 0 ? spans.length : place, 0, { begins, ends });
}
