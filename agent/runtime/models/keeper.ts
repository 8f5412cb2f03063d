import type { ModelState } from "../../../shared/capacity.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import { modelReference } from "../../../shared/model.ts";
import type { ModelProfile } from "../../../shared/model-profile.ts";
import { checkWantedModels, type WantedModels } from "../../../shared/wanted-models.ts";
import type { Cancel } from "../../ports/index.ts";
import type { BlobAccess } from "../blob-access.ts";
import type { Events } from "../events.ts";
import type { Surroundings } from "../surroundings.ts";
import { within } from "../waiting.ts";
import { bringFiles } from "./bring.ts";
import { KeptModel } from "./kept.ts";
import { checkMemory, choiceFor } from "./memory.ts";

export interface KeeperInit {
  blobAccess: BlobAccess;
  events: Events;
  /** What is placed here, by this node's ledger or a member's. @throws NO_LEADER and the like while nobody can tell */
  wanted(mark: string): Promise<WantedModels>;
  /** What was measured on this node. */
  profiles(): readonly ModelProfile[];
  /** A model that is being looked at before it is added. */
  isInHand(digest: BlobHash): boolean;
  /** Of this pipeline, any work that is in hand. */
  holds(pipeline: string): boolean;
  measure(pipeline: string): Promise<void>;
  withhold(pipeline: string, isWithheld: boolean): void;
  forget(pipeline: string): void;
  /** Something in the report of this node changed. */
  onChange(): void;
}

/** Between two looks at what waits for something that tells nobody: work that ends, a file whose time is over. */
const LOOK_MS = 1_000;

/**
 * This node has the models that are placed on it: it fetches their files, puts them into a folder, loads them and measures
 * them, one at a time, the smallest first. What is placed here no more gets no more work, goes when its last work is done,
 * and not before the new ones are loaded, unless they need its memory; its files stay for a while, since it may come back.
 * While nobody can tell what is placed here, all stays as it is.
 */
export class ModelKeeper {
  readonly #world: Surroundings;
  readonly #init: KeeperInit;
  readonly #kept = new Map<string, KeptModel>();
  /** Folders of models that are not wanted, and since when. */
  readonly #idleSinceMs = new Map<BlobHash, number>();
  #mark = "";
  #bringing: { model: KeptModel; stop: AbortController } | undefined;
  #asking: Promise<void> | undefined;
  #isAskedAgain = false;
  #woken = Promise.withResolvers<void>();
  #polling: Cancel = () => {};
  #isStopped = false;

  constructor(world: Surroundings, init: KeeperInit) {
    this.#world = world;
    this.#init = init;
  }

