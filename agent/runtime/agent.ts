import { SkeinError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Ledger } from "../core/ledger/index.ts";
import type { RaftStatus } from "../core/raft/index.ts";
import type { AgentInit } from "./agent-init.ts";
import { Front, type FrontParts } from "./front.ts";
import { type Parts, partsOf } from "./parts/parts.ts";
import type { Surroundings } from "./surroundings.ts";
import { delay } from "./waiting.ts";

/** Before an executor that broke at its first measurement is measured again. */
const MEASURE_AGAIN_MS = 1_000;
const MEASURED_AGAIN_AFTER: readonly string[] = ["EXECUTOR_DIED", "EXECUTORS_BUSY", "DEADLINE_EXCEEDED"];

/**
 * One agent: starts and stops its parts, and shows their face. What each is built from is said in parts/; how they move one
 * another in log-following.ts, leadership.ts and fleet-moves.ts. Knows no room of io/.
 */
export class Agent extends Front {
  readonly #init: AgentInit;
  readonly #parts: Parts;
  protected readonly front: FrontParts;
  readonly #loaded = Promise.withResolvers<void>();
  #ready = false;
  #stopped = false;

  constructor(surroundings: Surroundings, init: AgentInit) {
    super();
    this.#init = init;
    const { promise: loaded } = this.#loaded;
    const parts = partsOf(surroundings, init, { loaded, submit: (spec) => this.submit(spec) });
    this.#parts = parts;
    this.front = {
      ...parts,
      name: init.name,
      identity: init.identity,
      part: init.part,
      predictionErrorsOf: (nodeId) => parts.leadership.predictionErrorsOf(nodeId),
      isReady: () => this.#ready,
      onStopRequested: init.onStopRequested,
    };
  }

  /** Joins the fleet at once; the executors warm up and are measured behind it. */
  async start(): Promise<void> {
    const { world, events, worker, bench, ...parts } = this.#parts;
    const { name, contents } = this.#init;
    await world.network.start();
    parts.fleetMoves.rosterChanged();
    parts.gossip.start();
    await parts.snapshots.load(contents.snapshot);
    this.#loaded.resolve();
    await worker.recall();
    if (this.#stopped) return;
    parts.snapshots.start();
    parts.driver.start();
    parts.standing.start();
    parts.membership.start();
    parts.handover.start();
    worker.start();
    await parts.drills.start();
    parts.sweep.start();
    parts.scrub.start();
    parts.speeds.start();
    events.emit("agentStarted", { name, node: world.network.self });
    await bench.load();
    await world.engine.start();
    bench.start();
    await this.#calibrate();
    parts.keeper.start();
    this.#ready = true;
    events.emit("agentReady", { name, executors: world.engine.executors });
    if (!this.#stopped) parts.box.start();
  }

  /** An executor that dies while it is measured is replaced like any other; the agent goes on without until then. */
  async #calibrate(): Promise<void> {
    const { world, worker, events } = this.#parts;
    for (;;)
      try {
        return await worker.rates.calibrate();
      } catch (error) {
        const { code, message } = SkeinError.from(error);
        if (this.#stopped || !MEASURED_AGAIN_AFTER.includes(code)) throw error;
        events.emit("calibrationFailed", { reason: message }, "warn");
        await delay(world.clock, MEASURE_AGAIN_MS);
      }
  }

  /** In the reverse order; what is running is given up, what is recorded stays. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#ready = false;
    const { world, ...parts } = this.#parts;
    parts.leadership.stop();
    parts.box.stop();
    parts.speeds.stop();
    parts.scrub.stop();
    parts.sweep.stop();
    parts.keeper.stop();
    parts.worker.stop();
    parts.drills.stop();
    parts.handover.stop();
    parts.membership.stop();
    parts.standing.stop();
    parts.gossip.stop();
    parts.snapshots.stop();
    parts.driver.stop();
    await world.network.stop();
    await parts.bench.stop();
    await world.engine.stop();
    await world.fitting?.close();
    await world.solver.close();
    await world.notes.close();
    await world.journal.close();
    await world.blobs.close();
  }

  /** For tests and the simulator, after every step. The ledger, which only grows, is asked by itself. */
  assertSound(): void {
    this.#parts.driver.raft.assertSound();
    this.#parts.leadership.assertSound();
  }

  /** What waits in this agent, against its bound: for tests and the simulator. */
  queues(): { what: string; length: number; max: number }[] {
    const { worker, proposer, events, registry, deputy } = this.#parts;
    return [
      { what: "items in the worker's hands", length: worker.itemsQueued, max: LIMITS.jobItemsMax },
      { what: "proposals under way", length: proposer.underWay, max: LIMITS.proposalsMax },
      { what: "events kept", length: events.kept, max: LIMITS.eventsKeptMax },
      { what: "models being added", length: registry.addsUnderWay, max: LIMITS.modelAddsMax },
      { what: "answers kept for others", length: deputy.answersKept, max: LIMITS.deputyAnswersKept },
    ];
  }

  get ledger(): Ledger {
    return this.#parts.ledger;
  }

  /** False on a worker, a witness, and a learner that has not caught up. */
  get holdsLedger(): boolean {
    return this.#parts.standing.holdsLedger;
  }

  raftStatus(): RaftStatus {
    return this.#parts.driver.status();
  }
}
