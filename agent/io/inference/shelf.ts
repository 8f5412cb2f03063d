import { canonicalJson } from "../../../shared/canonical-json.ts";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import { modelBytes } from "../../../shared/model.ts";
import type { EngineModel, ModelToLoad, PipelineInfo, Telemetry } from "../../ports/index.ts";
import type { ExecutorProcess } from "./executor-process.ts";

/** A place for one executor. */
export interface Seat {
  executor?: ExecutorProcess;
  state: "starting" | "idle" | "loading" | "busy" | "empty";
  /** Starts that failed since one succeeded. */
  failedStarts: number;
  restart?: NodeJS.Timeout;
  /** What its executor has loaded, and how many bytes larger each made it. */
  loaded: Map<Shelved, number>;
}

/** A model that is to be loaded, and where. */
export interface Shelved {
  readonly model: ModelToLoad;
  readonly info: PipelineInfo;
  /** They keep it, whichever executor sits there, until it is brought together with others. */
  seats: ReadonlySet<Seat>;
  /** When all of them have it for the first time, or it cannot be loaded. */
  readonly settled: PromiseWithResolvers<void>;
  state: EngineModel["state"];
  reason?: string;
  /** Executors that ended while they loaded it, since one succeeded. */
  deaths: number;
  /** Of free dimensions in made-up inputs that it takes. */
  sampleLength?: number;
}

export interface ShelfInit {
  telemetry: Telemetry;
  seats: readonly Seat[];
  /** This executor is done with loading; it is still there. */
  onFree: (seat: Seat, executor: ExecutorProcess) => void;
  /** It is off all executors, or on its way: what waits for it waits in vain. */
  onGone: (pipeline: string, error: SkeinError) => void;
}

/**
 * The models that are loaded while the engine runs: which executors are to have which, and the steps that bring them there.
 * One executor loads at a time: the others go on, and only one needs the memory that loading takes beyond the model's own.
 */
export class Shelf {
  private readonly init: ShelfInit;
  /** By pipeline; the failed ones too, until somebody takes them off. */
  private readonly shelved = new Map<string, Shelved>();
  /** What is known by the name of a pipeline: while a model is exchanged, the one before. */
  private readonly known = new Map<string, PipelineInfo>();
  /** Models that run one after the other in one executor. */
  private together: string[][] = [];
  private loader: Seat | undefined;
  private unloading: { pipeline: string; done: () => void }[] = [];

  constructor(init: ShelfInit) {
    this.init = init;
  }

  pipelines(): PipelineInfo[] {
    return [...this.known.values()];
  }

  pipeline(name: string): PipelineInfo | undefined {
    return this.known.get(name);
  }

  models(): EngineModel[] {
    return [...this.shelved].map(([pipeline, { state, reason }]) => ({ pipeline, state, ...(reason && { reason }) }));
  }

  find(pipeline: string): Shelved | undefined {
    return this.shelved.get(pipeline);
  }

  /** Whether the executor there has it, in whatever choice. */
  isOn(seat: Seat, pipeline: string): boolean {
    for (const { model } of seat.loaded.keys()) if (model.pipeline === pipeline) return true;
    return false;
  }