  /** Once the executors run. */
  start(): void {
    if (this.#isStopped) return;
    this.#polling = this.#world.clock.every(TIMING.placementNewsMs, () => this.moved());
    this.moved();
    void this.#work();
  }

  stop(): void {
    this.#isStopped = true;
    this.#polling();
    this.#bringing?.stop.abort(new Error("the agent is stopping"));
    this.#woken.resolve();
  }

  /** Of those that are wanted here, as many as a report has room for; of one that is ready its rate tells as much. */
  models(): ModelState[] {
    const wanted = [...this.#kept.values()].filter(({ isWanted }) => isWanted);
    wanted.sort((a, b) => Number(a.isReady) - Number(b.isReady));
    return wanted.slice(0, LIMITS.modelStatesToldMax).map((model) => {
      const blobs = model === this.#bringing?.model ? model.manifest.files.map(({ blob }) => blob) : [];
      return model.view(blobs.reduce((sum, blob) => sum + this.#init.blobAccess.bytesComing(blob), 0));
    });
  }

  /** A file of a model that is wanted here: whole, it is what others fetch from. */
  isClaimed(hash: BlobHash): boolean {
    for (const { isWanted, manifest } of this.#kept.values())
      if (isWanted && manifest.files.some(({ blob }) => blob === hash)) return true;
    return false;
  }

  /** Another placement may hold. */
  moved(): void {
    if (this.#isStopped) return;
    this.#isAskedAgain = true;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
  }

  async #ask(): Promise<void> {
    while (this.#isAskedAgain && !this.#isStopped) {
      this.#isAskedAgain = false;
      try {
        const { mark, told } = checkWantedModels(await this.#init.wanted(this.#mark));
        if (told && !this.#isStopped) this.#take(told);
        this.#mark = mark;
      } catch (error) {
        this.#world.telemetry.log("debug", "placementUntold", { reason: SkeinError.from(error).message });
      }
    }
  }

  #take({ models, bytesPerSecondMax }: NonNullable<WantedModels["told"]>): void {
    this.#init.blobAccess.throttle.bytesPerSecond = bytesPerSecondMax;
    const wanted = new Map(models.map((model) => [modelReference(model.manifest), model]));
    for (const [pipeline, model] of wanted) {
      const kept = this.#kept.get(pipeline) ?? new KeptModel(model, this.#world.sha256);
      this.#kept.set(pipeline, kept);
      kept.heard(model, this.#world.network.self);
      kept.isWanted = true;
      kept.hurry();
      this.#init.withhold(pipeline, false);
    }
    for (const [pipeline, kept] of this.#kept) {
      if (wanted.has(pipeline)) continue;
      kept.isWanted = false;
      if (kept === this.#bringing?.model) this.#bringing.stop.abort(new Error("it is placed here no more"));
      else if (!kept.isLoaded) this.#kept.delete(pipeline);
      if (kept.isLoaded) this.#init.withhold(pipeline, true);
    }
    this.#init.onChange();
    this.#woken.resolve();
  }

  async #work(): Promise<void> {
    while (!this.#isStopped) {
      this.#woken = Promise.withResolvers();
      if (!(await this.#step())) await within(this.#world.clock, LOOK_MS, this.#woken.promise);
    }
  }

  /** @returns whether there was anything to do */
  async #step(): Promise<boolean> {
    this.#lookAtEngine();
    const next = this.#next();
    try {
      if (next) await this.#bring(next);
      return next !== undefined || (await this.#letGo());
    } catch (error) {
      this.#world.telemetry.log("warn", "modelsUnkept", { reason: SkeinError.from(error).message });
      return false;
    }
  }

  /** One whose executors died again and again was taken off. */
  #lookAtEngine(): void {
    for (const { pipeline, state, reason = "it was taken off" } of this.#world.engine.models()) {
      const kept = this.#kept.get(pipeline);
      if (state !== "failed" || !kept?.isLoaded) continue;
      kept.isLoaded = false;
      kept.failed(new SkeinError("MODEL_INVALID", { model: pipeline, reason }), this.#world.clock.monotonicMs());
      this.#init.forget(pipeline);
      if (!kept.isWanted) this.#kept.delete(pipeline);
      this.#init.events.emit("modelFailed", { model: pipeline, reason }, "warn");
    }
  }

  /** The smallest first: of all orders it has the most models ready at any moment. */
  #next(): KeptModel | undefined {
    const nowMs = this.#world.clock.monotonicMs();
    return [...this.#kept.values()]
      .filter(({ isWanted, isReady, retryAtMs }) => isWanted && !isReady && retryAtMs <= nowMs)
      .sort((a, b) => a.bytes - b.bytes || (a.pipeline < b.pipeline ? -1 : 1))[0];
  }

  async #bring(model: KeptModel): Promise<void> {
    const { clock } = this.#world;
    const { events, onChange } = this.#init;
    const { pipeline } = model;
    const stop = new AbortController();
    this.#bringing = { model, stop };
    try {
      model.begin("fetching");
      onChange();
      const folder = await bringFiles(this.#world, this.#init.blobAccess, model, stop.signal);
      stop.signal.throwIfAborted();
      await this.#load(model, folder);
      if (model.isReady) events.emit("modelReady", { model: pipeline });
    } catch (error) {
      if (this.#isStopped || stop.signal.aborted) return;
      const fault = SkeinError.from(error);
      model.failed(fault, clock.monotonicMs());
      events.emit("modelFailed", { model: pipeline, reason: fault.message }, "warn");
    } finally {
      this.#bringing = undefined;
      if (!model.isWanted && !model.isLoaded) this.#kept.delete(pipeline);
      onChange();
    }
  }

  async #load(model: KeptModel, folder: string): Promise<void> {
    const { engine } = this.#world;
    const { pipeline, manifest } = model;
    const choice = choiceFor(engine.executors);
    if (!model.isLoaded) {
      model.lacksMemory = true;
      const profile = this.#init.profiles().find(({ digest }) => digest === model.digest);
      await checkMemory(this.#world, { pipeline, manifest, choice, ...(profile && { profile }) });
      model.begin("loading");
      this.#init.onChange();
      await engine.load({ pipeline, manifest, folder, choice });
      model.isLoaded = true;
    }
    if (!model.isWanted) return;
    await this.#init.measure(pipeline);
    model.begin("ready");
  }

  /** One of the models, or of the folders, that nobody wants any more. @returns whether there was one */
  async #letGo(): Promise<boolean> {
    const { events, holds, forget } = this.#init;
    const idle = [...this.#kept.values()].find((kept) => !kept.isWanted && kept.isLoaded && !holds(kept.pipeline));
    if (!idle) return this.#removeFolder();
    const { pipeline } = idle;
    try {
      await this.#world.engine.unload(pipeline);
    } catch (error) {
      events.emit("modelNotUnloaded", { model: pipeline, reason: SkeinError.from(error).message }, "warn");
      return false;
    }
    idle.isLoaded = false;
    forget(pipeline);
    // It may have been placed here again meanwhile.
    if (idle.isWanted) idle.begin("fetching");
    else this.#kept.delete(pipeline);
    events.emit("modelUnloaded", { model: pipeline });
    for (const kept of this.#kept.values()) if (kept.lacksMemory) kept.hurry();
    return true;
  }

  async #removeFolder(): Promise<boolean> {
    // Until somebody told, all might be wanted.
    if (this.#mark === "") return false;
    const { clock, models: folders } = this.#world;
    const nowMs = clock.monotonicMs();
    const kept = new Set([...this.#kept.values()].map(({ digest }) => digest));
    const isUsed = (digest: BlobHash): boolean => kept.has(digest) || this.#init.isInHand(digest);
    const here = await folders.list();
    for (const digest of this.#idleSinceMs.keys())
      if (isUsed(digest) || !here.includes(digest)) this.#idleSinceMs.delete(digest);
    for (const digest of here) {
      if (isUsed(digest)) continue;
      const sinceMs = this.#idleSinceMs.get(digest) ?? nowMs;
      this.#idleSinceMs.set(digest, sinceMs);
      if (nowMs - sinceMs < TIMING.modelLetGoMs) continue;
      await folders.remove(digest);
      this.#init.events.emit("modelRemoved", { digest });
      return true;
    }
    return false;
  }
}
