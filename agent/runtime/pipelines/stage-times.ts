import { LIMITS } from "../../../shared/limits.ts";
import type { Segment } from "../../../shared/pipeline/compiled.ts";
import { listsToldBy } from "../../../shared/pipeline/segment.ts";
import type { StageTime } from "../../../shared/stage-time.ts";
import type { InferenceOutcome } from "../../ports/index.ts";

/** Weight of the newest run. */
const WEIGHT = 0.3;
/** A figure has changed enough to be told when it is off by that much. */
const TOLD_SHARE = 0.1;

/** What each stage of each pipeline costs here, by the runs of its segments; the least lately run are forgotten. */
export class StageTimes {
  /** The least lately run first. */
  readonly #times = new Map<string, StageTime>();
  readonly #told = new Map<string, number>();
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  all(): StageTime[] {
    return [...this.#times.values()];
  }

  /** What was measured in an earlier life, the least lately run first; nothing may be known yet. */
  recall(times: readonly StageTime[]): void {
    for (const time of times) {
      this.#times.set(keyOf(time), time);
      this.#told.set(keyOf(time), time.seconds);
    }
  }

  /** The run of a segment ended well. */
  learn(segment: Segment, { stages = [], elements = [] }: InferenceOutcome): void {
    const { reference: pipeline } = segment.pipeline;
    for (const { stage, runs, ms, outputBytes } of stages) {
      if (runs === 0 || !segment.pipeline.stages[stage]) continue;
      const [seconds, bytes] = [ms / 1_000 / runs, outputBytes / runs];
      this.#mix({
        pipeline,
        stage,
        seconds,
        outputBytes: bytes,
        ...this.#madeBy(segment, stage, { stages, elements }),
      });
    }
  }

  /** By the lengths that the segment tells, or by how often those ran that run over its list. */
  #madeBy(
    segment: Segment,
    stage: number,
    { stages, elements }: { stages: NonNullable<InferenceOutcome["stages"]>; elements: readonly number[] },
  ): { elements?: number } {
    const told = listsToldBy(segment).findIndex((source) => source.stage === stage);
    if (told >= 0 && elements[told] !== undefined) return { elements: elements[told] };
    const over = stages.find((run) => segment.pipeline.stages[run.stage]?.over?.stage === stage);
    return over ? { elements: over.runs } : {};
  }

  #mix(seen: StageTime): void {
    const before = this.#times.get(keyOf(seen)) ?? seen;
    const mixed = (was: number, now: number): number => was + WEIGHT * (now - was);
    const elements =
      seen.elements === undefined ? before.elements : mixed(before.elements ?? seen.elements, seen.elements);
    this.#keep({
      ...seen,
      seconds: mixed(before.seconds, seen.seconds),
      outputBytes: mixed(before.outputBytes, seen.outputBytes),
      ...(elements !== undefined && { elements }),
    });
  }

  #keep(time: StageTime): void {
    const key = keyOf(time);
    this.#times.delete(key);
    this.#times.set(key, time);
    if (this.#times.size > LIMITS.stageTimesToldMax) this.#forget(this.#times.keys().next().value!);
    const told = this.#told.get(key);
    if (told !== undefined && Math.abs(time.seconds - told) <= TOLD_SHARE * told) return;
    this.#told.set(key, time.seconds);
    this.#onChange();
  }

  #forget(key: string): void {
    this.#times.delete(key);
    this.#told.delete(key);
  }
}

const keyOf = ({ pipeline, stage }: StageTime): string => `${pipeline}/${stage}`;