  /** Bytes that its models made the executor there larger. */
  bytesOn({ loaded }: Seat): number {
    return [...loaded.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** @throws MODEL_INVALID */
  async load(model: ModelToLoad): Promise<void> {
    const { pipeline } = model;
    const before = this.shelved.get(pipeline);
    if (before && before.state !== "failed" && canonicalJson(before.model) === canonicalJson(model))
      return before.settled.promise;
    // What runs other files is another pipeline in a result's proof, so the one before ends first.
    if (before && canonicalJson(runFiles(before.model)) !== canonicalJson(runFiles(model))) await this.unload(pipeline);
    else if (before) this.settleFailed(before, "it was loaded anew in another way");
    const shelved = this.put(model);
    this.tendAll();
    return shelved.settled.promise;
  }

  private put(model: ModelToLoad): Shelved {
    const { pipeline, manifest, choice } = model;
    const count = Math.min(choice.executors, this.init.seats.length);
    const held = (seat: Seat): number =>
      [...this.shelved.values()].reduce(
        (sum, one) => sum + (one.seats.has(seat) ? modelBytes(one.model.manifest) : 0),
        0,
      );
    const old = this.shelved.get(pipeline)?.seats;
    this.shelved.delete(pipeline);
    const weights = new Map(this.init.seats.map((seat) => [seat, old?.has(seat) ? -1 : held(seat)]));
    const seats = [...this.init.seats].sort((a, b) => weights.get(a)! - weights.get(b)!).slice(0, count);
    const info = {
      name: pipeline,
      version: `${manifest.version}`,
      models: runFiles(model).map(({ path: name, blob: sha256, bytes }) => ({ name, sha256, bytes })),
      // A made-up input says less of the next item than the last ones do.
      itemsAlike: true,
      executors: count,
      batch: manifest.batches ? choice.batch : 1,
    };
    const settled = Promise.withResolvers<void>();
    // Whoever asked for it hears of it by the promise of `load`.
    settled.promise.catch(() => {});
    const shelved: Shelved = { model, info, seats: new Set(seats), settled, state: "loading", deaths: 0 };
    this.shelved.set(pipeline, shelved);
    this.takeSeatsTogether();
    return shelved;
  }

  unload(pipeline: string): Promise<void> {
    const shelved = this.shelved.get(pipeline);
    this.shelved.delete(pipeline);
    if (shelved) {
      this.settleFailed(shelved, "it was unloaded");
      const known = this.pipelines()
        .map(({ name }) => name)
        .filter((name) => name !== pipeline);
      this.gone(pipeline, new SkeinError("UNKNOWN_PIPELINE", { pipeline, known }));
    }
    return new Promise((resolve) => {
      this.unloading.push({ pipeline, done: resolve });
      this.tendAll();
      this.tellUnloaded();
    });
  }

  private settleFailed({ model, settled }: Shelved, reason: string): void {
    settled.reject(new SkeinError("MODEL_INVALID", { model: model.pipeline, reason }));
  }

  private gone(pipeline: string, error: SkeinError): void {
    this.known.delete(pipeline);
    this.init.onGone(pipeline, error);
  }

  private tellUnloaded(): void {
    const isOnAny = (pipeline: string): boolean => this.init.seats.some((seat) => this.isOn(seat, pipeline));
    const isWaited = ({ pipeline }: { pipeline: string }): boolean => !this.shelved.has(pipeline) && isOnAny(pipeline);
    const done = this.unloading.filter((one) => !isWaited(one));
    this.unloading = this.unloading.filter(isWaited);
    for (const one of done) one.done();
  }

  private tendAll(): void {
    for (const seat of this.init.seats) if (seat.state === "idle" && seat.executor) this.tend(seat, seat.executor);
  }

  /**
   * Models of one set run one after the other in one executor, so they have to be in the same. Sets that share a model are
   * one, or they would pull it about between them; the seats of the largest model are theirs, as many as each model has.
   */
  bringTogether(sets: readonly (readonly string[])[]): void {
    this.together = joinedSets(sets);
    this.takeSeatsTogether();
    this.tendAll();
  }

  private takeSeatsTogether(): void {
    for (const set of this.together) {
      const models = set.flatMap((pipeline) => this.shelved.get(pipeline) ?? []);
      const [largest] = [...models].sort((a, b) => modelBytes(b.model.manifest) - modelBytes(a.model.manifest));
      if (!largest) continue;
      const order = [...largest.seats, ...this.init.seats.filter((seat) => !largest.seats.has(seat))];
      for (const one of models) one.seats = new Set(order.slice(0, one.seats.size));
    }
  }

  /** Brings an executor without work one step nearer to what it is to have. False if there is nothing to do, or not now. */
  tend(seat: Seat, executor: ExecutorProcess): boolean {
    const surplus = [...seat.loaded.keys()].find(
      (one) => this.shelved.get(one.model.pipeline) !== one || one.state === "failed" || !one.seats.has(seat),
    );
    if (surplus) {
      seat.state = "loading";
      void this.takeOff(seat, executor, surplus);
      return true;
    }
    if (this.loader) return false;
    const missing = [...this.shelved.values()].find(
      (one) => one.state !== "failed" && one.seats.has(seat) && !seat.loaded.has(one),
    );
    if (!missing) return false;
    seat.state = "loading";
    this.loader = seat;
    void this.bring(seat, executor, missing);
    return true;
  }

  private async takeOff(seat: Seat, executor: ExecutorProcess, { model }: Shelved): Promise<void> {
    await executor.unload(model.pipeline, TIMING.modelLoadMs).then(
      () => {
        for (const one of seat.loaded.keys()) if (one.model.pipeline === model.pipeline) seat.loaded.delete(one);
      },
      // It is gone, and what it had loaded with it.
      () => {},
    );
    this.stepped(seat, executor);
  }

  private async bring(seat: Seat, executor: ExecutorProcess, shelved: Shelved): Promise<void> {
    const { model } = shelved;
    const before = { rssBytes: executor.rssBytes, ms: performance.now() };
    this.init.telemetry.log("debug", "modelLoading", { pipeline: model.pipeline, pid: executor.pid });
    const deadlineMs = TIMING.modelLoadMs + modelBytes(model.manifest) / LIMITS.modelLoadBytesPerMsMin;
    try {
      const { sampleLength } = await executor.load(model, Math.ceil(deadlineMs));
      const grownBytes = Math.max(0, executor.rssBytes - before.rssBytes);
      seat.loaded.set(shelved, grownBytes);
      shelved.deaths = 0;
      if (sampleLength !== undefined) shelved.sampleLength = sampleLength;
      const loadMs = Math.round(performance.now() - before.ms);
      const facts = { pipeline: model.pipeline, pid: executor.pid, loadMs, grownBytes };
      this.init.telemetry.log("info", "modelLoaded", facts);
      this.settleReady(shelved);
    } catch (error) {
      this.loadFailed(shelved, SkeinError.from(error));
    }
    this.loader = undefined;
    this.stepped(seat, executor);
    this.tendAll();
  }

  private stepped(seat: Seat, executor: ExecutorProcess): void {
    if (executor.usable && seat.executor === executor) this.init.onFree(seat, executor);
    this.tellUnloaded();
  }

  private settleReady(shelved: Shelved): void {
    const { model, info, seats, settled } = shelved;
    if (this.shelved.get(model.pipeline) !== shelved || shelved.state !== "loading") return;
    if ([...seats].some((seat) => !seat.loaded.has(shelved))) return;
    shelved.state = "ready";
    this.known.set(model.pipeline, info);
    settled.resolve();
  }

  /** An executor that ended may have had another reason once; a load that hangs, or is refused, is that of the model. */
  private loadFailed(shelved: Shelved, error: SkeinError): void {
    const { model } = shelved;
    if (this.shelved.get(model.pipeline) !== shelved) return;
    const isDeath = error.code === "EXECUTOR_DIED";
    if (isDeath) shelved.deaths++;
    if (isDeath && shelved.deaths < LIMITS.modelLoadDeathsMax) return;
    const reason = isDeath
      ? `loading it ended ${shelved.deaths} inference processes (${error.facts.reason})`
      : `${error.facts.reason ?? error.message}`;
    const failed = new SkeinError("MODEL_INVALID", { model: model.pipeline, reason }, { cause: error });
    shelved.state = "failed";
    shelved.reason = reason;
    this.init.telemetry.log("error", "modelFailed", { ...failed.toJSON() });
    this.gone(model.pipeline, failed);
    shelved.settled.reject(failed);
  }

  /** The executor there ended. */
  emptied(seat: Seat): void {
    seat.loaded.clear();
    this.tellUnloaded();
  }

  stop(): void {
    for (const shelved of this.shelved.values()) this.settleFailed(shelved, "the agent is stopping");
    this.shelved.clear();
    this.known.clear();
  }
}

/** Sets that share something become one. */
function joinedSets(sets: readonly (readonly string[])[]): string[][] {
  let joined: Set<string>[] = [];
  for (const set of sets) {
    const touching = joined.filter((one) => set.some((member) => one.has(member)));
    joined = joined.filter((one) => !touching.includes(one));
    joined.push(new Set([...touching.flatMap((one) => [...one]), ...set]));
  }
  return joined.map((one) => [...one]);
}

/** What is run by this choice: the manifest's files without the graph of the other variant. */
const runFiles = ({ manifest, choice }: ModelToLoad): ModelToLoad["manifest"]["files"] =>
  manifest.files.filter(({ use }) => use === choice.variant || (use !== "graph" && use !== "int8"));
