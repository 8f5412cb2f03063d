import type {
  Cancel,
  Clock,
  Examination,
  GraphFile,
  KnownGraph,
  Trial,
  TrialLimits,
  TrialOutcome,
  Trials,
} from "../../agent/ports/index.ts";
import { invariant } from "../../shared/errors.ts";

const tensor = (name: string) => ({ name, datatype: "FP32" as const, shape: [-1, 4] });
export const TINY_EXAMINATION: Examination = {
  inputs: [tensor("x")],
  outputs: [tensor("y")],
  batches: true,
  loadMs: 5,
  memoryPeakBytes: 1_000_000,
};

/** Loading, and a first run. */
export const PRETEND_OVERHEAD_MS = 300;

/** Trials that go as the test says; a trial takes its time on the clock that is given. */
export class PretendTrials implements Trials {
  readonly runtime: string = "pretend 1";
  readonly examined: { graph: GraphFile; limits: TrialLimits }[] = [];
  /** Every trial that was begun, those that were stopped too. */
  readonly begun: Trial[] = [];
  stopped = 0;
  graphs: KnownGraph[] = [];
  /** What comes of examining a graph. */
  outcome: (graph: GraphFile, limits: TrialLimits) => Promise<Examination> = async () => TINY_EXAMINATION;
  /** Items a second of all executors, or why it is refused. */
  speed: (trial: Trial) => number | Error = ({ choice }) => 10 * choice.executors;
  readonly #clock: Clock | undefined;

  constructor(clock?: Clock) {
    this.#clock = clock;
  }

  examine(graph: GraphFile, limits: TrialLimits): Promise<Examination> {
    this.examined.push({ graph, limits });
    return this.outcome(graph, limits);
  }

  async run(trial: Trial, stop?: AbortSignal): Promise<TrialOutcome | undefined> {
    this.begun.push(trial);
    const isDone = await this.#wait(PRETEND_OVERHEAD_MS + trial.runMs, stop);
    if (!isDone) {
      this.stopped++;
      return undefined;
    }
    const speed = this.speed(trial);
    if (speed instanceof Error) throw speed;
    const { executors, batch } = trial.choice;
    return {
      itemsPerSecond: speed,
      runMs: (executors * batch * 1_000) / speed,
      loadMs: 50,
      firstRunMs: 20,
      memoryPeakBytes: 2_000_000 * batch,
      memorySettledBytes: 1_000_000 * batch,
      outputs: [Float64Array.of(1)],
    };
  }

  /** False when it was stopped before. */
  #wait(delayMs: number, stop?: AbortSignal): Promise<boolean> {
    const clock = this.#clock;
    invariant(clock, "trials that run have a clock");
    if (stop?.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const cancel: Cancel = clock.after(delayMs, () => resolve(true));
      stop?.addEventListener("abort", () => {
        cancel();
        resolve(false);
      });
    });
  }

  async known(): Promise<KnownGraph[]> {
    return this.graphs;
  }

  async close(): Promise<void> {}
}
