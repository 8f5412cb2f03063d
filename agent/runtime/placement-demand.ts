import { isOpen } from "../../shared/job.ts";
import type { JobRecord } from "../core/ledger/index.ts";

/** Work that waits is asked for in this time; what was handed in is remembered, by halves, for so long. */
const BACKLOG_SECONDS = 60;
const REMEMBERED_SECONDS = 600;
/** Of a model that nobody asks for: it has its place still. */
const AT_REST_PER_SECOND = 0.01;
/** Jobs so much older than what is remembered say nothing. */
const FORGOTTEN_TIMES = 5;

/** What one item of a pipeline asks of models: by model, runs of it. Of a model by itself: one of its own. */
export type RunsPerItem = (pipeline: string) => Iterable<readonly [model: string, runs: number]>;

const ofItself: RunsPerItem = (pipeline) => [[pipeline, 1]];

/**
 * Items a second asked of each pipeline lately: what waits, over a minute, and what was handed in, fading over ten. From the
 * ledger alone, so that the next leader thinks the same. Requests that somebody waits for are in no ledger and do not count.
 */
export function demandOf(
  pipelines: readonly string[],
  jobs: Iterable<JobRecord>,
  nowMs: number,
  runsPerItem: RunsPerItem = ofItself,
): Map<string, number> {
  const demand = new Map(pipelines.map((pipeline) => [pipeline, AT_REST_PER_SECOND]));
  for (const { pipeline, parent, state, inputs, recordedCount, submittedAtMs } of jobs) {
    const models = parent ? [] : [...runsPerItem(pipeline)].filter(([model]) => demand.has(model));
    if (models.length === 0) continue;
    const age = Math.max(0, nowMs - submittedAtMs) / 1_000;
    const waiting = isOpen(state) && state !== "paused" ? (inputs.length - recordedCount) / BACKLOG_SECONDS : 0;
    const lately =
      age < FORGOTTEN_TIMES * REMEMBERED_SECONDS
        ? (inputs.length / REMEMBERED_SECONDS) * Math.exp(-age / REMEMBERED_SECONDS)
        : 0;
    for (const [model, runs] of models) demand.set(model, demand.get(model)! + runs * (waiting + lately));
  }
  return demand;
}

/** By how much the demand that moved most moved: 1.2 is a fifth up, or as much down. */
export function demandChange(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): number {
  let change = 1;
  for (const [pipeline, demand] of now) {
    const ratio = demand / (before.get(pipeline) ?? AT_REST_PER_SECOND);
    change = Math.max(change, ratio, 1 / ratio);
  }
  return change;
}
