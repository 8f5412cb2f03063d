import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SkeinError } from "../../../../shared/errors.ts";
import type {
  Examination,
  GraphFile,
  KnownGraph,
  Trial,
  TrialLimits,
  TrialOutcome,
  Trials,
} from "../../../ports/index.ts";
import { countEnergy } from "./energy.ts";
import { knownGraphs } from "./known.ts";
import type { Loaded, Measured } from "./protocol.ts";
import { Refused } from "./refusals.ts";
import { TrialProcess } from "./trial-process.ts";

/** Of the package, without loading it: it belongs in no process of the agent's. */
function runtimeVersion(): string {
  const entry = fileURLToPath(import.meta.resolve("onnxruntime-node"));
  const { version } = JSON.parse(readFileSync(join(dirname(entry), "..", "package.json"), "utf8"));
  return `onnxruntime-node ${version}`;
}

class ProcessTrials implements Trials {
  readonly runtime = runtimeVersion();
  readonly #processes = new Set<TrialProcess>();
  #last: Promise<unknown> = Promise.resolve();
  #known: Promise<KnownGraph[]> | undefined;
  #isClosed = false;

  examine(graph: GraphFile, limits: TrialLimits): Promise<Examination> {
    return this.#next(graph, () =>
      this.#within([limits], async ([one]) => {
        const command = { kind: "examine", graph, memoryBytesMax: limits.memoryBytesMax } as const;
        return (await one!.ask(command, "examined", limits.deadlineMs)).examination;
      }),
    );
  }

  async run(trial: Trial, stop?: AbortSignal): Promise<TrialOutcome | undefined> {
    const isStopped = (): boolean => stop?.aborted ?? false;
    return this.#next(trial.graph, async () => {
      if (isStopped()) return undefined;
      const onStop = (): void => {
        for (const one of this.#processes) one.kill("it was stopped");
      };
      stop?.addEventListener("abort", onStop);
      try {
        const limits = Array.from({ length: trial.choice.executors }, () => trial);
        return await this.#within(limits, (processes) => measureTogether(processes, trial));
      } catch (error) {
        if (isStopped()) return undefined;
        throw error;
      } finally {
        stop?.removeEventListener("abort", onStop);
      }
    });
  }

  known(): Promise<KnownGraph[]> {
    this.#known ??= knownGraphs();
    return this.#known;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const one of this.#processes) one.kill("the agent is stopping");
    await this.#last;
  }

  /** One at a time: side by side they would measure one another. */
  #next<T>(graph: GraphFile, work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      if (this.#isClosed) throw new Refused("the agent is stopping");
      return work();
    });
    this.#last = turn.catch(() => {});
    return turn.catch((error: unknown) => {
      if (!(error instanceof Refused)) throw error;
      throw new SkeinError("MODEL_REFUSED", { model: basename(graph.path), reason: error.message }, { cause: error });
    });
  }

  /** Processes for the time of some work, and no longer. */
  async #within<T>(limits: TrialLimits[], work: (processes: TrialProcess[]) => Promise<T>): Promise<T> {
    const processes: TrialProcess[] = [];
    try {
      for (const { memoryBytesMax } of limits) {
        const one = new TrialProcess(memoryBytesMax);
        processes.push(one);
        this.#processes.add(one);
      }
      await allOf(processes.map((one) => one.up()));
      return await work(processes);
    } finally {
      for (const one of processes) {
        one.kill("it is done");
        await one.ended;
        this.#processes.delete(one);
      }
    }
  }
}

/** All of them, or the first failure once all have ended: none may fail unheard. */
async function allOf<T>(promises: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

async function measureTogether(processes: TrialProcess[], trial: Trial): Promise<TrialOutcome> {
  const { graph, choice, shapes, memoryBytesMax, deadlineMs, runMs } = trial;
  const command = { kind: "load", graph, choice, memoryBytesMax, ...(shapes && { shapes }) } as const;
  const loaded = await allOf(processes.map(async (one) => (await one.ask(command, "loaded", deadlineMs)).loaded));
  const joulesSince = await countEnergy();
  const measured = await allOf(
    processes.map(
      async (one) => (await one.ask({ kind: "measure", forMs: runMs }, "measured", runMs + deadlineMs)).measured,
    ),
  );
  return outcomeOf(loaded, measured, await joulesSince());
}

const most = (figures: number[]): number => Math.max(...figures);

function outcomeOf(loaded: Loaded[], measured: Measured[], joules: number | undefined): TrialOutcome {
  const items = measured.reduce((sum, one) => sum + one.items, 0);
  const itemsPerSecond = measured.reduce((sum, one) => sum + (one.items / one.elapsedMs) * 1_000, 0);
  const runsMs = measured.map(({ runMs }) => runMs).sort((a, b) => a - b);
  return {
    itemsPerSecond,
    runMs: runsMs[runsMs.length >> 1]!,
    loadMs: most(loaded.map(({ loadMs }) => loadMs)),
    firstRunMs: most(loaded.map(({ firstRunMs }) => firstRunMs)),
    memoryPeakBytes: most(measured.map(({ memoryPeakBytes }) => memoryPeakBytes)),
    memorySettledBytes: most(measured.map(({ memorySettledBytes }) => memorySettledBytes)),
    ...(joules !== undefined && { joulesPerItem: joules / items }),
    outputs: loaded[0]!.outputs,
  };
}

/** Graphs are tried in child processes, each watched and each gone when its trial is over. */
export const createTrials = (): Trials => new ProcessTrials();
