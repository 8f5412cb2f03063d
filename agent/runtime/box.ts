import type { BoxView, LinkFigures, ProviderTrial } from "../../shared/box.ts";
import type { HardwareFacts, Vitals } from "../../shared/capacity.ts";
import { SkeinError } from "../../shared/errors.ts";
import { TIMING } from "../../shared/limits.ts";
import { type BoxChange, BoxWatch } from "../core/box/index.ts";
import type { Cancel, ProbeResult } from "../ports/index.ts";
import type { Events } from "./events.ts";
import type { Surroundings } from "./surroundings.ts";

export interface BoxInit {
  probed: ProbeResult;
  events: Events;
  /** Items that wait or run here: nothing is measured beside them. */
  itemsQueued: () => number;
  links: () => LinkFigures[];
  /** The facts changed. */
  onChange: () => void;
}

/** What this node knows of the box it runs on: what was read at the start, what was measured since, and what changes. */
export class Box {
  readonly #world: Surroundings;
  readonly #init: BoxInit;
  readonly #watch: BoxWatch;
  #measured: Partial<HardwareFacts> = {};
  #trials: ProviderTrial[] | undefined;
  #looking: Cancel = () => {};
  #isStopped = false;

  constructor(world: Surroundings, init: BoxInit) {
    this.#world = world;
    this.#init = init;
    this.#watch = new BoxWatch(init.probed.facts.memoryUsableBytes);
  }

  facts(): HardwareFacts {
    return { ...this.#init.probed.facts, ...this.#measured };
  }

  /** For the report, which tells what changed at once. */
  async vitals(): Promise<Vitals> {
    const vitals = await this.#world.probe.vitals();
    this.#tell(this.#watch.takeVitals(vitals));
    return vitals;
  }

  /** To be called once this node is ready. It is measured when it has nothing else to do: whoever started it wants its first work done first. */
  start(): void {
    this.#looking = this.#world.clock.after(TIMING.boxMeasureMs, () => {
      if (this.#init.itemsQueued() > 0) this.start();
      else void this.#measure();
    });
  }

  /** And looks again now and then whether its storage became slower. */
  async #measure(): Promise<void> {
    await this.#tryProviders();
    await this.#measureStorage(true);
    if (this.#isStopped) return;
    this.#looking = this.#world.clock.every(TIMING.storageLookMs, () => {
      if (this.#init.itemsQueued() === 0) void this.#measureStorage(false);
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#looking();
  }

  async view(): Promise<BoxView> {
    const view = await this.#world.probe.view();
    const providers = this.#trials && { providers: this.#trials };
    return { ...view, facts: this.facts(), ...providers, links: this.#init.links() };
  }

  async #tryProviders(): Promise<void> {
    try {
      const trials = await this.#world.probe.tryProviders();
      if (this.#isStopped || trials.length === 0) return;
      this.#trials = trials;
      const providers = trials.filter(({ works }) => works).map(({ name }) => name);
      this.#learn({ providers });
      this.#init.events.emit("providersTried", { works: providers, failed: trials.filter(({ works }) => !works) });
    } catch (error) {
      this.#world.telemetry.log("warn", "providersUntried", { reason: SkeinError.from(error).message });
    }
  }

  async #measureStorage(isWhole: boolean): Promise<void> {
    try {
      const speed = await this.#world.probe.storageSpeed(isWhole);
      if (this.#isStopped || !speed) return;
      this.#learn({ ...speed });
      if (isWhole) this.#init.events.emit("storageMeasured", { ...speed });
      this.#tell(this.#watch.takeFsync(speed.fsyncMs));
    } catch (error) {
      this.#world.telemetry.log("warn", "storageUnmeasured", { reason: SkeinError.from(error).message });
    }
  }

  #learn(facts: Partial<HardwareFacts>): void {
    this.#measured = { ...this.#measured, ...facts };
    this.#init.onChange();
  }

  #tell(changes: BoxChange[]): void {
    for (const change of changes) this.#init.events.emit("boxChanged", { ...change }, "warn");
  }
}
